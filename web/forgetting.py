"""Forgetting a person for good, asked twice, and the receipt that says what went without saying of whom."""
from __future__ import annotations

import bottle
from bottle import HTTPError, HTTPResponse, request, response

from appliance import settings
from appliance.people import cards, forget, numbers
from appliance.people.forget import ForgetError, Receipt
from web import forms
from web.customers import CARD, card_or_404
from web.language import Words, plural
from web.office import Office, go
from web.textwords import Writer

WORDS = {"cards": plural("%(n)s card", "%(n)s cards"), "calls": plural("%(n)s call", "%(n)s calls"),
         "recordings": plural("%(n)s recording", "%(n)s recordings"), "texts": plural("%(n)s text", "%(n)s texts"),
         "group texts": plural("%(n)s line of a group text", "%(n)s lines of group texts"),
         "notes": plural("%(n)s note", "%(n)s notes"),
         "call-backs": plural("%(n)s promised call-back", "%(n)s promised call-backs"),
         "lists to call": plural("%(n)s line of a list to call", "%(n)s lines of lists to call"),
         "opt-outs": plural("%(n)s opt-out", "%(n)s opt-outs"),
         "changes": plural("%(n)s line of the log of changes", "%(n)s lines of the log of changes")}


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(CARD + "/forget", callback=lambda contact_id: _page(office, contact_id), role="owner")
    app.post(CARD + "/forget", callback=lambda contact_id: _forget(office, contact_id), role="owner")
    app.get("/customers/forget", callback=lambda: _number_page(office), role="owner")
    app.post("/customers/forget", callback=lambda: _forget_number(office), role="owner")
    app.get("/customers/forgotten", callback=lambda: _receipts(office), role="owner")
    app.get("/customers/forgotten/<receipt_id:int>", callback=lambda receipt_id: _receipt(office, receipt_id),
            role="owner")
    app.get("/customers/forgotten/<receipt_id:int>.txt", callback=lambda receipt_id: _text(office, receipt_id),
            role="owner")


def lines(counts: dict[str, int], words: Words) -> list[str]:
    """3 calls, 1 recording: one line each."""
    return [words.plural(*WORDS[word], count) for word, count in counts.items() if word in WORDS]


def _page(office: Office, contact_id: str, problem: str = "") -> str:
    card = card_or_404(office, contact_id)
    counts = forget.preview(office.db, office.box.country, contact_id, [one.number for one in card.numbers])
    return office.render("forget.html", name=card.name, back=f"/customer/{contact_id}", problem=problem, number="",
                         action=f"/customer/{contact_id}/forget", lines=lines(counts, office.words))


def _forget(office: Office, contact_id: str) -> str | HTTPResponse:
    card = card_or_404(office, contact_id)
    if not _is_same(forms.field("typed", 200), card.name):
        response.status = 400
        return _page(office, contact_id, office.words("That is not the name on the card. Nothing was removed."))
    return _do(office, contact_id, [one.number for one in card.numbers],
               lambda problem: _page(office, contact_id, problem))


def _number_page(office: Office, problem: str = "", raw: str = "") -> str | HTTPResponse:
    raw = raw or request.query.getunicode("number", "")[:40]
    number = numbers.e164(raw, office.box.country)
    if number is None:
        raise HTTPError(404)
    if owner := cards.find(office.db, number):
        return go(f"/customer/{owner}/forget")
    counts = forget.preview(office.db, office.box.country, None, [number])
    shown = Writer(office.box, office.words, office.clock()).number(number)
    return office.render("forget.html", name=shown, back="/customers", problem=problem, number=number,
                         action="/customers/forget", lines=lines(counts, office.words))


def _forget_number(office: Office) -> str | HTTPResponse:
    number = numbers.e164(forms.field("number", 40), office.box.country)
    if number is None:
        raise HTTPError(404)
    if numbers.e164(forms.field("typed", 40), office.box.country) != number:
        response.status = 400
        return _number_page(office, office.words("That is another number. Nothing was removed."), number)
    return _do(office, None, [number], lambda problem: _number_page(office, problem, number))


def _do(office: Office, contact_id: str | None, theirs: list[str], again: object) -> str | HTTPResponse:
    assert office.session is not None and callable(again)
    try:
        receipt_id = forget.forget(office.db, office.box, contact_id, theirs, office.session.user, office.clock())
    except ForgetError as refused:
        response.status = 409
        answer: str | HTTPResponse = again(office.words(str(refused)))
        return answer
    office.memory.forget_all()
    return go(f"/customers/forgotten/{receipt_id}")


def _is_same(typed: str, name: str) -> bool:
    return " ".join(typed.split()).casefold() == " ".join(name.split()).casefold()


def _receipts(office: Office) -> str:
    rows = [(one, lines(one.counts, office.words)) for one in forget.receipts(office.db)]
    return office.render("forgotten.html", rows=rows, writer=Writer(office.box, office.words, office.clock()))


def _one(office: Office, receipt_id: int) -> Receipt:
    found = forget.receipt(office.db, receipt_id) if 0 < receipt_id < 2**63 else None
    if found is None:
        raise HTTPError(404)
    return found


def _receipt(office: Office, receipt_id: int) -> str:
    one = _one(office, receipt_id)
    return office.render("receipt.html", one=one, lines=lines(one.counts, office.words), at=_at(office, one))


def _at(office: Office, one: Receipt) -> str:
    local = office.words.local(one.at)
    return office.words("%(day)s, %(time)s", day=f"{local:%Y-%m-%d}", time=f"{local:%H:%M}")


def _text(office: Office, receipt_id: int) -> HTTPResponse:
    one, words = _one(office, receipt_id), office.words
    swept = words("Free space in the file was written over as well.") if one.swept_at else \
        words("The last traces in free space of the file are written over at night.")
    text = "\n".join([
        words("Receipt %(n)s: a person was forgotten", n=one.id), settings.read(office.db).shop_name, "",
        words("When: %(at)s", at=_at(office, one)), words("By: %(who)s", who=one.by), "",
        words("Removed for good:"), *(f"- {line}" for line in lines(one.counts, words)), "", swept,
        words("A backup from before brings none of it back on this box."),
        words("This receipt holds no name and no number."), ""])
    return HTTPResponse(text, headers={
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Disposition": f'attachment; filename="forgotten-{one.id}.txt"'})
