"""Two cards become one: the other is found, what results is shown, and it is undone whenever somebody wants."""
from __future__ import annotations

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.people import before, cards, groups, links, merge, numbers, search
from appliance.people.cards import ContactError
from appliance.store import db as store
from web import forms
from web.card import birthday
from web.customers import CARD, GONE, LONGEST_SEARCH, card_or_404, page_of
from web.language import N_, Words
from web.office import Office
from web.textwords import Writer

FOUND = 12
NAMES = {"name": N_("Name"), "other_name": N_("Other name"), "company": N_("Company"), "address": N_("Address"),
         "birthday": N_("Birthday"), "is_vip": N_("VIP"), "is_blocked": N_("Blocked"), "blocked_reason": N_("Reason")}


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(CARD + "/merge", callback=lambda contact_id: _page(office, contact_id))
    app.post(CARD + "/merge", callback=lambda contact_id: _merge(office, contact_id))
    app.post(CARD + "/unmerge", callback=lambda contact_id: _undo(office, contact_id))


def names(words: Words) -> dict[str, str]:
    """What the fields are called that keep a second company or address, in the reader's language."""
    return {column: words(NAMES[column]) for column in merge.ONES}


def _page(office: Office, contact_id: str) -> str:
    card = card_or_404(office, contact_id)
    other_id = request.query.get("with", "")
    if other_id:
        return _preview(office, contact_id, other_id)
    text = request.query.getunicode("q", "").strip()[:LONGEST_SEARCH]
    found = [one for one in search.search(office.db, text, FOUND + 1, office.box.country) if one.id != contact_id]
    return office.render("merge.html", card=card, other=None, text=text, found=found[:FOUND],
                         writer=Writer(office.box, office.words, office.clock()))


def _preview(office: Office, contact_id: str, other_id: str) -> str:
    other, words = card_or_404(office, other_id), office.words
    problem, made, rows = "", None, []
    try:
        made = merge.preview(office.db, contact_id, other_id, names(words))
    except ContactError as refused:
        problem = words(str(refused))
    if made:
        result = {**made.kept["contact"], **made.changed}
        rows = [(words(name), *(_shown(column, side[column], words)
                                for side in (made.kept["contact"], made.gone["contact"], result)))
                for column, name in NAMES.items() if not column.startswith("is_") and column != "blocked_reason"
                and (made.kept["contact"][column] or made.gone["contact"][column])]
        rows += [(name, "", value, value) for name, value in made.both.items()]
    theirs = {group.id: group.name for group in groups.listed(office.db)}
    return office.render("merge.html", card=card_or_404(office, contact_id), other=other, made=made, rows=rows,
                         problem=problem, flags=[words(NAMES[flag]) for flag in ("is_vip", "is_blocked")
                                                 if made and {**made.kept["contact"], **made.changed}[flag]],
                         groups=[theirs[group] for group in made.groups if group in theirs] if made else [],
                         numbers=[numbers.shown(number, office.box.country) for number in made.numbers] if made else [])


def _shown(column: str, value: object, words: Words) -> object:
    return birthday(str(value), words) if column == "birthday" and value else value


def _merge(office: Office, contact_id: str) -> HTTPResponse:
    assert office.session is not None
    card, by = card_or_404(office, contact_id), office.session.user
    other = cards.card(office.db, forms.field("with", 36))
    if other is None:
        raise HTTPError(404)
    try:
        before_id = merge.merge(office.db, contact_id, other.id, by, office.clock(), names(office.words))
    except ContactError as refused:
        return office.done(page_of(contact_id), office.words(str(refused)))
    links.settle(office.db, 0.5)
    return office.done(page_of(contact_id), office.words("%(gone)s is on the card of %(kept)s now.", gone=other.name,
                                                         kept=card.name),
                       lambda db: merge.undo(db, before_id, by, office.clock()))


def _undo(office: Office, contact_id: str) -> HTTPResponse:
    assert office.session is not None
    before_id = forms.row_id()
    one = before.undoable(office.db, before_id)
    if one is None or one.what != "merge":
        return office.done(page_of(contact_id), office.words(GONE))
    with store.write(office.db) as db:
        merge.undo(db, before_id, office.session.user, office.clock())
    links.settle(office.db, 0.5)
    return office.done(page_of(contact_id), office.words("%(name)s has a card again.", name=one.name))
