"""deskbell data, reset, firstboot, report, console: what systemd runs when the box starts."""
from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any


def add_to(nouns: Any) -> None:
    """Adds the nouns of a start to the command line."""
    for noun, about in (("data", "grow the card's last partition and make it ready (root, before it is mounted)"),
                        ("firstboot", "who this box is, and what deskbell.toml wishes (root, at each start)"),
                        ("report", "write deskbell-report.txt onto the card, if it says something new (root)")):
        nouns.add_parser(noun, help=about).set_defaults(act=_act, noun=noun)
    console = nouns.add_parser("console", help="the page's address and the first-run code on the screen")
    console.add_argument("--to", type=Path, action="append", metavar="FILE",
                         help="a screen (default /dev/console and /dev/tty1)")
    console.set_defaults(act=_act, noun="console")
    reset = nouns.add_parser("reset", help="a factory reset at the next start")
    what = reset.add_mutually_exclusive_group(required=True)
    what.add_argument("--keep-data", action="store_true", help="calls, texts and customers stay; passwords go")
    what.add_argument("--everything", action="store_true", help="everything on the box is deleted")
    what.add_argument("--pending", action="store_true", help="do the one that was asked for, and make the folders")
    reset.set_defaults(act=_act, noun="reset")


def _act(asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.cli_boot_verbs").act(asked))
