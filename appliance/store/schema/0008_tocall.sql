-- To call: promised call-backs, and lists that whoever is free works through. Frozen once released.

-- A promise to ring somebody back. Asked of the desks by an event when it is due, once for each time it was put off.
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
CREATE INDEX callback_open ON callback (due_at, id) WHERE state = 'open';
CREATE INDEX callback_contact ON callback (contact_id) WHERE contact_id IS NOT NULL;   -- for whoever deletes those
CREATE INDEX callback_call ON callback (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX callback_kept ON callback (kept_by) WHERE kept_by IS NOT NULL;
CREATE INDEX callback_number ON callback (number, due_at);
CREATE INDEX callback_unreminded ON callback (due_at) WHERE state = 'open' AND reminded_at IS NULL;

-- Numbers to be rung one after the other. form: [{"key": "q1", "kind": "text"|"choice"|"yes_no"|"number"|"date",
-- "label": "…", "choices": ["…"]}]
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
CREATE INDEX call_list_entry_waiting ON call_list_entry (call_list_id, due_at, id) WHERE state = 'waiting';
CREATE INDEX call_list_entry_taken ON call_list_entry (taken_at) WHERE state = 'taken';
CREATE UNIQUE INDEX call_list_entry_one_each ON call_list_entry (call_list_id, taken_by) WHERE state = 'taken';
CREATE INDEX call_list_entry_contact ON call_list_entry (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX call_list_entry_number ON call_list_entry (number);

-- The journal of the desks learns to remind, and of what the telephone was asked and what was noted: a CHECK cannot be
-- changed, so the table is made anew. Its ids go on from where they were, also past those of rows long gone: a browser
-- asks for what came after its last one.
CREATE TABLE event_anew (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ringing', 'answered', 'ended', 'recording', 'text', 'reminder', 'phone', 'note')),
  call_id INTEGER REFERENCES call (id) ON DELETE CASCADE,
  callback_id INTEGER REFERENCES callback (id) ON DELETE CASCADE,
  CHECK (kind <> 'reminder' OR callback_id IS NOT NULL)
) STRICT;
INSERT INTO event_anew (id, at, kind, call_id) SELECT id, at, kind, call_id FROM event;
DELETE FROM sqlite_sequence WHERE name = 'event_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'event_anew', seq FROM sqlite_sequence WHERE name = 'event';
DROP TABLE event;
ALTER TABLE event_anew RENAME TO event;
CREATE UNIQUE INDEX event_once ON event (call_id, kind) WHERE kind IN ('ringing', 'answered', 'ended', 'recording');
CREATE UNIQUE INDEX event_reminder ON event (callback_id) WHERE kind = 'reminder';
