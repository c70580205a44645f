"""The machines of the office: the receipt printer with its call slip, Home Assistant; and a slip asked for by hand."""
from __future__ import annotations

from dataclasses import dataclass

import bottle
from bottle import HTTPError, HTTPResponse

from appliance import networks, settings
from appliance.calls import history
from appliance.doors import slips
from appliance.store import db as store
from web import forms, settings_keep
from web.language import N_
from web.office import Office

WHENS = {"never": N_("Only when somebody asks for it"), "missed": N_("After each missed call"),
         "answered": N_("After each answered call")}


@dataclass(frozen=True)
class Wrong:
    """What was given does not fit: why, and what it was, so that the form shows it again."""
    problem: str
    given: dict[str, str]


def routes(app: bottle.Bottle, office: Office) -> None:
    app.post("/call/<call_id:int>/slip", callback=lambda call_id: _slip(office, call_id))


def printer(office: Office) -> HTTPResponse | Wrong:
    address, when = forms.field("slip_printer", 200), forms.field("slip_when")
    if address and "://" not in address:
        address = f"file://{address}" if address.startswith("/") else f"tcp://{address}"
    if address and not networks.is_printer(address):
        return Wrong(office.words("Write it as tcp://192.168.2.9:9100 or file:///dev/usb/lp0."),
                     {"slip_printer": address})
    return settings_keep.keep(office, {"slip_printer": address, "slip_when": when if when in WHENS else "never"},
                              "/doors#printer")


def mqtt(office: Office) -> HTTPResponse | Wrong:
    """An empty password keeps the one that is set; without a user there is none."""
    host, port, user = forms.field("mqtt_host", 253), forms.field("mqtt_port", 5), forms.field("mqtt_user", 200)
    given = {"mqtt_host": host, "mqtt_port": port, "mqtt_user": user}
    if host and not networks.is_host(host):
        return Wrong(office.words("The name or the address of a computer is wanted."), given)
    if not forms.WHOLE.fullmatch(port or "1883") or not 0 < int(port or 1883) < 65536:
        return Wrong(office.words("A whole number from %(low)s to %(high)s is wanted.", low=1, high=65535), given)
    now = settings.read(office.db)
    password = forms.field("mqtt_password", 200) or now.mqtt_password
    return settings_keep.keep(office, {
        "mqtt_host": host, "mqtt_port": int(port or 1883), "mqtt_user": user,
        "mqtt_password": password if user and host else "", "mqtt_tls": forms.ticked("mqtt_tls"),
        "mqtt_names": forms.ticked("mqtt_names")}, "/doors#mqtt")


def _slip(office: Office, call_id: int) -> HTTPResponse:
    if history.one(office.db, call_id) is None:
        raise HTTPError(404)
    if not settings.read(office.db).slip_printer:
        return office.done(f"/call/{call_id}", office.words(
            "No receipt printer is set. The owner names one on the page Programs."))
    with store.write(office.db) as db:
        slips.queue(db, call_id, office.by, office.clock())
    return office.done(f"/call/{call_id}", office.words("The slip is being printed."))
