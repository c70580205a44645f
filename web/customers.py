"""The customers: the list with its search, a new card, the form of a card, deleted ones that may come back."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from urllib.parse import urlencode

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance.people import before, cards, groups, links, numbers, search
from appliance.people.cards import Card, ContactError, Wish
from appliance.store import db as store
from web import forms
from web.office import Office, go
from web.textwords import Writer

PAGE = 50
LONGEST_SEARCH = 80
CARD = "/customer/<contact_id:re:[0-9a-f-]{36}>"
BLANK_ROWS, MORE_ROWS = 2, 3
GONE = "That can no longer be undone. Everything else is as you left it."


@dataclass(frozen=True)
class Form:
    """What the form of a card shows: the wish as it was written, and how many rows it has."""
    wish: Wish
    number_rows: int
    field_rows: int


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/customers", callback=lambda: _list(office))
    app.get("/customers/new", callback=lambda: _new(office))
    app.post("/customers/new", callback=lambda: _save(office, None))
    app.get(CARD + "/edit", callback=lambda contact_id: _edit(office, contact_id))
    app.post(CARD + "/edit", callback=lambda contact_id: _save(office, contact_id))
    app.post(CARD + "/delete", callback=lambda contact_id: _delete(office, contact_id))
    app.get("/customers/deleted", callback=lambda: _deleted(office))
    app.post("/customers/deleted", callback=lambda: _bring_back(office))


def card_or_404(office: Office, contact_id: str) -> Card:
    found = cards.card(office.db, contact_id)
    if found is None:
        raise HTTPError(404)
    return found


def page_of(contact_id: str) -> str:
    """The address of a card."""
    return f"/customer/{contact_id}"


def _list(office: Office) -> str:
    asked = request.query
    wanted = search.Filter(asked.getunicode("q", "").strip()[:LONGEST_SEARCH], asked.get("show", "all"),
                           forms.asked_id("group"), asked.getunicode("tag", "")[:cards.LONGEST["tag"]])
    after = asked.get("after", "")
    if wanted.show not in search.SHOWS or len(after) not in (0, 36):
        raise HTTPError(404)
    page = search.page(office.db, office.box.country, wanted, after or None, PAGE)
    kept = {"q": wanted.text, "show": wanted.show if wanted.show != "all" else "", "group": wanted.group or "",
            "tag": wanted.tag}

    def here(**other: object) -> str:
        chosen = {name: value for name, value in {**kept, **other}.items() if value}
        return "/customers" + ("?" + urlencode(chosen) if chosen else "")

    return office.render("customers.html", page=page, wanted=wanted, after=after, here=here,
                         is_narrowed=any(kept.values()), groups=groups.listed(office.db), tags=search.tags(office.db),
                         as_number=numbers.e164(wanted.text, office.box.country) if wanted.text else None,
                         writer=Writer(office.box, office.words, office.clock()))


def _new(office: Office) -> str | HTTPResponse:
    raw = request.query.getunicode("number", "").strip()[:40]
    number = numbers.e164(raw, office.box.country) if raw else None
    if number and (owner := cards.find(office.db, number)):
        return go(page_of(owner))
    shown = numbers.shown(number, office.box.country) if number else raw
    name = request.query.getunicode("name", "")[:cards.LONGEST["name"]]
    return _form(office, None, Wish(name, numbers=[(shown, "")] if shown else []))


def _edit(office: Office, contact_id: str) -> str:
    return _form(office, contact_id, as_wish(card_or_404(office, contact_id), office.box.country))


def as_wish(card: Card, country: str) -> Wish:
    """A card as its form shows it."""
    day = card.birthday or ""
    if day.startswith("--"):
        day = f"{int(day[5:])}.{int(day[2:4])}."
    return Wish(card.name, card.other_name or "", card.company or "", card.address or "", day, card.is_vip,
                card.is_blocked, card.blocked_reason or "",
                [(numbers.shown(one.number, country), one.label or "") for one in card.numbers], card.fields, card.tags,
                [group for group, _ in card.groups])


def _form(office: Office, contact_id: str | None, wish: Wish, problem: str = "", owner: str | None = None,
          more: int = 0) -> str:
    asked = Form(wish, min(len(wish.numbers) + BLANK_ROWS + more, cards.MOST_NUMBERS),
                 min(len(wish.fields) + 1 + more, cards.MOST_FIELDS))
    card = cards.card(office.db, contact_id) if contact_id else None
    taken = cards.card(office.db, owner) if owner else None
    return office.render("customeredit.html", form=asked, card=card, problem=problem, taken=taken,
                         groups=groups.listed(office.db), tags=search.tags(office.db), limits=cards.LONGEST)


def _asked() -> Wish:
    """The form as it was sent. Rows are numbered, since a browser sends empty ones too."""
    pairs = [(forms.field(f"number{row}", 40), forms.field(f"label{row}", cards.LONGEST["label"]))
             for row in range(cards.MOST_NUMBERS)]
    fields = [(forms.field(f"name{row}", cards.LONGEST["field"]), forms.field(f"value{row}", cards.LONGEST["value"]))
              for row in range(cards.MOST_FIELDS)]
    return Wish(
        forms.field("name", cards.LONGEST["name"]), forms.field("other_name", cards.LONGEST["other_name"]),
        forms.field("company", cards.LONGEST["company"]), forms.field("address", cards.LONGEST["address"]),
        forms.field("birthday", 40), forms.ticked("is_vip"), forms.ticked("is_blocked"),
        forms.field("blocked_reason", cards.LONGEST["blocked_reason"]), [pair for pair in pairs if any(pair)],
        [pair for pair in fields if any(pair)],
        [tag for tag in forms.field("tags", 1000).replace("，", ",").replace("、", ",").split(",") if tag.strip()],
        [int(group) for group in forms.every("group") if forms.ID.fullmatch(group)])


def _save(office: Office, contact_id: str | None) -> str | HTTPResponse:
    assert office.session is not None
    if contact_id:
        card_or_404(office, contact_id)
    wish, by = _asked(), office.session.user
    if forms.field("more"):
        return _form(office, contact_id, wish, more=MORE_ROWS)
    earlier = as_wish(card_or_404(office, contact_id), office.box.country) if contact_id else None
    try:
        with store.write(office.db) as db:
            kept = cards.save(db, wish, office.box.country, by, office.clock(), contact_id)
    except ContactError as refused:
        response.status = 400
        return _form(office, contact_id, wish, office.words(str(refused)), refused.owner)
    links.settle(office.db, 0.5)
    name = cards.clean(wish.name, cards.LONGEST["name"])
    if earlier is None:
        return office.done(page_of(kept), office.words("%(name)s has a card now.", name=name))

    def back(db: sqlite3.Connection) -> None:
        cards.save(db, earlier, office.box.country, by, office.clock(), contact_id)
    return office.done(page_of(kept), office.words("The card of %(name)s is saved.", name=name), back)


def _delete(office: Office, contact_id: str) -> HTTPResponse:
    assert office.session is not None
    card, by = card_or_404(office, contact_id), office.session.user
    before_id = before.delete(office.db, contact_id, by, office.clock())
    links.settle(office.db, 0.5)
    return office.done("/customers", office.words("%(name)s was deleted. Calls and texts stay.", name=card.name),
                       lambda db: before.undo_delete(db, before_id, by, office.clock()))


def _deleted(office: Office) -> str:
    return office.render("customersdeleted.html", gone=before.deleted(office.db), days=before.KEPT.days,
                         writer=Writer(office.box, office.words, office.clock()))


def _bring_back(office: Office) -> HTTPResponse:
    assert office.session is not None
    before_id = forms.row_id()
    one = before.undoable(office.db, before_id)
    if one is None or one.what != "delete":
        return office.done("/customers/deleted", office.words(GONE))
    with store.write(office.db) as db:
        before.undo_delete(db, before_id, office.session.user, office.clock())
    links.settle(office.db, 0.5)
    return office.done(page_of(one.gone_id), office.words("%(name)s is back as before.", name=one.name))
