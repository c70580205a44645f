"""`deskbell steward`: what systemd starts around errands and updates."""
from __future__ import annotations

import argparse
import importlib
from typing import Any


def add_to(nouns: Any) -> None:
    steward = nouns.add_parser("steward", help="do the errands that the pages asked for (root; systemd starts it)")
    steward.set_defaults(act=_steward)


def _steward(_asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.update.steward").run())
