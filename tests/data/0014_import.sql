-- A store of the release that brought 0014_import, with rows; sqlite3's iterdump, its searches filled anew. Never edited.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'deskbell','0001_house','2026-11-21 20:45:26.306411+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'deskbell','0002_texts','2026-11-21 21:27:43.869644+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'deskbell','0003_office','2026-11-22 01:32:01.108480+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'deskbell','0004_owed','2026-11-22 01:32:01.109950+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'deskbell','0005_people','2026-11-22 01:32:01.111157+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'deskbell','0006_import','2026-11-22 01:32:01.111689+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'deskbell','0007_statistics','2026-11-22 01:32:01.115746+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'deskbell','0008_tocall','2026-11-22 01:32:01.123973+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'deskbell','0009_recordings','2026-11-22 01:32:01.126544+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'deskbell','0010_backup','2026-11-22 01:32:01.127487+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'deskbell','0011_desk','2026-11-22 01:32:01.132805+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'deskbell','0012_users','2026-11-22 01:32:01.135207+00:00');
INSERT INTO "_sqlite_migrations" VALUES(13,'deskbell','0013_updates','2026-11-22 03:55:41.232376+00:00');
INSERT INTO "_sqlite_migrations" VALUES(14,'deskbell','0014_import','2026-11-22 03:55:41.232807+00:00');
CREATE TABLE api_token (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  -- reader: calls and contacts, changes nothing; phonebook: the address of desk phones, opens that book alone
  role TEXT NOT NULL CHECK (role IN ('owner', 'staff', 'reader', 'phonebook')),
  created_at TEXT NOT NULL,
  expires_at TEXT,
  seen_at TEXT,
  revoked_at TEXT
) STRICT;
INSERT INTO "api_token" VALUES(1,'Till','t2','reader','2026-11-22T10:00:00.000Z',NULL,NULL,NULL);
CREATE TABLE backup (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  place_id INTEGER REFERENCES backup_place (id) ON DELETE SET NULL,
  place TEXT NOT NULL,                                 -- its name, kept when the place goes
  night TEXT,                                          -- the shop's date a nightly one is of, NULL when a person asked
  state TEXT NOT NULL CHECK (state IN ('asked', 'making', 'copying', 'proving', 'proven', 'failed', 'cancelled',
                                       'removed', 'found')),                    -- found: it lay there, nobody here has proved it
  reason TEXT,                                         -- why it failed or was made, in words
  by_user TEXT NOT NULL,
  recordings TEXT NOT NULL CHECK (recordings IN ('all', 'starred', 'none')),
  asked_at TEXT NOT NULL,
  taken_at TEXT,                                       -- the moment it shows
  proven_at TEXT,
  file TEXT,                                           -- its name at the place
  size_bytes INTEGER,
  is_encrypted INTEGER NOT NULL DEFAULT 0 CHECK (is_encrypted IN (0, 1)),
  manifest_sha256 TEXT,                                -- of what the live store was at taken_at
  file_sha256 TEXT,                                    -- of the file as it was written
  counts TEXT CHECK (counts IS NULL OR json_valid(counts)),
  done_bytes INTEGER NOT NULL DEFAULT 0,               -- of the step that runs
  total_bytes INTEGER NOT NULL DEFAULT 0,
  is_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (is_cancelled IN (0, 1)),
  UNIQUE (place_id, night)
) STRICT;
CREATE TABLE backup_place (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('box', 'usb', 'smb', 'sftp')),
  name TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,                               -- usb: label or folder; smb, sftp: host[:port]/folder; box: empty
  user_name TEXT,
  secret TEXT,                                         -- the password, sealed
  host_key TEXT,                                       -- SFTP: the key it showed at first, type and base64
  is_nightly INTEGER NOT NULL DEFAULT 1 CHECK (is_nightly IN (0, 1)),
  recordings TEXT NOT NULL DEFAULT 'none' CHECK (recordings IN ('all', 'starred', 'none')),
  daily INTEGER NOT NULL DEFAULT 7 CHECK (daily BETWEEN 1 AND 366),
  weekly INTEGER NOT NULL DEFAULT 4 CHECK (weekly BETWEEN 0 AND 520),
  monthly INTEGER NOT NULL DEFAULT 12 CHECK (monthly BETWEEN 0 AND 240),
  is_asked INTEGER NOT NULL DEFAULT 1 CHECK (is_asked IN (0, 1)),  -- 1: the clock should try it now
  seen_at TEXT,                                        -- when it was last looked for
  trouble TEXT,                                        -- why it could not be used then, in words; NULL: it could
  free_bytes INTEGER
) STRICT;
INSERT INTO "backup_place" VALUES(1,'box','This box','',NULL,NULL,NULL,1,'none',7,4,12,1,NULL,NULL,NULL);
CREATE TABLE backup_restore (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  backup_id INTEGER REFERENCES backup (id) ON DELETE SET NULL,
  upload TEXT,                                         -- the name of what somebody sent, below backups/upload
  passphrase TEXT,                                     -- sealed; gone once it was used
  state TEXT NOT NULL CHECK (state IN ('asked', 'reading', 'ready', 'agreed', 'restoring', 'restored', 'failed',
                                       'cancelled')),
  reason TEXT,
  preview TEXT CHECK (preview IS NULL OR json_valid(preview)),
  before_id INTEGER,                                   -- the backup that holds the state before
  by_user TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  ended_at TEXT,
  done_bytes INTEGER NOT NULL DEFAULT 0,
  total_bytes INTEGER NOT NULL DEFAULT 0,
  is_cancelled INTEGER NOT NULL DEFAULT 0 CHECK (is_cancelled IN (0, 1))
) STRICT;
CREATE TABLE backup_secret (
  name TEXT PRIMARY KEY,                               -- 'recipient' (public), 'passphrase'
  value TEXT NOT NULL
) STRICT;
CREATE TABLE bundle (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('upload', 'stick', 'channel')),
  file TEXT NOT NULL,                                  -- below updates/, or the path on a stick
  version TEXT NOT NULL,
  news TEXT NOT NULL DEFAULT '',                       -- what its makers say of it, in a line
  size_bytes INTEGER NOT NULL,
  -- night: it waits for the quiet hours; installed: it was written and is tried; good: it runs and is well;
  -- went_back: it did not come up, and the box went back by itself
  state TEXT NOT NULL CHECK (state IN ('ready', 'night', 'installing', 'installed', 'good', 'went_back', 'failed',
                                       'removed')),
  from_version TEXT,                                   -- what ran when it was installed
  said TEXT,
  errand_id INTEGER,
  ended_at TEXT
) STRICT;
INSERT INTO "bundle" VALUES(1,'2026-11-22T10:00:00.000Z','Amy','upload','a.raucb','0.5.0','Firmware',300000000,'good','0.4.0',NULL,1,'2026-11-22T10:00:00.000Z');
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
  is_clock_set INTEGER NOT NULL CHECK (is_clock_set IN (0, 1)), mark TEXT CHECK (mark IN ('good', 'complaint', 'training')), disposition TEXT,
  UNIQUE (box, boot, linkedid),
  CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
