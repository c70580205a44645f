-- The office's pages: users and roles, cards, notes, marks, recordings. Frozen once released.

ALTER TABLE user ADD COLUMN role TEXT NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'staff', 'installer'));
ALTER TABLE user ADD COLUMN language TEXT;             -- NULL: the browser's is the first guess
ALTER TABLE user ADD COLUMN totp_secret TEXT;          -- base32, RFC 6238; NULL while there is no second factor
ALTER TABLE user ADD COLUMN totp_step INTEGER;         -- the last time step that was used: none is good twice
ALTER TABLE user ADD COLUMN extension TEXT;            -- the desk phone that rings first when this user calls out
ALTER TABLE session ADD COLUMN address TEXT;           -- where it was begun from, and by which browser: for the list of sessions
ALTER TABLE session ADD COLUMN agent TEXT;

CREATE TABLE recovery_code (                           -- for who lost the telephone with the second factor; each once
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE
) STRICT;

-- Who changed what: the owner reads it, nobody edits it. Numbers are shortened, secrets never written.
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL,                               -- the name, kept when the user goes; "the box" when nobody did it
  what TEXT NOT NULL,                                  -- such as 'setting ring_s', 'user Ben', 'contact', 'rule'
  row_id TEXT,                                         -- of the row it is about
  before TEXT CHECK (before IS NULL OR json_valid(before)),
  after TEXT CHECK (after IS NULL OR json_valid(after))
) STRICT;
CREATE INDEX change_at ON change (at, id);

ALTER TABLE contact ADD COLUMN other_name TEXT;        -- a nickname, or the name in another script
ALTER TABLE contact ADD COLUMN address TEXT;
ALTER TABLE contact ADD COLUMN is_vip INTEGER NOT NULL DEFAULT 0 CHECK (is_vip IN (0, 1));
ALTER TABLE contact ADD COLUMN blocked_reason TEXT;
ALTER TABLE contact_number ADD COLUMN label TEXT;      -- as the owner calls it: mobile, work
ALTER TABLE contact_number ADD COLUMN position INTEGER NOT NULL DEFAULT 0;

CREATE TABLE contact_tag (
  contact_id TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
  tag TEXT NOT NULL COLLATE NOCASE,
  PRIMARY KEY (contact_id, tag)
) STRICT;
CREATE INDEX contact_tag_tag ON contact_tag (tag);

-- A note on a call, on a card, or on a number that has no card yet.
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
CREATE INDEX note_contact ON note (contact_id, created_at);
CREATE INDEX note_number ON note (number, created_at);

-- What a listener thought of a call, and what the call was about (the disposition, from the owner's own list).
ALTER TABLE call ADD COLUMN mark TEXT CHECK (mark IN ('good', 'complaint', 'training'));
ALTER TABLE call ADD COLUMN disposition TEXT;
CREATE INDEX call_marked ON call (started_at, id) WHERE mark IS NOT NULL;
CREATE INDEX call_contact ON call (contact_id, started_at);
CREATE INDEX call_tail ON call (substr(number, -4), started_at, id);           -- search by the last digits
CREATE INDEX contact_number_tail ON contact_number (substr(number, -4));

-- Search by a part of a name, a company or a note: three letters or more walk a trigram index.
-- A contact's rowid may change when the store is copied compactly, so the index has keys of its own.
CREATE TABLE contact_search_key (
  id INTEGER PRIMARY KEY,
  contact_id TEXT NOT NULL UNIQUE                      -- no reference: the trigger below lets it go
) STRICT;
CREATE VIRTUAL TABLE contact_search USING fts5 (name, other_name, company, content = '', contentless_delete = 1,
                                                tokenize = 'trigram');
INSERT INTO contact_search_key (contact_id) SELECT id FROM contact;
INSERT INTO contact_search (rowid, name, other_name, company)
SELECT contact_search_key.id, name, other_name, company
FROM contact JOIN contact_search_key ON contact_search_key.contact_id = contact.id;
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
CREATE VIRTUAL TABLE note_search USING fts5 (text, content = 'note', content_rowid = 'id', tokenize = 'trigram');
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

-- The bars of the waveform, computed once off the call path: pairs of bytes, caller and staff, at most 200 of each.
ALTER TABLE recording ADD COLUMN peaks BLOB;
ALTER TABLE recording ADD COLUMN is_starred INTEGER NOT NULL DEFAULT 0 CHECK (is_starred IN (0, 1));
CREATE INDEX recording_started ON recording (started_at, call_id);
CREATE INDEX recording_unpacked ON recording (call_id) WHERE peaks IS NULL;

CREATE TABLE listening (                               -- who heard or took a recording, for the owner to see
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  by_user TEXT NOT NULL,
  at TEXT NOT NULL,
  is_download INTEGER NOT NULL CHECK (is_download IN (0, 1))
) STRICT;
CREATE INDEX listening_call ON listening (call_id, at);
