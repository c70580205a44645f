-- Texts: rules, groups, campaigns, replies, SIMs. Frozen once released.

ALTER TABLE contact ADD COLUMN company TEXT;
ALTER TABLE contact ADD COLUMN birthday TEXT           -- YYYY-MM-DD, or --MM-DD when the year is not known (RFC 6350 §4.3.1)
  CHECK (birthday GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' OR birthday GLOB '--[0-9][0-9]-[0-9][0-9]');

CREATE TABLE contact_field (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (contact_id, name)
) STRICT;

CREATE TABLE contact_group (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE
) STRICT;

CREATE TABLE contact_group_member (
  contact_group_id INTEGER NOT NULL REFERENCES contact_group (id) ON DELETE CASCADE,
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  PRIMARY KEY (contact_group_id, contact_id)
) STRICT;
CREATE INDEX contact_group_member_contact ON contact_group_member (contact_id);

-- Who must not be texted again; checked once more at the moment of sending.
CREATE TABLE opt_out (
  number TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('reply', 'person', 'import')),
  word TEXT                                            -- what they wrote
) STRICT;

-- When a call is answered by a text. Ordered; the first that fits wins.
CREATE TABLE rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,                            -- what sms.rule and refusal.rule say, never reused
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  is_on INTEGER NOT NULL CHECK (is_on IN (0, 1)),
  conditions TEXT NOT NULL CHECK (json_valid(conditions)),
  text TEXT NOT NULL,
  delay_s INTEGER NOT NULL DEFAULT 15 CHECK (delay_s BETWEEN 0 AND 86400),
  expiry_min INTEGER NOT NULL DEFAULT 15 CHECK (expiry_min BETWEEN 1 AND 1440),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- Texts kept for use: in campaigns and rules, or as a quick answer in a conversation.
CREATE TABLE template (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL,
  is_canned INTEGER NOT NULL DEFAULT 0 CHECK (is_canned IN (0, 1))
) STRICT;

-- A word somebody texts and what he gets back.
CREATE TABLE keyword (
  word TEXT PRIMARY KEY COLLATE NOCASE,
  answer TEXT NOT NULL
) STRICT;

-- What a person sets of a SIM; what the radio says of itself is in modem.
CREATE TABLE sim (
  name TEXT PRIMARY KEY,                               -- the modem's name in box.toml
  pace_s REAL NOT NULL DEFAULT 4.0 CHECK (pace_s BETWEEN 0 AND 3600),
  hourly INTEGER NOT NULL DEFAULT 100 CHECK (hourly >= 0),
  daily INTEGER NOT NULL DEFAULT 300 CHECK (daily >= 0),
  allowance INTEGER CHECK (allowance >= 0),            -- segments a month, NULL when unlimited
  allowance_day INTEGER NOT NULL DEFAULT 1 CHECK (allowance_day BETWEEN 1 AND 28),
  price TEXT,                                          -- a decimal a segment, as the owner's currency has it
  balance_ussd TEXT,                                   -- such as *100#
  least_balance TEXT,                                  -- a decimal; below it nothing is texted
  paused_reason TEXT,                                  -- NULL while group texts go; five permanent errors in a row pause them
  resumed_at TEXT                                      -- when a person let them go on: older errors no longer count
) STRICT;
ALTER TABLE modem ADD COLUMN number TEXT;
ALTER TABLE modem ADD COLUMN balance TEXT;             -- a decimal, read from the answer to balance_ussd
ALTER TABLE modem ADD COLUMN balance_at TEXT;
ALTER TABLE modem ADD COLUMN pin_tried TEXT;           -- SHA-256 of the ICCID and PIN tried on it: never a second time
ALTER TABLE modem ADD COLUMN port TEXT;                -- where it was found, NULL while it is not there
ALTER TABLE modem ADD COLUMN trouble TEXT;             -- what a person should do although texts go: memory full, USSD silent
ALTER TABLE segment ADD COLUMN sim TEXT;               -- which SIM it was handed to: TP-MR counts by SIM; sms.sim is the wish

