"""`deskbell contact`: the people who ring: found, shown, added, forgotten; in and out by cli_contact_files.py."""
from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from datetime import UTC, datetime

from appliance import cli_contact_files, config
from appliance.cli_contact_files import by
from appliance.people import cards, contacts, numbers
from appliance.store import db as store

MOST = 1000


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs of `deskbell contact`."""
    verbs = nouns.add_parser("contact", help="the people who ring").add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every contact with its numbers, or those that fit a search")
    listing.add_argument("search", nargs="?", default="", help="a part of the name, company or number")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(act=_list)
    show = verbs.add_parser("show", help="one card: deskbell contact show 01701234567")
    show.add_argument("who", help="a number as you would dial it, or the id of the card")
    show.add_argument("--json", action="store_true", help="one JSON object")
    show.set_defaults(act=_show)
    add = verbs.add_parser("add", help="deskbell contact add \"Margaret Osei\" 01701234567")
    add.add_argument("name")
    add.add_argument("number", nargs="+", help="as you would dial it, or with +; quote one that has spaces")
    add.set_defaults(act=_add)
    cli_contact_files.add_to(verbs)
    forget = verbs.add_parser("forget", help="remove a person for good: calls, recordings, texts, notes, the card")
    forget.add_argument("who", help="a number as you would dial it, or the id of the card")
    forget.add_argument("--yes", action="store_true", help="do it; without it only what there is is said")
    forget.set_defaults(act=_forget)


def _open() -> tuple[config.Box, sqlite3.Connection]:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    return box, db


def _list(asked: argparse.Namespace) -> int:
    box, db = _open()
    found = contacts.search(db, asked.search, MOST, box.country) if asked.search else _everyone(db)
    for one in found:
        if asked.json:
            print(json.dumps(vars(one), ensure_ascii=False))
            continue
        shown = ", ".join(numbers.shown(number, box.country) for number, _ in one.numbers)
        print(f"{one.name}  {shown}" + ("  (blocked)" if one.is_blocked else ""))
    if not found and not asked.json:
        print(f"Nobody fits {asked.search!r}." if asked.search else
              "No contacts yet. Add one: deskbell contact add \"Margaret Osei\" 01701234567")
    return 0


def _everyone(db: sqlite3.Connection) -> list[contacts.Found]:
    from appliance.people import search
    found: list[contacts.Found] = []
    page = search.page(db, "", search.Filter(), limit=MOST)
    found += page.found
    while page.after:
        page = search.page(db, "", search.Filter(), page.after, MOST)
        found += page.found
    return found


def _one(db: sqlite3.Connection, who: str, country: str) -> tuple[str | None, str | None]:
    """(id of the card, number): either may be None."""
    if cards.card(db, who):
        return who, None
    number = numbers.e164(who, country)
    return (cards.find(db, number) if number else None), number


def _show(asked: argparse.Namespace) -> int:
    box, db = _open()
    contact_id, _ = _one(db, asked.who, box.country)
    card = cards.card(db, contact_id) if contact_id else None
    if card is None:
        return _refused(f"Nobody has {asked.who!r}. `deskbell contact list` shows everybody.")
    if asked.json:
        print(json.dumps({**vars(card), "numbers": [vars(one) for one in card.numbers]}, ensure_ascii=False,
                         default=str))
        return 0
    print(card.name + (f" ({card.other_name})" if card.other_name else ""))
    for one in card.numbers:
        said = [one.label or "", "wants no texts" if one.is_opted_out else ""]
        print("  " + "  ".join([numbers.shown(one.number, box.country), *filter(None, said)]))
    lines = [("company", card.company), ("address", (card.address or "").replace("\n", ", ")),
             ("birthday", card.birthday), ("VIP", "yes" if card.is_vip else ""),
             ("blocked", (card.blocked_reason or "yes") if card.is_blocked else ""), ("tags", ", ".join(card.tags)),
             ("groups", ", ".join(name for _, name in card.groups)), *card.fields, ("id", card.id)]
    for name, value in lines:
        if value:
            print(f"  {name}: {value}")
    return 0


def _add(asked: argparse.Namespace) -> int:
    from appliance.people import links
    box, db = _open()
    with store.write(db):
        cards.save(db, cards.Wish(asked.name, numbers=[(number, "") for number in asked.number]), box.country, by(),
                   datetime.now(UTC))
    links.settle(db)
    print(f"{asked.name} is in the book.")
    return 0


def _forget(asked: argparse.Namespace) -> int:
    from appliance.people import forget
    box, db = _open()
    contact_id, number = _one(db, asked.who, box.country)
    card = cards.card(db, contact_id) if contact_id else None
    theirs = [one.number for one in card.numbers] if card else [number] if number else []
    counts = forget.preview(db, box.country, contact_id, theirs)
    if not counts:
        return _refused(f"There is nothing of {asked.who!r} here.")
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    if not asked.yes:
        print(f"{card.name if card else asked.who}: {said}. Nothing was removed. It cannot be undone; "
              "with --yes it is done.")
        return 0
    try:
        receipt = forget.forget(db, box, contact_id, theirs, by(), datetime.now(UTC))
    except forget.ForgetError as refused:
        return _refused(str(refused))
    print(f"Forgotten for good: {said}. Receipt {receipt}.")
    return 0


def _refused(sentence: str) -> int:
    print(f"deskbell: {sentence}", file=sys.stderr)
    return 2