INSERT INTO "call" VALUES(1,'box1',1,'1795291823.0','line1','in','+493023125222',NULL,'+493023125222','allowed','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','101','2026-11-21T20:00:23.620Z','2026-11-21T20:00:27.100Z','2026-11-21T20:01:24.133Z',3480,57033,'answered',16,'rang',1,NULL,NULL);
INSERT INTO "call" VALUES(2,'box1',1,'1795291923.0','line1','in','01701234567','Foo','+491701234567','allowed','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa',NULL,'2026-11-21T20:10:23.620Z',NULL,'2026-11-21T20:10:33.133Z',9513,NULL,'missed',127,'rang',1,'good','Price');
INSERT INTO "call" VALUES(3,'box1',2,'1795291823.0','line1','in','anonymous',NULL,NULL,'withheld',NULL,NULL,'1970-01-01T00:00:09.000Z',NULL,NULL,NULL,NULL,NULL,NULL,'cut',0,NULL,NULL);
CREATE TABLE call_list (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  script TEXT NOT NULL DEFAULT '',                     -- what to say, with {name} and the other fields of the entry
  form TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(form)),
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'paused', 'closed')),
  max_tries INTEGER NOT NULL DEFAULT 3 CHECK (max_tries BETWEEN 1 AND 20),
  pause_min INTEGER NOT NULL DEFAULT 120 CHECK (pause_min BETWEEN 1 AND 10080),  -- between two tries of one number
  held_min INTEGER NOT NULL DEFAULT 20 CHECK (held_min BETWEEN 1 AND 240),       -- a number left lying goes back after it
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
INSERT INTO "call_list" VALUES(1,'Winter','','[]','open',3,120,20,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
CREATE TABLE call_list_entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_list_id INTEGER NOT NULL REFERENCES call_list (id) ON DELETE CASCADE,
  number TEXT NOT NULL CHECK (number GLOB '+[1-9]*'),
  name TEXT NOT NULL DEFAULT '',
  contact_id TEXT REFERENCES contact (id) ON DELETE SET NULL,
  fields TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(fields)),    -- what else the list brought with it
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'taken', 'done', 'excluded')),
  reason TEXT,                                         -- why excluded, in words
  due_at TEXT NOT NULL,                                -- not before it
  tries INTEGER NOT NULL DEFAULT 0,
  taken_by TEXT,                                       -- who is at it: nobody else gets it
  taken_at TEXT,
  outcome TEXT CHECK (outcome IN ('reached', 'no_answer', 'refused', 'wrong_number')),
  answers TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(answers)),
  note TEXT NOT NULL DEFAULT '',
  by_user TEXT,                                        -- whose outcome it is
  ended_at TEXT,                                       -- of the last try
  UNIQUE (call_list_id, number),
  CHECK ((state = 'taken') = (taken_by IS NOT NULL)),
  CHECK ((state = 'taken') = (taken_at IS NOT NULL))
) STRICT;
INSERT INTO "call_list_entry" VALUES(1,1,'+491701234567','',NULL,'{}','waiting',NULL,'2026-11-22T10:00:00.000Z',0,NULL,NULL,NULL,'{}','',NULL,NULL);
CREATE TABLE call_tally (
  kind TEXT NOT NULL CHECK (kind IN ('all', 'line', 'extension', 'disposition')),
  key TEXT NOT NULL,
  span_s INTEGER NOT NULL CHECK (span_s IN (900, 86400)),
  at_s INTEGER NOT NULL,                               -- seconds since 1970, UTC
  rows INTEGER NOT NULL,                               -- ended calls of any kind in it; a tally of none goes away
  calls INTEGER NOT NULL, answered INTEGER NOT NULL, missed INTEGER NOT NULL, abandoned INTEGER NOT NULL,
  voicemail INTEGER NOT NULL, blocked INTEGER NOT NULL, withheld INTEGER NOT NULL,
  outgoing INTEGER NOT NULL, outgoing_answered INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL, talk_ms INTEGER NOT NULL, outgoing_talk_ms INTEGER NOT NULL,
  answered_5 INTEGER NOT NULL, answered_10 INTEGER NOT NULL, answered_15 INTEGER NOT NULL, answered_20 INTEGER NOT NULL,
  answered_30 INTEGER NOT NULL, answered_45 INTEGER NOT NULL, answered_60 INTEGER NOT NULL, answered_90 INTEGER NOT NULL,
  answered_120 INTEGER NOT NULL,
  lost_2 INTEGER NOT NULL, lost_3 INTEGER NOT NULL, lost_5 INTEGER NOT NULL, lost_10 INTEGER NOT NULL,
  lost_15 INTEGER NOT NULL, lost_20 INTEGER NOT NULL, lost_30 INTEGER NOT NULL, lost_45 INTEGER NOT NULL,
  lost_60 INTEGER NOT NULL, lost_90 INTEGER NOT NULL, lost_120 INTEGER NOT NULL,
  PRIMARY KEY (kind, key, span_s, at_s)
) STRICT, WITHOUT ROWID;
INSERT INTO "call_tally" VALUES('all','',900,1795291200,2,2,1,1,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,1,1,1,1,1,1,1,1);
INSERT INTO "call_tally" VALUES('all','',86400,1795219200,2,2,1,1,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,1,1,1,1,1,1,1,1);
INSERT INTO "call_tally" VALUES('disposition','Price',900,1795291200,1,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1);
INSERT INTO "call_tally" VALUES('disposition','Price',86400,1795219200,1,1,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1);
INSERT INTO "call_tally" VALUES('extension','101',900,1795291200,1,1,1,0,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0,0);
INSERT INTO "call_tally" VALUES('extension','101',86400,1795219200,1,1,1,0,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0,0);
INSERT INTO "call_tally" VALUES('line','line1',900,1795291200,2,2,1,1,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,1,1,1,1,1,1,1,1);
INSERT INTO "call_tally" VALUES('line','line1',86400,1795219200,2,2,1,1,0,0,0,0,0,0,3480,57033,0,1,1,1,1,1,1,1,1,1,0,0,0,1,1,1,1,1,1,1,1);
CREATE TABLE callback (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  number TEXT NOT NULL CHECK (number GLOB '+[1-9]*'),
  contact_id TEXT REFERENCES contact (id) ON DELETE SET NULL,
  call_id INTEGER REFERENCES call (id) ON DELETE SET NULL,   -- the call in which it was promised
  about TEXT NOT NULL DEFAULT '',
  due_at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled')),
  for_user TEXT,                                       -- a name, NULL: whoever is free
  by_user TEXT NOT NULL,
  kept_by INTEGER REFERENCES call (id) ON DELETE SET NULL,   -- the call that kept the promise, NULL: a person said so
  reminded_at TEXT,                                    -- NULL until the desks were told; again NULL when put off
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) STRICT;
INSERT INTO "callback" VALUES(1,'+491701234567',NULL,2,'the wheel','2026-11-22T10:00:00.000Z','open',NULL,'Amy',NULL,NULL,'2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
CREATE TABLE caller (
  number TEXT PRIMARY KEY,
  call_id INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  is_new INTEGER NOT NULL CHECK (is_new IN (0, 1))
) STRICT, WITHOUT ROWID;
INSERT INTO "caller" VALUES('+491701234567',2,'2026-11-21T20:10:23.620Z',0);
INSERT INTO "caller" VALUES('+493023125222',1,'2026-11-21T20:00:23.620Z',1);
CREATE TABLE caller_year (
  year INTEGER NOT NULL,
  number TEXT NOT NULL,
  calls INTEGER NOT NULL,
  PRIMARY KEY (number, year)
) STRICT, WITHOUT ROWID;
INSERT INTO "caller_year" VALUES(2026,'+491701234567',1);
INSERT INTO "caller_year" VALUES(2026,'+493023125222',1);
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
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,                               -- the name, kept when the user goes; "the box" when nobody did it
  what TEXT NOT NULL,                                  -- such as 'setting ring_s', 'user Ben', 'contact', 'rule'
  row_id TEXT,                                         -- of the row it is about
  before TEXT CHECK (before IS NULL OR json_valid(before)),
  after TEXT CHECK (after IS NULL OR json_valid(after))
) STRICT;
INSERT INTO "change" VALUES(1,'2026-11-22T10:00:00.000Z','Amy','setting ring_s',NULL,'30','20');
CREATE TABLE contact (
  id TEXT PRIMARY KEY CHECK (length(id) = 36),           -- UUIDv7, RFC 9562: boxes will share them
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL DEFAULT 0 CHECK (is_blocked IN (0, 1)),
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
, company TEXT, birthday TEXT           -- YYYY-MM-DD, or --MM-DD when the year is not known (RFC 6350 §4.3.1)
  CHECK (birthday GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' OR birthday GLOB '--[0-9][0-9]-[0-9][0-9]'), other_name TEXT, address TEXT, is_vip INTEGER NOT NULL DEFAULT 0 CHECK (is_vip IN (0, 1)), blocked_reason TEXT) STRICT;
INSERT INTO "contact" VALUES('01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','Margaret O''Sei',0,'2026-11-21T20:10:00.000Z','2026-11-21T20:10:00.000Z','Blume GmbH','--02-29','小明','Lane 3',1,NULL);
CREATE TABLE contact_before (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  what TEXT NOT NULL CHECK (what IN ('merge', 'delete')),
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  kept_id TEXT,                                        -- the card that lives on, NULL for a deletion
  gone_id TEXT NOT NULL,
  name TEXT NOT NULL,                                  -- of the card that went
  before TEXT NOT NULL CHECK (json_valid(before)),     -- both cards with all that hangs on them
  undone_at TEXT,
  CHECK ((what = 'merge') = (kept_id IS NOT NULL))
) STRICT;
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
, label TEXT, position INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "contact_number" VALUES('+491701234567','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa',NULL,0);
INSERT INTO "contact_number" VALUES('+493023125222','01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa',NULL,0);
CREATE TABLE contact_search_key (
  id INTEGER PRIMARY KEY,
  contact_id TEXT NOT NULL UNIQUE                      -- no reference: the trigger below lets it go
) STRICT;
INSERT INTO "contact_search_key" VALUES(1,'01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa');
CREATE TABLE contact_tag (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  tag TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (contact_id, tag)
) STRICT;
INSERT INTO "contact_tag" VALUES('01a1ffdb-53a7-76aa-bb6c-28f02aa9b2fa','bike');
CREATE TABLE conversation (
  number TEXT PRIMARY KEY,
  last_sms_id INTEGER NOT NULL UNIQUE REFERENCES sms (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "conversation" VALUES('+491709999999',3);
CREATE TABLE delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook_id INTEGER NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE,
  sms_id INTEGER REFERENCES sms (id) ON DELETE CASCADE,
  at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at TEXT,
  status INTEGER,                                      -- HTTP's, of the last attempt
  reason TEXT,
  delivered_at TEXT
) STRICT;
INSERT INTO "delivery" VALUES(1,1,'call.ended',2,NULL,'2026-11-22T10:00:00.000Z','waiting',0,NULL,NULL,NULL,NULL);
CREATE TABLE desk (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,                     -- SHA-256: a stolen store pairs nothing
  user_id INTEGER REFERENCES user (id) ON DELETE CASCADE,  -- whose desk it is: what he may see, it may
  extension TEXT,                                      -- its desk phone, rung first when it calls out
  lines TEXT CHECK (lines IS NULL OR json_valid(lines)),   -- keys of trunks it sees; NULL: every one
  is_muted INTEGER NOT NULL DEFAULT 0 CHECK (is_muted IN (0, 1)),
  created_at TEXT NOT NULL,
  seen_at TEXT,
  revoked_at TEXT
) STRICT;
INSERT INTO "desk" VALUES(1,'Counter','t1',2,NULL,NULL,0,'2026-11-22T10:00:00.000Z',NULL,NULL);
CREATE TABLE directory_copy (
  number TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  is_blocked INTEGER NOT NULL CHECK (is_blocked IN (0, 1))
) STRICT;
INSERT INTO "directory_copy" VALUES('+491701234567','Margaret O''Sei',0);
CREATE TABLE door (
  name TEXT PRIMARY KEY CHECK (name IN ('printer', 'mqtt')),
  trouble TEXT,
  at TEXT NOT NULL
) STRICT;
CREATE TABLE errand (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot TEXT NOT NULL,                                  -- the boot it was asked in: none outlives a restart or a restore
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  kind TEXT NOT NULL,
  wanted TEXT NOT NULL CHECK (json_valid(wanted)),     -- {} once it has ended: it may hold a password
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'refused', 'failed')),
  progress INTEGER NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  said TEXT,                                           -- a sentence for people
  ended_at TEXT
) STRICT;
INSERT INTO "errand" VALUES(1,'b1','2026-11-22T10:00:00.000Z','Amy','reboot','{}','done',100,'The box restarts.','2026-11-22T10:00:00.000Z');
CREATE TABLE "event" (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ringing', 'answered', 'ended', 'recording', 'text', 'reminder', 'phone', 'note')),
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE,
  callback_id INTEGER REFERENCES callback (id) ON DELETE CASCADE,
  CHECK (kind <> 'reminder' OR callback_id IS NOT NULL)
) STRICT;
INSERT INTO "event" VALUES(1,'2026-11-21T20:10:33.135Z','ringing',2,NULL);
INSERT INTO "event" VALUES(2,'2026-11-21T20:10:33.135Z','ended',2,NULL);
INSERT INTO "event" VALUES(3,'2026-11-21T20:10:33.135Z','text',2,NULL);
CREATE TABLE forget_key (
  id TEXT PRIMARY KEY,
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
INSERT INTO "forget_key" VALUES('3f02324ef238c73d',X'97F4FC9B615F06540EC41651510FE9B42CD512667111B7566ED0033F30DC0C22');
CREATE TABLE forget_receipt (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  counts TEXT NOT NULL CHECK (json_valid(counts)),     -- how many of what: no personal data
  swept_at TEXT                                        -- when no trace was left in the file; NULL: the clock does it at night
) STRICT;
CREATE TABLE forgotten (
  hash TEXT NOT NULL,                                  -- HMAC-SHA-256 of the number under this key
  key_id TEXT NOT NULL REFERENCES forget_key (id),
  at TEXT NOT NULL,
  wants_no_texts INTEGER NOT NULL CHECK (wants_no_texts IN (0, 1)),   -- an opt-out outlives its number
  PRIMARY KEY (hash, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE health_look (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at TEXT NOT NULL,
  findings TEXT NOT NULL CHECK (json_valid(findings))  -- sentences, worst first
) STRICT;
CREATE TABLE household_no (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  other TEXT NOT NULL,                                 -- the other card's id, or the number without a card
  PRIMARY KEY (contact_id, other)
) STRICT;
CREATE TABLE import (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  file TEXT NOT NULL,                                    -- its name, as it was sent
  aside TEXT,                                            -- name below the folder uploads; NULL once it is not needed
  format TEXT NOT NULL CHECK (format IN ('csv', 'xlsx', 'vcard')),
  plan TEXT NOT NULL CHECK (json_valid(plan)),           -- how it is read: encoding, separator, columns, duplicates
  state TEXT NOT NULL CHECK (state IN ('uploaded', 'checking', 'checked', 'importing', 'done', 'undoing', 'undone',
                                       'failed')),
  reason TEXT,                                           -- why it failed, in words
  share REAL NOT NULL DEFAULT 0 CHECK (share BETWEEN 0 AND 1),   -- of the work of this state
  rows INTEGER NOT NULL DEFAULT 0,                       -- in the file, without its head
  position INTEGER NOT NULL DEFAULT 0,                   -- byte of the checked file where bringing in goes on
  added INTEGER NOT NULL DEFAULT 0,                      -- so many are (checked: would be) new cards,
  joined INTEGER NOT NULL DEFAULT 0,                     -- added something to a card there was,
  same INTEGER NOT NULL DEFAULT 0,                       -- were there already,
  left_out INTEGER NOT NULL DEFAULT 0,                   -- could not be used
  kept INTEGER NOT NULL DEFAULT 0,                       -- undone: cards that stay, since somebody changed them
  made_groups TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(made_groups)),
  by_user TEXT NOT NULL,
  created_at TEXT NOT NULL,
  stamp TEXT,                                            -- created_at and updated_at of the cards it wrote
  ended_at TEXT
) STRICT;
CREATE TABLE import_change (
  import_id INTEGER NOT NULL REFERENCES import (id) ON DELETE CASCADE,
  contact_id TEXT NOT NULL,                              -- no reference: the card may be deleted
  added TEXT CHECK (added IS NULL OR json_valid(added)),
  PRIMARY KEY (import_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE import_remark (
  import_id INTEGER NOT NULL REFERENCES import (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  is_left_out INTEGER NOT NULL CHECK (is_left_out IN (0, 1)),
  reason TEXT NOT NULL,
  cells TEXT NOT NULL CHECK (json_valid(cells)),         -- as they were in the file
  PRIMARY KEY (import_id, line)
) STRICT;
CREATE TABLE invitation (                              -- a code that is good once, until it ends; only its hash is here
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL UNIQUE REFERENCES user (id) ON DELETE CASCADE,
  expires_at TEXT NOT NULL
) STRICT;
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
CREATE TABLE line_name (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO "line_name" VALUES(1,'Foo');
CREATE TABLE listening (                               -- who heard or took a recording, for the owner to see
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  by_user TEXT NOT NULL,
  at TEXT NOT NULL,
  is_download INTEGER NOT NULL CHECK (is_download IN (0, 1))
) STRICT;
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
CREATE TABLE note (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id INTEGER UNIQUE REFERENCES call (id) ON DELETE CASCADE,   -- one a call
  contact_id TEXT REFERENCES contact (id) ON DELETE CASCADE,
  number TEXT,
  text TEXT NOT NULL,
  by_user TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  CHECK (call_id IS NOT NULL OR contact_id IS NOT NULL OR number IS NOT NULL)
) STRICT;
INSERT INTO "note" VALUES(1,2,NULL,'+491701234567','Wants the red one','Amy','2026-11-22T10:00:00.000Z','2026-11-22T10:00:00.000Z');
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
CREATE TABLE pairing (                                 -- six digits on the page, typed at the desk within ten minutes
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  expires_at TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE phone_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('dial', 'hold', 'resume', 'transfer', 'consult', 'complete', 'cancel', 'park',
                                     'retrieve', 'hangup')),
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE,  -- NULL for dial
  extension TEXT NOT NULL,                             -- the desk phone of who asked
  target TEXT,                                         -- E.164 or an extension: whom to dial, transfer to, consult
  by_user TEXT NOT NULL,
  at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('asked', 'taken', 'done', 'refused')),
  reason TEXT                                          -- why it was refused, in words
) STRICT;
INSERT INTO "phone_order" VALUES(1,'dial',NULL,'101','+491701234567','Amy','2026-11-22T10:00:00.000Z','done',NULL);
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
, peaks BLOB, is_starred INTEGER NOT NULL DEFAULT 0 CHECK (is_starred IN (0, 1)), is_missing INTEGER NOT NULL DEFAULT 0 CHECK (is_missing IN (0, 1))) STRICT;
INSERT INTO "recording" VALUES(1,'2026-11/1.wav','2026-11-21T20:00:27.100Z',57033,1825100,0,NULL,0,0);
CREATE TABLE recording_gone (
  file TEXT PRIMARY KEY,
  due_at TEXT NOT NULL,
  call_id INTEGER,
  started_at TEXT,
  duration_ms INTEGER,
  size_bytes INTEGER,
  is_cut INTEGER,
  peaks BLOB,
  is_starred INTEGER
) STRICT;
CREATE TABLE recovery_code (                           -- for who lost the telephone with the second factor; each once
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE
) STRICT;
INSERT INTO "recovery_code" VALUES('abc',2);
CREATE TABLE refusal (
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (call_id, rule)
) STRICT;
INSERT INTO "refusal" VALUES(1,'missed','landline','Not texted: a landline cannot take texts.','2026-11-21T20:01:24.133Z');
CREATE TABLE relink (
  number TEXT PRIMARY KEY
) STRICT;
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
, address TEXT, agent TEXT) STRICT;
INSERT INTO "session" VALUES('0000000000000000000000000000000000000000000000000000000000000000',1,'csrf','2026-11-21T19:00:00.000Z','2026-11-21T20:00:00.000Z',NULL,NULL);
CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;
INSERT INTO "setting" VALUES('shop_name','"Frühling & Söhne"');
INSERT INTO "setting" VALUES('opening_hours','"Mon-Fri 09:00-18:00"');
INSERT INTO "setting" VALUES('quiet_from','"22:00"');
CREATE TABLE settled (
  number TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL
) STRICT;
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
CREATE TABLE slip (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  by_user TEXT,                                        -- NULL: the box, by the setting slip_when
  at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'printed', 'given_up')),
  reason TEXT
) STRICT;
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
CREATE TABLE text_echo (
  sms_id INTEGER PRIMARY KEY REFERENCES sms (id) ON DELETE CASCADE,
  number TEXT NOT NULL,
  sent_at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('call', 'campaign', 'person')),   -- why it was sent
  how TEXT CHECK (how IN ('replied', 'rang'))          -- NULL: nothing came
) STRICT;
INSERT INTO "text_echo" VALUES(1,'+491701234567','2026-11-21T20:10:36.000Z','call',NULL);
INSERT INTO "text_echo" VALUES(2,'+491701234567','2026-11-22T10:00:00.000Z','campaign',NULL);
CREATE TABLE user (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,                           -- argon2id, RFC 9106
  created_at TEXT NOT NULL
, role TEXT NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'staff', 'installer')), language TEXT, totp_secret TEXT, totp_step INTEGER, extension TEXT, lines TEXT CHECK (lines IS NULL OR json_valid(lines)), is_muted INTEGER NOT NULL DEFAULT 0 CHECK (is_muted IN (0, 1)), is_on INTEGER NOT NULL DEFAULT 1 CHECK (is_on IN (0, 1))) STRICT;
INSERT INTO "user" VALUES(1,'anna','$argon2id$v=19$m=19456,t=3,p=1$c2FsdHNhbHRzYWx0$aGFzaA','2026-11-21T19:00:00.000Z','owner',NULL,NULL,NULL,NULL,NULL,0,1);
INSERT INTO "user" VALUES(2,'Ben','x','2026-11-22T10:00:00.000Z','staff',NULL,NULL,NULL,'101',NULL,0,1);
CREATE TABLE webhook (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  secret TEXT NOT NULL,                                -- signs body and time; shown once
  kinds TEXT NOT NULL CHECK (json_valid(kinds)),       -- such as ["call.ringing", "sms.received"]
  is_on INTEGER NOT NULL DEFAULT 1 CHECK (is_on IN (0, 1)),
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO "webhook" VALUES(1,'Till','https://till.example/','s','["call.ended"]',1,'2026-11-22T10:00:00.000Z');
CREATE VIRTUAL TABLE contact_search USING fts5 (name, other_name, company, content = '', contentless_delete = 1,
                                                tokenize = 'trigram');
INSERT INTO contact_search (rowid, name, other_name, company) SELECT contact_search_key.id, name, other_name, company FROM contact JOIN contact_search_key ON contact_search_key.contact_id = contact.id;
CREATE VIRTUAL TABLE note_search USING fts5 (text, content = 'note', content_rowid = 'id', tokenize = 'trigram');
INSERT INTO note_search (note_search) VALUES ('rebuild');
CREATE VIRTUAL TABLE line_name_search USING fts5 (name, content = 'line_name', content_rowid = 'id',
                                                  tokenize = 'trigram');
INSERT INTO line_name_search (line_name_search) VALUES ('rebuild');
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
CREATE INDEX change_at ON change (at, id);
CREATE INDEX contact_tag_tag ON contact_tag (tag);
CREATE INDEX note_contact ON note (contact_id, created_at);
CREATE INDEX note_number ON note (number, created_at);
CREATE INDEX call_marked ON call (started_at, id) WHERE mark IS NOT NULL;
CREATE INDEX call_contact ON call (contact_id, started_at);
CREATE INDEX call_tail ON call (substr(number, -4), started_at, id);
CREATE INDEX contact_number_tail ON contact_number (substr(number, -4));
CREATE TRIGGER contact_search_added AFTER INSERT ON contact BEGIN
  INSERT INTO contact_search_key (contact_id) VALUES (new.id);
  INSERT INTO contact_search (rowid, name, other_name, company)
  SELECT id, new.name, new.other_name, new.company FROM contact_search_key WHERE contact_id = new.id;
END;
CREATE TRIGGER contact_search_gone AFTER DELETE ON contact BEGIN
  DELETE FROM contact_search WHERE rowid = (SELECT id FROM contact_search_key WHERE contact_id = old.id);
  DELETE FROM contact_search_key WHERE contact_id = old.id;
END;
CREATE TRIGGER contact_search_changed AFTER UPDATE OF name, other_name, company ON contact BEGIN
  DELETE FROM contact_search WHERE rowid = (SELECT id FROM contact_search_key WHERE contact_id = new.id);
  INSERT INTO contact_search (rowid, name, other_name, company)
  SELECT id, new.name, new.other_name, new.company FROM contact_search_key WHERE contact_id = new.id;
END;
CREATE TRIGGER note_search_added AFTER INSERT ON note BEGIN
  INSERT INTO note_search (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER note_search_gone AFTER DELETE ON note BEGIN
  INSERT INTO note_search (note_search, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER note_search_changed AFTER UPDATE OF text ON note BEGIN
  INSERT INTO note_search (note_search, rowid, text) VALUES ('delete', old.id, old.text);
  INSERT INTO note_search (rowid, text) VALUES (new.id, new.text);
END;
CREATE INDEX recording_started ON recording (started_at, call_id);
CREATE INDEX recording_unpacked ON recording (call_id) WHERE peaks IS NULL;
CREATE INDEX listening_call ON listening (call_id, at);
CREATE INDEX call_tried ON call (started_at, number)
  WHERE direction = 'in' AND outcome IN ('missed', 'abandoned', 'busy') AND number IS NOT NULL;
CREATE INDEX call_facets ON call (started_at, id, direction, outcome, answered_at, trunk, extension, mark);
CREATE INDEX call_outcome ON call (outcome, started_at, id) WHERE outcome IN
  ('abandoned', 'busy', 'rejected', 'failed', 'voicemail', 'blocked', 'interrupted');
CREATE INDEX call_internal ON call (started_at, id) WHERE direction = 'internal';
CREATE INDEX call_trunk ON call (trunk, started_at, id);
CREATE INDEX call_extension ON call (extension, started_at, id);
CREATE INDEX sms_went ON sms (sent_at, direction) WHERE sent_at IS NOT NULL;
CREATE INDEX call_caller_name ON call (caller_name, started_at, id) WHERE caller_name IS NOT NULL;
CREATE TRIGGER line_name_added AFTER INSERT ON line_name BEGIN
  INSERT INTO line_name_search (rowid, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER line_name_gone AFTER DELETE ON line_name BEGIN
  INSERT INTO line_name_search (line_name_search, rowid, name) VALUES ('delete', old.id, old.name);
END;
CREATE TRIGGER call_named AFTER INSERT ON call
WHEN new.caller_name <> '' AND NOT EXISTS (SELECT 1 FROM line_name WHERE name = new.caller_name) BEGIN
  INSERT INTO line_name (name) VALUES (new.caller_name);
END;
CREATE TRIGGER call_renamed AFTER UPDATE OF caller_name ON call
WHEN new.caller_name <> '' AND NOT EXISTS (SELECT 1 FROM line_name WHERE name = new.caller_name) BEGIN
  INSERT INTO line_name (name) VALUES (new.caller_name);
END;
CREATE TRIGGER call_unnamed AFTER DELETE ON call
WHEN old.caller_name <> '' AND NOT EXISTS (SELECT 1 FROM call WHERE caller_name = old.caller_name) BEGIN
  DELETE FROM line_name WHERE name = old.caller_name;
END;
CREATE TRIGGER call_renamed_away AFTER UPDATE OF caller_name ON call
WHEN old.caller_name <> '' AND NOT EXISTS (SELECT 1 FROM call WHERE caller_name = old.caller_name) BEGIN
  DELETE FROM line_name WHERE name = old.caller_name;
END;
CREATE INDEX contact_name ON contact (name COLLATE NOCASE, id, other_name, company);
CREATE INDEX contact_vip ON contact (name COLLATE NOCASE, id) WHERE is_vip = 1;
CREATE INDEX contact_blocked ON contact (name COLLATE NOCASE, id) WHERE is_blocked = 1;
CREATE INDEX contact_address ON contact (address COLLATE NOCASE) WHERE address IS NOT NULL;
CREATE INDEX recipient_contact ON recipient (contact_id);
CREATE INDEX recipient_number ON recipient (number);
CREATE INDEX sms_sent_again ON sms (sent_again_as) WHERE sent_again_as IS NOT NULL;
CREATE TRIGGER contact_number_added AFTER INSERT ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (new.number);
END;
CREATE TRIGGER contact_number_moved AFTER UPDATE OF contact_id ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (new.number);
END;
CREATE TRIGGER contact_number_gone AFTER DELETE ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (old.number);
END;
CREATE INDEX contact_before_kept ON contact_before (kept_id);
CREATE INDEX contact_before_gone ON contact_before (gone_id);
CREATE INDEX import_working ON import (id) WHERE state IN ('checking', 'importing', 'undoing');
CREATE INDEX import_change_contact ON import_change (contact_id);
CREATE VIEW call_share AS
SELECT call.id AS call_id, scope.column1 AS kind,
  CASE scope.column1 WHEN 'all' THEN '' WHEN 'line' THEN trunk WHEN 'extension' THEN extension ELSE disposition END AS key,
  span.column1 AS span_s, unixepoch(started_at) / span.column1 * span.column1 AS at_s,
  direction = 'in' AND outcome <> 'blocked' AS calls,
  direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted') AS answered,
  direction = 'in' AND outcome = 'missed' AS missed,
  direction = 'in' AND outcome = 'abandoned' AS abandoned,
  direction = 'in' AND outcome = 'voicemail' AS voicemail,
  direction = 'in' AND outcome = 'blocked' AS blocked,
  direction = 'in' AND outcome <> 'blocked' AND number IS NULL AS withheld,
  direction = 'out' AS outgoing,
  direction = 'out' AND answered_at IS NOT NULL AS outgoing_answered,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), ring_ms, 0) AS wait_ms,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), talk_ms, 0) AS talk_ms,
  iif(direction = 'out' AND answered_at IS NOT NULL, talk_ms, 0) AS outgoing_talk_ms,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), ring_ms, NULL) AS waited,
  iif(direction = 'in' AND outcome IN ('missed', 'abandoned'), ring_ms, NULL) AS held_on
