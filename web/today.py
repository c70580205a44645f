"""The first page: who calls now, who is owed a call, what comes next, and how the day goes."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance import holidays, hours, settings
from appliance.box import codes
from appliance.calls import history, owed, today
from appliance.calls.history import Call
from appliance.calls.owed import Owed
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import conversations
from web.journey import NO_NEWS, Teller
from web.language import Words
from web.office import Office
from web.textwords import Writer

LATEST, REPLIES, MOST_SLIPS = 6, 5, 20
WEEKS = 8                            # points of a sparkline: this weekday, eight times
SPARK_W, SPARK_H, SPARK_EDGE = 84, 28, 4
STEP_MIN, AHEAD_MIN = 5, 24 * 60     # how far ahead the shop's door is looked at
STALE = timedelta(minutes=20)        # the clock looks at the box every few minutes


@dataclass(frozen=True)
class Tile:
    """One number of the day with the same weekday before it. icon: up, down or "" when it stood still."""
    name: str
    value: str
    said: str
    icon: str
    spark: str
    dot: tuple[float, float]


@dataclass(frozen=True)
class Live:
    """A call that rings or talks now; since_s is how long."""
    call: Call
    glyph: str
    word: str
    who: str
    what: str
    since_s: int


@dataclass(frozen=True)
class Slip:
    """One caller who is owed a call. ringing: the call of theirs that rings now."""
    owed: Owed
    shown: str
    rang: str
    text: str
    ringing: int | None


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/", callback=lambda: _today(office))
    app.post("/owed/settle", callback=lambda: _settle(office))


def _today(office: Office) -> str:
    db, words, now = office.db, office.words, office.clock()
    teller, writer = Teller(office.box, words), Writer(office.box, words, now)
    live = [call for call in history.live(db) if office.seat.sees(call.trunk)]
    debts = office.owed(now)
    local = words.local(now)
    return office.render(
        "today.html", day=words.day(now), opening=_opening(settings.read(db), words, local),
        live=[_live(db, teller, call, now) for call in live], tiles=_tiles(db, words, local), debts=len(debts),
        slips=[_slip(db, teller, writer, debt, live) for debt in debts[:MOST_SLIPS]],
        latest=[teller.row(call) for call in history.latest(db, LATEST)], writer=writer,
        replies=conversations.page(db, limit=REPLIES, unread_only=True).conversations,
        scheduled=today.scheduled(db), look=today.look(db), stale=STALE, code=codes.of,
        call_backs=today.call_backs(db, _midnight(local) + timedelta(days=1)))


def _settle(office: Office) -> HTTPResponse:
    number = request.forms.getunicode("number", "")
    if numbers.e164(number, office.box.country) != number:
        raise HTTPError(400)
    assert office.session is not None
    by, now = office.session.user, office.clock()
    who = _name(office.db, number) or numbers.shown(number, office.box.country)
    with store.write(office.db) as db:
        before = owed.settle(db, number, by, now)
    return office.done("/", office.words("%(who)s is settled.", who=who),
                       lambda db: owed.take_back(db, before, office.clock()))


def _name(db: sqlite3.Connection, number: str) -> str | None:
    row = db.execute("SELECT contact.name FROM contact_number JOIN contact ON contact.id = contact_number.contact_id "
                     "WHERE contact_number.number = ?", (number,)).fetchone()
    return row["name"] if row else None


def _live(db: sqlite3.Connection, teller: Teller, call: Call, now: datetime) -> Live:
    words = teller.words
    since = call.answered_at or call.started_at
    story = history.story(db, call.id)
    parties = [teller.extension(leg.party) for leg in story.legs if not leg.is_caller and leg.party
               and leg.ended_at is None] if story else []
    if call.is_ringing and call.direction == "in" and parties:
        what = words("rings at %(places)s", places=words.both(list(dict.fromkeys(parties))))
    elif call.is_ringing and call.direction == "in":
        what = words("rings on %(line)s", line=teller.trunk(call.trunk)) if call.trunk else words("rings")
    elif call.is_ringing:
        what = words("is being called by %(who)s", who=teller.extension(call.extension)) if call.extension \
            else words("is being called")
    else:
        what = words("talks with %(who)s", who=teller.extension(call.extension)) if call.extension else words("talks")
    return Live(call, teller.glyph(call), teller.word(call), teller.who(call), what,
                max(0, int((now - since).total_seconds())))


def _slip(db: sqlite3.Connection, teller: Teller, writer: Writer, debt: Owed, live: list[Call]) -> Slip:
    words = teller.words
    last = history.one(db, debt.call_id)
    assert last is not None
    rings = next((call.id for call in live if call.is_ringing and call.direction == "in" and (
        call.number == debt.number or call.contact_id == debt.contact_id is not None)), None)
    rang = _rang(words, writer, debt, last)
    text = words("%(state)s.", state=teller.row(last).text) if last.text_state else ""
    if not text and last.refusal and last.refusal_code not in NO_NEWS:
        text = teller.refused(last.refusal)
    reply = db.execute("""
        SELECT text FROM sms INDEXED BY sms_number
        WHERE number = ? AND direction = 'in' AND created_at > ?
        ORDER BY created_at DESC LIMIT 1""", (debt.number, store.iso(debt.at))).fetchone()
    if reply:
        text = f"{text} {words('Replied “%(text)s”', text=reply['text'][:120])}".strip()
    return Slip(debt, writer.number(debt.number), rang, text, rings)


def _rang(words: Words, writer: Writer, debt: Owed, last: Call) -> str:
    """How often and when: "Rang 3 times, last at 11:42, 24 min ago"."""
    at, minutes = writer.when(debt.at), int((writer.now - debt.at).total_seconds() // 60)
    if 0 < minutes < 60:
        at = words("%(at)s, %(n)s\N{NO-BREAK SPACE}min ago", at=words.time(debt.at), n=minutes)
    is_today = words.local(debt.at).date() == words.local(writer.now).date()
    if debt.times > 1:
        return words.plural("Rang %(n)s time, last at %(at)s", "Rang %(n)s times, last at %(at)s", debt.times, at=at) \
            if is_today else words.plural("Rang %(n)s time, last: %(at)s", "Rang %(n)s times, last: %(at)s", debt.times,
                                          at=at)
    if last.outcome == "missed" and last.ring_ms:
        span = words.span(last.ring_ms)
        return words("Rang for %(span)s at %(at)s", span=span, at=at) if is_today else \
            words("Rang for %(span)s: %(at)s", span=span, at=at)
    return words("Rang at %(at)s", at=at) if is_today else words("Rang: %(at)s", at=at)


def _tiles(db: sqlite3.Connection, words: Words, local: datetime) -> list[Tile]:
    """The day up to now beside the same weekday up to the same hour, seven times before."""
    days = [local - timedelta(days=7 * week) for week in reversed(range(WEEKS))]
    tallies = [today.tally(db, _midnight(day), day) for day in days]
    now, before = tallies[-1], tallies[-2]
    back = today.came_back(db, _midnight(local), local)
    percent, last = now.answered_percent, before.answered_percent
    texted = words.plural("%(n)s came back within the hour", "%(n)s came back within the hour", back) if back else \
        _against(words, now.texts - before.texts)
    return [
        _tile(words("Calls today"), words.number(now.calls), _against(words, now.calls - before.calls),
              now.calls - before.calls, [tally.calls for tally in tallies]),
        _tile(words("Answered"), _percent(words, percent), words("%(percent)s a week ago", percent=_percent(
            words, last)) if last is not None else words("Nothing to compare with"), (percent or 0) - (last or 0)
            if percent is not None and last is not None else 0, [tally.answered_percent or 0 for tally in tallies]),
        _tile(words("Missed"), words.number(now.missed), _against(words, now.missed - before.missed),
              now.missed - before.missed, [tally.missed for tally in tallies]),
        _tile(words("Texts sent"), words.number(now.texts), texted, 0 if back else now.texts - before.texts,
              [tally.texts for tally in tallies]),
    ]


def _percent(words: Words, n: int | None) -> str:
    return words("%(n)s\N{NO-BREAK SPACE}%%", n=n) if n is not None else "–"


def _against(words: Words, more: int) -> str:
    if more > 0:
        return words.plural("%(n)s more than a week ago", "%(n)s more than a week ago", more)
    if more < 0:
        return words.plural("%(n)s fewer than a week ago", "%(n)s fewer than a week ago", -more)
    return words("As many as a week ago")


def _tile(name: str, value: str, said: str, more: int, points: list[int]) -> Tile:
    low, high = min(points), max(points)
    step = (SPARK_W - 2 * SPARK_EDGE) / (len(points) - 1)
    height = SPARK_H - 2 * SPARK_EDGE
    spots = [(round(SPARK_EDGE + step * place, 1),
              round(SPARK_H - SPARK_EDGE - (height * (point - low) / (high - low) if high > low else height / 2), 1))
             for place, point in enumerate(points)]
    line = "M" + " ".join(f"{x} {y}" for x, y in spots)
    return Tile(name, value, said, "up" if more > 0 else "down" if more < 0 else "", line, spots[-1])


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def _opening(set_: settings.Settings, words: Words, local: datetime) -> str:
    """Open until 18:00; nothing for a shop that never closes."""
    special = holidays.special(set_.special_days)

    def is_open(at: datetime) -> bool:
        return hours.is_open(set_.opening_hours, at, set_.closed_until, special)
    now_open = is_open(local)
    turn = next((minute for minute in range(STEP_MIN, AHEAD_MIN + 1, STEP_MIN)
                 if is_open(local + timedelta(minutes=minute)) != now_open), None)
    if turn is None:
        return words("Closed today.") if not now_open else ""
    at = next(at for minute in range(turn - STEP_MIN + 1, turn + 2)
              if is_open(at := local.replace(second=0, microsecond=0) + timedelta(minutes=minute)) != now_open)
    if at.date() != local.date():
        return words("Open until %(at)s tomorrow.", at=words.time(at)) if now_open else \
            words("Closed until %(at)s tomorrow.", at=words.time(at))
    return words("Open until %(at)s.", at=words.time(at)) if now_open else \
        words("Closed until %(at)s.", at=words.time(at))
