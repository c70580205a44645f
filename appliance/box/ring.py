"""The small ring of the journal: a card wears by writing, so only what tells why something went wrong is kept on it.

python3 -m appliance.box.ring adds what is new since it last ran: warnings of all programs, every word of ours.
"""
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path("/var/log/deskbell")
FULL_BYTES = 1_000_000        # then the file becomes the older of two
MOST_BYTES = 200_000          # at one time; a program that screams does not push out what was before
GRAVE = tuple(f"PRIORITY={level}" for level in range(5))
OURS = ("calls", "modem", "web", "clock", "store", "provision", "firstboot", "data", "reset", "steward", "health")


def question(cursor: Path, journal: Path | None = None) -> list[str]:
    """The journalctl command for what is new since the cursor's file was written."""
    ours = [word for name in OURS for word in ("+", f"_SYSTEMD_UNIT=deskbell-{name}.service")]
    where = [f"--directory={journal}"] if journal else []
    return ["journalctl", *where, "--quiet", "--no-pager", "--utc", "--output=short-iso", "--no-hostname",
            f"--cursor-file={cursor}", *GRAVE, *ours]


def add(folder: Path, new: bytes) -> int:
    """How many bytes were added; of more than MOST_BYTES the last ones, with a line that says so."""
    if not new:
        return 0
    file, older = folder / "box.log", folder / "box.log.1"
    if len(new) > MOST_BYTES:
        rest = new[-MOST_BYTES:].partition(b"\n")[2]
        new = b"(%d bytes of this time were left out)\n" % (len(new) - len(rest)) + rest
    if file.exists() and file.stat().st_size + len(new) > FULL_BYTES:
        file.replace(older)
    with file.open("ab") as ring:
        ring.write(new)
    return len(new)


def main() -> int:
    """0 also when the disk is full: the journal in memory still has it all."""
    cursor = FOLDER / "cursor"
    if cursor.exists() and not cursor.stat().st_size:
        cursor.unlink()                            # a power cut; journalctl refuses an empty one
    told = subprocess.run(question(cursor), capture_output=True, check=False)
    if told.returncode:
        cursor.unlink(missing_ok=True)             # of another boot's journal, which was memory
        told = subprocess.run(question(cursor), capture_output=True, check=False)
    try:
        add(FOLDER, told.stdout)
    except OSError as full:
        print(f"The journal's ring on the card cannot be written ({full.strerror}). Calls and texts go on.",
              file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
