"""The command line: what it prints and how it ends."""
from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import cli, settings
from appliance.config import Box
from appliance.store import db as store

pytestmark = pytest.mark.xdist_group("the ports of Asterisk and the bell")

REPO = Path(__file__).resolve().parents[2]
DESKBELL = [sys.executable, "-P", "-m", "appliance.cli"]      # as image/deskbell starts it


@pytest.fixture
def office(box: Box, db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """The store of the box that the command line finds."""
    monkeypatch.setenv("DESKBELL_CONFIG", str(toml(box, tmp_path)))
    return db


def toml(box: Box, folder: Path) -> Path:
    file = folder / "box.toml"
    folders = ("state", "spool", "run", "secrets", "asterisk")
    file.write_text("".join(f'{key} = "{getattr(box, key)}"\n' for key in folders))
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = cli.main(list(arguments))
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def add_call(db: sqlite3.Connection, **changed: object) -> None:
    row = {"box": "box1", "boot": 1, "linkedid": "1.0", "direction": "in", "caller_id": "+491701234567",
           "number": "+491701234567", "presentation": "allowed", "started_at": "2026-11-21T20:10:23.000Z",
           "ended_at": "2026-11-21T20:10:33.000Z", "outcome": "missed", "is_clock_set": 1} | changed
    with store.write(db):
        db.execute(f"INSERT INTO call ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def test_help_reads_like_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "The telephone desk of a small office: who rings, who was missed, who was texted." in out
    for command in ("call list", "contact add", "check", "setting list", "run calls", "demo"):
        assert f"  deskbell {command} " in out
    assert max(map(len, out.splitlines())) <= 100
    assert "None" not in out and "==SUPPRESS==" not in out


@pytest.mark.parametrize("arguments", [("run",), ("call",), ("call", "list"), ("check",), ("setting",), ("contact",),
                                       ("setting", "set"), ("provision",), ("demo",)])
def test_every_noun_and_verb_has_help(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments, "--help")
    assert (code, err) == (0, "") and out.startswith(f"usage: deskbell {arguments[0]}")


@pytest.mark.parametrize("arguments", [(), ("frobnicate",), ("run", "everything"), ("call", "list", "--limit", "many"),
                                       ("setting", "set", "ring_s")])
def test_what_it_does_not_know_ends_with_2_and_usage(
        capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "") and err.startswith("usage: deskbell")


def test_no_calls_yet(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    assert run(capsys, "call", "list") == (0, "No calls yet.\n", "")
    assert run(capsys, "call", "list", "--json") == (0, "", "")


def test_the_calls_newest_first_in_the_shops_time(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    add_call(office, caller_name="Foo")
    add_call(office, linkedid="2.0", started_at="2026-07-01T06:00:00.000Z", direction="out", outcome="answered",
             caller_id="030111222", number="+4930111222")
    add_call(office, linkedid="3.0", started_at="2026-11-21T21:00:00.000Z", ended_at=None, outcome=None, caller_id="",
             number=None, presentation="unavailable")
    code, out, _ = run(capsys, "call", "list")
    assert code == 0
    assert out.splitlines() == [
        "2026-11-21 22:00:00  in       ringing     unavailable",
        "2026-11-21 21:10:23  in       missed      0170 1234567         Foo",
        "2026-07-01 08:00:00  out      answered    030 111222",
    ]


def test_a_withheld_number_is_not_shown_even_when_the_line_gave_it(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    add_call(office, presentation="withheld", number=None)
    _, out, _ = run(capsys, "call", "list")
    assert "withheld" in out and "1234567" not in out


def test_the_calls_as_json_one_a_line(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    for number in range(3):
        add_call(office, linkedid=f"{number}.0", caller_name="Frühling\u2028x")
    code, out, _ = run(capsys, "call", "list", "--json", "--limit", "2")
    rows = [json.loads(line) for line in out.split("\n") if line]
    assert code == 0
    assert [row["linkedid"] for row in rows] == ["2.0", "1.0"]
    assert rows[0]["outcome"] == "missed" and rows[0]["caller_name"] == "Frühling\u2028x"


def test_the_settings_are_listed_and_changed(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    code, out, _ = run(capsys, "setting", "list")
    assert code == 0
    assert [line.split(" = ")[0] for line in out.splitlines()] == list(vars(settings.DEFAULTS))
    assert run(capsys, "setting", "set", "record_calls", "true") == (0, "record_calls = true\n", "")
    assert run(capsys, "setting", "set", "shop_name", "Frühling") == (0, 'shop_name = "Frühling"\n', "")
    assert run(capsys, "setting", "set", "shop_name", "42") == (0, 'shop_name = "42"\n', "")
    _, out, _ = run(capsys, "setting", "list")
    assert "record_calls = true   (changed)" in out.splitlines()
    assert "ring_s = 30" in out.splitlines()
    assert settings.read(office).record_calls


@pytest.mark.parametrize(("key", "value", "said"), [
    ("ring", "20", "deskbell: There is no setting 'ring'. Did you mean 'ring_s'?"),
    ("ring_s", "soon", "deskbell: ring_s is a whole number, not 'soon'."),
    ("ring_s", "1000", "deskbell: ring_s goes from 5 to 300."),
    ("record_calls", "yes", "deskbell: record_calls is true or false, not 'yes'."),
    ("record_calls", "[1", "deskbell: record_calls is true or false, not '[1'."),
])
def test_a_wrong_setting_ends_with_2_and_one_sentence(
        capsys: pytest.CaptureFixture[str], office: sqlite3.Connection, key: str, value: str, said: str) -> None:
    assert run(capsys, "setting", "set", key, value) == (2, "", said + "\n")
    assert settings.read(office) == settings.DEFAULTS


def test_contacts_are_added_and_listed(capsys: pytest.CaptureFixture[str], office: sqlite3.Connection) -> None:
    assert run(capsys, "contact", "list")[1].startswith("No contacts yet.")
    assert run(capsys, "contact", "add", "Margaret Osei", "0170 1234567") == (0, "Margaret Osei is in the book.\n", "")
    assert run(capsys, "contact", "list") == (0, "Margaret Osei  0170 1234567\n", "")
    code, _, err = run(capsys, "contact", "add", "Somebody", "01701234567")
    assert code == 2 and "belongs to another contact already" in err
    code, _, err = run(capsys, "contact", "add", "Somebody", "7")
    assert code == 2 and "is not a telephone number here" in err


@pytest.mark.usefixtures("office")
def test_check_says_what_is_wrong_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check")
    assert (code, err) == (1, "")
    assert "DB-LINE-1  No line is set up." in out
    assert all(line.endswith(".") for line in out.splitlines())


@pytest.mark.parametrize("arguments", [
    ("call", "list"), ("check",), ("setting", "list"), ("run", "calls"), ("run", "clock"), ("run", "web"),
    ("run", "modem"), ("provision",)])
def test_without_a_box_toml_everything_ends_with_2_and_one_sentence(
        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
        arguments: tuple[str, ...]) -> None:
    monkeypatch.setenv("DESKBELL_CONFIG", str(tmp_path / "box.toml"))
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"deskbell: {tmp_path}/box.toml cannot be read") and err.count("\n") == 1


@pytest.mark.parametrize("damage", ["a file of garbage", "a torn page", "no folder"])
def test_a_store_that_cannot_be_read_is_a_sentence(
        capsys: pytest.CaptureFixture[str], box: Box, office: sqlite3.Connection, damage: str) -> None:
    add_call(office)
    page = office.execute("SELECT rootpage FROM sqlite_master WHERE name = 'call'").fetchone()["rootpage"]
    office.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    office.close()
    if damage == "no folder":
        box.state.rename(box.state.with_name("gone"))
    elif damage == "a torn page":
        content = bytearray(box.store.read_bytes())
        content[4096 * (page - 1):4096 * page] = b"\xff" * 4096
        box.store.write_bytes(content)
    else:
        box.store.write_bytes(b"garbage, not a store\n" * 999)
    code, _, err = run(capsys, "call", "list")
    assert code == 2
    assert err.startswith("deskbell: ") and "Calls still ring" in err and err.count("\n") == 1


def test_the_real_command_prints_no_traceback(tmp_path: Path) -> None:
    told = subprocess.run([*DESKBELL, "call", "list"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(REPO), "DESKBELL_CONFIG": str(tmp_path / "none.toml")})
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("deskbell: ") and "Traceback" not in told.stderr


def test_a_reader_that_left_early_is_no_error(box: Box, db: sqlite3.Connection, tmp_path: Path) -> None:
    """deskbell call list | head -1"""
    with store.write(db):
        db.executemany("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set)
            VALUES ('box1', 1, ?, 'in', ?, 'allowed', '2026-11-21T20:10:23.000Z', 1)""",
            [(str(number), "7" * 80) for number in range(1500)])
    lister = subprocess.Popen([*DESKBELL, "call", "list", "--limit", "1500"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(REPO), "DESKBELL_CONFIG": str(toml(box, tmp_path))})
    assert lister.stdout and lister.stderr
    lister.stdout.readline()
    lister.stdout.close()
    said = lister.stderr.read()
    assert (lister.wait(10), said) == (0, "")
