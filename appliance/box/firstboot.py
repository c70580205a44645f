"""`deskbell firstboot`: at each start, before the telephones: who the box is, and what deskbell.toml wishes.

Nothing here may stop a start. What cannot be done is a sentence in the report, and everything after it is done.
"""
from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from appliance.box import fat, firstboot_keys, firstboot_take, firstboot_text, identity, network_files
from appliance.box.boot_notes import tell
from appliance.box.firstboot_keys import SECRET, Wishes
from appliance.box.firstboot_taken import Taken
from appliance.box.firstboot_text import Remark
from appliance.box.places import TOML, Places

log = logging.getLogger("firstboot")
NAMES = {"shop.name": "the shop's name", "shop.language": "language", "shop.country": "country",
         "shop.time_zone": "time zone", "owner.password": "the first password", "owner.name": "the owner's name",
         "network.kind": "network", "network.address": "address", "network.gateway": "the router's address",
         "network.dns": "name servers", "wifi.name": "Wi-Fi", "wifi.password": "the Wi-Fi's password",
         "wifi.country": "the Wi-Fi's country", "line.kind": "kind of line", "line.gateway": "the line's gateway",
         "line.name": "the line's name", "line.number": "the line's number", "telephone": "telephones",
         "sim.pin": "the SIM's PIN", "sim.number": "the SIM's number", "update.channel": "update channel"}


def run(places: Places, now: datetime, name_host: Callable[[str], str | None] = identity.name_host) -> list[Remark]:
    """What could not be done, in words; it is kept for the report too. name_host names the machine."""
    own = identity.settle(places)
    wishes, text = _wishes(places)
    taken, remarks = firstboot_take.take(places, wishes, own.name, now)
    remarks = [*wishes.remarks, *remarks, *_wiped(places, wishes, taken, text)]
    network_files.write(places, network_files.load(places))
    if refused := name_host(own.name):
        remarks.append(Remark(0, refused))
    for remark in remarks:
        log.warning("%s: %s", TOML, remark)
    tell(places, "firstboot", {"has_file": text is not None, "remarks": [str(remark) for remark in remarks],
                               "taken": _told(wishes, taken)})
    return remarks


def _wishes(places: Places) -> tuple[Wishes, firstboot_text.Text | None]:
    file = _file(places)
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return Wishes(), None
    except OSError as refused:
        return Wishes(remarks=(Remark(0, f"{TOML} cannot be read ({refused.strerror}). The box begins with what it "
                                         "knows. Look at the card in a computer."),)), None
    return firstboot_keys.read(content), firstboot_text.decode(content)[0]


def _file(places: Places) -> Path:
    """The file, also where Windows hid that it is called deskbell.toml.txt."""
    named = places.fat / TOML
    hidden = places.fat / f"{TOML}.txt"
    return hidden if hidden.exists() and not named.exists() else named


def _wiped(places: Places, wishes: Wishes, taken: Taken, text: firstboot_text.Text | None) -> list[Remark]:
    done = [line for name, line in wishes.secrets.items() if not taken.is_new(wishes, name)]
    if not done or text is None:
        return []
    try:
        fat.wipe(_file(places), text, done)
    except OSError as refused:
        return [Remark(done[0].number, f"the passwords were taken, but could not be wiped from {TOML} "
                                       f"({refused.strerror}). Delete them there by hand.")]
    return []


def _told(wishes: Wishes, taken: Taken) -> list[str]:
    """What the box has of the file, in words; a secret that was taken is not in the file any more."""
    return [f"{NAMES[name]}{' (and wiped from the file)' if name in SECRET else ''}" for name in NAMES
            if (name in SECRET and taken.has(name)) or (name in wishes.by_name and not taken.is_new(wishes, name))]
