-- Customers that came in by a file: how far it is, what it did to each card, what it left out. Frozen once released.

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
CREATE INDEX import_working ON import (id) WHERE state IN ('checking', 'importing', 'undoing');

-- What undo takes back. A new card: added is NULL. A card there was: what was put on it, and its updated_at before.
CREATE TABLE import_change (
  import_id INTEGER NOT NULL REFERENCES import (id) ON DELETE CASCADE,
  contact_id TEXT NOT NULL,                              -- no reference: the card may be deleted
  added TEXT CHECK (added IS NULL OR json_valid(added)),
  PRIMARY KEY (import_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_change_contact ON import_change (contact_id);

-- Rows that were left out, or of which a part was: for the page and for the file to mend and send again.
CREATE TABLE import_remark (
  import_id INTEGER NOT NULL REFERENCES import (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  is_left_out INTEGER NOT NULL CHECK (is_left_out IN (0, 1)),
  reason TEXT NOT NULL,
  cells TEXT NOT NULL CHECK (json_valid(cells)),         -- as they were in the file
  PRIMARY KEY (import_id, line)
) STRICT;
