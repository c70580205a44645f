-- Statistics: figures kept beside the calls, in the transaction that ends, corrects or forgets a call, whoever writes it.
-- Frozen once released.

-- What each ended call adds to the figures, defined once: the triggers, the first filling and a rebuild all read this.
-- A call counts for everything, for its line, for its extension and for what it was about; by quarter-hours of UTC,
-- so that half-hour zones and summer time come out right, and by days of UTC, so that a year is quickly summed.
-- calls are those that came in, without blocked ones; lost: nobody answered, or the caller gave up before.
CREATE VIEW call_share AS
SELECT call.id AS call_id, scope.column1 AS kind,
  CASE scope.column1 WHEN 'all' THEN '' WHEN 'line' THEN trunk WHEN 'extension' THEN extension ELSE disposition END AS key,
  span.column1 AS span_s, unixepoch(started_at) / span.column1 * span.column1 AS at_s,
  direction = 'in' AND outcome <> 'blocked' AS calls,
  direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted') AS answered,
  direction = 'in' AND outcome = 'missed' AS missed,
  direction = 'in' AND outcome = 'abandoned' AS abandoned,
  direction = 'in' AND outcome = 'voicemail' AS voicemail,
  direction = 'in' AND outcome = 'blocked' AS blocked,
  direction = 'in' AND outcome <> 'blocked' AND number IS NULL AS withheld,
  direction = 'out' AS outgoing,
  direction = 'out' AND answered_at IS NOT NULL AS outgoing_answered,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), ring_ms, 0) AS wait_ms,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), talk_ms, 0) AS talk_ms,
  iif(direction = 'out' AND answered_at IS NOT NULL, talk_ms, 0) AS outgoing_talk_ms,
  iif(direction = 'in' AND answered_at IS NOT NULL AND outcome IN ('answered', 'interrupted'), ring_ms, NULL) AS waited,
  iif(direction = 'in' AND outcome IN ('missed', 'abandoned'), ring_ms, NULL) AS held_on
FROM call, (VALUES ('all'), ('line'), ('extension'), ('disposition')) AS scope, (VALUES (900), (86400)) AS span
WHERE ended_at IS NOT NULL AND direction IN ('in', 'out')
  AND CASE scope.column1 WHEN 'all' THEN '' WHEN 'line' THEN trunk WHEN 'extension' THEN extension
      ELSE disposition END IS NOT NULL;

-- answered_20: answered within 20 s; lost_5: hung up or was left ringing for less than 5 s.
CREATE TABLE call_tally (
  kind TEXT NOT NULL CHECK (kind IN ('all', 'line', 'extension', 'disposition')),
  key TEXT NOT NULL,
  span_s INTEGER NOT NULL CHECK (span_s IN (900, 86400)),
  at_s INTEGER NOT NULL,                               -- seconds since 1970, UTC
  rows INTEGER NOT NULL,                               -- ended calls of any kind in it; a tally of none goes away
  calls INTEGER NOT NULL, answered INTEGER NOT NULL, missed INTEGER NOT NULL, abandoned INTEGER NOT NULL,
  voicemail INTEGER NOT NULL, blocked INTEGER NOT NULL, withheld INTEGER NOT NULL,
  outgoing INTEGER NOT NULL, outgoing_answered INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL, talk_ms INTEGER NOT NULL, outgoing_talk_ms INTEGER NOT NULL,
  answered_5 INTEGER NOT NULL, answered_10 INTEGER NOT NULL, answered_15 INTEGER NOT NULL, answered_20 INTEGER NOT NULL,
  answered_30 INTEGER NOT NULL, answered_45 INTEGER NOT NULL, answered_60 INTEGER NOT NULL, answered_90 INTEGER NOT NULL,
  answered_120 INTEGER NOT NULL,
  lost_2 INTEGER NOT NULL, lost_3 INTEGER NOT NULL, lost_5 INTEGER NOT NULL, lost_10 INTEGER NOT NULL,
  lost_15 INTEGER NOT NULL, lost_20 INTEGER NOT NULL, lost_30 INTEGER NOT NULL, lost_45 INTEGER NOT NULL,
  lost_60 INTEGER NOT NULL, lost_90 INTEGER NOT NULL, lost_120 INTEGER NOT NULL,
  PRIMARY KEY (kind, key, span_s, at_s)
) STRICT, WITHOUT ROWID;

