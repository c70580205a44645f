-- Who is owed a call, and every way to narrow the history. Frozen once released.

-- Somebody said that a caller is no longer owed a call: tries before it do not count any more.
CREATE TABLE settled (
  number TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  by_user TEXT NOT NULL
) STRICT;
CREATE INDEX call_tried ON call (started_at, number)
  WHERE direction = 'in' AND outcome IN ('missed', 'abandoned', 'busy') AND number IS NOT NULL;

-- What the clock found when it last looked at the box; the page Today says it without looking itself.
CREATE TABLE health_look (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at TEXT NOT NULL,
  findings TEXT NOT NULL CHECK (json_valid(findings))  -- sentences, worst first
) STRICT;

-- Everything the history can be narrowed by stands in one index, so that a rare kind of call is found without its rows.
CREATE INDEX call_facets ON call (started_at, id, direction, outcome, answered_at, trunk, extension, mark);
CREATE INDEX call_outcome ON call (outcome, started_at, id) WHERE outcome IN
  ('abandoned', 'busy', 'rejected', 'failed', 'voicemail', 'blocked', 'interrupted');
CREATE INDEX call_internal ON call (started_at, id) WHERE direction = 'internal';
CREATE INDEX call_trunk ON call (trunk, started_at, id);
CREATE INDEX call_extension ON call (extension, started_at, id);
CREATE INDEX sms_went ON sms (sent_at, direction) WHERE sent_at IS NOT NULL;

-- The names that lines gave, each once, so that a caller without a card is found by a part of it.
CREATE INDEX call_caller_name ON call (caller_name, started_at, id) WHERE caller_name IS NOT NULL;
CREATE TABLE line_name (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE VIRTUAL TABLE line_name_search USING fts5 (name, content = 'line_name', content_rowid = 'id',
                                                  tokenize = 'trigram');
CREATE TRIGGER line_name_added AFTER INSERT ON line_name BEGIN
  INSERT INTO line_name_search (rowid, name) VALUES (new.id, new.name);
END;
CREATE TRIGGER line_name_gone AFTER DELETE ON line_name BEGIN
  INSERT INTO line_name_search (line_name_search, rowid, name) VALUES ('delete', old.id, old.name);
END;
INSERT INTO line_name (name) SELECT DISTINCT caller_name FROM call WHERE caller_name <> '';
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
