"""A box in a folder of its own, with a real store on a real file."""
from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Box, Extension, Trunk
from appliance.store import db as store
from tests.unit.spool import SpoolFile


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with one line and two telephones; its folders are there, its store is not."""
    made = Box(state=tmp_path / "lib", spool=tmp_path / "spool", run=tmp_path / "run", secrets=tmp_path / "secret",
               asterisk=tmp_path / "asterisk", trunks=(Trunk("line1", "Line 1", "127.0.0.1:5070"),),
               extensions=(Extension("101", "Counter"), Extension("102", "Workshop")))
    for folder in (made.recordings, made.raw_recordings, made.run, made.secrets, made.asterisk):
        folder.mkdir(parents=True)
    return made


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as migrate() makes it; each test gets a copy."""
    path = tmp_path_factory.mktemp("new") / "office.db"
    made = store.connect(path)
    store.migrate(made)
    made.close()
    return path


@pytest.fixture
def db(box: Box, new_store: Path) -> Iterator[sqlite3.Connection]:
    """The migrated store of that box."""
    shutil.copy(new_store, box.store)
    made = store.connect(box.store)
    yield made
    made.close()


@pytest.fixture
def spool(box: Box) -> Iterator[SpoolFile]:
    """Asterisk's ledger of that box, still empty."""
    made = SpoolFile(box.ledger)
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)],
                             capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"this kernel lets us mount no disk of our own: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