FROM call, (VALUES ('all'), ('line'), ('extension'), ('disposition')) AS scope, (VALUES (900), (86400)) AS span
WHERE ended_at IS NOT NULL AND direction IN ('in', 'out')
  AND CASE scope.column1 WHEN 'all' THEN '' WHEN 'line' THEN trunk WHEN 'extension' THEN extension
      ELSE disposition END IS NOT NULL;
CREATE INDEX caller_year_most ON caller_year (year, calls DESC, number);
CREATE INDEX caller_calls ON call (number, started_at, outcome) WHERE direction = 'in' AND outcome <> 'blocked';
CREATE VIEW call_tally_change AS SELECT 0 AS call_id, 1 AS sign WHERE 0;
CREATE TRIGGER call_tally_changed INSTEAD OF INSERT ON call_tally_change BEGIN
  INSERT INTO call_tally
  SELECT kind, key, span_s, at_s, new.sign,
    new.sign * calls, new.sign * answered, new.sign * missed, new.sign * abandoned, new.sign * voicemail,
    new.sign * blocked, new.sign * withheld, new.sign * outgoing, new.sign * outgoing_answered,
    new.sign * coalesce(wait_ms, 0), new.sign * coalesce(talk_ms, 0), new.sign * coalesce(outgoing_talk_ms, 0),
    new.sign * coalesce(waited <= 5000, 0), new.sign * coalesce(waited <= 10000, 0),
    new.sign * coalesce(waited <= 15000, 0), new.sign * coalesce(waited <= 20000, 0),
    new.sign * coalesce(waited <= 30000, 0), new.sign * coalesce(waited <= 45000, 0),
    new.sign * coalesce(waited <= 60000, 0), new.sign * coalesce(waited <= 90000, 0),
    new.sign * coalesce(waited <= 120000, 0),
    new.sign * coalesce(held_on < 2000, 0), new.sign * coalesce(held_on < 3000, 0),
    new.sign * coalesce(held_on < 5000, 0), new.sign * coalesce(held_on < 10000, 0),
    new.sign * coalesce(held_on < 15000, 0), new.sign * coalesce(held_on < 20000, 0),
    new.sign * coalesce(held_on < 30000, 0), new.sign * coalesce(held_on < 45000, 0),
    new.sign * coalesce(held_on < 60000, 0), new.sign * coalesce(held_on < 90000, 0),
    new.sign * coalesce(held_on < 120000, 0)
  FROM call_share WHERE call_id = new.call_id
  ON CONFLICT DO UPDATE SET rows = rows + excluded.rows,
    calls = calls + excluded.calls, answered = answered + excluded.answered, missed = missed + excluded.missed,
    abandoned = abandoned + excluded.abandoned, voicemail = voicemail + excluded.voicemail,
    blocked = blocked + excluded.blocked, withheld = withheld + excluded.withheld,
    outgoing = outgoing + excluded.outgoing, outgoing_answered = outgoing_answered + excluded.outgoing_answered,
    wait_ms = wait_ms + excluded.wait_ms, talk_ms = talk_ms + excluded.talk_ms,
    outgoing_talk_ms = outgoing_talk_ms + excluded.outgoing_talk_ms,
    answered_5 = answered_5 + excluded.answered_5, answered_10 = answered_10 + excluded.answered_10,
    answered_15 = answered_15 + excluded.answered_15, answered_20 = answered_20 + excluded.answered_20,
    answered_30 = answered_30 + excluded.answered_30, answered_45 = answered_45 + excluded.answered_45,
    answered_60 = answered_60 + excluded.answered_60, answered_90 = answered_90 + excluded.answered_90,
    answered_120 = answered_120 + excluded.answered_120,
    lost_2 = lost_2 + excluded.lost_2, lost_3 = lost_3 + excluded.lost_3, lost_5 = lost_5 + excluded.lost_5,
    lost_10 = lost_10 + excluded.lost_10, lost_15 = lost_15 + excluded.lost_15, lost_20 = lost_20 + excluded.lost_20,
    lost_30 = lost_30 + excluded.lost_30, lost_45 = lost_45 + excluded.lost_45, lost_60 = lost_60 + excluded.lost_60,
    lost_90 = lost_90 + excluded.lost_90, lost_120 = lost_120 + excluded.lost_120;
  DELETE FROM call_tally WHERE new.sign < 0 AND rows = 0 AND (kind, key, span_s, at_s) IN (
    SELECT kind, key, span_s, at_s FROM call_share WHERE call_id = new.call_id);
  INSERT INTO caller_year
  SELECT CAST(substr(started_at, 1, 4) AS INTEGER), number, new.sign FROM call
  WHERE id = new.call_id AND number IS NOT NULL AND direction = 'in' AND outcome <> 'blocked'
  ON CONFLICT DO UPDATE SET calls = calls + excluded.calls;
  DELETE FROM caller_year WHERE new.sign < 0 AND calls = 0
    AND number = (SELECT number FROM call WHERE id = new.call_id);
