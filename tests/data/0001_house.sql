-- A store of the release that brought 0001_house, with rows; sqlite3's iterdump. Never edited.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'deskbell','0001_house','2026-11-21 20:45:26.306411+00:00');
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
INSERT INTO "call" VALUES(1,'box1',1,'1795291823.0','line1','in','+493023125222',NULL,'+493023125222','allowed','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','101','2026-11-21T20:00:23.620Z','2026-11-21T20:00:27.100Z','2026-11-21T20:01:24.133Z',3480,57033,'answered',16,'rang',1);
INSERT INTO "call" VALUES(2,'box1',1,'1795291923.0','line1','in','01701234567','Foo','+491701234567','allowed','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa',NULL,'2026-11-21T20:10:23.620Z',NULL,'2026-11-21T20:10:33.133Z',9513,NULL,'missed',127,'rang',1);
INSERT INTO "call" VALUES(3,'box1',2,'1795291823.0','line1','in','anonymous',NULL,NULL,'withheld',NULL,NULL,'1970-01-01T00:00:09.000Z',NULL,NULL,NULL,NULL,NULL,NULL,'cut',0);
CREATE TABLE contact (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),           -- UUIDv7, RFC 9562: boxes will share them
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
INSERT INTO "contact" VALUES('01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','Margaret O''Sei',0,'2026-11-21T20:10:00.000Z','2026-11-21T20:10:00.000Z');
CREATE TABLE contact_number (
  number TEXT PRIMARY KEY CHECK (number GLOB '+[1-9]*'),
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "contact_number" VALUES('+491701234567','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
INSERT INTO "contact_number" VALUES('+493023125222','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
CREATE TABLE directory_copy (
  number TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL CHECK (is_blocked IN (0, 1))
) STRICT;
INSERT INTO "directory_copy" VALUES('+491701234567','Margaret O''Sei',0);
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ringing', 'answered', 'ended', 'recording', 'text')),
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "event" VALUES(1,'2026-11-21T20:10:33.135Z','ringing',2);
INSERT INTO "event" VALUES(2,'2026-11-21T20:10:33.135Z','ended',2);
INSERT INTO "event" VALUES(3,'2026-11-21T20:10:33.135Z','text',2);
CREATE TABLE ledger_cursor (
  spool TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT;
INSERT INTO "ledger_cursor" VALUES('5b00',21);
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
INSERT INTO "ledger_event" VALUES('5b00',1,1,'1795291823.0','1795291823.0','CHAN_START',1795291223620000,'PJSIP/line1-00000000','from-trunk','s','+493023125222','','','');
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
INSERT INTO "leg" VALUES(1,'1795291823.0','PJSIP/line1-00000000','line1',1,'2026-11-21T20:00:23.620Z','2026-11-21T20:00:27.100Z','2026-11-21T20:01:24.133Z',16);
INSERT INTO "leg" VALUES(1,'1795291823.1','PJSIP/101-00000001','101',0,'2026-11-21T20:00:23.629Z','2026-11-21T20:00:27.099Z','2026-11-21T20:01:24.133Z',NULL);
CREATE TABLE modem (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  operator TEXT,
  signal_dbm INTEGER,
  updated_at TEXT NOT NULL
) STRICT;
INSERT INTO "modem" VALUES('SIM','registered','Netz',-71,'2026-11-21T20:10:40.000Z');
CREATE TABLE recording (
  call_id INTEGER PRIMARY KEY REFERENCES call (id) ON DELETE CASCADE,
  file TEXT NOT NULL UNIQUE,                             -- name below the recordings folder
  started_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  is_cut INTEGER NOT NULL CHECK (is_cut IN (0, 1))       -- Asterisk died in the call; mended
) STRICT;
INSERT INTO "recording" VALUES(1,'2026-11/1.wav','2026-11-21T20:00:27.100Z',57033,1825100,0);
CREATE TABLE refusal (
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (call_id, rule)
) STRICT;
INSERT INTO "refusal" VALUES(1,'missed','landline','Not texted: a landline cannot take texts.','2026-11-21T20:01:24.133Z');
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
INSERT INTO "segment" VALUES(1,1,1,'0031000C919471103254760000AA05C8329BFD06','delivered',1,77,NULL,'2026-11-21T20:10:33.200Z','2026-11-21T20:10:36.000Z','2026-11-21T20:10:40.000Z');
CREATE TABLE session (
  token_hash TEXT PRIMARY KEY,                           -- SHA-256 of the cookie: a stolen store logs nobody in
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  csrf TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL
) STRICT;
INSERT INTO "session" VALUES('0000000000000000000000000000000000000000000000000000000000000000',1,'csrf','2026-11-21T19:00:00.000Z','2026-11-21T20:00:00.000Z');
CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;
INSERT INTO "setting" VALUES('shop_name','"Frühling & Söhne"');
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
INSERT INTO "sms" VALUES(1,'out','+491701234567','Frühling & Söhne: sorry we missed your call.','delivered',NULL,'missed',2,'2026-11-21T20:10:33.135Z','2026-11-21T20:10:33.135Z','2026-11-21T20:10:36.000Z','2026-11-21T20:10:40.000Z','2026-11-21T20:10:40.000Z');
CREATE TABLE user (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,                           -- argon2id, RFC 9106
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO "user" VALUES(1,'anna','$argon2id$v=19$m=19456,t=3,p=1$c2FsdHNhbHRzYWx0$aGFzaA','2026-11-21T19:00:00.000Z');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX contact_number_contact ON contact_number (contact_id);
CREATE INDEX call_started ON call (started_at, id);
CREATE INDEX call_number ON call (number, started_at);
CREATE INDEX call_missed ON call (started_at, id) WHERE direction = 'in' AND outcome IN ('missed', 'abandoned');
CREATE INDEX call_answered ON call (started_at, id) WHERE direction = 'in' AND answered_at IS NOT NULL;
CREATE INDEX call_outgoing ON call (started_at, id) WHERE direction = 'out';
CREATE INDEX call_live ON call (id) WHERE ended_at IS NULL;
CREATE INDEX ledger_event_call ON ledger_event (boot, linkedid);
CREATE UNIQUE INDEX event_once ON event (call_id, kind) WHERE kind IN ('ringing', 'answered', 'ended', 'recording');
CREATE INDEX sms_queued ON sms (due_at, id) WHERE state = 'queued';
CREATE INDEX sms_number ON sms (number, created_at);
CREATE INDEX segment_queued ON segment (sms_id) WHERE state = 'queued';
CREATE INDEX segment_reference ON segment (reference);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('call',3);
INSERT INTO "sqlite_sequence" VALUES('event',3);
INSERT INTO "sqlite_sequence" VALUES('sms',1);
INSERT INTO "sqlite_sequence" VALUES('segment',1);
INSERT INTO "sqlite_sequence" VALUES('user',1);
COMMIT;
