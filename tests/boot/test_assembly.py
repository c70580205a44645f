"""What image/assemble and image/bundle make of a root: the same bytes twice, what is where, and what they refuse."""
from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.update import bundle
from tests.boot import cards

MIB = 1 << 20
PI_5 = "bcm2712-rpi-5-b.dtb"
LETTERS = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" * 3
KEY_TEXT = f"-----BEGIN PRIVATE KEY-----\n{LETTERS}\n-----END PRIVATE KEY-----\n"


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=check)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that refused."""
    assert done.returncode == 2 and done.stdout == "", done.stderr
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("deskbell: ") and (lines[-1].endswith(".") or "usage:" in lines[-1]), done.stderr
    return lines[-1]


def assert_same(one: Path, other: Path) -> None:
    done = run("cmp", one, other, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return cards.made_up_root(tmp_path / "root")


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    assert cards.assemble(cards.made_up_root(folder / "root"), folder / "card.img").returncode == 0
    return folder / "card.img"


@pytest.mark.parametrize("arch", ["arm64", "amd64"])
def test_two_assemblies_of_one_root_are_equal_byte_for_byte(tmp_path: Path, arch: str) -> None:
    names = [f"usr/share/{name}" for name in ["zebra", "apple", "mouse", "table", "chair"]]
    for copy, order in (("one", names), ("two", names[::-1])):      # another day, another order on the disk
        root = cards.made_up_root(tmp_path / copy, arch=arch)
        for name in order:
            (root / name).mkdir(parents=True)
            (root / name / "file").write_text(name)
        os.link(root / names[0] / "file", root / "usr/share/hard-link")
        os.setxattr(root / names[1] / "file", "user.deskbell", b"kept")
        os.chmod(root / names[2] / "file", 0o4750)
        for path in sorted(root.rglob("*"), reverse=copy == "two"):
            os.utime(path, (1e9 + 9 * (copy == "two"), 2e9 + 9 * (copy == "two")), follow_symlinks=False)
        assert cards.assemble(root, tmp_path / f"{copy}.img", arch).returncode == 0
    assert_same(tmp_path / "one.img", tmp_path / "two.img")


def test_card_has_four_partitions_at_the_places_that_never_change(card: Path) -> None:
    table = json.loads(run("sfdisk", "--json", card).stdout)["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", "0xde5cbe11")
    found = [(part["start"] * 512 // MIB, part["size"] * 512 // MIB, part["type"]) for part in table["partitions"]]
    assert found == [(4, 128, "c"), (132, 8, "83"), (140, 8, "83"), (148, 64, "83")]
    assert card.stat().st_size == 212 * MIB


def test_slots_are_one_and_a_quarter_gib_and_the_card_fits_four_gb(root: Path, tmp_path: Path) -> None:
    done = run(cards.REPO / "image/assemble", root, tmp_path / "card.img", "--arch", "arm64")
    assert done.returncode == 0
    parts = json.loads(run("sfdisk", "--json", tmp_path / "card.img").stdout)["partitiontable"]["partitions"]
    assert [part["size"] * 512 // MIB for part in parts] == [128, 1280, 1280, 64]
    assert (tmp_path / "card.img").stat().st_size < 3_900_000_000
    assert (tmp_path / "card.img").stat().st_blocks * 512 < 20 * MIB         # holes, not zeros


def test_slot_b_and_the_data_are_empty_on_a_new_card(card: Path) -> None:
    with card.open("rb") as file:
        file.seek(cards.SLOTS["B"])
        assert not file.read().strip(b"\0")


def listed(card: Path) -> set[str]:
    """The files of the FAT."""
    found = run("mdir", "-/", "-b", "-i", f"{card}@@4M", "::").stdout.split()
    return {path.removeprefix("::/") for path in found if not path.endswith("/")}


def test_fat_has_what_every_raspberry_pi_starts_from_and_no_more(card: Path) -> None:
    boards = {f"{name}.dtb" for name in cards.BOARDS}
    mine = {"config.txt", "boot.scr", "u-boot.bin"}
    toml = {"deskbell.toml"} if (cards.REPO / "image/deskbell.toml").exists() else set()
    assert listed(card) == boards | mine | toml | set(cards.FIRMWARE)
    config = run("mtype", "-i", f"{card}@@4M", "::config.txt").stdout
    assert "kernel=u-boot.bin" in config.splitlines() and "arm_64bit=1" in config.splitlines()
    script = subprocess.run(["mtype", "-i", f"{card}@@4M", "::boot.scr"], capture_output=True, check=True).stdout
    assert (cards.REPO / "image/boot/boot.cmd").read_bytes() in script
    label = run("mlabel", "-s", "-i", f"{card}@@4M", "::").stdout
    assert "DESKBELL" in label


def test_disk_of_a_pc_starts_by_uefi_and_by_bios(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    assert cards.assemble(cards.made_up_root(tmp_path / "root", arch="amd64"), disk, "amd64").returncode == 0
    toml = {"deskbell.toml"} if (cards.REPO / "image/deskbell.toml").exists() else set()
    assert listed(disk) == {"EFI/BOOT/BOOTX64.EFI", "grub/grub.cfg"} | toml
    with disk.open("rb") as file:
        start = file.read(MIB)
    assert start[510:512] == b"\x55\xaa" and struct.unpack("<Q", start[0x5C:0x64]) == (1,)     # boot.img loads sector 1
    assert start[512:1024].strip(b"\0") and not start[-8192:].strip(b"\0")


def test_root_a_is_the_tree_with_its_owners_modes_links_and_capabilities(root: Path, tmp_path: Path) -> None:
    secret = root / "etc/deskbell-secret"
    secret.write_text("x")
    os.chown(secret, 123, 456)
    os.chmod(secret, 0o640)
    os.setxattr(secret, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    assert cards.assemble(root, tmp_path / "card.img").returncode == 0
    slot = tmp_path / "slot"
    with (tmp_path / "card.img").open("rb") as file:
        file.seek(cards.SLOTS["A"])
        slot.write_bytes(file.read(cards.SLOT_MIB * MIB))
    run("e2fsck", "-fn", slot)
    look = lambda command: run("debugfs", "-R", command, slot).stdout       # noqa: E731
    told = look("stat /etc/deskbell-secret")
    assert "Mode:  0640" in told and "User:   123" in told and "Group:   456" in told and "security.capability" in told
    assert 'Fast link dest: "vmlinuz-7"' in look("stat /boot/vmlinuz")
    assert "has_journal" not in run("dumpe2fs", "-h", slot).stdout         # it is only ever read


def write(path: str, text: str) -> Callable[[Path], None]:
    def put(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return put


def too_large(root: Path) -> None:
    (root / "usr/film").touch()
    os.truncate(root / "usr/film", 701_000_000)


@pytest.mark.parametrize(("spoil", "names"), [
    (write("etc/ssl/server.key", KEY_TEXT), "a private key in /etc/ssl/server.key"),
    (write("var/lib/deskbell/tls/ca.pem", "a note before it\r\n" + KEY_TEXT.replace("PRIVATE", "EC PRIVATE")),
     "a private key in /var/lib/deskbell/tls/ca.pem"),
    (write("etc/shadow", "root:$y$j9T$abc$def:20000::::::\n"), "a password of root"),
    (write("etc/shadow", "root::20000::::::\n"), "a password of root"),
    (write("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA"), "/etc/ssh/ssh_host_ed25519_key.pub"),
    (write("root/.ssh/authorized_keys", "ssh-ed25519 AAAA"), "/root/.ssh/authorized_keys"),
    (write("etc/apt/sources.list", "deb http://mirror.example forky main\n"), "/etc/apt/sources.list"),
    (write("etc/apt/sources.list.d/debian.sources", "Types: deb\n"), "/etc/apt/sources.list.d/debian.sources"),
    (write("var/lib/apt/lists/mirror.example_dists_forky_InRelease", "x"), "/var/lib/apt/lists/mirror.example"),
    (write("etc/apt/apt.conf.d/99proxy", 'Acquire::http::Proxy "http://proxy.example";'), "99proxy"),
    (write("etc/machine-id", "0123456789abcdef0123456789abcdef\n"), "/etc/machine-id"),
    (write("var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n"), "/var/lib/dbus/machine-id"),
    (write("var/lib/systemd/random-seed", "x"), "/var/lib/systemd/random-seed"),
    (write("boot/firmware/start.elf", "x"), "/boot/firmware/start.elf"),
    (too_large, "the root has 701 MB and may have 700"),
    (lambda root: (root / "boot/vmlinuz-7").unlink(), "the root has no /boot/vmlinuz"),
    (write("boot/initrd.img-7", ""), "the root has no /boot/initrd.img"),
    (lambda root: (root / f"usr/lib/modules/7/dtb/broadcom/{PI_5}").unlink(), f"no device tree {PI_5}"),
    (lambda root: (root / "usr/lib/raspi-firmware/start4.elf").unlink(), "no Raspberry Pi firmware start4.elf"),
    (lambda root: shutil.rmtree(root / "usr/lib/u-boot"), "no U-Boot for the Raspberry Pi"),
    (lambda root: (root / "usr/fill").write_bytes(os.urandom(9 * MIB)), "does not fit into a slot of 8 MiB"),
])
def test_root_that_must_not_go_out_is_refused_in_a_sentence(root: Path, tmp_path: Path, spoil: Callable[[Path], None],
                                                           names: str) -> None:
    spoil(root)
    out = tmp_path / "out"
    out.mkdir()
    assert names in refused(cards.assemble(root, out / "card.img"))
    assert list(out.iterdir()) == []


def test_what_only_looks_like_a_secret_is_let_through(root: Path, tmp_path: Path) -> None:
    write("usr/lib/python3/pem.py", 'HEAD = b"-----BEGIN PRIVATE KEY-----"\nTAIL = b"-----END PRIVATE KEY-"\n')(root)
    write("etc/machine-id", "uninitialized\n")(root)
    write("etc/ssl/certs/ca.pem", KEY_TEXT.replace("PRIVATE KEY", "CERTIFICATE"))(root)
    done = cards.assemble(root, tmp_path / "card.img")
    assert done.returncode == 0, done.stderr


def test_words_that_make_no_sense_are_answered_by_how_to_use_it(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    for arguments in ([], [root], [root, out], [root, out, "--arch", "mips"], [root, out, "--size", "1"]):
        done = run(cards.REPO / "image/assemble", *arguments, check=False)
        assert "usage: image/assemble ROOTTREE OUT.img" in refused(done)


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys for tests, a bundle update.raucb of a made-up root, and what a box knows (box.conf)."""
    folder = tmp_path_factory.mktemp("bundle")
    run(cards.REPO / "image/keys/make", folder / "keys")
    house = cards.made_up_root(folder / "root") / "usr/lib/deskbell"
    (house / "appliance/store/schema").mkdir(parents=True)
    (house / "appliance/store/schema/0042_later.sql").touch()
    (house / "setup.cfg").write_text("[metadata]\nversion = 7.6.5\n\n[deskbell]\nepoch = 4\n\n[options]\n")
    (house / "noise").write_bytes(os.urandom(300_000))
    done = pack(folder / "root", folder / "update.raucb", folder / "keys")
    assert done.returncode == 0, done.stderr
    (folder / "box.conf").write_text("[system]\ncompatible=deskbell-arm64\nbootloader=noop\n"
                                     f"[keyring]\npath={folder}/keys/ca.pem\ncheck-purpose=codesign\n")
    return folder


