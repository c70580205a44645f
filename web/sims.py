"""The SIMs: what the radio says of each, what a person set of it, and letting group texts go on."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

import bottle
from bottle import HTTPError, HTTPResponse, response

from appliance.people import changes
from appliance.store import db as store
from appliance.store.db import parse_time
from appliance.texts import cost, pace
from web import forms
from web.office import Office
from web.textwords import Writer

FIELDS = ("pace_s", "hourly", "daily", "allowance", "allowance_day", "price", "balance_ussd", "least_balance")
GOES = {"registered", "roaming"}
DIALLED = set("0123456789*#+")


class SimError(Exception):
    """A field of the SIM cannot be kept; the sentence says what is wanted."""


@dataclass(frozen=True)
class Shown:
    """One SIM as the page has it; state "" while the radio has not said anything yet."""
    name: str
    number: str | None
    state: str
    operator: str | None
    signal_dbm: int | None
    trouble: str | None
    balance: str | None
    balance_at: datetime | None
    left: int | None
    paused: str | None
    given: dict[str, str]


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/sims", callback=lambda: _page(office), role="installer")
    app.post("/sims", callback=lambda: _save(office), role="installer")
    app.post("/sims/resume", callback=lambda: _resume(office), role="installer")
    app.post("/sims/balance", callback=lambda: _balance(office), role="installer")


def _page(office: Office, problem: str = "", of: str = "", given: dict[str, str] | None = None) -> str:
    found = [shown(office, modem.name, modem.number, given if modem.name == of else None)
             for modem in office.box.modems]
    return office.render("sims.html", sims=found, problem=problem, of=of, goes=GOES,
                         writer=Writer(office.box, office.words, office.clock()))


def shown(office: Office, name: str, number: str | None, given: dict[str, str] | None) -> Shown:
    modem = office.db.execute("SELECT * FROM modem WHERE name = ?", (name,)).fetchone()
    row = office.db.execute("SELECT * FROM sim WHERE name = ?", (name,)).fetchone()
    sim = pace.sim(office.db, name)
    if given is None:
        kept = dict(row) if row else {"pace_s": sim.pace_s, "hourly": sim.hourly, "daily": sim.daily,
                                      "allowance_day": sim.allowance_day}
        given = {field: _written(kept.get(field)) for field in FIELDS}
    return Shown(name, (modem["number"] if modem else None) or number, modem["state"] if modem else "",
                 modem["operator"] if modem else None, modem["signal_dbm"] if modem else None,
                 modem["trouble"] if modem else None, modem["balance"] if modem else None,
                 parse_time(modem["balance_at"]) if modem and modem["balance_at"] else None,
                 cost.left(office.db, sim, office.box.zone, office.clock()), sim.paused_reason, given)


def _save(office: Office) -> str | HTTPResponse:
    name, given = _name(office), {field: forms.field(field, 40) for field in FIELDS}
    try:
        values = _checked(office, given)
    except SimError as refused:
        response.status = 400
        return _page(office, str(refused), name, given)
    with store.write(office.db) as db:
        row = db.execute("SELECT * FROM sim WHERE name = ?", (name,)).fetchone()
        _keep(db, name, values)
        changes.record(db, office.by, f"sim {name}",
                       {field: row[field] for field in FIELDS} if row else {}, values, office.clock(), name)
    return office.done("/sims", office.words("“%(name)s” is kept.", name=name))


def _keep(db: sqlite3.Connection, name: str, values: dict[str, object]) -> None:
    db.execute("INSERT OR IGNORE INTO sim (name) VALUES (?)", (name,))
    db.execute(f"UPDATE sim SET {', '.join(f'{field} = ?' for field in FIELDS)} WHERE name = ?",
               (*(values[field] for field in FIELDS), name))


def _checked(office: Office, given: dict[str, str]) -> dict[str, object]:
    words, values = office.words, dict[str, object](given)
    for field, low, high, otherwise in (("hourly", 0, 100_000, 0), ("daily", 0, 100_000, 0),
                                        ("allowance", 0, 1_000_000, None), ("allowance_day", 1, 28, 1)):
        if not given[field]:
            values[field] = otherwise
            continue
        if not forms.WHOLE.fullmatch(given[field]) or not low <= int(given[field]) <= high:
            raise SimError(words("“%(given)s” does not fit: a whole number from %(low)s to %(high)s is wanted.",
                                 given=given[field], low=low, high=high))
        values[field] = int(given[field])
    pace_s = _decimal(given["pace_s"] or "4")
    if pace_s is None or not 0 <= pace_s <= 3600:
        raise SimError(words("“%(given)s” does not fit: seconds from 0 to 3600 are wanted.", given=given["pace_s"]))
    values["pace_s"] = float(pace_s)
    for field in ("price", "least_balance"):
        if given[field] and ((amount := _decimal(given[field])) is None or amount < 0):
            raise SimError(words("“%(given)s” is no amount of money. Write it like 0.09.", given=given[field]))
        values[field] = given[field].replace(",", ".") or None
    if not set(given["balance_ussd"]) <= DIALLED:
        raise SimError(words("“%(given)s” cannot be dialled. A code looks like *100#.", given=given["balance_ussd"]))
    values["balance_ussd"] = given["balance_ussd"] or None
    return values


def _resume(office: Office) -> HTTPResponse:
    name = _name(office)
    with store.write(office.db) as db:
        pace.resume(db, name, office.clock())
        changes.record(db, office.by, f"sim {name}: group texts go on", None,
                       None, office.clock(), name)
    return office.done("/sims", office.words("Group texts go on from %(name)s.", name=name))


def _balance(office: Office) -> HTTPResponse:
    """An emptied time is how the radio is asked to look again."""
    name = _name(office)
    with store.write(office.db) as db:
        db.execute("UPDATE modem SET balance_at = NULL WHERE name = ?", (name,))
    return office.done("/sims", office.words("The balance is being asked; the answer appears here."))


def _name(office: Office) -> str:
    name = forms.field("name", 60)
    if name not in {modem.name for modem in office.box.modems}:
        raise HTTPError(400)
    return name


def _decimal(text: str) -> Decimal | None:
    try:
        amount = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _written(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
