"""The health gate: what it looks at, what it says of it, and which version is left."""
from __future__ import annotations

import http.server
import logging
import sqlite3
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.box import boot_notes
from appliance.config import Box, Web
from appliance.store import db as store
from appliance.update import health, trial
from appliance.update.bundle import Ground

REPO = Path(__file__).resolve().parents[2]
GIVEN_UP = str(REPO / "image/overlay/usr/libexec/deskbell-given-up")


def test_the_slot_is_read_from_the_command_line(tmp_path: Path) -> None:
    for line, slot in (("ro rauc.slot=B quiet\n", "B"), ("rauc.slot=A", "A"), ("ro xrauc.slot=A\n", ""), ("", ""),
                       ("rauc.slot=AB", "")):
        (tmp_path / "cmdline").write_text(line)
        assert boot_notes.slot(tmp_path / "cmdline") == slot
    assert boot_notes.slot(tmp_path / "none") == ""


def test_a_trial_that_makes_no_sense_is_none(tmp_path: Path) -> None:
    file = tmp_path / "trial.json"
    for content in ("", "{}", "[1]", '{"bundle": 1}', "\0"):
        file.write_text(content)
        assert trial.read(file) is None


@pytest.mark.parametrize(("status", "is_well"), [(200, True), (404, True), (500, False)])
def test_pages_that_fail_are_not_well(box: Box, status: int, is_well: bool) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = health.page(replace(box, web=Web(listen="0.0.0.0", port=server.server_address[1])))
        server.shutdown()
    assert (said == "") == is_well
    assert "The pages do not answer" in health.page(replace(box, web=Web(port=1)))


def test_a_store_of_another_version_or_none_is_not_well(db: sqlite3.Connection, box: Box) -> None:
    assert health.the_store(box) == ""
    with store.write(db):
        db.execute("DELETE FROM _sqlite_migrations WHERE name = '0013_updates'")
    assert health.the_store(box) == "The store is not yet that of this version."
    db.close()
    box.store.write_bytes(b"x" * 8192)
    assert "cannot be used" in health.the_store(box)


def test_looking_for_a_store_makes_none(box: Box) -> None:
    assert health.the_store(box) == "The store is not yet that of this version." and not box.store.exists()


def test_the_version_before_says_that_it_is_back_only_once_its_store_is(box: Box, db: sqlite3.Connection,
                                                                        tmp_path: Path) -> None:
    """The gate begins before the store has gone back: it must not wait for one that cannot."""
    file, line, seen = tmp_path / "trial.json", tmp_path / "cmdline", list[bool]()
    line.write_text("rauc.slot=A\n")
    trial.begin(trial.Trial(1, "0.5.0", "9.1.0", "A", "B"), file)

    def store_is_back(_box: Box) -> str:
        seen.append(file.exists())
        return ""

    means = health.Means(box, (store_is_back,), Ground(), ("true",), file, line, well_for_s=0.0)
    assert health.gate(means) == 0 and seen == [True] and not file.exists()


@pytest.mark.parametrize(("to_slot", "result", "code", "status", "restarts"), [
    ("B", "exit-code", "exited", "1", True), ("B", "signal", "killed", "9", True),
    ("B", "exit-code", "exited", "203", True), ("B", "success", "exited", "0", True),
    ("B", "success", "killed", "TERM", False), ("B", "success", "", "", False),
    ("B", "exit-code", "exited", "3", False),
    ("A", "exit-code", "exited", "1", False), ("A", "success", "exited", "0", False),
    ("", "exit-code", "exited", "1", False), ("", "success", "exited", "0", False)])
def test_a_version_on_trial_whose_gate_breaks_is_left_too(tmp_path: Path, to_slot: str, result: str, code: str,
                                                          status: str, restarts: bool) -> None:
    """It may be so broken that the gate itself cannot run: the shell is asked, and no Python.

    A Python that is an empty file ends well, for the shell; but then the trial still stands as it was begun.
    """
    file, line, orders = tmp_path / "trial.json", tmp_path / "cmdline", tmp_path / "orders"
    line.write_text("root=/dev/x rauc.slot=B quiet\n")
    if to_slot:
        trial.begin(trial.Trial(1, "0.5.0", "9.1.0", "A", to_slot), file)
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >{orders}\n')
    (tmp_path / "systemctl").chmod(0o755)
    subprocess.run(["/bin/sh", GIVEN_UP], check=True, env={
        "PATH": f"{tmp_path}:/usr/bin:/bin", "SERVICE_RESULT": result, "EXIT_CODE": code, "EXIT_STATUS": status,
        "DESKBELL_TRIAL": str(file), "DESKBELL_COMMAND_LINE": str(line)})
    assert orders.exists() == restarts


def test_the_gate_waits_for_no_daemon_that_may_never_come() -> None:
    """Behind a store that cannot be brought to this version no daemon starts: who waited for one never gave it up."""
    for unit in ("deskbell-health", "deskbell-console"):
        text = (REPO / f"systemd/{unit}.service").read_text()
        after = " ".join(line for line in text.splitlines() if line.startswith("After="))
        assert after and not {f"deskbell-{one}.service" for one in ("store", "calls", "modem", "web", "clock")} & set(
            after.removeprefix("After=").split())


def test_the_gate_says_how_it_begins_and_ends_and_fills_no_journal_between(
        box: Box, caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    changing = health.Means(box, (lambda box: f"It does not answer ({clock[0]}).",), Ground(),
                            trial_file=box.run / "no", command_line=box.run / "no", clock=lambda: clock[0], sleep=sleep)
    with caplog.at_level(logging.INFO):
        assert health.gate(changing) == 1
    assert caplog.messages == ["It does not answer (0.0).", f"It does not answer ({health.LIMIT_S})."]


def test_well_is_only_who_was_well_for_a_while_without_a_break(box: Box, tmp_path: Path) -> None:
    clock, answers = [0.0], iter(["", "", "Asterisk does not answer.", *[""] * 100])

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    means = health.Means(box, (lambda box: next(answers),), Ground(), clock=lambda: clock[0], sleep=sleep)
    assert health.look(means) == [] and clock[0] == 3 * health.LOOK_S + health.WELL_FOR_S
    never = replace(means, checks=(lambda box: "" if int(clock[0]) % 60 else "The bell does not answer.",))
    assert health.look(never)
