"""What is on this box besides us, and under which licence: Debian's packages and Python's, from what they brought."""
from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
STATUS = Path("/var/lib/dpkg/status")
DOCUMENTS = Path("/usr/share/doc")
COMMON = Path("/usr/share/common-licenses")
LARGEST_BYTES = 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,99}")


@dataclass(frozen=True)
class Part:
    """One package. licence: its short names, "" when it says none that a machine can read."""
    name: str
    version: str
    licence: str
    is_python: bool


@cache
def version() -> str:
    """The version of Deskbell, as setup.cfg beside the code says."""
    return _house().get("metadata", "version", fallback="?")


@cache
def epoch() -> int:
    """The security epoch of this version: a bundle of a lower one is never installed over it."""
    return _house().getint("deskbell", "epoch", fallback=0)


def _house() -> configparser.ConfigParser:
    house = configparser.ConfigParser()
    house.read(HOUSE / "setup.cfg", encoding="utf-8")
    return house


def changelog() -> str:
    return (HOUSE / "appliance" / "CHANGELOG.md").read_text("utf-8")


def own_licence() -> str:
    return (HOUSE / "LICENSE").read_text("utf-8")


@cache
def parts() -> tuple[Part, ...]:
    """Everything in the root, sorted by name; read once, since nothing is installed while we run."""
    return tuple(sorted([*_debian(), *_python()], key=lambda part: (part.name.lower(), part.is_python)))


def text(name: str) -> str | None:
    """The licence of one package in full, None when there is no such package or it brought none."""
    if not NAME.fullmatch(name):
        return None
    if common := next((file for file in _files(COMMON) if file.name == name), None):
        return _read(common)
    file = DOCUMENTS / name / "copyright"
    if any(part.name == name and not part.is_python for part in parts()) and file.is_file():
        return _read(file)
    return _wheel_text(name)


def common() -> list[str]:
    """The names of the licences that many packages share, each with its text."""
    return sorted(file.name for file in _files(COMMON) if not file.is_symlink())


def _debian() -> Iterator[Part]:
    if not STATUS.is_file():
        return
    for stanza in STATUS.read_text("utf-8", "replace").split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            yield Part(fields["Package"], fields.get("Version", ""), _named(fields["Package"]), False)


def _named(package: str) -> str:
    """The short names in a machine-readable copyright file (DEP-5)."""
    file = DOCUMENTS / package / "copyright"
    if not file.is_file():
        return ""
    found = re.findall(r"^License:[ \t]*([^\s].*)$", _read(file), re.MULTILINE)
    return ", ".join(sorted({name.strip() for name in found}))[:200]


def _python() -> Iterator[Part]:
    for one in metadata.distributions():
        about = one.metadata
        named = [about.get("License-Expression") or "", *(
            line.rpartition(":: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License ::"))]
        given = next((name for name in named if name), "") or (about.get("License") or "").split("\n")[0]
        yield Part(about["Name"], one.version, given[:200], True)


def _wheel_text(name: str) -> str | None:
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files
             if re.search(r"(licen[cs]e|copying|notice)", file.name, re.IGNORECASE) and ".dist-info" in str(file)]
    return "\n\n".join(_read(file) for file in found if file.is_file()) or None


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(LARGEST_BYTES).decode("utf-8", "replace")
