"""Backups to real places: a stick that is mounted and pulled, a full disk, a real sshd, a real smbd."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.backup import rows, secrets
from appliance.backup.worker import Worker
from appliance.config import Box
from appliance.store import db as store
from tests.desk import box_at, eventually, free_port

pytestmark = pytest.mark.xdist_group("places")       # one sshd, one smbd, one stick

WORDS = "four words in a row"
USER, PASSWORD = "keeper", "a place of its own"


class Shop:
    """A box with one contact and the clock's part of its backups."""

    def __init__(self, box: Box) -> None:
        self.box, self.db = box, store.connect(box.store)
        store.migrate(self.db)
        self.worker = Worker(box, lambda: datetime.now(UTC), log_n=10)
        with store.write(self.db):
            secrets.keep_passphrase(self.db, WORDS)
            self.db.execute("INSERT INTO setting VALUES ('shop_name', '\"Larkspur\"')")
        self.serve()

    def serve(self) -> None:
        while self.worker.serve(is_clock_set=False):
            pass

    def add(self, kind: str, address: str, password: str = PASSWORD) -> int:
        with store.write(self.db):
            return rows.add_place(self.db, "Amy", datetime.now(UTC), kind, kind.upper(), address,
                                  "" if kind == "usb" else USER, password)

    def tried(self, place_id: int) -> rows.Place:
        with store.write(self.db):
            rows.set_place(self.db, place_id, "Amy", datetime.now(UTC), is_asked=1)
        self.serve()
        return rows.place(self.db, place_id)

    def back_up(self, place_id: int) -> rows.Backup:
        with store.write(self.db):
            backup_id = rows.ask(self.db, place_id, "Amy", datetime.now(UTC))
        self.serve()
        assert backup_id
        return rows.backup(self.db, backup_id)

    def restore(self, backup_id: int, passphrase: str = WORDS) -> rows.Restore:
        restore_id = rows.ask_restore(self.db, "Amy", datetime.now(UTC), passphrase, backup_id=backup_id)
        self.serve()
        rows.agree(self.db, restore_id, "Amy", datetime.now(UTC))
        self.serve()
        return rows.restore(self.db, restore_id)

    def close(self) -> None:
        self.worker.close()
        self.db.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(box_at(tmp_path))
    yield made
    made.close()


