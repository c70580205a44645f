"""`deskbell steward`: what systemd starts around errands and updates."""
from __future__ import annotations

import argparse
import importlib
import os
import sys
from datetime import UTC, datetime
from typing import Any

from appliance import config


def add_to(nouns: Any) -> None:
    steward = nouns.add_parser("steward", help="do the errands that the pages asked for (root; systemd starts it)")
    steward.set_defaults(act=_steward)
    healthy = nouns.add_parser("healthy", help="whether this version may stay; only here a slot is called good (root)")
    healthy.set_defaults(act=_healthy)
    crossing = nouns.add_parser("store", help="bring the store to this version before any daemon opens it")
    crossing.set_defaults(act=_store)


def _steward(_asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.update.steward").run())


def _healthy(_asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.update.health").run())


def _store(_asked: argparse.Namespace) -> int:
    crossing = importlib.import_module("appliance.update.crossing")
    os.umask(0o007)
    try:
        if said := crossing.cross(config.read(), datetime.now(UTC)):
            print(said)
    except crossing.CrossingError as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2
    return 0
