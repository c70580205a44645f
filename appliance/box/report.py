"""deskbell-report.txt beside deskbell.toml: how the box is reached and what is wrong, for who has only the card."""
from __future__ import annotations

import hashlib
import http.client
import re
import sqlite3
import ssl
import textwrap
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from appliance import config
from appliance.box import boot_health, codes, fat, health, identity, licences, wallclock
from appliance.box.boot_health import Port
from appliance.box.boot_notes import sentences, told
from appliance.box.places import TOML, Places
from appliance.config import Box, ConfigError
from appliance.people import users
from appliance.update.bundle import Ground

FILE = "deskbell-report.txt"
FOR_TESTS = ("This is an image for tests: it trusts keys that anybody may have, so anybody could give it an update. Do "
             "not use it in an office; make one with your own keys.")      # as the page Update says it
PAGE_S = 5.0
WIDTH = 76
OF_FILE = f"{TOML} on the card: "         # as boot_health.py says it
WRITTEN = "Written by the box"


@dataclass(frozen=True)
class Facts:
    """What report and console show. code: None once somebody has set a password; print_: None until the pages answer.

    places: the addresses of the page, the surest first.
    """
    name: str
    version: str
    places: tuple[str, ...]
    code: str | None
    print_: str | None
    findings: tuple[str, ...]
    taken: tuple[str, ...] = ()
    has_file: bool = True
    is_for_tests: bool = False


def gather(places: Places, found: list[Port], ground: Ground | None = None) -> Facts:
    """The facts of this moment; the pages of the box itself are asked for their certificate.

    ground: whose updates it takes, None to leave that aside.
    """
    own = identity.look(places)
    name = own.name if own else "deskbell"
    code, print_, wrong, web = None, None, [], config.Web(port=443, tls=True)
    try:
        box = config.load(places.box)
        web = box.web
        code, print_ = _code(box), certificate_print(web.port) if web.tls else None
        wrong = health.standing(box)
    except ConfigError as unusable:
        wrong = [str(unusable), *boot_health.findings(places)]
    end = "/" if web.port in (443, 80) else f":{web.port}/"
    hosts = [address for address in (boot_health.best(found), f"{name}.local") if address]
    return Facts(name, licences.version(), tuple(f"http{'s' if web.tls else ''}://{host}{end}" for host in hosts), code,
                 print_, tuple(wrong), tuple(sentences(places, "firstboot", "taken")),
                 bool(told(places, "firstboot").get("has_file")),
                 ground is not None and ground.is_there and ground.is_for_tests)


def text(facts: Facts, now: datetime) -> str:
    """The report, in lines that Notepad shows as they are."""
    clock = f"on {now:%Y-%m-%d %H:%M} UTC" if wallclock.is_set(now) else "at a time it does not know yet"
    parts = [f"DESKBELL  {facts.name}", "=" * 40, "",
             *_wrapped(f"{WRITTEN} {clock}. It is written anew when something changes; what you write here is lost."),
             "", f"Page      {facts.places[0]}", *(f"          {place}" for place in facts.places[1:]),
             f"Version   {facts.version}", *(["", *_wrapped(FOR_TESTS)] if facts.is_for_tests else [])]
    if facts.code:
        parts += [f"Code      {facts.code}", "", *_wrapped(
            "Open the page and type the code: it sets the first password. After that the code is not shown here "
            "any more.")]
    if facts.print_:
        parts += ["", *_wrapped("The browser warns once, since the box made its certificate itself. It is the right "
                                "one when the print (SHA-256) of the authority on the page /certificate is:"),
                  *(f"  {line}" for line in textwrap.wrap(facts.print_, 48))]
    of_file = [finding for finding in facts.findings if finding.startswith(OF_FILE)]
    others = [finding for finding in facts.findings if finding not in of_file]
    parts += ["", "WHAT TO LOOK AT", *(line for finding in others for line in _wrapped(codes.coded(finding), "- "))]
    parts += [] if others else ["Nothing. All is well."]
    parts += ["", "DESKBELL.TOML"]
    parts += [line for finding in of_file for line in _wrapped(finding.removeprefix(OF_FILE), "- ")]
    if facts.taken:
        parts += _wrapped(f"Taken: {', '.join(facts.taken)}.")
    elif facts.has_file and not of_file:
        parts += _wrapped("Nothing was wished in it; the page asks for the rest.")
    elif not facts.has_file:
        parts += _wrapped("There is no deskbell.toml on the card; the page asks for everything.")
    return "\r\n".join(parts) + "\r\n"


def write(places: Places, facts: Facts, now: datetime) -> bool:
    """Whether the report was written: only when it says something else than the one on the card. Raises OSError."""
    file = places.fat / FILE
    new = text(facts, now)
    if file.exists() and _lasting(file.read_text("utf-8", "replace")) == _lasting(new):
        return False
    return fat.put(file, new.encode())


def certificate_print(port: int) -> str | None:
    """The print of the box's authority as the pages themselves hand it out, None while they do not answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE       # to ourselves
    asking = http.client.HTTPSConnection("127.0.0.1", port, timeout=PAGE_S, context=context)
    try:
        asking.request("GET", "/ca.crt", headers={"Host": "localhost"})
        answer = asking.getresponse()
        digest = hashlib.sha256(answer.read()).hexdigest().upper()
        return ":".join(digest[at:at + 2] for at in range(0, 64, 2)) if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        asking.close()


def _code(box: Box) -> str | None:
    """The first-run code while nobody has set a password; the pages make it."""
    try:
        with closing(sqlite3.connect(f"{box.store.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            # who reads here is root, and where it lies others may put a link
            code = users.sticker(box).read_text("ascii").strip() if users.is_first_run(db) else ""
            return code if re.fullmatch("[0-9A-Z-]{4,40}", code) else None
    except (sqlite3.Error, OSError, ValueError):
        return None


def _wrapped(words: str, begins: str = "") -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=begins, subsequent_indent=" " * len(begins),
                         break_on_hyphens=False, break_long_words=False)


def _lasting(report: str) -> list[str]:
    """The words of a report without its date."""
    lines = report.splitlines()
    begin = next((at for at, line in enumerate(lines) if line.startswith(WRITTEN)), None)
    end = lines.index("", begin) if begin is not None and "" in lines[begin:] else begin
    return lines if begin is None else [*lines[:begin], *lines[end:]]
