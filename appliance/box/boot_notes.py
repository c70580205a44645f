"""What one program of a start leaves for the others: small JSON files under /run, gone with the next start."""
from __future__ import annotations

import json
import re
from pathlib import Path

from appliance.box.places import Places

COMMAND_LINE = Path("/proc/cmdline")
SLOT = re.compile(r"(?:^|\s)rauc\.slot=([AB])(?:\s|$)")


def slot(command_line: Path = COMMAND_LINE) -> str:
    """The slot this box runs from: "A", "B", or "" where there are none."""
    try:
        found = SLOT.search(command_line.read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def tell(places: Places, name: str, table: dict[str, object]) -> None:
    """Leaves a table; everybody may read it."""
    places.boot.mkdir(mode=0o755, parents=True, exist_ok=True)
    file = places.boot / f"{name}.json"
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(table, ensure_ascii=False, indent=1))
    aside.chmod(0o644)
    aside.rename(file)


def told(places: Places, name: str) -> dict[str, object]:
    """What tell() left at this start, {} for nothing."""
    try:
        found = json.loads((places.boot / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def sentences(places: Places, name: str, key: str = "said") -> list[str]:
    """The list of sentences of a table."""
    found = told(places, name).get(key)
    return [str(one) for one in found] if isinstance(found, list) else []
