"""`deskbell console`: the page's address, the first-run code and a QR code on the screen and the serial line."""
from __future__ import annotations

import contextlib
import logging
import textwrap
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import qrcode

from appliance.box import boot_health, codes, report
from appliance.box.boot_health import Port
from appliance.box.boot_notes import sentences, tell
from appliance.box.places import Places
from appliance.box.report import Facts

log = logging.getLogger("console")
SCREENS = (Path("/dev/console"), Path("/dev/tty1"))
WANTED = "report-wanted"         # deskbell-report.path waits for it
LOOK_S = 5.0
FINDINGS_S = 60.0
PATIENCE_S = 180.0               # so long the pages may need to start; then the screen says what there is
WIDTH = 78
HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def screen(facts: Facts) -> str:
    """What is shown: 80 columns, at most some 45 lines."""
    lines = ["", f"  Deskbell {facts.version}   {facts.name}", "",
             *(f"  {'Open' if not at else '  or'}  {place}" for at, place in enumerate(facts.places))]
    if facts.code:
        lines += [f"  Code  {facts.code}   (once, for the first password)"]
    if facts.print_:
        lines += ["", "  Print of the certificate's authority (SHA-256):",
                  *(f"    {part}" for part in textwrap.wrap(facts.print_, 48))]
    if facts.places:
        lines += ["", *qr(facts.places[0] + (f"setup?code={facts.code}" if facts.code else ""))]
    for finding in facts.findings:
        lines += textwrap.wrap(codes.coded(finding), WIDTH, initial_indent="  ! ", subsequent_indent="    ")
    return "\n".join([*lines, ""]) + "\n"


def qr(words: str) -> list[str]:
    """The lines of a QR code in half blocks, light on dark as a console is, with its quiet margin."""
    code = qrcode.QRCode(border=2, error_correction=qrcode.constants.ERROR_CORRECT_L)
    code.add_data(words)
    code.make(fit=True)
    rows = [[not dark for dark in row] for row in code.get_matrix()]
    if len(rows) % 2:
        rows.append([True] * len(rows[0]))
    return ["  " + "".join(HALVES[pair] for pair in zip(upper, lower, strict=True))
            for upper, lower in zip(rows[::2], rows[1::2], strict=True)]


def show(words: str, screens: Iterable[Path]) -> None:
    """Writes to each screen that there is; one that is not there, or does not take it, is left out."""
    for path in screens:
        with contextlib.suppress(OSError):
            if path.exists():
                with open(path, "a", encoding="utf-8") as opened:
                    opened.write(words)


def run(places: Places, stop: threading.Event, screens: Iterable[Path] = SCREENS,
        clock: Callable[[], float] = time.monotonic, look_s: float = LOOK_S) -> None:
    """Shows the screen once the pages answer, and again whenever it says something else; orders the report then."""
    began, asked_s, shown, reported = clock(), -FINDINGS_S, "", ""
    while True:
        ports = boot_health.ports()
        if clock() - asked_s >= FINDINGS_S or not shown:
            asked_s = clock()
            look(places, ports)
        facts = report.gather(places, ports)
        if facts.print_ or clock() - began >= PATIENCE_S:
            if (words := screen(facts)) != shown:
                show(words, screens)
                shown = words
            if (words := "".join(report.text(facts, datetime(1970, 1, 1, tzinfo=UTC)))) != reported:
                order(places)
                reported = words
        if stop.wait(look_s):
            return


def look(places: Places, ports: list[Port]) -> None:
    """Leaves what is wrong with the network for screen, pages and `deskbell check`."""
    said = [*boot_health.of_the_network(places, ports), *boot_health.of_the_name(places, ports)]
    if sentences(places, "network") != said:
        tell(places, "network", {"said": said})


def order(places: Places) -> None:
    """Has the report written, by the program that may write on the card."""
    with contextlib.suppress(OSError):
        places.boot.mkdir(parents=True, exist_ok=True)
        (places.boot / WANTED).write_text(f"{time.monotonic_ns()}\n")