-- One text to many. schedule: {"kind": "now"|"at"|"after"|"weekly"|"monthly"|"birthday", …}, see texts/schedule.py.
CREATE TABLE campaign (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  audience TEXT NOT NULL CHECK (json_valid(audience)), -- groups, filters, pasted numbers, see texts/audience.py
  schedule TEXT NOT NULL CHECK (json_valid(schedule)),
  state TEXT NOT NULL CHECK (state IN ('scheduled', 'running', 'paused', 'stopped', 'done')),
  reason TEXT,
  late_limit_min INTEGER NOT NULL DEFAULT 60,          -- missed by more than this: marked missed, not sent
  canary_percent INTEGER NOT NULL DEFAULT 0 CHECK (canary_percent BETWEEN 0 AND 100),  -- above 0: to me first, then these
  a_day INTEGER,                                       -- split over days: at most so many recipients a day
  sim TEXT,
  sends_from TEXT,                                     -- its texts go between these two: the clock renews them each minute
  sends_until TEXT,                                    -- inside the broadcast hours, so a box that was off sends nothing late
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;

-- Each time a campaign is due: the unique key decides, the clock only wakes us.
CREATE TABLE occurrence (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  campaign_id INTEGER NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  due_key TEXT NOT NULL,                               -- shop-local date and time, so that autumn's 02:30 is one
  due_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'missed')),
  stage INTEGER NOT NULL DEFAULT 0 CHECK (stage IN (0, 1, 2)),  -- whose turn it is, see recipient.stage
  is_expanded INTEGER NOT NULL DEFAULT 0 CHECK (is_expanded IN (0, 1)),  -- 1: its recipients are all there
  reason TEXT,                                         -- why it was missed or went to nobody, in words
  UNIQUE (campaign_id, due_key)
) STRICT;
CREATE INDEX occurrence_due ON occurrence (due_at) WHERE state IN ('waiting', 'running');

CREATE TABLE recipient (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  occurrence_id INTEGER NOT NULL REFERENCES occurrence (id) ON DELETE CASCADE,
  number TEXT NOT NULL,
  contact_id TEXT REFERENCES contact (id) ON DELETE SET NULL,
  stage INTEGER NOT NULL DEFAULT 2 CHECK (stage IN (0, 1, 2)),  -- 0 to me first, 1 the canaries, 2 the rest
  state TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'excluded', 'cancelled')),
  text TEXT,                                           -- as this one will read it, NULL when excluded
  reason TEXT,                                         -- why excluded, in words
  sms_id INTEGER REFERENCES sms (id) ON DELETE SET NULL,
  UNIQUE (occurrence_id, number)
) STRICT;
CREATE INDEX recipient_waiting ON recipient (occurrence_id, stage, id) WHERE state = 'waiting';
CREATE INDEX recipient_sms ON recipient (sms_id);

ALTER TABLE sms ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;   -- lower first: 0 an answer to a call, 5 a person, 9 a campaign
ALTER TABLE sms ADD COLUMN expires_at TEXT;            -- past it the text is dropped, not sent late
ALTER TABLE sms ADD COLUMN sim TEXT;                   -- which SIM sends or received it, NULL: any
ALTER TABLE sms ADD COLUMN read_at TEXT;               -- when somebody read a text that came in
ALTER TABLE sms ADD COLUMN is_automatic INTEGER NOT NULL DEFAULT 0 CHECK (is_automatic IN (0, 1));
ALTER TABLE sms ADD COLUMN campaign_id INTEGER REFERENCES campaign (id) ON DELETE SET NULL;
DROP INDEX sms_queued;
CREATE INDEX sms_queued ON sms (priority, due_at, id) WHERE state = 'queued' AND campaign_id IS NULL;
CREATE INDEX sms_campaign_queued ON sms (campaign_id, due_at, id) WHERE state = 'queued' AND campaign_id IS NOT NULL;
CREATE INDEX sms_campaign ON sms (campaign_id, created_at) WHERE campaign_id IS NOT NULL;
CREATE INDEX sms_sending ON sms (id) WHERE state = 'sending';
CREATE INDEX sms_failed ON sms (id) WHERE state IN ('failed', 'expired');
CREATE INDEX sms_unknown ON sms (id) WHERE state = 'unknown';
CREATE INDEX segment_sending_at ON segment (sending_at) WHERE sending_at IS NOT NULL;
CREATE INDEX sms_automatic ON sms (created_at) WHERE is_automatic = 1;
CREATE INDEX sms_unread ON sms (number) WHERE direction = 'in' AND read_at IS NULL;

