"""The page of the box itself: how it stands, its network, starting it anew, and back to how it came from the works."""
from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import bottle
from bottle import HTTPError, HTTPResponse

from appliance.backup import rows
from appliance.box import identity, licences, network_files, wallclock
from appliance.box.network_files import NetworkError
from appliance.box.places import Places
from appliance.calls import room
from appliance.update import errands
from appliance.update.errands import Errand, ErrandError
from hw import sip_probe
from web import auth, forms
from web.backups import Teller
from web.language import N_
from web.office import Office

THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")     # thousandths of a degree Celsius
HOT_C = 80                                                  # a Raspberry Pi slows itself down from here
SHOWN_FOR = timedelta(minutes=15)
FIELDS = ("kind", "address", "gateway", "dns", "wifi_name")
WORK = {"reboot": N_("Starting anew"), "power-off": N_("Switching off"), "network": N_("Changing the network"),
        "reset": N_("Going back to how it came"), "time": N_("Setting the clock"),
        "line": N_("Setting up the line"), "update": N_("Installing the update")}
STATES = {"waiting": N_("waits"), "running": N_("at work"), "done": N_("done"), "refused": N_("not done"),
          "failed": N_("failed")}


@dataclass(frozen=True)
class Facts:
    """The box at a glance. temperature_c, address: None when the machine does not say."""
    name: str
    local: str
    address: str | None
    version: str
    temperature_c: int | None
    disk: room.Disk | None
    clock: str                 # "network", "kernel" or "" when nobody vouches for it
    up: timedelta


@dataclass(frozen=True)
class Work:
    """An errand in words. tone: good, bad, or neither while it is open."""
    what: str
    state: str
    tone: str
    said: str
    progress: int
    is_open: bool


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/box", callback=lambda: _page(office), role="installer")
    app.post("/box/network", callback=lambda: _network(office), role="installer")
    app.post("/box/restart", callback=lambda: _ordered(office, "reboot"), role="installer")
    app.post("/box/off", callback=lambda: _ordered(office, "power-off"), role="installer")
    app.post("/box/reset", callback=lambda: _reset(office), role="owner")


def _page(office: Office, status: int = 200, problem: str = "", of: str = "") -> str:
    network = network_files.load(places_of(office))
    stands = {"kind": network.kind, "address": network.address, "gateway": network.gateway,
              "dns": ", ".join(network.dns), "wifi_name": network.wifi.name if network.wifi else "",
              "has_wifi": "1" if network.wifi else ""}
    if of == "network":
        stands = {key: forms.field(key, 100) for key in (*FIELDS, "has_wifi")}
    bottle.response.status = status
    return office.render("box.html", facts=facts(office), is_image=errands.this_boot(office.box) is not None,
                         work=work(office), given=forms.Given(stands), problem=problem, of=of, hot=HOT_C,
                         teller=Teller(office, office.clock()),
                         backup=rows.last_proven(office.db) if office.may("owner") else None)


def facts(office: Office) -> Facts:
    """How the box stands now; nothing is asked that takes longer than reading a file."""
    known, now = identity.look(places_of(office)), office.clock()
    try:
        disk: room.Disk | None = room.disk(office.box.state)
    except OSError:
        disk = None
    try:
        warm: int | None = int(THERMAL.read_text()) // 1000
    except (OSError, ValueError):
        warm = None
    vouched = "network" if wallclock.SYNCHRONISED.exists() else "kernel"
    return Facts(known.name if known else office.box.name, auth.host_name(), sip_probe.own_address(),
                 licences.version(), warm, disk, vouched if wallclock.is_set(now) else "",
                 timedelta(seconds=int(time.clock_gettime(time.CLOCK_BOOTTIME))))


def places_of(office: Office) -> Places:
    return Places(office.box.secrets.parents[2])


def work(office: Office, kind: str = "") -> Work | None:
    """What is being done, of this kind or of any, or ended lately."""
    it = errands.as_seen(errands.latest(office.db, kind), office.box)
    if it is None or not it.is_open and it.ended_at and office.clock() - it.ended_at > SHOWN_FOR:
        return None
    return _told(office, it)


def _told(office: Office, it: Errand) -> Work:
    tone = {"done": "good", "refused": "bad", "failed": "bad"}.get(it.state, "")
    return Work(office.words(WORK.get(it.kind, "")), office.words(STATES[it.state]), tone,
                office.words(it.said) if it.said else "", it.progress, it.is_open)


def _ordered(office: Office, kind: str, wanted: dict[str, object] | None = None) -> str | HTTPResponse:
    try:
        errands.ask(office.db, office.box, office.by, kind, dict(wanted or {}), office.clock())
    except ErrandError as refused:
        return _page(office, 409, office.words(str(refused)), "work")
    return office.done("/box", office.words({
        "reboot": N_("The box starts anew. Nothing rings for about a minute; this page comes back by itself."),
        "power-off": N_("The box switches itself off. Nothing rings until its power is put off and on again."),
        "network": N_("The network is being changed. If the address is another one, open the box there."),
    }[kind]))


def _network(office: Office) -> str | HTTPResponse:
    """The network as it was typed, once it can work: what cannot work would shut everybody out."""
    table: dict[str, object] = {"kind": forms.field("kind", 10)}
    if table["kind"] == "fixed":
        table |= {"address": forms.field("address", 40), "gateway": forms.field("gateway", 40),
                  "dns": [one for one in forms.field("dns", 100).replace(",", " ").split() if one]}
    password = bottle.request.forms.getunicode("wifi_password", "")[:100]
    if forms.ticked("has_wifi"):
        table["wifi"] = {"name": forms.field("wifi_name", 64), "country": office.box.country}
    try:
        network = network_files.parse(table)
        if network.wifi and password and not network_files.is_wifi_password(password):
            raise NetworkError("wifi", "A Wi-Fi's password has 8 to 63 characters.")
    except NetworkError as refused:
        return _page(office, 400, office.words(str(refused)), "network")
    wanted: dict[str, object] = {"kind": network.kind, "address": network.address, "gateway": network.gateway,
                                 "dns": list(network.dns)}
    if network.wifi:
        wanted["wifi"] = {"name": network.wifi.name, "country": network.wifi.country,
                          **({"password": password} if password else {})}
    return _ordered(office, "network", wanted)


def _reset(office: Office) -> str | HTTPResponse:
    """Back to how it came: the name of the box is typed, since nothing brings back what goes."""
    keeps, name = forms.field("keep", 10), facts(office).name
    if keeps not in ("data", "nothing"):
        raise HTTPError(400)
    if forms.field("name", 60).casefold() != name.casefold():
        return _page(office, 400, office.words("Type the name of this box, %(name)s. Nothing was changed.",
                                               name=name), "reset")
    try:
        errands.ask(office.db, office.box, office.by, "reset", {"keep": keeps}, office.clock())
    except ErrandError as refused:
        return _page(office, 409, office.words(str(refused)), "work")
    return office.done("/box", office.words("The box goes back to how it came and starts anew. It takes two minutes."))