-- Who rang how often in a year of UTC: the most frequent callers of any long time are found among its first rows.
CREATE TABLE caller_year (
  year INTEGER NOT NULL,
  number TEXT NOT NULL,
  calls INTEGER NOT NULL,
  PRIMARY KEY (number, year)
) STRICT, WITHOUT ROWID;
CREATE INDEX caller_year_most ON caller_year (year, calls DESC, number);
-- How often a number rang in any time, without reading its calls.
CREATE INDEX caller_calls ON call (number, started_at, outcome) WHERE direction = 'in' AND outcome <> 'blocked';

-- Adding a call to the figures (sign 1), or taking it out again before it changes or goes (sign -1).
CREATE VIEW call_tally_change AS SELECT 0 AS call_id, 1 AS sign WHERE 0;
CREATE TRIGGER call_tally_changed INSTEAD OF INSERT ON call_tally_change BEGIN
  INSERT INTO call_tally
  SELECT kind, key, span_s, at_s, new.sign,
    new.sign * calls, new.sign * answered, new.sign * missed, new.sign * abandoned, new.sign * voicemail,
    new.sign * blocked, new.sign * withheld, new.sign * outgoing, new.sign * outgoing_answered,
    new.sign * coalesce(wait_ms, 0), new.sign * coalesce(talk_ms, 0), new.sign * coalesce(outgoing_talk_ms, 0),
    new.sign * coalesce(waited <= 5000, 0), new.sign * coalesce(waited <= 10000, 0),
    new.sign * coalesce(waited <= 15000, 0), new.sign * coalesce(waited <= 20000, 0),
    new.sign * coalesce(waited <= 30000, 0), new.sign * coalesce(waited <= 45000, 0),
    new.sign * coalesce(waited <= 60000, 0), new.sign * coalesce(waited <= 90000, 0),
    new.sign * coalesce(waited <= 120000, 0),
    new.sign * coalesce(held_on < 2000, 0), new.sign * coalesce(held_on < 3000, 0),
    new.sign * coalesce(held_on < 5000, 0), new.sign * coalesce(held_on < 10000, 0),
    new.sign * coalesce(held_on < 15000, 0), new.sign * coalesce(held_on < 20000, 0),
    new.sign * coalesce(held_on < 30000, 0), new.sign * coalesce(held_on < 45000, 0),
    new.sign * coalesce(held_on < 60000, 0), new.sign * coalesce(held_on < 90000, 0),
    new.sign * coalesce(held_on < 120000, 0)
  FROM call_share WHERE call_id = new.call_id
  ON CONFLICT DO UPDATE SET rows = rows + excluded.rows,
    calls = calls + excluded.calls, answered = answered + excluded.answered, missed = missed + excluded.missed,
    abandoned = abandoned + excluded.abandoned, voicemail = voicemail + excluded.voicemail,
    blocked = blocked + excluded.blocked, withheld = withheld + excluded.withheld,
    outgoing = outgoing + excluded.outgoing, outgoing_answered = outgoing_answered + excluded.outgoing_answered,
    wait_ms = wait_ms + excluded.wait_ms, talk_ms = talk_ms + excluded.talk_ms,
    outgoing_talk_ms = outgoing_talk_ms + excluded.outgoing_talk_ms,
    answered_5 = answered_5 + excluded.answered_5, answered_10 = answered_10 + excluded.answered_10,
    answered_15 = answered_15 + excluded.answered_15, answered_20 = answered_20 + excluded.answered_20,
    answered_30 = answered_30 + excluded.answered_30, answered_45 = answered_45 + excluded.answered_45,
    answered_60 = answered_60 + excluded.answered_60, answered_90 = answered_90 + excluded.answered_90,
    answered_120 = answered_120 + excluded.answered_120,
    lost_2 = lost_2 + excluded.lost_2, lost_3 = lost_3 + excluded.lost_3, lost_5 = lost_5 + excluded.lost_5,
    lost_10 = lost_10 + excluded.lost_10, lost_15 = lost_15 + excluded.lost_15, lost_20 = lost_20 + excluded.lost_20,
    lost_30 = lost_30 + excluded.lost_30, lost_45 = lost_45 + excluded.lost_45, lost_60 = lost_60 + excluded.lost_60,
    lost_90 = lost_90 + excluded.lost_90, lost_120 = lost_120 + excluded.lost_120;
  DELETE FROM call_tally WHERE new.sign < 0 AND rows = 0 AND (kind, key, span_s, at_s) IN (
    SELECT kind, key, span_s, at_s FROM call_share WHERE call_id = new.call_id);
  INSERT INTO caller_year
  SELECT CAST(substr(started_at, 1, 4) AS INTEGER), number, new.sign FROM call
  WHERE id = new.call_id AND number IS NOT NULL AND direction = 'in' AND outcome <> 'blocked'
  ON CONFLICT DO UPDATE SET calls = calls + excluded.calls;
  DELETE FROM caller_year WHERE new.sign < 0 AND calls = 0
    AND number = (SELECT number FROM call WHERE id = new.call_id);
