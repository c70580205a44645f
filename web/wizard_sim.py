"""The step of the SIM: what the radio says of it, its PIN, and a text that is seen to arrive."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import bottle
from bottle import HTTPError, HTTPResponse

from appliance import settings
from appliance.people import numbers
from appliance.store import db as store
from appliance.texts import control, conversations
from hw import pdu
from hw.gsm import State
from web import forms
from web.office import Office, go
from web.sims import GOES, Shown, shown
from web.textwords import Writer
from web.wizard_frame import note, onward, progress, show
from web.wizard_steps import DONE, LATER, Progress

TRIES_S, PIN_S = 6.0, 45.0       # so long the radio may take over a question
KNOWN_S = 5.0
WENT = {"sent", "delivered"}


@dataclass(frozen=True)
class Sim:
    """One SIM on its page. port: where its modem is; tries: wrong PINs it still takes, None when it does not say."""
    it: Shown
    port: str
    goes: bool
    asks: str            # "pin", "puk" or nothing
    tries: int | None


@dataclass(frozen=True)
class Trial:
    """The text of the test."""
    number: str
    state: str
    word: str
    tone: str
    icon: str
    why: str


class Tries:
    """How many PINs each SIM still takes, asked of the radio once every few seconds at most."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, int | None]] = {}
        self._lock = threading.Lock()

    def of(self, office: Office, name: str) -> int | None:
        with self._lock:
            at, left = self._known.get(name, (-KNOWN_S, None))
            if time.monotonic() - at < KNOWN_S:
                return left
            try:
                said = control.ask(office.box, name, "tries", "", TRIES_S)
                left = int(said[0]) if said and said[0].isdecimal() else None
            except control.ControlError:
                left = None
            self._known[name] = time.monotonic(), left
            return left

    def forget(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)


def routes(app: bottle.Bottle, office: Office) -> None:
    tries = Tries()
    app.get("/wizard/sim", callback=lambda: _page(office, tries), role="installer")
    app.post("/wizard/sim", callback=lambda: _next(office), role="installer")
    app.post("/wizard/sim/pin", callback=lambda: _pin(office, tries), role="installer")
    app.post("/wizard/sim/text", callback=lambda: _text(office, tries), role="installer")


def _page(office: Office, tries: Tries, status: int = 200, **given: str) -> str:
    found = [_sim(office, tries, modem.name, modem.number) for modem in office.box.modems]
    return show(office, "sim", status, sims=found, trial=_trial(office, progress(office)),
                can_send=any(sim.goes for sim in found), writer=Writer(office.box, office.words, office.clock()),
                given=forms.Given(given), said=_said(office))


def _sim(office: Office, tries: Tries, name: str, number: str | None) -> Sim:
    it = shown(office, name, number, None)
    row = office.db.execute("SELECT port FROM modem WHERE name = ?", (name,)).fetchone()
    asks = "pin" if it.state.startswith(State.PIN.value) else "puk" if it.state.startswith(State.PUK.value) else ""
    return Sim(it, (row["port"] if row else None) or "", it.state in GOES, asks,
               tries.of(office, name) if asks == "pin" else None)


def _pin(office: Office, tries: Tries) -> str | HTTPResponse:
    name, pin = forms.field("name", 60), forms.field("pin", 12)
    if name not in {modem.name for modem in office.box.modems}:
        raise HTTPError(400)
    try:
        answer, *left = control.ask(office.box, name, "pin", pin, PIN_S)
    except (control.ControlError, ValueError) as silent:
        return _page(office, tries, 503, of=name, problem=office.words(str(silent)))
    tries.forget(name)
    if answer in ("open", "free"):
        return go("/wizard/sim")
    return _page(office, tries, 400, of=name, problem=_refused(office, answer, int(left[0]) if left else None))


def _refused(office: Office, answer: str, left: int | None) -> str:
    """Why the PIN did not open the card, and how many tries are left."""
    words = office.words
    said = {
        "odd": words("A PIN has four to eight digits. This one was not tried."),
        "tried": words("This PIN was wrong before. It is not tried again: three wrong ones would lock the card."),
        "last": words("Only one try is left, and it is not made from here: a third wrong PIN locks the card. Put the "
                      "card into a telephone, type the PIN there, and put it back."),
        "wrong": words("That PIN did not open the card."),
    }.get(answer, words("The modem did not take it. Try again in a minute."))
    if left is None or answer not in ("wrong", "tried"):
        return said
    return f"{said} " + words.plural("%(n)s try is left.", "%(n)s tries are left.", left)


def _text(office: Office, tries: Tries) -> str | HTTPResponse:
    raw, words = forms.field("number", 40), office.words
    number = numbers.e164(raw, office.box.country)
    try:
        if number is None:
            raise conversations.ConversationError("Write the number of a mobile that is at hand.")
        with store.write(office.db) as db:
            sms = conversations.reply(db, office.box, number, words(
                "%(shop)s: this is a test of your Deskbell. Texts work.",
                shop=settings.read(db).shop_name), office.clock())
    except (conversations.ConversationError, pdu.PduError) as refused:
        return _page(office, tries, 400, number=raw, refusal=words(str(refused)))
    note(office, sms=sms)
    return go("/wizard/sim#text")


def _trial(office: Office, now: Progress) -> Trial | None:
    row = office.db.execute("SELECT number, state, reason FROM sms WHERE id = ?", (now.sms,)).fetchone()
    if row is None:
        return None
    writer = Writer(office.box, office.words, office.clock())
    state = writer.state(row["state"])
    return Trial(writer.number(row["number"]), row["state"], state.word, state.tone, state.icon,
                 writer.why(row["state"], row["reason"]))


def _said(office: Office) -> str:
    """The text that would go, as it stands on the page."""
    return office.words("%(shop)s: this is a test of your Deskbell. Texts work.",
                        shop=settings.read(office.db).shop_name)


def _next(office: Office) -> HTTPResponse:
    now = progress(office)
    trial, was = _trial(office, now), now.steps.get("sim") == DONE
    return onward(office, "sim", DONE if was or trial and trial.state in WENT else LATER)
