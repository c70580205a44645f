-- The house. Frozen once released: change it by a new file beside this one.
-- Times are TEXT UTC YYYY-MM-DDTHH:MM:SS.sssZ, durations INTEGER milliseconds, numbers E.164 TEXT.

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

CREATE TABLE contact (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),           -- UUIDv7, RFC 9562: boxes will share them
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE contact_number (
  number TEXT PRIMARY KEY CHECK (number GLOB '+[1-9]*'),
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX contact_number_contact ON contact_number (contact_id);

-- What Asterisk's own database was told of the contacts, so that phones show names while we are dead.
CREATE TABLE directory_copy (
  number TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL CHECK (is_blocked IN (0, 1))
) STRICT;

-- One conversation attempt. A box without a clock repeats Asterisk's epoch ids, so the
-- key for ever is (box, boot, linkedid); boot counts the starts of Asterisk.
CREATE TABLE call (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  box TEXT NOT NULL,
  boot INTEGER NOT NULL,
  linkedid TEXT NOT NULL,
  trunk TEXT,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out', 'internal')),
  caller_id TEXT NOT NULL,                               -- the other side, as the line wrote it
  caller_name TEXT,                                      -- the name the line gave
  number TEXT,                                           -- E.164, NULL when it cannot be one
  presentation TEXT NOT NULL CHECK (presentation IN ('allowed', 'withheld', 'unavailable')),
  contact_id TEXT REFERENCES contact (id) ON DELETE SET NULL,
  extension TEXT,                                        -- who answered, or who called out
  started_at TEXT NOT NULL,
  answered_at TEXT,
  ended_at TEXT,                                         -- NULL while it lives
  ring_ms INTEGER,
  talk_ms INTEGER,
  outcome TEXT CHECK (outcome IN ('answered', 'missed', 'abandoned', 'busy', 'rejected', 'failed',
                                  'voicemail', 'blocked', 'interrupted')),
  hangup_cause INTEGER,                                  -- ITU-T Q.850
  bell TEXT CHECK (bell IN ('rang', 'cut')),             -- NULL when the bell was not asked
  is_clock_set INTEGER NOT NULL CHECK (is_clock_set IN (0, 1)),
  UNIQUE (box, boot, linkedid),
  CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX call_started ON call (started_at, id);
CREATE INDEX call_number ON call (number, started_at);
CREATE INDEX call_missed ON call (started_at, id) WHERE direction = 'in' AND outcome IN ('missed', 'abandoned');
CREATE INDEX call_answered ON call (started_at, id) WHERE direction = 'in' AND answered_at IS NOT NULL;
CREATE INDEX call_outgoing ON call (started_at, id) WHERE direction = 'out';
CREATE INDEX call_live ON call (id) WHERE ended_at IS NULL;

CREATE TABLE leg (
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  uniqueid TEXT NOT NULL,
  channel TEXT NOT NULL,
  party TEXT,                                            -- extension or trunk it belongs to
  is_caller INTEGER NOT NULL CHECK (is_caller IN (0, 1)),
  started_at TEXT NOT NULL,
  answered_at TEXT,
  ended_at TEXT,
  hangup_cause INTEGER,
  PRIMARY KEY (call_id, uniqueid)
) STRICT;

CREATE TABLE recording (
  call_id INTEGER PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
  file TEXT NOT NULL UNIQUE,                             -- name below the recordings folder
  started_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  is_cut INTEGER NOT NULL CHECK (is_cut IN (0, 1))       -- Asterisk died in the call; mended
) STRICT;

-- What Asterisk's ledger said, kept until the call is long over; the cursor moves in the
-- transaction that applied it. A new spool file has a new id and starts at 0.
CREATE TABLE ledger_event (
  spool TEXT NOT NULL,
  position INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  linkedid TEXT NOT NULL,
  uniqueid TEXT NOT NULL,
  kind TEXT NOT NULL,
  at_us INTEGER NOT NULL,                                -- microseconds since 1970, Asterisk's clock
  channel TEXT NOT NULL,
  context TEXT NOT NULL,
  extension TEXT NOT NULL,
  caller_id TEXT NOT NULL,
  caller_name TEXT NOT NULL,
  application TEXT NOT NULL,
  extra TEXT NOT NULL,
  PRIMARY KEY (spool, position)
) STRICT;
CREATE INDEX ledger_event_call ON ledger_event (boot, linkedid);

CREATE TABLE ledger_cursor (
  spool TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT;

-- What a desk is told. Ids are never reused: a browser asks for what came after its last one.
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ringing', 'answered', 'ended', 'recording', 'text')),
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE
) STRICT;
CREATE UNIQUE INDEX event_once ON event (call_id, kind) WHERE kind IN ('ringing', 'answered', 'ended', 'recording');

CREATE TABLE sms (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  number TEXT NOT NULL,
  text TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'held', 'sending', 'unknown', 'sent', 'delivered',
                                       'failed', 'expired', 'cancelled', 'received')),
  reason TEXT,                                           -- why it failed or is unknown, in words
  rule TEXT,
  call_id INTEGER REFERENCES call (id) ON DELETE SET NULL,
  created_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  sent_at TEXT,
  delivered_at TEXT,
  updated_at TEXT NOT NULL,
  UNIQUE (call_id, rule)
) STRICT;
CREATE INDEX sms_queued ON sms (due_at, id) WHERE state = 'queued';
CREATE INDEX sms_number ON sms (number, created_at);

CREATE TABLE segment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sms_id INTEGER NOT NULL REFERENCES sms (id) ON DELETE CASCADE,
  part INTEGER NOT NULL CHECK (part >= 1),
  pdu TEXT NOT NULL,                                     -- hex, SMSC address first (00: the SIM's own)
  state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'unknown', 'sent', 'delivered', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  reference INTEGER CHECK (reference BETWEEN 0 AND 255), -- TP-MR the network gave
  cms_code INTEGER,
  sending_at TEXT,
  sent_at TEXT,
  delivered_at TEXT,
  UNIQUE (sms_id, part)
) STRICT;
CREATE INDEX segment_queued ON segment (sms_id) WHERE state = 'queued';
CREATE INDEX segment_reference ON segment (reference);

-- Why a call was not answered by a text, in words.
CREATE TABLE refusal (
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (call_id, rule)
) STRICT;

-- What the radio says of itself, one row a modem.
CREATE TABLE modem (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  operator TEXT,
  signal_dbm INTEGER,
  updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE user (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,                           -- argon2id, RFC 9106
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE session (
  token_hash TEXT PRIMARY KEY,                           -- SHA-256 of the cookie: a stolen store logs nobody in
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  csrf TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL
) STRICT;
