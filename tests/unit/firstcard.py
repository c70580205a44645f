"""A card in a folder: the partition that Windows reads, /etc and /proc of a box that was never started."""
from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.box import firstboot
from appliance.box.firstboot_text import Remark
from appliance.box.places import TOML, Places

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WHOLE = '''# what an installer wrote
[shop]
name = "Blumen Müller"
language = "fr"
country = "DE"
time_zone = "Europe/Berlin"
[owner]
name = "Anna"
password = "four words in a row"   # on a note in the drawer
[network]
kind = "fixed"
address = "192.168.7.20/24"
gateway = "192.168.7.1"
dns = ["192.168.7.1",
       "9.9.9.9"]
[wifi]
name = "Laden"
password = 'geheim "123"'
[line]
gateway = "192.168.7.9:5062"
number = "030 23125100"
[[telephone]]
number = "101"
name = "Counter"
[[telephone]]
number = 102
[sim]
pin = "4711"
'''
SECRETS = (b"four words in a row", b"geheim", b"4711")


class Card:
    def __init__(self, root: Path) -> None:
        inside = {"state": "var/lib/deskbell", "spool": "var/spool/deskbell", "run": "run/deskbell",
                  "secrets": "etc/deskbell/secret", "asterisk": "etc/deskbell/asterisk"}
        self.root = root
        self.places = Places(root, {key: str(root / folder) for key, folder in inside.items()})
        self.places.fat.mkdir(parents=True)

    @property
    def toml(self) -> Path:
        return self.places.fat / TOML

    def writes(self, text: str, encoding: str = "utf-8", line_end: str = "\r\n") -> None:
        self.toml.write_bytes(text.replace("\n", line_end).encode(encoding))

    def starts(self) -> list[str]:
        """The remarks of a start."""
        return [str(remark) for remark in self.start()]

    def start(self) -> list[Remark]:
        return firstboot.run(self.places, NOW, self._named)

    def _named(self, name: str) -> None:
        (self.root / "hostname").write_text(name)

    def box(self) -> dict[str, Any]:
        return tomllib.loads(self.places.box.read_text())

    def asks(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.root / "var/lib/deskbell/office.db")) as db:
            return db.execute(question).fetchall()
