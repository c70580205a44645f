-- Errands and updates: what root is asked to do, and which bundles came. Frozen once released.

-- The one way by which a page has something done that only root may do (appliance/update/errands.py).
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
CREATE UNIQUE INDEX errand_open ON errand (kind) WHERE state IN ('waiting', 'running');

-- A bundle somebody brought, and what became of it.
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
CREATE UNIQUE INDEX bundle_open ON bundle (state IN ('ready', 'night')) WHERE state IN ('ready', 'night');
