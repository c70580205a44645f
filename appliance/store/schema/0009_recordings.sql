-- Recordings that leave, and those whose file is gone. Frozen once released.

ALTER TABLE recording ADD COLUMN is_missing INTEGER NOT NULL DEFAULT 0 CHECK (is_missing IN (0, 1)); -- the sweep found no file
CREATE INDEX recording_missing ON recording (call_id) WHERE is_missing = 1;
CREATE INDEX recording_starred ON recording (started_at, call_id) WHERE is_starred = 1;

-- Files to be taken away once due_at has come. Until then the other columns are the way back of a deleted recording;
-- they are NULL for a file that was only replaced by a smaller one, or whose call is gone.
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
CREATE INDEX recording_gone_due ON recording_gone (due_at);

-- Whoever removes a row, or the call it belongs to, need not think of the file.
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