def pack(root: Path, out: Path, keys: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return run(cards.REPO / "image/bundle", root, out, "--arch", "arm64", "--key", keys / "signer.key",
               "--cert", keys / "signer.pem", *more, check=False)


def rauc(signed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run("rauc", "-c", signed / "box.conf", *arguments, check=False)


def test_bundle_says_what_it_is_and_rauc_believes_its_signature(signed: Path) -> None:
    done = rauc(signed, "info", "--output-format=json-2", signed / "update.raucb")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["update"] == {"compatible": "deskbell-arm64", "version": "7.6.5", "description": "Deskbell 7.6.5"}
    assert told["bundle"]["format"] == "verity" and told["meta"]["deskbell"] == {"epoch": "4", "schema": "0042"}


def test_system_in_a_bundle_is_the_one_of_the_card_and_starts(signed: Path, tmp_path: Path) -> None:
    assert rauc(signed, "extract", signed / "update.raucb", tmp_path / "inside").returncode == 0
    system = tmp_path / "inside/rootfs.ext4"
    run("e2fsck", "-fn", system)
    room = 64
    assert cards.assemble(signed / "root", tmp_path / "card.img", slot_mib=room).returncode == 0
    assert system.stat().st_size < room * MIB
    with (tmp_path / "card.img").open("r+b") as card:
        card.seek((132 + room) * MIB)                      # as RAUC writes it into slot B
        card.write(system.read_bytes())
    cards.write_state(tmp_path / "card.img", cards.state(BOOT_ORDER="B A", BOOT_A_LEFT="3", BOOT_B_LEFT="3"))
    began = cards.start(tmp_path / "card.img")
    assert began.systems == ["B"] and "system A is up" in began.console           # that root's kernel says so


@pytest.mark.parametrize("place", ["the system", "its checksums", "the signature"])
def test_bundle_with_one_flipped_byte_is_refused(signed: Path, tmp_path: Path, place: str) -> None:
    flipped = tmp_path / "update.raucb"
    data = bytearray((signed / "update.raucb").read_bytes())
    signature_at = len(data) - 8 - struct.unpack(">Q", data[-8:])[0]
    at = {"the system": 100_000, "its checksums": signature_at - 4000, "the signature": len(data) - 300}[place]
    data[at] ^= 1
    flipped.write_bytes(data)
    done = rauc(signed, "extract", flipped, tmp_path / "inside")
    assert done.returncode != 0 and not (tmp_path / "inside").exists(), done.stderr
    assert "signature" in done.stderr if place == "the signature" else "payload is corrupted" in done.stderr


def test_bundle_of_other_keys_is_refused(signed: Path, tmp_path: Path) -> None:
    run(cards.REPO / "image/keys/make", tmp_path / "keys")
    assert pack(signed / "root", tmp_path / "theirs.raucb", tmp_path / "keys").returncode == 0
    done = rauc(signed, "info", tmp_path / "theirs.raucb")
    assert done.returncode != 0 and "signature verification failed" in done.stderr


def test_box_takes_the_bundle_and_finds_a_flipped_byte_before_anything_is_written(signed: Path, tmp_path: Path) -> None:
    box = bundle.Ground(conf=signed / "box.conf", keyring=signed / "keys/ca.pem", epoch_file=tmp_path / "epoch",
                        version="7.6.4", epoch=4)
    found = bundle.look(signed / "update.raucb", box)
    assert (found.version, found.epoch) == ("7.6.5", 4)
    bundle.prove(signed / "update.raucb", found)
    data = bytearray((signed / "update.raucb").read_bytes())
    data[100_000] ^= 1
    (tmp_path / "flipped.raucb").write_bytes(data)
    with pytest.raises(bundle.BundleError):
        bundle.prove(tmp_path / "flipped.raucb", bundle.look(tmp_path / "flipped.raucb", box))


@pytest.mark.parametrize(("more", "names"), [
    (["--version", "new"], "'new' is no version"), (["--epoch", "-1"], "'-1' is no security epoch"),
    (["--key", "/nowhere.key"], "/nowhere.key cannot"), (["--arch", "mips"], "usage: image/bundle")])
def test_bundle_of_nonsense_is_refused_in_a_sentence(signed: Path, tmp_path: Path, more: list[str], names: str) -> None:
    assert names in refused(pack(signed / "root", tmp_path / "out.raucb", signed / "keys", *more))
    assert not (tmp_path / "out.raucb").exists()
