"""What differs from box to box in Asterisk's configuration, written from box.toml; and the secrets.

Runs as root before every start of Asterisk. Secrets are made here once and are in no image.
"""
from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from appliance import chosen
from appliance.box import notice
from appliance.config import Box, Extension, Trunk
from appliance.people import numbers
from appliance.store.files import write_durably

LEDGER_FIELDS = {   # column of the spool: field of cel_sqlite3_custom (Asterisk 22)
    "kind": "eventtype", "at": "eventtime(float)", "caller_name": "name", "caller_id": "num",
    "extension": "exten", "context": "context", "channel": "channame", "application": "appname",
    "uniqueid": "uniqueid", "linkedid": "linkedid", "extra": "eventextra",
}


def provision(box: Box, starting_asterisk: bool = False) -> None:
    """Writes box.asterisk and box.secrets; with starting_asterisk the boot number goes up by one.

    The boot number is part of every call's key: a box without a clock repeats Asterisk's ids.
    """
    for folder, group in ((box.asterisk, "asterisk"), (box.secrets, "deskbell")):
        folder.mkdir(parents=True, exist_ok=True)
        owned(folder, "root", group, 0o750)
    make_ledger(box.ledger)
    boot = _boot_number(box, starting_asterisk)
    says = notice.make(box.asterisk)
    for sound in box.asterisk.glob("notice-*.wav"):
        owned(sound, "root", "asterisk", 0o640)
    _keep(box.asterisk / "globals_box.conf", _globals(box, boot, says))
    _keep(box.asterisk / "pjsip_box.conf", _pjsip(box))
    _keep(box.asterisk / "manager_box.conf", _manager(
        _secret(box.secrets / "ami", "deskbell-calls"), _secret(box.secrets / "ami-phone", "deskbell-calls")))
    _keep(box.asterisk / "cel_box.conf", _cel(box.ledger, boot))


def sip_secret(box: Box, extension: Extension) -> str:
    """The password of a desk phone, made at the first asking (32 hex digits); the pages show it to who sets it up."""
    return _secret(box.secrets / f"sip-{extension.number}", "deskbell-web")


def make_ledger(path: Path) -> None:
    """An empty spool in WAL mode that Asterisk may write and deskbell-ledger may read.

    A new file has a new id: the cursor of an old one does not fit it.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = wal")
        db.execute("BEGIN")
        db.execute("CREATE TABLE spool (id TEXT NOT NULL)")
        db.execute("INSERT INTO spool VALUES (?)", (secrets.token_hex(8),))
        db.execute(f"CREATE TABLE cel (AcctId INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(LEDGER_FIELDS)}, boot)")
        db.execute("COMMIT")
    # SQLite gives -wal and -shm the mode of the file itself, so the group may follow while Asterisk is down.
    for file in path.parent.glob(path.name + "*"):
        owned(file, "asterisk", "deskbell-ledger", 0o660)


def _globals(box: Box, boot: int, says: bool) -> str:
    ring = "&".join(f"PJSIP/{extension.number}" for extension in box.extensions)
    trunk = box.trunks[0].key if box.trunks else ""
    # the office may have chosen a country in which a telephone's number is the fire brigade's: that goes out, to it
    country = chosen.over(box, chosen.look(box.store)).country
    inside = "\n".join(f"exten => {extension.number},1,Dial(PJSIP/{extension.number},30)\n same => n,Hangup()"
                       for extension in box.extensions if not numbers.is_emergency(extension.number, country))
    return (f"[globals]\nBOOT = {boot}\nRING = {ring}\nTRUNK = {trunk}\nNOTICES = {'yes' if says else 'no'}\n\n"
            f"[inside]\n{inside}\n")


def _pjsip(box: Box) -> str:
    parts = [f"[udp]\ntype = transport\nprotocol = udp\nbind = {box.sip.listen}:{box.sip.port}\n"]
    parts += [_trunk(trunk) for trunk in box.trunks]
    parts += [_phone(box, extension) for extension in box.extensions]
    return "\n".join(parts)


def _trunk(trunk: Trunk) -> str:
    return (f"[{trunk.key}](trunk)\naors = {trunk.key}\n\n[{trunk.key}]\ntype = aor\n"
            f"contact = sip:{trunk.gateway}\n\n[{trunk.key}]\ntype = identify\n"
            f"endpoint = {trunk.key}\nmatch = {trunk.gateway}\n")


def _phone(box: Box, extension: Extension) -> str:
    name = extension.number
    caller = "".join(c for c in extension.name if c.isprintable() and c not in '"<>;')
    return (f"[{name}](phone)\nauth = {name}\naors = {name}\ncallerid = \"{caller}\" <{name}>\n\n"
            f"[{name}]\ntype = auth\nauth_type = digest\nusername = {name}\npassword = {sip_secret(box, extension)}\n\n"
            f"[{name}]\ntype = aor\nmax_contacts = 2\nremove_existing = yes\nqualify_frequency = 0\n")


def _manager(daemon: str, phone: str) -> str:
    """Two users, each with as little as its work needs: phone only moves calls, on what a person asked."""
    users = (("deskbell", daemon, "system", "system,reporting"), ("phone", phone, "call", "call,originate,reporting"))
    return "\n".join(
        f"[{user}]\nsecret = {secret}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\n"
        f"read = {read}\nwrite = {write}\nwritetimeout = 2000\n" for user, secret, read, write in users)


def _cel(ledger: Path, boot: int) -> str:
    return (f"[{ledger}]\ntable = cel\ncolumns = {', '.join(LEDGER_FIELDS)}, boot\n"
            f"fields = {', '.join(LEDGER_FIELDS.values())}, \"{boot}\"\nbusy_timeout = 5000\n")


def _boot_number(box: Box, starting: bool) -> int:
    file = box.asterisk / "boot"
    written = file.read_bytes() if file.exists() else b""
    last = int(written) if re.fullmatch(rb"[0-9]{1,9}", written) else _last_boot(
        box.ledger, "SELECT max(CAST(boot AS INTEGER)) FROM cel")
    if starting or not last:
        # a restored backup may know later starts than this box: its calls must stay the older ones
        last = 1 + max(last, _last_boot(box.store, "SELECT max(boot) FROM call WHERE box = ?", box.name))
        write_durably(file, str(last).encode())
    owned(file, "root", "asterisk", 0o640)
    return last


def _last_boot(file: Path, question: str, *given: str) -> int:
    """The last start that a file of SQLite knows of, 0 for none: the disk may have lost our own count."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return int(db.execute(question, given).fetchone()[0] or 0)
    except sqlite3.Error:
        return 0


def _secret(file: Path, group: str) -> str:
    if not file.exists() or not re.fullmatch(rb"[0-9a-f]{32}", file.read_bytes().strip()):
        write_durably(file, secrets.token_hex(16).encode())
    owned(file, "root", group, 0o640)
    return file.read_text().strip()


def _keep(file: Path, text: str) -> None:
    if not file.exists() or file.read_bytes() != text.encode():
        write_durably(file, text.encode())
    owned(file, "root", "asterisk", 0o640)


def owned(path: Path, user: str, group: str, mode: int) -> None:
    """Gives a file its user, group and mode; without root the mode alone."""
    if os.geteuid() == 0:
        try:
            shutil.chown(path, user, group)
        except OSError as unmapped:
            if unmapped.errno != errno.EINVAL:      # a user namespace without that user; never so on a box
                raise
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)