END;
CREATE TRIGGER call_tally_added AFTER INSERT ON call WHEN new.ended_at IS NOT NULL BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (new.id, 1);
END;
CREATE TRIGGER call_tally_leaves BEFORE UPDATE OF direction, outcome, started_at, answered_at, ended_at, ring_ms, talk_ms,
  trunk, extension, disposition, number ON call
WHEN old.ended_at IS NOT NULL
  AND (old.direction, old.outcome, old.started_at, old.answered_at, old.ring_ms, old.talk_ms, old.trunk, old.extension,
       old.disposition, old.number, old.ended_at IS NULL)
  IS NOT (new.direction, new.outcome, new.started_at, new.answered_at, new.ring_ms, new.talk_ms, new.trunk,
          new.extension, new.disposition, new.number, new.ended_at IS NULL)
BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (old.id, -1);
END;
CREATE TRIGGER call_tally_comes_back AFTER UPDATE OF direction, outcome, started_at, answered_at, ended_at, ring_ms,
  talk_ms, trunk, extension, disposition, number ON call
WHEN new.ended_at IS NOT NULL
  AND (old.direction, old.outcome, old.started_at, old.answered_at, old.ring_ms, old.talk_ms, old.trunk, old.extension,
       old.disposition, old.number, old.ended_at IS NULL)
  IS NOT (new.direction, new.outcome, new.started_at, new.answered_at, new.ring_ms, new.talk_ms, new.trunk,
          new.extension, new.disposition, new.number, new.ended_at IS NULL)
BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (new.id, 1);
END;
CREATE TRIGGER call_tally_gone BEFORE DELETE ON call WHEN old.ended_at IS NOT NULL BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (old.id, -1);
END;
CREATE INDEX caller_new ON caller (first_at, call_id) WHERE is_new = 1;
CREATE VIEW caller_change AS SELECT '' AS number WHERE 0;
CREATE TRIGGER caller_changed INSTEAD OF INSERT ON caller_change BEGIN
  DELETE FROM caller WHERE number = new.number;
  INSERT INTO caller
  SELECT number, id, started_at, direction = 'in' AND NOT EXISTS (
    SELECT 1 FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
    WHERE contact_number.number = call.number AND contact.created_at <= call.started_at)
  FROM call WHERE number = new.number AND direction IN ('in', 'out') ORDER BY started_at, id LIMIT 1;
END;
CREATE TRIGGER caller_rang AFTER INSERT ON call
WHEN new.number IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM caller WHERE number = new.number AND first_at <= new.started_at)
BEGIN
  INSERT INTO caller_change (number) VALUES (new.number);
END;
CREATE TRIGGER caller_corrected AFTER UPDATE OF number, started_at, direction ON call
WHEN (old.number, old.started_at, old.direction) IS NOT (new.number, new.started_at, new.direction)
BEGIN
  INSERT INTO caller_change (number) SELECT old.number WHERE old.number IS NOT NULL;
  INSERT INTO caller_change (number) SELECT new.number WHERE new.number IS NOT NULL;
