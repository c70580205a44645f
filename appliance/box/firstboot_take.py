"""Puts the wishes of deskbell.toml where the box keeps such things. Cut at any point, the next start ends the same."""
from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from appliance import config, settings
from appliance.box import box_file, network_files
from appliance.box.firstboot_keys import SEVERAL, Wishes
from appliance.box.firstboot_taken import Taken
from appliance.box.firstboot_text import Remark
from appliance.box.network_files import Network, NetworkError, Wifi
from appliance.box.places import FIRST_WORDS, Places
from appliance.box.provision import owned
from appliance.config import Box, ConfigError
from appliance.people import numbers, users
from appliance.store import db as store
from appliance.store.files import write_durably

log = logging.getLogger("firstboot")
OF_THE_NETWORK = ("network.kind", "network.address", "network.gateway", "network.dns", "wifi.name", "wifi.country",
                  "wifi.password")
CHOSEN = {"shop.country": "country", "shop.time_zone": "time_zone", "shop.language": "language"}


def take(places: Places, wishes: Wishes, name: str, now: datetime) -> tuple[Taken, list[Remark]]:
    """What was taken so far, and what could not be. name: what a new box is called.

    Each part is for itself: a full disk or a store that cannot be used stops no other, and is tried again next time.
    """
    taking = _Taking(places, wishes, name, now)
    taking.all()
    return taking.taken, taking.remarks


