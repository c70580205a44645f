"""Where the box keeps what it is: the folders of the first start, so that a test can have them elsewhere."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOML = "deskbell.toml"
FIRST_WORDS = "first-words"        # in the state: the language of a new box's texts, for web/firstwords.py


@dataclass(frozen=True)
class Places:
    """root: "/" on a box. box_toml: what a new box.toml says besides, for a box in a folder of its own."""
    root: Path = Path("/")
    box_toml: dict[str, Any] = field(default_factory=dict)

    @property
    def fat(self) -> Path:
        """The partition that Windows reads; mounted read-only."""
        return self.root / "boot/firmware"

    @property
    def etc(self) -> Path:
        return self.root / "etc/deskbell"

    @property
    def secrets(self) -> Path:
        return self.etc / "secret"

    @property
    def box(self) -> Path:
        return self.etc / "box.toml"

    @property
    def network(self) -> Path:
        return self.etc / "network.json"

    @property
    def wifi_password(self) -> Path:
        return self.secrets / "wifi"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def boot(self) -> Path:
        """What one start tells the next program of the same start."""
        return self.root / "run/deskbell-boot"

    @property
    def networkd(self) -> Path:
        return self.root / "run/systemd/network"

    @property
    def wifi(self) -> Path:
        return self.root / "run/deskbell-network/wpa_supplicant.conf"