END;
CREATE TRIGGER call_tally_added AFTER INSERT ON call WHEN new.ended_at IS NOT NULL BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (new.id, 1);
END;
CREATE TRIGGER call_tally_leaves BEFORE UPDATE OF direction, outcome, started_at, answered_at, ended_at, ring_ms, talk_ms,
  trunk, extension, disposition, number ON call
WHEN old.ended_at IS NOT NULL
  AND (old.direction, old.outcome, old.started_at, old.answered_at, old.ring_ms, old.talk_ms, old.trunk, old.extension,
       old.disposition, old.number, old.ended_at IS NULL)
  IS NOT (new.direction, new.outcome, new.started_at, new.answered_at, new.ring_ms, new.talk_ms, new.trunk,
          new.extension, new.disposition, new.number, new.ended_at IS NULL)
BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (old.id, -1);
END;
CREATE TRIGGER call_tally_comes_back AFTER UPDATE OF direction, outcome, started_at, answered_at, ended_at, ring_ms,
  talk_ms, trunk, extension, disposition, number ON call
WHEN new.ended_at IS NOT NULL
  AND (old.direction, old.outcome, old.started_at, old.answered_at, old.ring_ms, old.talk_ms, old.trunk, old.extension,
       old.disposition, old.number, old.ended_at IS NULL)
  IS NOT (new.direction, new.outcome, new.started_at, new.answered_at, new.ring_ms, new.talk_ms, new.trunk,
          new.extension, new.disposition, new.number, new.ended_at IS NULL)
BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (new.id, 1);
END;
CREATE TRIGGER call_tally_gone BEFORE DELETE ON call WHEN old.ended_at IS NOT NULL BEGIN
  INSERT INTO call_tally_change (call_id, sign) VALUES (old.id, -1);
END;

