"""What the verbs of `deskbell user` do; they need argon2, which no daemon of the same program needs."""
from __future__ import annotations

import argparse
import sqlite3
import sys
from datetime import UTC, datetime

from appliance import config
from appliance.people import changes, invitations, totp, users
from appliance.people.users import User, UserError
from appliance.store import db as store

BY = "root"                  # who the log of changes names


def act(asked: argparse.Namespace) -> int:
    """The exit code of the verb that was asked for; 2 and a sentence when it was refused."""
    try:
        return VERBS[asked.verb](asked)
    except UserError as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2


def _list(_asked: argparse.Namespace) -> int:
    everyone = users.listed(_open())
    for user in everyone:
        notes = [note for note, is_so in (("switched off", not user.is_on),
                                          ("has set no password", not user.has_password),
                                          ("with a code", user.has_second_factor)) if is_so]
        print(f"{user.name}  {user.role}" + (f"  ({', '.join(notes)})" if notes else ""))
    if not everyone:
        print("Nobody yet. Open the pages: the first one sets a password with the code of the sticker.")
    return 0


def _add(asked: argparse.Namespace) -> int:
    db, now = _open(), datetime.now(UTC)
    with store.write(db):
        user_id = users.add(db, asked.name, asked.role, now)
        changes.record(db, BY, f"user {asked.name}", None, {"name": asked.name, "role": asked.role}, now, user_id)
        code = invitations.invite(db, user_id, now)
    _say(asked.name, code)
    return 0


def _password(asked: argparse.Namespace) -> int:
    db, now = _open(), datetime.now(UTC)
    user = _named(db, asked.name)
    with store.write(db):
        code = invitations.invite(db, user.id, now)
        users.switch(db, user.id, True)
        changes.record(db, BY, f"user {user.name}: a code for a new password", None, None, now, user.id)
        if asked.no_second_step:
            totp.switch_off(db, user.id)
            changes.record(db, BY, f"user {user.name}: second step", user.has_second_factor, False, now, user.id)
    _say(user.name, code)
    return 0


def _role(asked: argparse.Namespace) -> int:
    db, now = _open(), datetime.now(UTC)
    user = _named(db, asked.name)
    with store.write(db):
        users.change(db, user.id, user.name, asked.role, user.language, user.extension)
        users.end_sessions(db, user.id)
        changes.record(db, BY, f"user {user.name}", {"role": user.role}, {"role": asked.role}, now, user.id)
    print(f"{user.name} is {asked.role} now and logs in again.")
    return 0


VERBS = {"list": _list, "add": _add, "password": _password, "role": _role}


def _say(name: str, code: str) -> None:
    print(f"{name} sets a password on the page /welcome with this code, once, within three days: {code}")


def _named(db: sqlite3.Connection, name: str) -> User:
    user = users.named(db, name)
    if user is None:
        raise UserError(f"There is no user {name!r}. `deskbell user list` shows everyone.")
    return user


def _open() -> sqlite3.Connection:
    db = store.connect(config.load().store)
    store.migrate(db)
    return db
