"""Which wishes of deskbell.toml the box has taken: each once, so that what the office changed on the page stays."""
from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from appliance.box.firstboot_keys import SECRET, Wishes
from appliance.store.files import write_durably


class Taken:
    """firstboot.json (root alone): the values as they were taken; of a secret only a salted hash."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            kept = json.loads(file.read_bytes())
            self._salt, self._values = str(kept["salt"]), dict(kept["values"])
        except (OSError, ValueError, KeyError, TypeError):
            self._salt, self._values = secrets.token_hex(16), {}

    def has(self, name: str) -> bool:
        """Whether anything of that name was ever taken."""
        return name in self._values

    def is_new(self, wishes: Wishes, *names: str) -> bool:
        """Whether one of these wishes is there and was not taken as it is."""
        return any(name in wishes.by_name and self._values.get(name) != self._mark(name, wishes.value(name))
                   for name in names)

    def note(self, wishes: Wishes, *names: str) -> None:
        """These wishes are settled; keep() makes it last."""
        self._values.update({name: self._mark(name, wishes.value(name)) for name in names if name in wishes.by_name})

    def keep(self) -> None:
        content = (json.dumps({"salt": self._salt, "values": self._values}, indent=1) + "\n").encode()
        if self._file.exists() and json.loads(self._file.read_bytes()).get("values") == self._values:
            return
        before = os.umask(0o077)
        try:
            write_durably(self._file, content)
        finally:
            os.umask(before)

    def _mark(self, name: str, value: Any) -> Any:
        if name in SECRET:
            return hashlib.sha256(f"{self._salt}:{value}".encode()).hexdigest()
        return json.loads(json.dumps(value))
