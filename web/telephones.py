"""The telephones on the desks: what is typed into each so that it rings, for whoever sets them up."""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import bottle

from appliance.box import health
from appliance.config import Extension
from appliance.people import changes
from appliance.store import db as store
from web import certificate
from web.office import Office


@dataclass(frozen=True)
class Shown:
    """One telephone; password None while it is not shown, "" when the box has none yet."""
    number: str
    name: str
    password: str | None


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/telephones", callback=lambda: _page(office), role="installer")
    app.post("/telephones", callback=lambda: _shown(office), role="installer")


def _page(office: Office, is_open: bool = False) -> str:
    phones = [Shown(phone.number, phone.name, _password(office, phone) if is_open else None)
              for phone in office.box.extensions]
    return office.render("telephones.html", phones=phones, server=_server(office), port=office.box.sip.port,
                         is_open=is_open, findings=list(health.telephones(office.box)))


def _shown(office: Office) -> str:
    """With the passwords. It is written down who looked."""
    session = office.session
    assert session is not None
    with store.write(office.db) as db:
        changes.record(db, session.user, "telephone passwords shown", None, None, office.clock())
    return _page(office, is_open=True)


def _password(office: Office, phone: Extension) -> str:
    try:
        return (office.box.secrets / f"sip-{phone.number}").read_text().strip()
    except OSError:
        return ""


def _server(office: Office) -> str:
    """Where telephones find the box; its first own address of the shop's network when it listens everywhere."""
    try:
        if not ipaddress.ip_address(office.box.sip.listen).is_unspecified:
            return office.box.sip.listen
    except ValueError:
        return office.box.sip.listen
    mine = [address for address in certificate.addresses() if ":" not in address]
    return next((address for address in mine if not ipaddress.ip_address(address).is_loopback), office.box.sip.listen)
