-- People: the book by name, undo of merges and deletions, households, what was forgotten. Frozen once released.

CREATE INDEX contact_name ON contact (name COLLATE NOCASE, id, other_name, company);   -- the list walks it, and short searches
CREATE INDEX contact_vip ON contact (name COLLATE NOCASE, id) WHERE is_vip = 1;
CREATE INDEX contact_blocked ON contact (name COLLATE NOCASE, id) WHERE is_blocked = 1;
CREATE INDEX contact_address ON contact (address COLLATE NOCASE) WHERE address IS NOT NULL;

-- What a row that goes must look for in others: without these each deletion reads a whole table.
CREATE INDEX recipient_contact ON recipient (contact_id);
CREATE INDEX recipient_number ON recipient (number);
CREATE INDEX sms_sent_again ON sms (sent_again_as) WHERE sent_again_as IS NOT NULL;
CREATE INDEX event_call ON event (call_id);

-- Whose call it was follows from whose number it is. Here stand the numbers that changed hands; their calls are
-- settled in small steps by whoever has time, so that no import and no merge holds up a call.
CREATE TABLE relink (
  number TEXT PRIMARY KEY
) STRICT;
CREATE TRIGGER contact_number_added AFTER INSERT ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (new.number);
END;
CREATE TRIGGER contact_number_moved AFTER UPDATE OF contact_id ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (new.number);
END;
CREATE TRIGGER contact_number_gone AFTER DELETE ON contact_number BEGIN
  INSERT OR IGNORE INTO relink (number) VALUES (old.number);
END;

-- Cards as they were before a merge or a deletion, so that it can be undone later.
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
CREATE INDEX contact_before_kept ON contact_before (kept_id);
CREATE INDEX contact_before_gone ON contact_before (gone_id);

-- Two cards, or a card and a number, of which somebody said that they are not one.
CREATE TABLE household_no (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  other TEXT NOT NULL,                                 -- the other card's id, or the number without a card
  PRIMARY KEY (contact_id, other)
) STRICT;

-- Whoever was forgotten, as keyed hashes: a backup from before must not bring them back. No name, no number.
CREATE TABLE forget_key (
  id TEXT PRIMARY KEY,
  key BLOB NOT NULL CHECK (length(key) = 32)
) STRICT;
INSERT INTO forget_key (id, key) VALUES (lower(hex(randomblob(8))), randomblob(32));
CREATE TABLE forgotten (
  hash TEXT NOT NULL,                                  -- HMAC-SHA-256 of the number under this key
  key_id TEXT NOT NULL REFERENCES forget_key (id),
  at TEXT NOT NULL,
  wants_no_texts INTEGER NOT NULL CHECK (wants_no_texts IN (0, 1)),   -- an opt-out outlives its number
  PRIMARY KEY (hash, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE forget_receipt (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,
  counts TEXT NOT NULL CHECK (json_valid(counts)),     -- how many of what: no personal data
  swept_at TEXT                                        -- when no trace was left in the file; NULL: the clock does it at night
) STRICT;
