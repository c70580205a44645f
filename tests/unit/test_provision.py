"""What is written for Asterisk from box.toml, and the secrets. It runs as root and gives files to their users."""
from __future__ import annotations

import dataclasses
import grp
import pwd
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import notice
from appliance.box.provision import LEDGER_FIELDS, make_ledger, provision, sip_secret
from appliance.calls import follow
from appliance.config import Box, Extension, Trunk
from appliance.store import db as store


def written(box: Box, name: str) -> str:
    return (box.asterisk / f"{name}_box.conf").read_text()


def owners(folder: Path) -> dict[str, tuple[str, str, str]]:
    found = {}
    for file in [folder, *folder.iterdir()]:
        kept = file.stat()
        found[file.name] = (pwd.getpwuid(kept.st_uid).pw_name, grp.getgrgid(kept.st_gid).gr_name,
                            oct(stat.S_IMODE(kept.st_mode)))
    return found


@pytest.mark.skipif(Path("/proc/self/uid_map").read_text().split()[-1] == "1",
                    reason="without root this ring has one user only: files cannot be given to others")
def test_each_file_belongs_to_whom_it_is_for(box: Box) -> None:
    provision(box)
    ours = grp.getgrgid(pwd.getpwnam("deskbell-calls").pw_gid).gr_name
    assert owners(box.asterisk) == {
        "asterisk": ("root", "asterisk", "0o750"), "boot": ("root", "asterisk", "0o640"),
        **{f"{name}_box.conf": ("root", "asterisk", "0o640") for name in ("globals", "pjsip", "manager", "cel")},
        **{f"{notice.name(language)}.wav": ("root", "asterisk", "0o640") for language in notice.SENTENCES}}
    assert owners(box.secrets) == {
        "secret": ("root", "deskbell", "0o750"), "ami": ("root", ours, "0o640"),
        "ami-phone": ("root", ours, "0o640"),
        "sip-101": ("root", "deskbell-web", "0o640"), "sip-102": ("root", "deskbell-web", "0o640")}
    assert owners(box.spool)["cel.db"] == ("asterisk", "deskbell-ledger", "0o660")


def test_a_second_run_changes_nothing(box: Box) -> None:
    provision(box)
    files = [*box.asterisk.iterdir(), *box.secrets.iterdir()]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    provision(box)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before


