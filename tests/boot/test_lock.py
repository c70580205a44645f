"""What the image is made of: the lock files, what a refreshed lock says, and the list of parts."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]
ARCHES = ["arm64", "amd64"]
WALLS = ["libseccomp2", "libbpf1", "libacl1", "libpam0g"]      # what systemd opens only when it is there
DIGEST = "0" * 64


@pytest.fixture(scope="module")
def parts() -> ModuleType:
    return module("parts")


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    return module("sbom")


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(REPO / "image"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


def lock_text(arch: str) -> str:
    return (REPO / f"image/lock.{arch}.txt").read_text("utf-8")


@pytest.mark.parametrize("arch", ARCHES)
def test_a_lock_says_its_day_and_each_package_once_in_order(parts: ModuleType, arch: str) -> None:
    text = lock_text(arch)
    names = [one.name for one in parts.read(text)]
    assert re.match(rf"# Debian forky for {arch}, as of \d{{4}}-\d\d-\d\d\. ", text)
    assert names == sorted(set(names))
    assert parts.written(arch, parts.DAY.search(text)[1], parts.read(text)) == text


def test_a_line_that_names_no_digest_is_no_line_of_a_lock(parts: ModuleType) -> None:
    with pytest.raises(ValueError, match="asterisk=1:22.10.1-1"):
        parts.read("# a remark\nasterisk=1:22.10.1-1\n")


@pytest.mark.parametrize("arch", ARCHES)
def test_every_package_that_is_asked_for_is_locked(parts: ModuleType, arch: str) -> None:
    locked = {one.name for one in parts.read(lock_text(arch))}
    assert set(parts.wanted(arch)) <= locked


@pytest.mark.parametrize("arch", ARCHES)
def test_what_systemd_builds_the_walls_of_our_units_with_is_locked(parts: ModuleType, arch: str) -> None:
    assert set(WALLS) <= {one.name for one in parts.read(lock_text(arch))}


def test_each_machine_has_its_own_kernel_and_the_same_telephone(parts: ModuleType) -> None:
    arm64, amd64 = ({one.name: one.version for one in parts.read(lock_text(arch))} for arch in ARCHES)
    assert {"linux-image-arm64", "u-boot-rpi", "raspi-firmware"} <= arm64.keys()
    assert {"linux-image-amd64", "grub-pc-bin", "grub-efi-amd64-bin"} <= amd64.keys()
    assert "linux-image-amd64" not in arm64 and "raspi-firmware" not in amd64
    assert all(arm64[name] == amd64[name] for name in ("asterisk", "python3.14", "systemd", "linux-base"))


@pytest.mark.parametrize("arch", ARCHES)
def test_every_requirement_is_locked_to_one_of_the_wheels_it_allows(parts: ModuleType, arch: str) -> None:
    allowed = parts.pins((REPO / "image/requirements.txt").read_text("utf-8"))
    locked = {(one.name.removeprefix("pypi:"), one.version): one.sha256
              for one in parts.read(lock_text(arch)) if one.name.startswith("pypi:")}
    assert locked.keys() == allowed.keys()
    assert all(locked[key] in allowed[key] for key in allowed)


def test_a_requirement_without_a_wheel_for_that_machine_is_named(parts: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No wheel of pyst2 \S+ for arm64"):
        parts.wheels("arm64", tmp_path)


def test_no_lock_and_no_recipe_names_a_mirror() -> None:
    host = re.compile(r"(https?|ftp|file|copy)://|/pool/|\bdebian\.org\b")
    names = ["build", "lock", "parts.py", "making.sh", "sbom.py"]
    names += ["image-packages.txt", "lock.arm64.txt", "lock.amd64.txt"]
    assert [name for name in names if host.search((REPO / "image" / name).read_text("utf-8"))] == []


def test_what_changed_is_told_with_both_versions(parts: ModuleType) -> None:
    old = parts.read(f"asterisk=1:22.10.0-1 {DIGEST}\nsox=14.7.0-1 {DIGEST}\n")
    new = parts.read(f"asterisk=1:22.10.1-1 {DIGEST}\nrauc=1.15-1 {DIGEST}\n")
    assert list(parts.changes(old, new)) == [
        ("asterisk", "1:22.10.0-1", "1:22.10.1-1"), ("rauc", "", "1.15-1"), ("sox", "14.7.0-1", "")]


def test_only_holes_named_after_the_version_we_had_count_as_closed(parts: ModuleType) -> None:
    changelog = """\
