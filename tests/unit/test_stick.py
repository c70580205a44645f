"""A USB stick: mounted so that nothing on it runs, or told in a sentence."""
from __future__ import annotations

from pathlib import Path

import pytest

from appliance.box import codes, stick


@pytest.mark.parametrize("kind", ["vfat", "exfat", "ntfs", "ext4", "ext3", "ext2"])
def test_what_offices_have_is_mounted_and_nothing_on_it_can_run(kind: str) -> None:
    assert stick.refusal("sda1", kind) == ""
    asked = stick.command(Path("/dev/sda1"), kind, Path("/media/OFFICE"))
    options = next(word for word in asked if word.startswith("--options=")).removeprefix("--options=").split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    assert asked[-2:] == ["/dev/sda1", "/media/OFFICE"]


@pytest.mark.parametrize(("kind", "word"), [
    ("crypto_LUKS", "encrypted"), ("BitLocker", "encrypted"), ("apfs", "Mac"), ("hfsplus", "Mac"),
    ("btrfs", "btrfs"), ("zfs_member", "zfs_member"), ("", "no file system")])
def test_a_strange_stick_is_told_in_a_sentence_that_says_what_to_do(kind: str, word: str) -> None:
    said = stick.refusal("sda1", kind)
    assert word in said and "Calls and texts go on." in said and "exFAT" in said
    assert codes.of(said) == "DB-STICK-1"


@pytest.mark.parametrize(("label", "uuid", "place"), [
    ("OFFICE", "1234-ABCD", "OFFICE"), ("", "1234-ABCD", "stick-1234-ABCD"),
    ("../../etc", "1", "etc"), ("Café Blume", "1", "Caf--Blume"), ("///", "9", "stick-9")])
def test_it_is_found_again_by_its_label_and_never_mounted_elsewhere(
        label: str, uuid: str, place: str, tmp_path: Path) -> None:
    assert stick.place(label, uuid, tmp_path) == tmp_path / place


def test_the_sentence_stands_among_the_findings_while_the_stick_is_in(tmp_path: Path) -> None:
    stick._say(tmp_path, "sda1", stick.refusal("sda1", "btrfs"))
    assert [codes.of(said) for said in stick.findings(tmp_path)] == ["DB-STICK-1"]
    stick._say(tmp_path, "sda1", "")
    assert list(stick.findings(tmp_path)) == []


def test_only_a_name_of_a_device_is_taken() -> None:
    with pytest.raises(SystemExit):
        stick.main(["add", "../sda1"])
