"""deskbell user: for an owner who is locked out, from the root shell of the box."""
from __future__ import annotations

import argparse
import importlib
from typing import Any

ROLES = ("owner", "staff", "installer")


def add_to(nouns: Any) -> None:
    """Adds the noun `user` to the command line."""
    verbs = nouns.add_parser("user", help="who may open the pages").add_subparsers(metavar="VERB", required=True)
    verbs.add_parser("list", help="everyone with their role").set_defaults(act=_act, verb="list")
    add = verbs.add_parser("add", help="a new user and the code for their password: deskbell user add Ben owner")
    add.add_argument("name")
    add.add_argument("role", choices=ROLES, nargs="?", default="staff")
    add.set_defaults(act=_act, verb="add")
    password = verbs.add_parser("password", help="a code that sets a new password; lets in who was switched off")
    password.add_argument("name")
    password.add_argument("--no-second-step", action="store_true", help="the lost telephone is not asked for any more")
    password.set_defaults(act=_act, verb="password")
    role = verbs.add_parser("role", help="deskbell user role Ben owner")
    role.add_argument("name")
    role.add_argument("role", choices=ROLES)
    role.set_defaults(act=_act, verb="role")


def _act(asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.cli_user_verbs").act(asked))
