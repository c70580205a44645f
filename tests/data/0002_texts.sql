-- A store of the release that brought 0002_texts, with rows; sqlite3's iterdump. Never edited.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'deskbell','0001_house','2026-11-21 20:45:26.306411+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'deskbell','0002_texts','2026-11-21 21:27:43.869644+00:00');
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
INSERT INTO "campaign" VALUES(1,'Sale','Hello {name|there}','{"groups": ["VIP"]}','{"kind": "now"}','done',NULL,60,0,NULL,NULL,NULL,NULL,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
CREATE TABLE contact (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),           -- UUIDv7, RFC 9562: boxes will share them
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
, company TEXT, birthday TEXT           -- YYYY-MM-DD, or --MM-DD when the year is not known (RFC 6350 §4.3.1)
  CHECK (birthday GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' OR birthday GLOB '--[0-9][0-9]-[0-9][0-9]')) STRICT;
INSERT INTO "contact" VALUES('01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','Margaret O''Sei',0,'2026-11-21T20:10:00.000Z','2026-11-21T20:10:00.000Z','Blume GmbH','--02-29');
CREATE TABLE contact_field (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (contact_id, name)
) STRICT;
INSERT INTO "contact_field" VALUES('01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','bike','red tandem');
CREATE TABLE contact_group (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE
) STRICT;
INSERT INTO "contact_group" VALUES(1,'VIP');
CREATE TABLE contact_group_member (
  contact_group_id INTEGER NOT NULL REFERENCES contact_group (id) ON DELETE CASCADE,
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  PRIMARY KEY (contact_group_id, contact_id)
) STRICT;
INSERT INTO "contact_group_member" VALUES(1,'01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
CREATE TABLE contact_number (
  number TEXT PRIMARY KEY CHECK (number GLOB '+[1-9]*'),
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "contact_number" VALUES('+491701234567','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
INSERT INTO "contact_number" VALUES('+493023125222','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
CREATE TABLE conversation (
  number TEXT PRIMARY KEY,
  last_sms_id INTEGER NOT NULL UNIQUE REFERENCES sms (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "conversation" VALUES('+491709999999',3);
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
CREATE TABLE keyword (
  word TEXT PRIMARY KEY COLLATE NOCASE,
  answer TEXT NOT NULL
) STRICT;
INSERT INTO "keyword" VALUES('HOURS','Mon-Fri 9-18');
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
INSERT INTO "long_text" VALUES(1,'+491701234567',NULL,7,2,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z',NULL);
CREATE TABLE long_text_part (
  long_text_id INTEGER NOT NULL REFERENCES long_text (id) ON DELETE CASCADE,
  part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 255),
  text TEXT NOT NULL,
  sent_at TEXT,                                        -- the network's time, NULL when it gave none
  PRIMARY KEY (long_text_id, part)
) STRICT;
INSERT INTO "long_text_part" VALUES(1,1,'half of it',NULL);
CREATE TABLE modem (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  operator TEXT,
  signal_dbm INTEGER,
  updated_at TEXT NOT NULL
, number TEXT, balance TEXT, balance_at TEXT, pin_tried TEXT, port TEXT, trouble TEXT) STRICT;
INSERT INTO "modem" VALUES('SIM','registered','Netz',-71,'2026-11-21T20:10:40.000Z',NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "occurrence" VALUES(1,1,'2026-11-22 11:00','2026-11-22T10:00:00.000Z','done',0,0,NULL);
CREATE TABLE opt_out (
  number TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('reply', 'person', 'import')),
  word TEXT                                            -- what they wrote
) STRICT;
INSERT INTO "opt_out" VALUES('+491709999999','2026-11-22T10:00:00.000Z','reply','STOP');
CREATE TABLE owner_question (
  sms_id INTEGER PRIMARY KEY REFERENCES sms (id) ON DELETE CASCADE
) STRICT;
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
INSERT INTO "recipient" VALUES(1,1,'+491701234567','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa',2,'queued','Hello Margaret',NULL,2);
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
INSERT INTO "rule" VALUES(1,'missed',1,'Missed call',1,'{"direction": "in", "outcomes": ["missed"]}','{shop}: sorry we missed your call. We will ring you back soon.',15,15,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
INSERT INTO "rule" VALUES(2,'rule-2',2,'After hours',0,'{"direction": "in", "groups": ["VIP", "new caller"], "when": "after hours"}','{shop} is closed.',0,30,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
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
  delivered_at TEXT, sim TEXT,
  UNIQUE (sms_id, part)
) STRICT;
INSERT INTO "segment" VALUES(1,1,1,'0031000C919471103254760000AA05C8329BFD06','delivered',1,77,NULL,'2026-11-21T20:10:33.200Z','2026-11-21T20:10:36.000Z','2026-11-21T20:10:40.000Z',NULL);
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
INSERT INTO "setting" VALUES('opening_hours','"Mon-Fri 09:00-18:00"');
INSERT INTO "setting" VALUES('quiet_from','"22:00"');
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
INSERT INTO "sim" VALUES('SIM',4.0,100,300,500,1,'0.09',NULL,'1.00',NULL,NULL);
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
  updated_at TEXT NOT NULL, priority INTEGER NOT NULL DEFAULT 0, expires_at TEXT, sim TEXT, read_at TEXT, is_automatic INTEGER NOT NULL DEFAULT 0 CHECK (is_automatic IN (0, 1)), campaign_id INTEGER REFERENCES campaign (id) ON DELETE SET NULL, sent_again_as INTEGER REFERENCES sms (id) ON DELETE SET NULL,
  UNIQUE (call_id, rule)
) STRICT;
INSERT INTO "sms" VALUES(1,'out','+491701234567','Frühling & Söhne: sorry we missed your call.','delivered',NULL,'missed',2,'2026-11-21T20:10:33.135Z','2026-11-21T20:10:33.135Z','2026-11-21T20:10:36.000Z','2026-11-21T20:10:40.000Z','2026-11-21T20:10:40.000Z',0,NULL,NULL,NULL,1,NULL,NULL);
INSERT INTO "sms" VALUES(2,'out','+491701234567','Hello Margaret','delivered',NULL,NULL,NULL,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z',9,NULL,'SIM',NULL,0,1,NULL);
INSERT INTO "sms" VALUES(3,'in','+491709999999','STOP','received',NULL,NULL,NULL,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z',NULL,NULL,'2026-11-22T10:00:00.000Z',0,NULL,NULL,NULL,0,NULL,NULL);
CREATE TABLE template (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL,
  is_canned INTEGER NOT NULL DEFAULT 0 CHECK (is_canned IN (0, 1))
) STRICT;
INSERT INTO "template" VALUES(1,'Thanks','Thank you, {name|dear customer}.',1);
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
CREATE INDEX sms_number ON sms (number, created_at);
CREATE INDEX segment_queued ON segment (sms_id) WHERE state = 'queued';
CREATE INDEX segment_reference ON segment (reference);
CREATE INDEX contact_group_member_contact ON contact_group_member (contact_id);
CREATE INDEX occurrence_due ON occurrence (due_at) WHERE state IN ('waiting', 'running');
CREATE INDEX recipient_waiting ON recipient (occurrence_id, stage, id) WHERE state = 'waiting';
CREATE INDEX recipient_sms ON recipient (sms_id);
CREATE INDEX sms_queued ON sms (priority, due_at, id) WHERE state = 'queued' AND campaign_id IS NULL;
CREATE INDEX sms_campaign_queued ON sms (campaign_id, due_at, id) WHERE state = 'queued' AND campaign_id IS NOT NULL;
CREATE INDEX sms_campaign ON sms (campaign_id, created_at) WHERE campaign_id IS NOT NULL;
CREATE INDEX sms_sending ON sms (id) WHERE state = 'sending';
CREATE INDEX sms_failed ON sms (id) WHERE state IN ('failed', 'expired');
CREATE INDEX sms_unknown ON sms (id) WHERE state = 'unknown';
CREATE INDEX segment_sending_at ON segment (sending_at) WHERE sending_at IS NOT NULL;
CREATE INDEX sms_automatic ON sms (created_at) WHERE is_automatic = 1;
CREATE INDEX sms_unread ON sms (number) WHERE direction = 'in' AND read_at IS NULL;
CREATE INDEX long_text_of ON long_text (number, concatenation, parts);
CREATE INDEX long_text_sms ON long_text (sms_id);
CREATE INDEX sms_conversation ON sms (number);
CREATE TRIGGER conversation_goes_on AFTER INSERT ON sms
WHEN new.direction = 'in' OR new.priority = 5 OR EXISTS (SELECT 1 FROM conversation WHERE number = new.number)
BEGIN
  INSERT INTO conversation (number, last_sms_id) VALUES (new.number, new.id)
  ON CONFLICT (number) DO UPDATE SET last_sms_id = excluded.last_sms_id;
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('call',3);
INSERT INTO "sqlite_sequence" VALUES('event',3);
INSERT INTO "sqlite_sequence" VALUES('sms',3);
INSERT INTO "sqlite_sequence" VALUES('segment',1);
INSERT INTO "sqlite_sequence" VALUES('user',1);
INSERT INTO "sqlite_sequence" VALUES('rule',2);
INSERT INTO "sqlite_sequence" VALUES('contact_group',1);
INSERT INTO "sqlite_sequence" VALUES('template',1);
INSERT INTO "sqlite_sequence" VALUES('campaign',1);
INSERT INTO "sqlite_sequence" VALUES('occurrence',1);
INSERT INTO "sqlite_sequence" VALUES('recipient',1);
INSERT INTO "sqlite_sequence" VALUES('long_text',1);
COMMIT;
