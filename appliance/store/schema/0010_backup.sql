-- Backups: where they go, which there are, what is being restored. Frozen once released.

-- What the clock alone can open: sealed to the key in a file of its own (backup/secrets.py), worthless in a copy.
CREATE TABLE backup_secret (
  name TEXT PRIMARY KEY,                               -- 'recipient' (public), 'passphrase'
  value TEXT NOT NULL
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
INSERT INTO backup_place (kind, name, address) VALUES ('box', 'This box', '');

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
CREATE INDEX backup_open ON backup (id) WHERE state IN ('asked', 'making', 'copying', 'proving');
CREATE INDEX backup_asked_at ON backup (asked_at, id);

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
