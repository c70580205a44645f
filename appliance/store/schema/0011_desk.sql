-- The desk and the doors: paired desks, orders to the telephone, tokens, webhooks. Frozen once released.

-- A program or a client that sees who rings: the tray program, an NCID client. Browsers have sessions instead.
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

CREATE TABLE pairing (                                 -- six digits on the page, typed at the desk within ten minutes
  code_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
  expires_at TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0
) STRICT;
ALTER TABLE user ADD COLUMN lines TEXT CHECK (lines IS NULL OR json_valid(lines));   -- as desk.lines, for his pages
ALTER TABLE user ADD COLUMN is_muted INTEGER NOT NULL DEFAULT 0 CHECK (is_muted IN (0, 1));

-- What a person asked of the telephone from the screen; the calls daemon alone speaks to Asterisk and does it.
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
CREATE INDEX phone_order_asked ON phone_order (id) WHERE state IN ('asked', 'taken');
CREATE INDEX phone_order_call ON phone_order (call_id, id);

-- Another program's key to the API.
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

CREATE TABLE webhook (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  secret TEXT NOT NULL,                                -- signs body and time; shown once
  kinds TEXT NOT NULL CHECK (json_valid(kinds)),       -- such as ["call.ringing", "sms.received"]
  is_on INTEGER NOT NULL DEFAULT 1 CHECK (is_on IN (0, 1)),
  created_at TEXT NOT NULL
) STRICT;

-- One row a target and happening, in the transaction of what happened; a target gets its rows in their order.
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
CREATE INDEX delivery_waiting ON delivery (webhook_id, id) WHERE state = 'waiting';
CREATE INDEX delivery_call ON delivery (call_id) WHERE call_id IS NOT NULL;      -- for whoever deletes those
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

-- Doors that this box opens by itself: how the printer and the broker were when last used. trouble NULL: well.
CREATE TABLE door (
  name TEXT PRIMARY KEY CHECK (name IN ('printer', 'mqtt')),
  trouble TEXT,
  at TEXT NOT NULL
) STRICT;

-- A call slip for the receipt printer; one that does not come out within a minute is given up.
CREATE TABLE slip (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
  by_user TEXT,                                        -- NULL: the box, by the setting slip_when
  at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'printed', 'given_up')),
  reason TEXT
) STRICT;
CREATE INDEX slip_call ON slip (call_id);
CREATE INDEX slip_waiting ON slip (id) WHERE state = 'waiting';
