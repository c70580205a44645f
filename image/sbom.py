"""What is in a root, for machines: a CycloneDX 1.6 list of every package, its version, digest, source and licence.

    python3 image/sbom.py ARCH ROOT >FILE        run by image/making.sh in the workshop; the same root, the same bytes
"""
from __future__ import annotations

import configparser
import json
import os
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

REPO = Path(__file__).resolve().parent.parent
NAMES_AT_MOST = 12                         # licences of one package that are listed


def debian(root: Path, lock: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A component for each package dpkg has installed; lock: "name=version" to sha256. Raises KeyError without."""
    for stanza in (root / "var/lib/dpkg/status").read_text("utf-8").split("\n\n"):
        about = dict(re.findall(r"(?m)^(Package|Version|Status|Architecture|Source): (.*)$", stanza))
        if about.get("Status") != "install ok installed":
            continue
        name, version = about["Package"], about["Version"]
        source, _, other = about.get("Source", name).partition(" ")
        yield {"type": "library", "name": name, "version": version,
               "bom-ref": f"deb:{name}",
               "purl": f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={about['Architecture']}&distro=forky",
               "hashes": [{"alg": "SHA-256", "content": lock[f"{name}={version}"]}],
               **licences(licence_names(root / "usr/share/doc" / name / "copyright")),
               "properties": [{"name": "debian:source", "value": source},
                              {"name": "debian:source-version", "value": other.strip("()") or version}]}


def licence_names(file: Path) -> list[str]:
    """The short names in a machine-readable copyright file (DEP-5), none when it has no such names."""
    if not file.is_file():
        return []
    return sorted({name.strip() for name in
                   re.findall(r"(?m)^License:[ \t]*([^\s].{0,80})$", file.read_text("utf-8", "replace"))})


def licences(names: list[str]) -> dict[str, Any]:
    return {"licenses": [{"license": {"name": name}} for name in names[:NAMES_AT_MOST]]} if names else {}


def python(root: Path, lock: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A component for each wheel of the lock that is in the root."""
    for file in sorted((root / "usr/lib/python3/dist-packages").glob("*.dist-info/METADATA")):
        about = HeaderParser().parsestr(file.read_text("utf-8", "replace"))
        name, version = about["Name"], about["Version"]
        digest = lock.get(f"pypi:{name.lower()}={version}")
        if digest is None:
            continue                       # Debian's own, already in the list
        told = [about.get("License-Expression") or "", (about.get("License") or "").split("\n")[0]]
        told += [line.rpartition(":: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License")]
        named = next(filter(None, told), "")
        yield {"type": "library", "name": name, "version": version, "bom-ref": f"pypi:{name}",
               "purl": f"pkg:pypi/{quote(name.lower())}@{quote(version)}",
               "hashes": [{"alg": "SHA-256", "content": digest}],
               **licences([named[:200]] if named else [])}


def bill(arch: str, root: Path, lock: dict[str, str], version: str, epoch_s: int) -> dict[str, Any]:
    """The whole list. Raises KeyError for a package in the root that the lock does not name."""
    parts = [*debian(root, lock), *python(root, lock)]
    told = json.dumps(parts, sort_keys=True)
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'deskbell {version} {arch} {told}')}",
            "metadata": {"timestamp": datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "component": {"type": "operating-system", "name": f"deskbell-{arch}", "version": version,
                                       "bom-ref": "deskbell", "licenses": [{"license": {"id": "GPL-3.0-or-later"}}]}},
            "components": parts}


def main(arch: str, root: Path) -> None:
    locked = dict(line.split(" ") for line in (REPO / f"image/lock.{arch}.txt").read_text("utf-8").splitlines()
                  if not line.startswith("#"))
    house = configparser.ConfigParser()
    house.read(REPO / "setup.cfg", encoding="utf-8")
    told = bill(arch, root, locked, house["metadata"]["version"], int(os.environ["SOURCE_DATE_EPOCH"]))
    json.dump(told, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
