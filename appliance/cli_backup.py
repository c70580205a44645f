"""deskbell backup: make, list, prove and restore backups without a browser."""
from __future__ import annotations

import argparse
import getpass
import importlib
import os
from pathlib import Path

VERBS = {
    "now": "make one and prove it",
    "list": "which there are and where they go",
    "prove": "read one back once more and hold every row against what it was",
    "restore": "show what a backup would change; with --yes it is restored",
    "passphrase": "set what nightly backups are sealed with",
}


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The noun backup and its verbs."""
    verbs = nouns.add_parser("backup", help="the backups").add_subparsers(metavar="VERB", required=True)
    for verb, about in VERBS.items():
        one = verbs.add_parser(verb, help=about)
        if verb == "now":
            one.add_argument("--place", metavar="NAME", help="where to (default: this box)")
            one.add_argument("--recordings", choices=("all", "starred", "none"), help="default: as the place says")
        if verb == "prove":
            one.add_argument("backup", type=int, help="its number in `deskbell backup list`")
        if verb == "restore":
            one.add_argument("backup", help="its number in `deskbell backup list`, or a file")
            one.add_argument("--yes", action="store_true", help="restore it; what is here now is kept first")
        if verb in ("restore", "passphrase"):
            one.add_argument("--passphrase-file", type=Path, metavar="FILE",
                             help="the passphrase is its first line; without it you are asked, or $DESKBELL_PASSPHRASE")
        one.set_defaults(act=_act, verb=verb)


def passphrase(asked: argparse.Namespace) -> str:
    """What opens the backup; never on the command line, where others could read it."""
    if asked.passphrase_file:
        return str(asked.passphrase_file.read_text()).split("\n")[0]
    if (given := os.environ.get("DESKBELL_PASSPHRASE")) is not None:
        return given
    return getpass.getpass("Passphrase: ")


def _act(asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.cli_backup_verbs").run(asked))