-- The first call with each number, in or out. is_new: it came in, and the number had no card before it.
CREATE TABLE caller (
  number TEXT PRIMARY KEY,
  call_id INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  is_new INTEGER NOT NULL CHECK (is_new IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX caller_new ON caller (first_at, call_id) WHERE is_new = 1;
CREATE VIEW caller_change AS SELECT '' AS number WHERE 0;
CREATE TRIGGER caller_changed INSTEAD OF INSERT ON caller_change BEGIN
  DELETE FROM caller WHERE number = new.number;
  INSERT INTO caller
  SELECT number, id, started_at, direction = 'in' AND NOT EXISTS (
    SELECT 1 FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
    WHERE contact_number.number = call.number AND contact.created_at <= call.started_at)
  FROM call WHERE number = new.number AND direction IN ('in', 'out') ORDER BY started_at, id LIMIT 1;
END;
CREATE TRIGGER caller_rang AFTER INSERT ON call
WHEN new.number IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM caller WHERE number = new.number AND first_at <= new.started_at)
BEGIN
  INSERT INTO caller_change (number) VALUES (new.number);
END;
CREATE TRIGGER caller_corrected AFTER UPDATE OF number, started_at, direction ON call
WHEN (old.number, old.started_at, old.direction) IS NOT (new.number, new.started_at, new.direction)
BEGIN
  INSERT INTO caller_change (number) SELECT old.number WHERE old.number IS NOT NULL;
  INSERT INTO caller_change (number) SELECT new.number WHERE new.number IS NOT NULL;
END;
CREATE TRIGGER caller_gone AFTER DELETE ON call WHEN old.number IS NOT NULL BEGIN
  INSERT INTO caller_change (number) VALUES (old.number);
END;

-- What came back of each text that went out: how is the first thing that came from that number within the hour.
CREATE TABLE text_echo (
  sms_id INTEGER PRIMARY KEY REFERENCES sms (id) ON DELETE CASCADE,
  number TEXT NOT NULL,
  sent_at TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('call', 'campaign', 'person')),   -- why it was sent
  how TEXT CHECK (how IN ('replied', 'rang'))          -- NULL: nothing came
) STRICT;
CREATE INDEX text_echo_number ON text_echo (number, sent_at);
CREATE INDEX text_echo_sent ON text_echo (sent_at, kind, how);
CREATE VIEW text_echo_now AS
SELECT sms_id, number, sent_at, (
  SELECT how FROM (
    SELECT created_at AS at, 'replied' AS how FROM sms
    WHERE sms.number = text_echo.number AND sms.direction = 'in' AND sms.created_at >= text_echo.sent_at
      AND sms.created_at <= strftime('%Y-%m-%dT%H:%M:%fZ', text_echo.sent_at, '+1 hour')
    UNION ALL
    SELECT started_at, 'rang' FROM call
    WHERE call.number = text_echo.number AND call.direction = 'in' AND call.started_at >= text_echo.sent_at
      AND call.started_at <= strftime('%Y-%m-%dT%H:%M:%fZ', text_echo.sent_at, '+1 hour'))
  ORDER BY at LIMIT 1) AS how
FROM text_echo;
CREATE VIEW text_echo_change AS SELECT '' AS number, '' AS at WHERE 0;       -- something of this number at this time
CREATE TRIGGER text_echo_changed INSTEAD OF INSERT ON text_echo_change BEGIN
  UPDATE text_echo SET how = text_echo_now.how FROM text_echo_now
  WHERE text_echo_now.sms_id = text_echo.sms_id AND text_echo.number = new.number
    AND text_echo.sent_at BETWEEN strftime('%Y-%m-%dT%H:%M:%fZ', new.at, '-1 hour') AND new.at;
END;
CREATE VIEW text_echo_sms AS
SELECT id AS sms_id, number, sent_at,
  CASE WHEN campaign_id IS NOT NULL THEN 'campaign' WHEN call_id IS NOT NULL THEN 'call' ELSE 'person' END AS kind
FROM sms WHERE direction = 'out' AND sent_at IS NOT NULL AND state IN ('sent', 'delivered');
CREATE TRIGGER text_echo_came AFTER INSERT ON sms WHEN new.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.created_at);
END;
CREATE TRIGGER text_echo_came_gone AFTER DELETE ON sms WHEN old.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.created_at);
END;
CREATE TRIGGER text_echo_went AFTER INSERT ON sms WHEN new.direction = 'out' AND new.sent_at IS NOT NULL BEGIN
  INSERT INTO text_echo (sms_id, number, sent_at, kind)
  SELECT sms_id, number, sent_at, kind FROM text_echo_sms WHERE sms_id = new.id;
  UPDATE text_echo SET how = (SELECT how FROM text_echo_now WHERE sms_id = new.id) WHERE sms_id = new.id;
END;
CREATE TRIGGER text_echo_sent AFTER UPDATE OF number, state, sent_at ON sms
WHEN new.direction = 'out' AND coalesce(old.sent_at, new.sent_at) IS NOT NULL
  AND (old.number, old.sent_at, old.state IN ('sent', 'delivered'))
  IS NOT (new.number, new.sent_at, new.state IN ('sent', 'delivered'))