END;
CREATE TRIGGER caller_gone AFTER DELETE ON call WHEN old.number IS NOT NULL BEGIN
  INSERT INTO caller_change (number) VALUES (old.number);
END;
CREATE INDEX text_echo_number ON text_echo (number, sent_at);
CREATE INDEX text_echo_sent ON text_echo (sent_at, kind, how);
CREATE VIEW text_echo_now AS
SELECT sms_id, number, sent_at, (
  SELECT how FROM (
    SELECT created_at AS at, 'replied' AS how FROM sms
    WHERE sms.number = text_echo.number AND sms.direction = 'in' AND sms.created_at >= text_echo.sent_at
      AND sms.created_at <= strftime('%Y-%m-%dT%H:%M:%fZ', text_echo.sent_at, '+1 hour')
    UNION ALL
    SELECT started_at, 'rang' FROM call
    WHERE call.number = text_echo.number AND call.direction = 'in' AND call.started_at >= text_echo.sent_at
      AND call.started_at <= strftime('%Y-%m-%dT%H:%M:%fZ', text_echo.sent_at, '+1 hour'))
  ORDER BY at LIMIT 1) AS how
FROM text_echo;
CREATE VIEW text_echo_change AS SELECT '' AS number, '' AS at WHERE 0;
CREATE TRIGGER text_echo_changed INSTEAD OF INSERT ON text_echo_change BEGIN
  UPDATE text_echo SET how = text_echo_now.how FROM text_echo_now
  WHERE text_echo_now.sms_id = text_echo.sms_id AND text_echo.number = new.number
    AND text_echo.sent_at BETWEEN strftime('%Y-%m-%dT%H:%M:%fZ', new.at, '-1 hour') AND new.at;
