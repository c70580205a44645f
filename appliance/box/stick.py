"""A USB stick that was plugged in: what it is mounted with, or a sentence why it is not.

`python3 -P -m appliance.box.stick add sda1` is what deskbell-stick@sda1.service runs, and `remove` when it is pulled
out. systemd mounts it below /media; nothing on it is ever run.
"""
from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MEDIA = Path("/media")
SAID = "sticks"                    # a folder of /run/deskbell: a file a stick that cannot be used, with the sentence
SHARED = "uid=deskbell-clock,gid=deskbell,umask=0007"      # file systems that know no owners
KINDS = {                          # as blkid calls it: (as the kernel calls it, options)
    "vfat": ("vfat", SHARED + ",flush,utf8"), "exfat": ("exfat", SHARED), "ntfs": ("ntfs3", SHARED),
    "ext4": ("ext4", "X-mount.group=deskbell,X-mount.mode=2770"),
    "ext3": ("ext4", "X-mount.group=deskbell,X-mount.mode=2770"),
    "ext2": ("ext4", "X-mount.group=deskbell,X-mount.mode=2770"),
}
OF_A_MAC = ("apfs", "hfsplus")
ENCRYPTED = ("crypto_LUKS", "BitLocker")
TODO = "Calls and texts go on. Format it as exFAT or FAT32 on a computer, or take another one."


def refusal(name: str, kind: str) -> str:
    """Why a stick of this kind (blkid's word, '' when there is no file system) is not used; '' when it is."""
    if kind in KINDS:
        return ""
    if not kind:
        return f"The USB stick {name} has no file system that is known. {TODO}"
    if kind in ENCRYPTED:
        return f"The USB stick {name} is encrypted, and the box cannot open it. {TODO}"
    if kind in OF_A_MAC:
        return f"The USB stick {name} is one of a Mac, which the box does not read. {TODO}"
    return f"The USB stick {name} has the file system {kind}, which the box does not read. {TODO}"


def place(label: str, uuid: str, media: Path = MEDIA) -> Path:
    """Where it is mounted: by its label, which a backup's place is found by; by its number when two have one label."""
    name, number = (re.sub(r"[^A-Za-z0-9_-]", "-", word).strip("-")[:40] for word in (label, uuid))
    return media / (f"{name}-{number}" if name and (media / name).is_mount() else name or f"stick-{number}")


def command(device: Path, kind: str, where: Path) -> list[str]:
    """Asks systemd to mount it for as long as it is plugged in."""
    called, options = KINDS[kind]
    return ["systemd-mount", "--no-block", "--collect", "--fsck=no", f"--type={called}",
            f"--options=nosuid,nodev,noexec,noatime,{options}", str(device), str(where)]


def findings(run: Path) -> Iterator[str]:
    """The sentences about sticks that are plugged in and cannot be used."""
    folder = run / SAID
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            if said := file.read_text().strip():
                yield said
        except OSError:
            continue               # pulled out meanwhile


def add(name: str, run: Path) -> str:
    """Mounts the stick or leaves the sentence why not, which is given back; '' when it is mounted."""
    device = Path("/dev") / name
    kind = _probed(device, "TYPE")
    why = refusal(name, kind)
    if not why:
        where = place(_probed(device, "LABEL"), _probed(device, "UUID"))
        asked = subprocess.run(command(device, kind, where), capture_output=True, text=True, check=False)
        if asked.returncode:
            print(asked.stderr.strip()[-400:], file=sys.stderr)        # for the journal; the office has no use for it
            why = f"The USB stick {name} cannot be read; it may be damaged. {TODO}"
    _say(run, name, why)
    return why


def _probed(device: Path, what: str) -> str:
    told = subprocess.run(["blkid", "-p", "-o", "value", "-s", what, str(device)], capture_output=True, check=False)
    return told.stdout.decode(errors="replace").strip()


def _say(run: Path, name: str, sentence: str) -> None:
    folder = run / SAID
    folder.mkdir(exist_ok=True)
    file = folder / name
    if sentence:
        file.write_text(sentence + "\n")
        file.chmod(0o644)
    else:
        file.unlink(missing_ok=True)


def main(words: list[str]) -> int:
    """0: what is wrong with a stick is a sentence, and no failed unit."""
    verb, name = words
    if not re.fullmatch(r"[a-z]+[0-9a-z]*", name):
        raise SystemExit(f"{name!r} is no block device's name")
    run = Path("/run/deskbell")
    if verb == "remove":
        _say(run, name, "")
    elif sentence := add(name, run):
        print(sentence, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