ALTER TABLE sms ADD COLUMN sent_again_as INTEGER REFERENCES sms (id) ON DELETE SET NULL;  -- by a person

-- A long text that comes in segments: one row of sms once all are here, or after a day with what came.
CREATE TABLE long_text (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  number TEXT NOT NULL,
  sim TEXT,
  concatenation INTEGER NOT NULL,                      -- 3GPP TS 23.040 §9.2.3.24.1; senders use one again and again
  parts INTEGER NOT NULL CHECK (parts BETWEEN 2 AND 255),
  sent_at TEXT NOT NULL,                               -- when its first segment to come was sent
  received_at TEXT NOT NULL,
  sms_id INTEGER REFERENCES sms (id) ON DELETE CASCADE -- NULL while segments are awaited
) STRICT;
CREATE INDEX long_text_of ON long_text (number, concatenation, parts);
CREATE INDEX long_text_sms ON long_text (sms_id);

CREATE TABLE long_text_part (
  long_text_id INTEGER NOT NULL REFERENCES long_text (id) ON DELETE CASCADE,
  part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 255),
  text TEXT NOT NULL,
  sent_at TEXT,                                        -- the network's time, NULL when it gave none
  PRIMARY KEY (long_text_id, part)
) STRICT;

-- Numbers that wrote to us or that a person wrote to, each with its last text: the page of conversations walks this.
CREATE TABLE conversation (
  number TEXT PRIMARY KEY,
  last_sms_id INTEGER NOT NULL UNIQUE REFERENCES sms (id) ON DELETE CASCADE
) STRICT;
INSERT INTO conversation (number, last_sms_id)
SELECT number, max(id) FROM sms GROUP BY number HAVING max(direction = 'in');
CREATE INDEX sms_conversation ON sms (number);         -- and by id, as every index
CREATE TRIGGER conversation_goes_on AFTER INSERT ON sms
WHEN new.direction = 'in' OR new.priority = 5 OR EXISTS (SELECT 1 FROM conversation WHERE number = new.number)
BEGIN
  INSERT INTO conversation (number, last_sms_id) VALUES (new.number, new.id)
  ON CONFLICT (number) DO UPDATE SET last_sms_id = excluded.last_sms_id;
END;

-- What an owner asked by text that the clock answers: it may look at the whole box, the radio's thread may not.
CREATE TABLE owner_question (
  sms_id INTEGER PRIMARY KEY REFERENCES sms (id) ON DELETE CASCADE
) STRICT;

-- The one rule there was becomes the first of many, with the words it had.
INSERT INTO rule (key, position, name, is_on, conditions, text, delay_s, expiry_min, created_at, updated_at)
SELECT 'missed', 1, 'Missed call',
  coalesce((SELECT value = 'true' FROM setting WHERE key = 'missed_text_on'), 1),
  '{"direction": "in", "outcomes": ["missed"]}',
  coalesce((SELECT json_extract(value, '$') FROM setting WHERE key = 'missed_text'),
           '{shop}: sorry we missed your call. We will ring you back soon.'),
  coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'missed_text_delay_s'), 15), 15,
  strftime('%Y-%m-%dT%H:%M:%fZ'), strftime('%Y-%m-%dT%H:%M:%fZ');
UPDATE setting SET key = 'text_pause_min' WHERE key = 'missed_text_pause_min';
UPDATE sms SET is_automatic = 1 WHERE rule IS NOT NULL;
DELETE FROM setting WHERE key IN ('missed_text_on', 'missed_text', 'missed_text_delay_s');
