"""The lines of the box as the pages change them: a gateway is added, gets another address, or is taken away."""
from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import count
from typing import Any

from appliance.box import box_file
from appliance.box.places import Places
from appliance.config import ConfigError
from appliance.update import verbs
from appliance.update.errands import RefusedError
from hw import sip_probe

READERS = ("deskbell-calls", "deskbell-clock", "deskbell-web")     # who reads the lines in box.toml when it starts

Order = Callable[..., None]


def changed(table: dict[str, Any], key: str, gateway: str) -> dict[str, Any]:
    """box.toml with another gateway at the line `key`; key "" adds a line, gateway "" takes it away.

    Raises RefusedError.
    """
    lines = [dict(line) for line in table.get("trunk", [])]
    if any(sip_probe.plain(line["gateway"]) == sip_probe.plain(gateway) for line in lines):
        raise RefusedError("That gateway is a line of this box already. Nothing was changed.")
    if not key:
        taken = {line["key"] for line in lines}
        new = next(name for n in count(1) if (name := f"line{n}") not in taken)
        lines.append({"key": new, "name": new.replace("line", "Line "), "gateway": gateway})
    elif all(line["key"] != key for line in lines):
        raise RefusedError("This line is gone meanwhile. Nothing was changed.")
    else:
        lines = [{**line, "gateway": gateway} if line["key"] == key else line
                 for line in lines if gateway or line["key"] != key]
    return {**{name: value for name, value in table.items() if name != "trunk"}, **({"trunk": lines} if lines else {})}


def errand(_db: sqlite3.Connection, wanted: dict[str, Any], progress: Callable[[int, str], None],
           places: Places | None = None, order: Order = verbs.systemctl) -> str:
    """Keeps what the page asked for ({"key": …, "gateway": …}) and has it taken; in words, what was done.

    Asterisk reads its lines anew and goes on with the calls it has. Raises RefusedError, FailedError.
    """
    file, key, gateway = (places or Places()).box, str(wanted.get("key", "")), str(wanted.get("gateway", ""))
    try:
        box_file.write(file, changed(box_file.read(file) or {}, key, gateway))
    except ConfigError as wrong:
        raise RefusedError(str(wrong)) from wrong
    progress(50, "The telephone system takes it.")
    order("restart", "deskbell-provision.service")         # the others come after it, systemd.unit(5)
    order("try-reload-or-restart", "asterisk.service")
    order("try-restart", *(f"{name}.service" for name in READERS))
    return "The line is set up. Ring the shop to hear it." if gateway else "The line is taken away."
