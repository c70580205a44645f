"""Updates for the long proof: the root of the image with another version number, whole or broken, signed or not."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.image.machine import SHELL

CACHE = Path("/var/cache/deskbell/image")
HOUSE = Path("/usr/lib/deskbell")


def tree() -> Path:
    """The finished root that image/build made last."""
    trees = [path for path in CACHE.glob("root-arm64-*") if re.fullmatch(r"root-arm64-[0-9a-f]{12}", path.name)]
    return max(trees, key=lambda path: path.stat().st_mtime)


def made(folder: Path, version: str, breaks: str = "") -> Path:
    """A bundle of the root with this version and with our SHELL; `breaks` is a file of the root that is empty in it."""
    out = folder / f"deskbell-{version}{'-broken' if breaks else ''}.raucb"
    if out.exists():
        return out
    upper, work, place = folder / "upper", folder / "work", folder / "tree"
    for path in (upper, work):
        shutil.rmtree(path, ignore_errors=True)
    for path in (upper, work, place):
        path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "overlay", "deskbell", "-o",
                    f"lowerdir={tree()},upperdir={upper},workdir={work}", place], check=True)
    try:
        cfg = place / "usr/lib/deskbell/setup.cfg"
        before = cfg.stat()
        cfg.write_text(re.sub(r"(?m)^version = .*", f"version = {version}", cfg.read_text()))
        os.utime(cfg, (before.st_atime, before.st_mtime))
        release = place / "usr/lib/os-release"
        release.write_text(re.sub(r"(?m)^IMAGE_VERSION=.*", f"IMAGE_VERSION={version}", release.read_text()))
        (place / "boot/slot.env").write_text(f"slot_args={SHELL}\n")
        if breaks:
            (place / breaks).write_bytes(b"")
        _bundle(place, out, CACHE / "keys", "--version", version)
    finally:
        subprocess.run(["umount", place], check=True)
    return out


def small(folder: Path, version: str, epoch: int | None = None, keys: Path | None = None) -> Path:
    """A bundle that is refused before anybody looks at its root, which is next to none."""
    out, place = folder / f"small-{epoch}-{keys.name if keys else 'ours'}.raucb", folder / "small"
    schema = place / "usr/lib/deskbell/appliance/store/schema"
    schema.mkdir(parents=True, exist_ok=True)
    (schema / "0001_house.sql").touch()
    shutil.copy(tree() / "usr/lib/deskbell/setup.cfg", place / "usr/lib/deskbell")
    (place / "boot").mkdir(exist_ok=True)
    for name in ("vmlinuz", "initrd.img"):
        (place / "boot" / name).write_bytes(os.urandom(65536))
    _bundle(place, out, keys or CACHE / "keys", "--version", version,
            *([] if epoch is None else ["--epoch", str(epoch)]))
    return out


def _bundle(place: Path, out: Path, keys: Path, *options: str) -> None:
    done = subprocess.run([HOUSE / "image/bundle", place, out, "--arch", "arm64", *options, "--key",
                           keys / "signer.key", "--cert", keys / "signer.pem", "--news", "For the proof"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def stranger(folder: Path) -> Path:
    """Keys of somebody whom no box knows."""
    keys = folder / "stranger"
    if not keys.exists():
        subprocess.run([HOUSE / "image/keys/make", keys], check=True, capture_output=True)
    return keys


def version() -> str:
    """Of the image itself."""
    found = re.search(r"(?m)^version = (.*)$", (tree() / "usr/lib/deskbell/setup.cfg").read_text())
    assert found
    return found[1]
