"""What the verbs of a start do; they end well whatever is wrong, since nothing may stop the telephones."""
from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import threading
from datetime import UTC, datetime

from appliance.box import boot_health, console, early, firstboot, report, reset, reset_asked
from appliance.box.places import Places
from appliance.update.bundle import Ground


def act(asked: argparse.Namespace) -> int:
    return {"data": _data, "firstboot": _firstboot, "report": _report, "console": _console,
            "reset": _reset}[asked.noun](asked)


def _data(_asked: argparse.Namespace) -> int:
    early.data(Places())
    return 0


def _reset(asked: argparse.Namespace) -> int:
    places = Places()
    if asked.pending:
        early.reset(places)
        return 0
    print(reset.ask(places.etc, reset_asked.KEEP if asked.keep_data else reset_asked.EVERYTHING))
    print("It is done when the box is started anew: systemctl reboot")
    return 0


def _firstboot(_asked: argparse.Namespace) -> int:
    firstboot.run(Places(), datetime.now(UTC))
    return 0


def _report(_asked: argparse.Namespace) -> int:
    places = Places()
    try:
        report.write(places, report.gather(places, boot_health.ports(), Ground()), datetime.now(UTC))
    except (OSError, sqlite3.Error) as refused:
        print(f"deskbell: {report.FILE} could not be written ({refused}). The screen says the same.", file=sys.stderr)
    return 0


def _console(asked: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    console.run(Places(), stop, asked.to or console.SCREENS)
    return 0
