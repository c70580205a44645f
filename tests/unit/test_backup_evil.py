"""Whatever is sent as a backup: nothing outside its folder, nothing large, and a sentence each."""
from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from appliance.backup import archive
from appliance.config import Box
from tests.unit import evil
from tests.unit.backing import Backing


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Iterator[Backing]:
    made = Backing(db, box)
    made.fill()
    yield made
    made.close()


def everywhere(folder: Path) -> dict[str, bytes]:
    """Every file below, but the store itself, where the row of the restore is written."""
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).digest() for file in folder.rglob("*")
            if file.is_file() and not file.name.startswith("office.db") and "upload" not in file.parts}


@pytest.fixture
def honest(office: Backing) -> tuple[archive.Manifest, bytes]:
    one = office.back_up()
    taken: list[bytes] = []

    class Taken:
        def write(self, piece: bytes) -> int:
            taken.append(piece)
            return len(piece)

        def close(self) -> None:
            pass

    with office.file(one).open("rb") as file:
        reader = archive.Reader(file, "")
        reader.files(lambda at: Taken() if at.name == "store.db" else None, lambda _: None)  # type: ignore[arg-type, return-value]
    store = b"".join(taken)
    return archive.Manifest(**{**vars(reader.manifest), "files": reader.manifest.files[:1]}), store


def test_the_corpus_is_large_enough() -> None:
    assert len(evil.CASES) >= 30


def test_what_the_corpus_is_made_from_is_good(office: Backing, honest: tuple[archive.Manifest, bytes],
                                             tmp_path: Path) -> None:
    (tmp_path / "good.zst").write_bytes(evil.honest(*honest))
    assert office.read(upload=tmp_path / "good.zst", passphrase="").state == "ready"


@pytest.mark.parametrize("name", evil.CASES)
def test_an_evil_archive_changes_nothing_and_is_refused_in_a_sentence(
        office: Backing, honest: tuple[archive.Manifest, bytes], tmp_path: Path, name: str) -> None:
    before, calls = everywhere(tmp_path), office.count("call")
    (tmp_path / "evil.zst").write_bytes(evil.CASES[name](*honest))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = office.read(upload=tmp_path / "evil.zst", passphrase="x")
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    (tmp_path / "evil.zst").unlink()
    assert seen.state == "failed" and seen.reason
    assert seen.reason.endswith(" Nothing was changed.") and seen.reason[0].isupper() and "Traceback" not in seen.reason
    assert everywhere(tmp_path) == before, "nothing is written but the row that says so"
    assert not os.path.lexists(evil.OUTSIDE) and office.count("call") == calls
    assert grown_kb < 300_000