def test_a_machine_that_cannot_speak_starts_all_the_same_and_says_no_sentence(
        box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    provision(box)
    assert "NOTICES = no\n" in written(box, "globals") and "RING = PJSIP/101&PJSIP/102\n" in written(box, "globals")
    assert not list(box.asterisk.glob("notice-*"))
    monkeypatch.undo()
    provision(box)
    assert "NOTICES = yes\n" in written(box, "globals")


def test_each_start_of_asterisk_is_counted(box: Box) -> None:
    for boot in (1, 2, 3):
        provision(box, starting_asterisk=True)
        assert f"BOOT = {boot}\n" in written(box, "globals")
        assert f'"{boot}"' in written(box, "cel")
    provision(box)
    assert "BOOT = 3\n" in written(box, "globals")


@pytest.mark.parametrize("torn", [b"", b"\x00\x00", b"three", b"\xff"])
def test_a_lost_boot_number_goes_on_after_the_last_one_in_the_ledger(box: Box, torn: bytes) -> None:
    """Asterisk must start whatever the disk did, and no call may get the key of an older one."""
    provision(box, starting_asterisk=True)
    with sqlite3.connect(box.ledger) as spool:
        spool.execute("INSERT INTO cel (boot) VALUES ('6'), ('7'), ('x'), (NULL)")
    spool.close()
    (box.asterisk / "boot").write_bytes(torn)
    provision(box, starting_asterisk=True)
    assert "BOOT = 8\n" in written(box, "globals")


@pytest.mark.parametrize("own", [None, 3])
def test_on_a_restored_backup_the_count_goes_on_after_its_last_call(box: Box, own: int | None) -> None:
    """A call of an older start than the newest is taken for cut: every call of the new box would be."""
    if own is not None:
        box.asterisk.mkdir(exist_ok=True)
        (box.asterisk / "boot").write_text(str(own))
    restored = store.connect(box.store)
    store.migrate(restored)
    with store.write(restored):
        restored.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set)
            VALUES ('box1', 57, '1.0', 'in', '7', 'allowed', '2026-11-21T20:10:23.000Z', 1)""")
    restored.close()
    provision(box, starting_asterisk=True)
    assert "BOOT = 58\n" in written(box, "globals")


@pytest.mark.parametrize("torn", [b"", b"\x00" * 32, b"\xff"])
def test_a_lost_secret_is_made_anew(box: Box, torn: bytes) -> None:
    provision(box)
    (box.secrets / "ami").write_bytes(torn)
    (box.asterisk / "pjsip_box.conf").write_bytes(b"\xff\xff")
    provision(box)
    secret = (box.secrets / "ami").read_text()
    assert len(secret) == 32 and f"secret = {secret}\n" in written(box, "manager")
    assert "[line1](trunk)" in written(box, "pjsip")


def test_all_telephones_ring_and_the_first_line_calls_out(box: Box) -> None:
    provision(box)
    assert "RING = PJSIP/101&PJSIP/102\nTRUNK = line1\n" in written(box, "globals")
    assert "exten => 102,1,Dial(PJSIP/102,30)" in written(box, "globals")


def test_a_telephone_with_the_number_of_the_fire_brigade_rings_and_takes_its_calls_from_nobody(box: Box) -> None:
    with closing(store.connect(box.store)) as db:
        store.migrate(db)
        with store.write(db):
            settings.put(db, "country", "RU")
    provision(dataclasses.replace(box, extensions=(Extension("101", "Counter"), Extension("201", "Workshop"))))
    assert "RING = PJSIP/101&PJSIP/201\n" in written(box, "globals")
    assert "exten => 201," in written(box, "globals") and "exten => 101," not in written(box, "globals")


def test_a_trunk_is_known_by_its_address_and_a_phone_by_its_secret(box: Box) -> None:
    provision(box)
    lines = written(box, "pjsip").splitlines()
    assert {"bind = 127.0.0.1:5060", "contact = sip:127.0.0.1:5070", "match = 127.0.0.1:5070",
            "auth_type = digest", 'callerid = "Counter" <101>'} <= set(lines)
    secrets = {extension.number: sip_secret(box, extension) for extension in box.extensions}
    assert len({*secrets.values()}) == 2 and all(len(secret) == 32 for secret in secrets.values())
    for secret in secrets.values():
        assert f"password = {secret}" in lines


@pytest.mark.parametrize("name", ['Front "desk"', "a\n[evil]\ntype = endpoint", "semi;colon", "<sip:x>", "Стойка"])
def test_the_name_of_a_telephone_is_never_a_line_of_the_configuration(box: Box, name: str) -> None:
    provision(dataclasses.replace(box, extensions=(Extension("101", name),)))
    callers = [line for line in written(box, "pjsip").splitlines() if line.startswith("callerid")]
    assert len(callers) == 1
    shown = callers[0].removeprefix('callerid = "').removesuffix('" <101>')
    assert shown and len(shown) + len('callerid = "" <101>') == len(callers[0])
    assert not set('";<>') & set(shown)
    assert "\n[evil]" not in written(box, "pjsip")


def test_a_box_without_lines_and_telephones_is_written_too(box: Box) -> None:
    provision(dataclasses.replace(box, trunks=(), extensions=()))
    assert "RING = \nTRUNK = \n" in written(box, "globals")


def test_the_manager_listens_to_loopback_and_may_do_no_more_than_is_needed(box: Box) -> None:
    provision(box)
    manager = written(box, "manager")
    assert "deny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n" in manager
    may: dict[str, set[str]] = {}
    for part in manager.split("[")[1:]:
        lines = [line for line in part.splitlines() if line.startswith(("read", "write ="))]
        may[part.partition("]")[0]] = {right for line in lines for right in line.split("=")[1].strip().split(",")}
    never = {"command", "config", "all", "dialplan", "agi"}
    assert not may["deskbell"] & (never | {"originate", "call"}), "CVE-2024-42365"
    assert not may["phone"] & (never | {"system"}) and may.keys() == {"deskbell", "phone"}
    assert f"secret = {(box.secrets / 'ami').read_text()}" in manager


def test_the_ledger_has_the_columns_that_asterisk_is_told_to_fill(box: Box) -> None:
    provision(box)
    with sqlite3.connect(box.ledger) as spool:
        columns = [row[1] for row in spool.execute("PRAGMA table_info(cel)")]
        assert spool.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    spool.close()
    assert columns == ["AcctId", *LEDGER_FIELDS, "boot"]
    cel = written(box, "cel")
    assert f"columns = {', '.join(columns[1:])}\n" in cel
    assert cel.split("fields = ")[1].splitlines()[0].count(",") == len(columns) - 2


def test_a_ledger_is_kept_and_a_new_one_has_a_new_id(box: Box) -> None:
    make_ledger(box.ledger)
    first = follow.Spool(box.ledger).id
    make_ledger(box.ledger)
    assert follow.Spool(box.ledger).id == first
    box.ledger.unlink()
    make_ledger(box.ledger)
    assert follow.Spool(box.ledger).id != first


def test_a_second_trunk_is_known_too(box: Box) -> None:
    provision(dataclasses.replace(box, trunks=(*box.trunks, Trunk("line2", "Line 2", "192.168.1.20:5062"))))
    assert "match = 192.168.1.20:5062" in written(box, "pjsip")