END;
CREATE VIEW text_echo_sms AS
SELECT id AS sms_id, number, sent_at,
  CASE WHEN campaign_id IS NOT NULL THEN 'campaign' WHEN call_id IS NOT NULL THEN 'call' ELSE 'person' END AS kind
FROM sms WHERE direction = 'out' AND sent_at IS NOT NULL AND state IN ('sent', 'delivered');
CREATE TRIGGER text_echo_came AFTER INSERT ON sms WHEN new.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.created_at);
END;
CREATE TRIGGER text_echo_came_gone AFTER DELETE ON sms WHEN old.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.created_at);
END;
CREATE TRIGGER text_echo_went AFTER INSERT ON sms WHEN new.direction = 'out' AND new.sent_at IS NOT NULL BEGIN
  INSERT INTO text_echo (sms_id, number, sent_at, kind)
  SELECT sms_id, number, sent_at, kind FROM text_echo_sms WHERE sms_id = new.id;
  UPDATE text_echo SET how = (SELECT how FROM text_echo_now WHERE sms_id = new.id) WHERE sms_id = new.id;
END;
CREATE TRIGGER text_echo_sent AFTER UPDATE OF number, state, sent_at ON sms
WHEN new.direction = 'out' AND coalesce(old.sent_at, new.sent_at) IS NOT NULL
  AND (old.number, old.sent_at, old.state IN ('sent', 'delivered'))
  IS NOT (new.number, new.sent_at, new.state IN ('sent', 'delivered'))
BEGIN
  DELETE FROM text_echo WHERE sms_id = new.id;
  INSERT INTO text_echo (sms_id, number, sent_at, kind)
  SELECT sms_id, number, sent_at, kind FROM text_echo_sms WHERE sms_id = new.id;
  UPDATE text_echo SET how = (SELECT how FROM text_echo_now WHERE sms_id = new.id) WHERE sms_id = new.id;
