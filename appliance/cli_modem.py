"""deskbell modem: the radios of the box, and what an installer asks of them."""
from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance import config
from appliance.people import numbers
from appliance.store import db as store

OLD = timedelta(minutes=2)


def add_to(nouns: Any) -> None:
    """Adds the noun `modem` to the command line."""
    verbs = nouns.add_parser("modem", help="the radios").add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every modem of box.toml: port, state, operator, signal, balance")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.add_argument("--find", action="store_true", help="ask every free port for a modem, too")
    listing.set_defaults(act=_list)
    at = verbs.add_parser("at", help="what a modem says to an AT command: deskbell modem at SIM 'AT+CSQ'")
    at.add_argument("modem")
    at.add_argument("words", metavar="COMMAND")
    at.set_defaults(act=_ask, verb="at")
    ussd = verbs.add_parser("ussd", help="what the network says to a code: deskbell modem ussd SIM '*100#'")
    ussd.add_argument("modem")
    ussd.add_argument("words", metavar="CODE")
    ussd.set_defaults(act=_ask, verb="ussd")


def _list(asked: argparse.Namespace) -> int:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    rows = {row["name"]: dict(row) for row in db.execute("SELECT * FROM modem")}
    now = datetime.now(UTC)
    for modem in box.modems:
        row = rows.get(modem.name) or {"name": modem.name, "state": "not started yet", "updated_at": None}
        row.pop("pin_tried", None)
        if asked.json:
            print(json.dumps({"configured_port": modem.port, **row}, ensure_ascii=False))
        else:
            print(_line(box, modem, row, now))
    if not box.modems and not asked.json:
        print("No modem in box.toml. Add [[modem]] with name = \"SIM\" and port = \"auto\".")
    if asked.find:
        _find(box)
    return 0


def _line(box: config.Box, modem: config.Modem, row: dict[str, Any], now: datetime) -> str:
    updated_at = store.parse_time(row["updated_at"]) if row["updated_at"] else now
    parts = [modem.name, row.get("port") or modem.port, row["state"], row.get("operator") or "",
             f"{row['signal_dbm']} dBm" if row.get("signal_dbm") is not None else "",
             numbers.shown(row["number"], box.country) if row.get("number") else "",
             f"balance {row['balance']}" if row.get("balance") else "", row.get("trouble") or "",
             "(the daemon has said nothing for a while)" if now - updated_at > OLD else ""]
    return "  ".join(part for part in parts if part)


def _find(box: config.Box) -> None:
    from hw import ports  # it loads pyserial
    found = ports.find(ports.candidates(ports.AUTO))
    for modem in found:
        print(f"{modem.port}  {modem.maker} {modem.model}  IMEI {modem.imei or 'not told'}")
    if not found:
        print("No further modem answers. One that the daemon holds is in the list above; one that is missing may need "
              "usb_modeswitch, or is a HiLink stick, which has no port.")


def _ask(asked: argparse.Namespace) -> int:
    from appliance.texts import control  # it loads the radio's engine, which no other command needs
    box = config.load()
    try:
        for line in control.ask(box, asked.modem, asked.verb, asked.words):
            print(line)
    except control.ControlError as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2
    return 0