class _Taking:
    def __init__(self, places: Places, wishes: Wishes, name: str, now: datetime) -> None:
        self._places, self._wishes, self._name, self._now = places, wishes, name, now
        self.taken = Taken(places.etc / "firstboot.json")
        self.remarks: list[Remark] = []
        self._fresh = {name for name in wishes.by_name if self.taken.is_new(wishes, name)}

    def all(self) -> None:
        self._places.secrets.mkdir(parents=True, exist_ok=True)
        with self._part("The lines and telephones"):
            self._box()
        with self._part("The network"):
            self._network()
        with self._part("The SIM's PIN"):
            self._pin()
        with self._part("The shop's name and the first password"):
            self._office()
        with self._part("What was taken"):
            self.taken.keep()

    @contextmanager
    def _part(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, store.StoreError, ConfigError) as failed:
            log.error("%s: %s", what, failed)
            why = failed.strerror if isinstance(failed, OSError) and failed.strerror else str(failed)
            self.remarks.append(Remark(0, f"{what} could not be kept ({why.rstrip('.')}). The telephone rings as it "
                                          "did. It is tried again at the next start."))

    def _box(self) -> None:
        table = box_file.read(self._places.box)
        if table is None:
            table = {"name": self._name, **box_file.NEW, **self._places.box_toml}
            box_file.write(self._places.box, table)
        for names, change in ((("shop.country", "shop.time_zone"), self._with_place), (("shop.language",), _language),
                              (("line.kind", "line.gateway", "line.name"), _line),
                              (("line.number",), _own_number), (("sim.number",), _sim_number)):
            if not self.taken.is_new(self._wishes, *names):
                continue
            try:
                changed = change(table, self._wishes)
                box_file.write(self._places.box, changed)
            except ConfigError as wrong:
                line = next(self._wishes.by_name[name].line for name in names if name in self._wishes.by_name)
                self.remarks.append(Remark(line, str(wrong)))
                continue
            table = changed
            self.taken.note(self._wishes, *names)
        telephones = self._telephones(table)
        if telephones and self.taken.is_new(self._wishes, SEVERAL):
            box_file.write(self._places.box, {**table, "extension": telephones})
            self.taken.note(self._wishes, SEVERAL)

    def _with_place(self, table: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
        """The country, and with it the zone most people there live in, unless one is given or was before."""
        country, zone = wishes.value("shop.country"), wishes.value("shop.time_zone")
        if country and not zone and not self.taken.has("shop.time_zone"):
            zone = box_file.zone_of(country)
        placed = box_file.with_country(table, country) if country else table
        return {**placed, **({"time_zone": zone} if zone else {})}

    def _telephones(self, table: dict[str, Any]) -> list[dict[str, str]]:
        """The telephones that can be; one that cannot is told, at each start, and stops no other."""
        good: list[dict[str, str]] = []
        for number, name in self._wishes.value(SEVERAL) or ():
            try:
                config.parse({**table, "extension": [{"number": number, "name": name}]})
            except ConfigError as wrong:
                self.remarks.append(Remark(self._wishes.by_name[SEVERAL].line, str(wrong)))
            else:
                good.append({"number": number, "name": name})
        return good

    def _network(self) -> None:
        wishes, value = self._wishes, self._wishes.value
        if not self.taken.is_new(wishes, *OF_THE_NETWORK):
            return
        before = network_files.load(self._places)
        kind = value("network.kind") or ("fixed" if value("network.address") else before.kind)
        wifi = Wifi(value("wifi.name"), value("wifi.country") or value("shop.country") or self._country()) \
            if value("wifi.name") else before.wifi
        wanted = Network(kind, value("network.address") or before.address, value("network.gateway") or "",
                         value("network.dns") or (), wifi)
        try:
            network_files.keep(self._places, network_files.checked(wanted), value("wifi.password"))
        except NetworkError as wrong:
            at = wishes.by_name.get(f"network.{wrong.key}") or wishes.by_name.get("network.kind")
            self.remarks.append(Remark(at.line if at else 0, f"{wrong} Until then the router gives the address."))
            if wifi and wifi != before.wifi:
                network_files.keep(self._places, replace(before, wifi=wifi), value("wifi.password"))
                self.taken.note(wishes, "wifi.name", "wifi.country", "wifi.password")
            return
        self.taken.note(wishes, *OF_THE_NETWORK)

    def _country(self) -> str:
        try:
            return config.read(self._places.box).country
        except ConfigError:
            return ""

    def _pin(self) -> None:
        if not self.taken.is_new(self._wishes, "sim.pin"):
            return
        box = config.read(self._places.box)
        file = self._places.secrets / f"sim-{box.modems[0].name if box.modems else box_file.MODEM['name']}.pin"
        before = os.umask(0o077)
        try:
            write_durably(file, self._wishes.value("sim.pin").encode() + b"\n")
        finally:
            os.umask(before)
        owned(file, "root", "deskbell", 0o640)
        self.taken.note(self._wishes, "sim.pin")

    def _office(self) -> None:
        box = config.read(self._places.box)
        for_settings = self._fresh & {"shop.name", "owner.password", "update.channel"}
        if not for_settings and not (self._fresh & set(CHOSEN) and box.store.exists()):
            return
        box.state.mkdir(parents=True, exist_ok=True)
        with closing(store.connect(box.store)) as db:
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'setting'").fetchone():
                store.migrate(db)          # a store that is there is brought forward by whoever keeps a copy first
            self._setting(db, "shop.name", "shop_name")
            if "update_channel" in {field.name for field in fields(settings.Settings)}:
                self._setting(db, "update.channel", "update_channel")
            self._owner(db, box)
            for name in self._fresh & set(CHOSEN):
                if not self.taken.is_new(self._wishes, name):
                    with store.write(db):
                        settings.drop(db, CHOSEN[name])        # what the page chose before stood over box.toml

    def _setting(self, db: sqlite3.Connection, name: str, key: str) -> None:
        if not self.taken.is_new(self._wishes, name):
            return
        try:
            with store.write(db):
                settings.put(db, key, self._wishes.value(name))
        except settings.SettingError as wrong:
            self.remarks.append(Remark(self._wishes.by_name[name].line, str(wrong)))
            return
        self.taken.note(self._wishes, name)

    def _owner(self, db: sqlite3.Connection, box: Box) -> None:
        if not self.taken.is_new(self._wishes, "owner.password"):
            return
        wish, name = self._wishes.by_name["owner.password"], self._wishes.value("owner.name") or "Owner"
        if not users.add_first(db, name, wish.value, self._now) and users.verify(db, name, wish.value) is None:
            self.remarks.append(Remark(wish.line, (
                "the password was not taken: somebody has set one on the page already. It is changed there under "
                "Account; who is locked out finds the way in INSTALL.md under \"factory reset\".")))
        else:
            with store.write(db):          # the owner is led through the first steps; see web/wizard_steps.py
                db.execute("INSERT OR IGNORE INTO setting (key, value) VALUES ('wizard', '{}')")
            words = box.state / FIRST_WORDS
            write_durably(words, (self._wishes.value("shop.language") or box.language).encode())
            owned(words, "root", "deskbell", 0o660)
        self.taken.note(self._wishes, "owner.password", "owner.name")


def _language(table: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
    return {**table, "language": wishes.value("shop.language")}


def _line(table: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
    """The first line as wished; further ones stay."""
    old = list(table.get("trunk", []))
    if wishes.value("line.kind") == "none":
        return {key: value for key, value in table.items() if key != "trunk"}
    first = dict(old[0]) if old else {"key": "line1", "name": "Line 1"}
    if wishes.value("line.gateway"):
        first["gateway"] = wishes.value("line.gateway")
    if wishes.value("line.name"):
        first["name"] = wishes.value("line.name")
    if "gateway" not in first:
        raise ConfigError("the line needs its gateway's address: add  gateway = \"192.168.1.20:5062\"  below [line].")
    return {**table, "trunk": [first, *old[1:]]}


def _own_number(table: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
    return {**table, "own_numbers": [_international(table, wishes.value("line.number"))]}


def _sim_number(table: dict[str, Any], wishes: Wishes) -> dict[str, Any]:
    modems = list(table.get("modem", [])) or [box_file.MODEM]
    return {**table, "modem": [{**modems[0], "number": _international(table, wishes.value("sim.number"))}, *modems[1:]]}


def _international(table: dict[str, Any], given: str) -> str:
    """The number so that another country later does not make another of it; as given, when it is none."""
    return numbers.e164(given, str(table.get("country", Box.country))) or given
