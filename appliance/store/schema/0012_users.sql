-- Users: who is switched off, and the invitation that sets a first or a new password. Frozen once released.

ALTER TABLE user ADD COLUMN is_on INTEGER NOT NULL DEFAULT 1 CHECK (is_on IN (0, 1));

CREATE TABLE invitation (                              -- a code that is good once, until it ends; only its hash is here
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL UNIQUE REFERENCES user (id) ON DELETE CASCADE,
  expires_at TEXT NOT NULL
) STRICT;