openssl (3.6.5-1) unstable; urgency=medium

  * New upstream version
    - CVE-2026-9076, CVE-2026-7383

openssl (3.6.4-2) unstable; urgency=medium

  * CVE-2025-11187
"""
    assert parts.holes_closed(changelog, "3.6.4-2+b1") == ["CVE-2026-7383", "CVE-2026-9076"]
    assert parts.holes_closed(changelog, "3.6.5-1") == []


def test_a_package_the_mirror_no_longer_has_is_named_with_what_to_do(
        parts: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    digest = a_small_archive(tmp_path / "archive")
    sources = tmp_path / "sources.list"
    sources.write_text(f"deb [trusted=yes] copy:{tmp_path}/archive ./\n")
    lock = tmp_path / "lock.amd64.txt"
    lock.write_text(f"# as of 2026-10-30.\nsound=2.0-1 {digest}\nsound-data=1.9-1 {DIGEST}\n")
    assert parts.fetch("amd64", tmp_path, tmp_path / "cache", sources) == parts.LACKING
    told = capfd.readouterr().err
    assert "sound-data 1.9-1" in told and "Run: image/lock --arch amd64" in told
    assert not list((tmp_path / "cache").rglob("*.deb"))       # nothing was taken instead
    lock.write_text(f"# as of 2026-10-30.\nsound=2.0-1 {digest}\n")
    assert parts.fetch("amd64", tmp_path, tmp_path / "cache", sources) == 0
    assert [file.name for file in (tmp_path / "cache/debs").iterdir()] == [f"{digest}.deb"]


def test_what_the_cache_has_needs_no_network(
        parts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "debs").mkdir()
    (tmp_path / "debs" / f"{DIGEST}.deb").touch()
    (tmp_path / "lock.arm64.txt").write_text(f"# as of x.\npypi:pyst2=0.5.1 {'1' * 64}\nsox=14.7.0-1 {DIGEST}\n")
    monkeypatch.setenv("PATH", "/nowhere")                     # apt is not even started
    assert parts.fetch("arm64", tmp_path, tmp_path) == 0


def a_small_archive(place: Path) -> str:
    """An archive of one package, sound 2.0-1, in a folder that apt reads as it reads any; that package's digest."""
    about = place / "tree/DEBIAN/control"
    about.parent.mkdir(parents=True)
    fields = "Package: sound\nVersion: 2.0-1\nArchitecture: amd64\n"
    about.write_text(f"{fields}Maintainer: nobody <nobody@example.org>\nDescription: a sound\n")
    deb = place / "sound.deb"
    subprocess.run(["dpkg-deb", "--build", place / "tree", deb], capture_output=True, check=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    (place / "Packages").write_text(f"{fields}Filename: ./sound.deb\nSize: {deb.stat().st_size}\nSHA256: {digest}\n\n")
    return digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of one Debian package and one wheel."""
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: libsox3\nStatus: install ok installed\nArchitecture: arm64\nSource: sox (14.7.0-1)\n"
                      "Version: 14.7.0-1+b2\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n")
    copyright = tmp_path / "usr/share/doc/libsox3/copyright"
    copyright.parent.mkdir(parents=True)
    copyright.write_text("Files: *\nLicense: LGPL-2.1+\n text\n\nFiles: debian/*\nLicense: GPL-2+\n")
    about = tmp_path / "usr/lib/python3/dist-packages/pyst2-0.5.1.dist-info/METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Name: pyst2\nVersion: 0.5.1\nLicense: Python Software Foundation License\n")
    return tmp_path


def test_the_list_of_parts_names_version_source_digest_and_licence(sbom: ModuleType, root: Path) -> None:
    lock = {"libsox3=14.7.0-1+b2": "a" * 64, "pypi:pyst2=0.5.1": "b" * 64}
    debian, python = sbom.bill("arm64", root, lock, "0.5.0", 1793318400)["components"]
    assert debian["purl"] == "pkg:deb/debian/libsox3@14.7.0-1%2Bb2?arch=arm64&distro=forky"
    assert debian["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert [one["license"]["name"] for one in debian["licenses"]] == ["GPL-2+", "LGPL-2.1+"]
    assert {"name": "debian:source-version", "value": "14.7.0-1"} in debian["properties"]
    assert (python["name"], python["hashes"][0]["content"]) == ("pyst2", "b" * 64)


def test_a_package_that_is_not_locked_is_in_no_list_of_parts(sbom: ModuleType, root: Path) -> None:
    with pytest.raises(KeyError, match="libsox3"):
        sbom.bill("arm64", root, {}, "0.5.0", 1793318400)


def test_the_same_root_gives_the_same_list_of_parts(sbom: ModuleType, root: Path) -> None:
    lock = {"libsox3=14.7.0-1+b2": "a" * 64, "pypi:pyst2=0.5.1": "b" * 64}
    one, other = (json.dumps(sbom.bill("arm64", root, lock, "0.5.0", 1793318400)) for _ in range(2))
    assert one == other


@pytest.mark.skipif(os.geteuid() != 0, reason="a root is cleaned by root: tests/run boot")
def test_a_cleaned_root_keeps_nothing_of_the_hour_and_the_machine_it_was_made_on(tmp_path: Path) -> None:
    made = ["etc/machine-id", "etc/shadow", "etc/passwd-", "etc/apt/sources.list", "var/log/dpkg.log", "tmp/left"]
    made += ["var/cache/ldconfig/aux-cache", "var/lib/dpkg/status", "var/lib/dpkg/info/sox.list", "usr/lib/clock-epoch"]
    made += ["usr/lib/old", "var/lib/dpkg/info/sox.postinst", "usr/sbin/policy-rc.d", "var/lib/systemd/random-seed"]
    for name in made:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("root:*:20779:0:99999:7:::\n" if name == "etc/shadow" else "of this hour")
    os.utime(tmp_path / "usr/lib/old", (1_000_000_000, 1_000_000_000))
    subprocess.run(["unshare", "-m", "bash", REPO / "image/making.sh", "clean", tmp_path], check=True,
                   env={**os.environ, "SOURCE_DATE_EPOCH": "1793318400"})
    files = {str(file.relative_to(tmp_path)): file for file in tmp_path.rglob("*") if file.is_file()}
    assert files.keys() == {"etc/machine-id", "etc/shadow", "etc/.updated", "var/.updated", "var/lib/dpkg/status",
                            "var/lib/dpkg/info/sox.list", "usr/lib/old", "usr/lib/clock-epoch"}
    assert files["etc/machine-id"].read_text() == ""
    assert files["etc/shadow"].read_text() == "root:*:20756:0:99999:7:::\n"
    assert {file.stat().st_mtime for file in tmp_path.rglob("*")} == {1793318400, 1_000_000_000}


@pytest.mark.skipif(os.geteuid() != 0, reason="a machine of another kind is entered as root: tests/run boot")
def test_programs_of_the_other_machine_run_in_a_namespace_of_their_own() -> None:
    assert shutil.which("qemu-aarch64"), "the workshop has no qemu-user"
    assert not Path("/proc/sys/fs/binfmt_misc/arm64").exists()      # registered for image/enter --arm64 alone