BEGIN
  DELETE FROM text_echo WHERE sms_id = new.id;
  INSERT INTO text_echo (sms_id, number, sent_at, kind)
  SELECT sms_id, number, sent_at, kind FROM text_echo_sms WHERE sms_id = new.id;
  UPDATE text_echo SET how = (SELECT how FROM text_echo_now WHERE sms_id = new.id) WHERE sms_id = new.id;
END;
CREATE TRIGGER text_echo_rang AFTER INSERT ON call WHEN new.number IS NOT NULL AND new.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.started_at);
END;
CREATE TRIGGER text_echo_corrected AFTER UPDATE OF number, started_at, direction ON call
WHEN (old.number, old.started_at, old.direction) IS NOT (new.number, new.started_at, new.direction)
BEGIN
  INSERT INTO text_echo_change (number, at) SELECT old.number, old.started_at WHERE old.number IS NOT NULL;
  INSERT INTO text_echo_change (number, at) SELECT new.number, new.started_at WHERE new.number IS NOT NULL;
END;
CREATE TRIGGER text_echo_call_gone AFTER DELETE ON call WHEN old.number IS NOT NULL AND old.direction = 'in' BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.started_at);
END;
CREATE TRIGGER text_echo_came_else AFTER UPDATE OF number, created_at ON sms
WHEN new.direction = 'in' AND (old.number, old.created_at) IS NOT (new.number, new.created_at)
BEGIN
  INSERT INTO text_echo_change (number, at) VALUES (old.number, old.created_at);
  INSERT INTO text_echo_change (number, at) VALUES (new.number, new.created_at);
END;

-- What there was before.
INSERT INTO text_echo (sms_id, number, sent_at, kind) SELECT sms_id, number, sent_at, kind FROM text_echo_sms;
UPDATE text_echo SET how = text_echo_now.how FROM text_echo_now WHERE text_echo_now.sms_id = text_echo.sms_id;
INSERT INTO call_tally
SELECT kind, key, span_s, at_s, count(*), sum(calls), sum(answered), sum(missed), sum(abandoned), sum(voicemail),
  sum(blocked), sum(withheld), sum(outgoing), sum(outgoing_answered), sum(coalesce(wait_ms, 0)),
  sum(coalesce(talk_ms, 0)), sum(coalesce(outgoing_talk_ms, 0)),
  sum(coalesce(waited <= 5000, 0)), sum(coalesce(waited <= 10000, 0)), sum(coalesce(waited <= 15000, 0)),
  sum(coalesce(waited <= 20000, 0)), sum(coalesce(waited <= 30000, 0)), sum(coalesce(waited <= 45000, 0)),
  sum(coalesce(waited <= 60000, 0)), sum(coalesce(waited <= 90000, 0)), sum(coalesce(waited <= 120000, 0)),
  sum(coalesce(held_on < 2000, 0)), sum(coalesce(held_on < 3000, 0)), sum(coalesce(held_on < 5000, 0)),
  sum(coalesce(held_on < 10000, 0)), sum(coalesce(held_on < 15000, 0)), sum(coalesce(held_on < 20000, 0)),
  sum(coalesce(held_on < 30000, 0)), sum(coalesce(held_on < 45000, 0)), sum(coalesce(held_on < 60000, 0)),
  sum(coalesce(held_on < 90000, 0)), sum(coalesce(held_on < 120000, 0))
FROM call_share GROUP BY kind, key, span_s, at_s;
INSERT INTO caller_year
SELECT CAST(substr(started_at, 1, 4) AS INTEGER), number, count(*) FROM call
WHERE ended_at IS NOT NULL AND number IS NOT NULL AND direction = 'in' AND outcome <> 'blocked' GROUP BY 1, 2;
INSERT INTO caller
SELECT number, id, started_at, direction = 'in' AND NOT EXISTS (
  SELECT 1 FROM contact_number JOIN contact ON contact.id = contact_number.contact_id
  WHERE contact_number.number = first.number AND contact.created_at <= first.started_at)
FROM (SELECT *, row_number() OVER (PARTITION BY number ORDER BY started_at, id) AS place
      FROM call WHERE number IS NOT NULL AND direction IN ('in', 'out')) AS first
WHERE place = 1;