END;
CREATE TRIGGER text_echo_rang AFTER INSERT ON call WHEN new.number IS NOT NULL AND new.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.started_at);
END;
CREATE TRIGGER text_echo_corrected AFTER UPDATE OF number, started_at, direction ON call
WHEN (old.number, old.started_at, old.direction) IS NOT (new.number, new.started_at, new.direction)
BEGIN
  INSERT INTO text_echo_change (number, at) SELECT old.number, old.started_at WHERE old.number IS NOT NULL;
  INSERT INTO text_echo_change (number, at) SELECT new.number, new.started_at WHERE new.number IS NOT NULL;
END;
CREATE TRIGGER text_echo_call_gone AFTER DELETE ON call WHEN old.number IS NOT NULL AND old.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.started_at);
END;
CREATE TRIGGER text_echo_came_else AFTER UPDATE OF number, created_at ON sms
WHEN new.direction = 'in' AND (old.number, old.created_at) IS NOT (new.number, new.created_at)
BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.created_at);
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.created_at);
END;
CREATE INDEX callback_open ON callback (due_at, id) WHERE state = 'open';
CREATE INDEX callback_contact ON callback (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX callback_call ON callback (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX callback_kept ON callback (kept_by) WHERE kept_by IS NOT NULL;
CREATE INDEX callback_number ON callback (number, due_at);
CREATE INDEX callback_unreminded ON callback (due_at) WHERE state = 'open' AND reminded_at IS NULL;
CREATE INDEX call_list_entry_waiting ON call_list_entry (call_list_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX call_list_entry_taken ON call_list_entry (taken_at) WHERE state = 'taken';
CREATE UNIQUE INDEX call_list_entry_one_each ON call_list_entry (call_list_id, taken_by) WHERE state = 'taken';
CREATE INDEX call_list_entry_contact ON call_list_entry (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX call_list_entry_number ON call_list_entry (number);
CREATE UNIQUE INDEX event_once ON event (call_id, kind) WHERE kind IN ('ringing', 'answered', 'ended', 'recording');
CREATE UNIQUE INDEX event_reminder ON event (callback_id) WHERE kind = 'reminder';
CREATE INDEX recording_missing ON recording (call_id) WHERE is_missing = 1;
CREATE INDEX recording_starred ON recording (started_at, call_id) WHERE is_starred = 1;
CREATE INDEX recording_gone_due ON recording_gone (due_at);
CREATE TRIGGER recording_left AFTER DELETE ON recording BEGIN
  INSERT OR IGNORE INTO recording_gone (file, due_at) VALUES (old.file, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
END;
CREATE TRIGGER recording_replaced AFTER UPDATE OF file ON recording WHEN old.file <> new.file BEGIN
  INSERT OR IGNORE INTO recording_gone (file, due_at) VALUES (old.file, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
  DELETE FROM recording_gone WHERE file = new.file;
END;
CREATE TRIGGER recording_came AFTER INSERT ON recording BEGIN
  DELETE FROM recording_gone WHERE file = new.file;
END;
CREATE INDEX backup_open ON backup (id) WHERE state IN ('asked', 'making', 'copying', 'proving');
CREATE INDEX backup_asked_at ON backup (asked_at, id);
CREATE INDEX phone_order_asked ON phone_order (id) WHERE state IN ('asked', 'taken');
CREATE INDEX phone_order_call ON phone_order (call_id, id);
CREATE INDEX delivery_waiting ON delivery (webhook_id, id) WHERE state = 'waiting';
CREATE INDEX delivery_call ON delivery (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX delivery_sms ON delivery (sms_id) WHERE sms_id IS NOT NULL;
CREATE INDEX delivery_of ON delivery (webhook_id, id);
CREATE TRIGGER delivery_of_call AFTER INSERT ON event WHEN new.kind IN ('ringing', 'ended') BEGIN
  INSERT INTO delivery (webhook_id, kind, call_id, at, state)
  SELECT webhook.id, 'call.' || new.kind, new.call_id, new.at, 'waiting'
  FROM webhook, json_each(webhook.kinds)
  WHERE webhook.is_on AND json_each.value = 'call.' || new.kind;
END;
CREATE TRIGGER delivery_of_text_in AFTER INSERT ON sms WHEN new.direction = 'in' BEGIN
  INSERT INTO delivery (webhook_id, kind, sms_id, at, state)
  SELECT webhook.id, 'sms.received', new.id, new.created_at, 'waiting'
  FROM webhook, json_each(webhook.kinds)
  WHERE webhook.is_on AND json_each.value = 'sms.received';
END;
CREATE TRIGGER delivery_of_text_out AFTER UPDATE OF state ON sms
WHEN new.direction = 'out' AND new.state IN ('sent', 'delivered') AND old.state <> new.state BEGIN
  INSERT INTO delivery (webhook_id, kind, sms_id, at, state)
  SELECT webhook.id, 'sms.' || new.state, new.id, new.updated_at, 'waiting'
  FROM webhook, json_each(webhook.kinds)
  WHERE webhook.is_on AND json_each.value = 'sms.' || new.state;
END;
CREATE INDEX slip_call ON slip (call_id);
CREATE INDEX slip_waiting ON slip (id) WHERE state = 'waiting';
CREATE UNIQUE INDEX errand_open ON errand (kind) WHERE state IN ('waiting', 'running');
CREATE UNIQUE INDEX bundle_open ON bundle (state IN ('ready', 'night')) WHERE state IN ('ready', 'night');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('call',3);
INSERT INTO "sqlite_sequence" VALUES('sms',3);
INSERT INTO "sqlite_sequence" VALUES('segment',1);
INSERT INTO "sqlite_sequence" VALUES('user',2);
INSERT INTO "sqlite_sequence" VALUES('rule',2);
INSERT INTO "sqlite_sequence" VALUES('contact_group',1);
INSERT INTO "sqlite_sequence" VALUES('template',1);
INSERT INTO "sqlite_sequence" VALUES('campaign',1);
INSERT INTO "sqlite_sequence" VALUES('occurrence',1);
INSERT INTO "sqlite_sequence" VALUES('recipient',1);
INSERT INTO "sqlite_sequence" VALUES('long_text',1);
INSERT INTO "sqlite_sequence" VALUES('event',3);
INSERT INTO "sqlite_sequence" VALUES('backup_place',1);
INSERT INTO "sqlite_sequence" VALUES('note',1);
INSERT INTO "sqlite_sequence" VALUES('change',1);
INSERT INTO "sqlite_sequence" VALUES('callback',1);
INSERT INTO "sqlite_sequence" VALUES('call_list',1);
INSERT INTO "sqlite_sequence" VALUES('call_list_entry',1);
INSERT INTO "sqlite_sequence" VALUES('desk',1);
INSERT INTO "sqlite_sequence" VALUES('api_token',1);
INSERT INTO "sqlite_sequence" VALUES('webhook',1);
INSERT INTO "sqlite_sequence" VALUES('delivery',1);
INSERT INTO "sqlite_sequence" VALUES('phone_order',1);
INSERT INTO "sqlite_sequence" VALUES('errand',1);
INSERT INTO "sqlite_sequence" VALUES('bundle',1);
COMMIT;
