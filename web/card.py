"""A customer's card: what is known, what was said and texted, notes, opt-outs, and who may be the same."""
from __future__ import annotations

import re
import sqlite3
from itertools import groupby

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.calls import history
from appliance.people import before, cards, dealings, household, links, notes, numbers
from appliance.people.cards import ContactError
from appliance.store import db as store
from appliance.texts import optouts
from web import forms
from web.customers import CARD, as_wish, card_or_404, page_of
from web.journey import Teller
from web.language import MONTHS, Words
from web.office import Office
from web.textwords import Writer

KEY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z,[ct],\d{1,18}", re.ASCII)
NOTES, ALL_NOTES = 5, 200


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(CARD, callback=lambda contact_id: _card(office, contact_id))
    app.post(CARD + "/note", callback=lambda contact_id: _note(office, contact_id))
    app.post(CARD + "/note/remove", callback=lambda contact_id: _remove_note(office, contact_id))
    app.post(CARD + "/texts", callback=lambda contact_id: _opt_out(office, contact_id))
    app.post(CARD + "/number", callback=lambda contact_id: _add_number(office, contact_id))
    app.post(CARD + "/two", callback=lambda contact_id: _are_two(office, contact_id))


def _card(office: Office, contact_id: str) -> str:
    card = card_or_404(office, contact_id)
    show, key = request.query.get("show", "all"), request.query.get("before", "")
    if show not in dealings.SHOWS or key and not KEY.fullmatch(key):
        raise HTTPError(404)
    links.settle(office.db, 0.1)
    now, words = office.clock(), office.words
    page = dealings.page(office.db, contact_id, show, key)
    teller, writer = Teller(office.box, words), Writer(office.box, words, now)
    rows = [(row, teller.row(row.call) if row.call else None) for row in page.rows]
    days = [(words.local(mine[0][0].at), mine) for _, mine in (
        (day, list(same)) for day, same in groupby(rows, lambda pair: words.local(pair[0].at).date()))]
    opened = request.query.get("open", "")
    story = history.story(office.db, int(opened)) if re.fullmatch(r"[0-9]{1,18}", opened) else None
    every = request.query.get("notes") == "all"
    kept = notes.of_card(office.db, contact_id, ALL_NOTES if every else NOTES + 1)
    debt = dealings.owed(office.db, contact_id, now)
    return office.render(
        "customer.html", card=card, days=days, show=show, before=key, older=page.older, writer=writer,
        sums=dealings.sum_of(office.db, contact_id), opened=story.call.id if story else None,
        steps=teller.steps(story) if story else [], notes=kept if every else kept[:NOTES],
        has_more_notes=not every and len(kept) > NOTES, debt=debt, birthday=birthday(card.birthday, words),
        merges=before.merges_of(office.db, contact_id), suggestions=household.suggestions(office.db, contact_id),
        mobile=next((one.number for one in card.numbers if numbers.kind(one.number) is numbers.Kind.MOBILE), None))


def birthday(kept: str | None, words: Words) -> str:
    """3 June, 3 June 1984, or nothing; kept: YYYY-MM-DD or --MM-DD."""
    if not kept:
        return ""
    year, month, day = kept[:-6].strip("-"), int(kept[-5:-3]), int(kept[-2:])
    if year:
        return words("%(day)s %(month)s %(year)s", day=day, month=words(MONTHS[month - 1]), year=year)
    return words("%(day)s %(month)s", day=day, month=words(MONTHS[month - 1]))


def _note(office: Office, contact_id: str) -> HTTPResponse:
    assert office.session is not None
    card_or_404(office, contact_id)
    by, text, here = office.session.user, forms.field("text", notes.LONGEST), page_of(contact_id) + "#notes"
    if not text:
        return office.done(here, office.words("The note is empty. Write what the next one should know."))
    with store.write(office.db) as db:
        note_id = notes.keep(db, text, by, office.clock(), contact_id=contact_id)

    def back(db: sqlite3.Connection) -> None:
        if note_id:
            notes.change(db, note_id, "", by, office.clock())
    return office.done(here, office.words("The note is kept."), back)


def _remove_note(office: Office, contact_id: str) -> HTTPResponse:
    assert office.session is not None
    here, note = page_of(contact_id) + "#notes", notes.one(office.db, forms.row_id())
    if note is None or note.id not in {one.id for one in notes.of_card(office.db, contact_id, ALL_NOTES)}:
        return office.done(here, office.words("It was removed already."))
    with store.write(office.db) as db:
        notes.change(db, note.id, "", office.session.user, office.clock())
    return office.done(here, office.words("The note is removed."), lambda db: notes.put_back(db, note))


def _opt_out(office: Office, contact_id: str) -> HTTPResponse:
    """Sets or lifts it for one number of the card, or for all of them."""
    card, number = card_or_404(office, contact_id), forms.field("number", 40)
    chosen = [one for one in card.numbers if number in ("", one.number)]
    no_more, now, here = forms.ticked("no_more"), office.clock(), page_of(contact_id)
    if not chosen:
        raise HTTPError(400)
    rows = [row for one in chosen if (row := office.db.execute(
        "SELECT * FROM opt_out WHERE number = ?", (one.number,)).fetchone())]
    with store.write(office.db) as db:
        for one in chosen:
            if no_more:
                optouts.add(db, one.number, "person", now)
            else:
                optouts.remove(db, one.number)

    def back(db: sqlite3.Connection) -> None:
        for one in chosen:
            optouts.remove(db, one.number)
        db.executemany("INSERT OR IGNORE INTO opt_out (number, at, source, word) VALUES (?, ?, ?, ?)",
                       [(row["number"], row["at"], row["source"], row["word"]) for row in rows])
    said = office.words("%(name)s gets no more texts.", name=card.name) if no_more else \
        office.words("%(name)s may be texted again.", name=card.name)
    return office.done(here, said, back)


def _add_number(office: Office, contact_id: str) -> HTTPResponse:
    """A number without a card comes onto this one: the household's suggestion, by one press."""
    assert office.session is not None
    card, number, by = card_or_404(office, contact_id), forms.field("number", 40), office.session.user
    earlier, country = as_wish(card, office.box.country), office.box.country

    def keep(db: sqlite3.Connection, pairs: list[tuple[str, str]]) -> None:
        wish = as_wish(card, country)
        cards.save(db, cards.Wish(**{**vars(wish), "numbers": pairs}), country, by, office.clock(), contact_id)
    try:
        with store.write(office.db) as db:
            keep(db, [*earlier.numbers, (number, "")])
    except ContactError as refused:
        return office.done(page_of(contact_id), office.words(str(refused)))
    links.settle(office.db, 0.5)
    shown = Writer(office.box, office.words, office.clock()).number(number)
    return office.done(page_of(contact_id), office.words("%(number)s is on the card of %(name)s now.", number=shown,
                                                         name=card.name),
                       lambda db: keep(db, list(earlier.numbers)))


def _are_two(office: Office, contact_id: str) -> HTTPResponse:
    card_or_404(office, contact_id)
    other = forms.field("other", 40)
    with store.write(office.db) as db:
        household.refuse(db, contact_id, other)
    return office.done(page_of(contact_id), office.words("They are two. It is not suggested again."),
                       lambda db: household.ask_again(db, contact_id, other))