def mounted(folder: Path, size: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    return folder


@pytest.fixture
def stick() -> Iterator[Path]:
    """A stick called KINGFISHER, plugged in."""
    folder = mounted(Path("/media/KINGFISHER"), "64m")
    yield folder
    subprocess.run(["umount", folder], check=False, capture_output=True)
    shutil.rmtree("/media/KINGFISHER", ignore_errors=True)


@pytest.fixture
def keeper() -> str:
    """A user of this machine whose folder the network places are."""
    for name, more in ((USER, ["-m"]), ("sshd", ["-r", "-s", "/usr/sbin/nologin", "-d", "/run/sshd"])):
        if subprocess.run(["id", name], capture_output=True, check=False).returncode:
            subprocess.run(["useradd", *more, name], check=True)
    subprocess.run(["chpasswd"], input=f"{USER}:{PASSWORD}\n", text=True, check=True)
    return USER


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Sshd:
    """A real sshd with sftp on a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        folder.mkdir(exist_ok=True)
        (folder / "key").unlink(missing_ok=True)
        (folder / "key.pub").unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        (folder / "conf").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/key\nPidFile none\nUsePAM no\n"
            "PasswordAuthentication yes\nSubsystem sftp internal-sftp\nStrictModes no\n")
        Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "conf")],
                                         stderr=(folder / "log").open("wb"))
        eventually(lambda: answers(port))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture
def sshd(tmp_path: Path, keeper: str) -> Iterator[Sshd]:
    made = Sshd(tmp_path / "sshd", free_port())
    yield made
    made.stop()


@pytest.fixture
def smbd(tmp_path: Path, keeper: str) -> Iterator[int]:
    """The port of a real smbd with a share called backups."""
    port, folder = free_port(), tmp_path / "smbd"
    share = folder / "share"
    share.mkdir(parents=True)
    shutil.chown(share, USER)
    for part in (tmp_path, *tmp_path.parents):
        if part != Path("/"):
            part.chmod(part.stat().st_mode | 0o011)
    for name in ("private", "lock", "state", "cache", "pid"):
        (folder / name).mkdir()
    (folder / "conf").write_text(
        "[global]\nserver role = standalone\nmap to guest = never\nserver smb encrypt = desired\nload printers = no\n"
        f"disable spoolss = yes\ninterfaces = lo\nbind interfaces only = yes\nsmb ports = {port}\nlog level = 1\n"
        f"private dir = {folder}/private\nlock directory = {folder}/lock\nstate directory = {folder}/state\n"
        f"cache directory = {folder}/cache\npid directory = {folder}/pid\nncalrpc dir = {folder}/ncalrpc\n"
        f"log file = {folder}/log\n[backups]\npath = {share}\nread only = no\n")
    subprocess.run(["smbpasswd", "-c", folder / "conf", "-s", "-a", USER], input=f"{PASSWORD}\n{PASSWORD}\n", text=True,
                   check=True, capture_output=True)
    process = subprocess.Popen(["smbd", "-F", "--no-process-group", "-s", folder / "conf"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)     # it ends its whole group
    eventually(lambda: answers(port) or process.poll() is not None, limit_s=20)
    assert process.poll() is None, [log.read_text() for log in folder.glob("log*") if log.is_file()]
    yield port
    process.terminate()
    process.wait(10)


def test_a_stick_gets_a_proven_backup_and_one_that_is_pulled_is_said(shop: Shop, stick: Path) -> None:
    place = shop.add("usb", "KINGFISHER")
    shop.serve()
    assert rows.place(shop.db, place).trouble is None
    one = shop.back_up(place)
    assert one.state == "proven" and (stick / "Deskbell" / str(one.file)).exists()
    subprocess.run(["umount", stick], check=True)
    gone = shop.back_up(place)
    assert gone.state == "failed" and gone.reason == "USB is not plugged in. Plug it in and press Try."
    assert not list(stick.iterdir()), "nothing is written into the empty folder where the stick was"
    mounted(stick, "64m")
    assert shop.tried(place).trouble is None


def test_a_stick_of_another_box_is_found_and_restored(shop: Shop, stick: Path, tmp_path: Path) -> None:
    one = shop.back_up(shop.add("usb", "KINGFISHER"))
    assert one.state == "proven"
    new = Shop(replace(box_at(tmp_path / "new"), name="box2"))
    with store.write(new.db):
        new.db.execute("UPDATE setting SET value = '\"New shop\"'")
    new.add("usb", "KINGFISHER")
    new.serve()
    found = next(it for it in rows.backups(new.db) if it.state == "found")
    assert found.taken_at and one.taken_at and found.taken_at == one.taken_at.replace(microsecond=0)
    done = new.restore(found.id)
    assert done.state == "restored", done.reason
    assert new.db.execute("SELECT value FROM setting WHERE key = 'shop_name'").fetchone()[0] == '"Larkspur"'
    new.close()


def test_a_full_stick_is_said_and_keeps_no_half(shop: Shop, stick: Path) -> None:
    place = shop.add("usb", "KINGFISHER")
    with contextlib.suppress(OSError), (stick / "films").open("wb", buffering=0) as films:
        while films.write(bytes(4096)):
            pass
    (stick / "films").open("rb+").truncate((stick / "films").stat().st_size - 8192)
    one = shop.back_up(place)
    assert one.state == "failed" and one.reason == "USB is full. Remove old files there, or keep fewer backups."
    assert not list((stick / "Deskbell").iterdir())


def test_a_full_disk_of_the_box_is_said_and_calls_go_on(tmp_path: Path) -> None:
    disk = mounted(tmp_path / "disk", "16m")
    try:
        shop = Shop(box_at(disk))
        (disk / "films").write_bytes(bytes(shutil.disk_usage(disk).free - 4_000_000))
        one = shop.back_up(1)
        assert one.state == "failed" and str(one.reason).startswith("There is no room on this box to copy the store:")
        with store.write(shop.db):
            shop.db.execute("INSERT INTO setting VALUES ('after', '1')")
        shop.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_sftp_gets_a_proven_backup_that_comes_back(shop: Shop, sshd: Sshd) -> None:
    place = shop.add("sftp", f"127.0.0.1:{sshd.port}/backups/deskbell")
    shop.serve()
    known = rows.place(shop.db, place)
    assert known.trouble is None, (sshd.folder / "log").read_text()
    assert known.host_key and known.host_key.split()[1] in (sshd.folder / "key.pub").read_text()
    one = shop.back_up(place)
    assert one.state == "proven", one.reason
    assert Path(f"/home/{USER}/backups/deskbell/{one.file}").stat().st_size == one.size_bytes
    assert shop.restore(one.id).state == "restored"


def test_a_machine_that_shows_another_key_gets_nothing_until_a_person_trusts_it(shop: Shop, sshd: Sshd) -> None:
    place = shop.add("sftp", f"127.0.0.1:{sshd.port}/backups/keys")
    assert shop.back_up(place).state == "proven"
    sshd.stop()
    other = Sshd(sshd.folder, sshd.port)
    one = shop.back_up(place)
    assert one.state == "failed" and "shows another key than at first" in str(one.reason)
    with store.write(shop.db):
        rows.set_place(shop.db, place, "Amy", datetime.now(UTC), host_key=None, is_asked=1)
    shop.serve()
    assert shop.back_up(place).state == "proven"
    other.stop()


@pytest.mark.parametrize("kind", ["sftp", "smb"])
def test_a_network_folder_that_is_off_or_refuses_is_said(shop: Shop, kind: str) -> None:
    off = shop.add(kind, f"127.0.0.1:{free_port()}/backups/x")
    assert shop.tried(off).trouble == "127.0.0.1 did not answer. Switch it on, look at the cable, and press Try."
    one = shop.back_up(off)
    assert one.state == "failed" and "did not answer" in str(one.reason)


def test_a_wrong_password_is_said(shop: Shop, sshd: Sshd, smbd: int) -> None:
    places = [shop.add("sftp", f"127.0.0.1:{sshd.port}/backups/x", "wrong"),
              shop.add("smb", f"127.0.0.1:{smbd}/backups", "wrong")]
    for place in places:
        assert shop.tried(place).trouble == "127.0.0.1 did not take the name and password. Type them again."


def test_smb_gets_a_proven_backup_that_comes_back(shop: Shop, smbd: int, tmp_path: Path) -> None:
    place = shop.add("smb", f"127.0.0.1:{smbd}/backups/deskbell")
    assert shop.tried(place).trouble is None
    one = shop.back_up(place)
    assert one.state == "proven", one.reason
    assert (tmp_path / "smbd/share/deskbell" / str(one.file)).stat().st_size == one.size_bytes
    assert shop.restore(one.id).state == "restored"
    with store.write(shop.db):
        rows.set_place(shop.db, place, "Amy", datetime.now(UTC), daily=1, weekly=0, monthly=0)
    before = time.monotonic()
    assert shop.back_up(place).state == "proven" and time.monotonic() - before < 60
    assert len(list((tmp_path / "smbd/share/deskbell").iterdir())) == 1, "older ones are taken away there too"


def test_a_share_that_is_not_there_is_said(shop: Shop, smbd: int) -> None:
    trouble = str(shop.tried(shop.add("smb", f"127.0.0.1:{smbd}/nowhere")).trouble)
    assert trouble.startswith("127.0.0.1 "), trouble


def test_a_flipped_byte_at_a_network_folder_is_found(shop: Shop, smbd: int, tmp_path: Path) -> None:
    one = shop.back_up(shop.add("smb", f"127.0.0.1:{smbd}/backups"))
    assert one.state == "proven", one.reason
    file = tmp_path / "smbd/share" / str(one.file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    rows.prove_again(shop.db, one.id)
    shop.serve()
    assert rows.backup(shop.db, one.id).reason == "It was changed, or its end is missing."


def test_no_secret_of_a_place_is_in_the_store_or_a_backup(shop: Shop, sshd: Sshd) -> None:
    shop.back_up(shop.add("sftp", f"127.0.0.1:{sshd.port}/backups/s"))
    raw = sqlite3.connect(shop.box.store)
    assert PASSWORD not in "\n".join(raw.iterdump()) and WORDS not in "\n".join(raw.iterdump())
    raw.close()
