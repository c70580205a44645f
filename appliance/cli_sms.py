"""deskbell sms: a text by hand, and what became of the last ones."""
from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from appliance import config
from appliance.people import numbers
from appliance.store import db as store

SHOWS = ("all", "sent", "failed", "unknown")
OPEN_STATES = ("queued", "sending")
LISTED_LONGEST = 60


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The noun sms and its verbs."""
    verbs = nouns.add_parser("sms", help="the texts").add_subparsers(metavar="VERB", required=True)
    send = verbs.add_parser("send", help="deskbell sms send 01701234567 \"Your shoes are ready.\"")
    send.add_argument("number", help="a mobile, as you would dial it, or with +")
    send.add_argument("text", nargs="+")
    send.add_argument("--wait", type=float, default=0, metavar="SECONDS",
                      help="wait so long for the network's word; exit 1 when it did not take the text")
    send.set_defaults(act=_send)
    listing = verbs.add_parser("list", help="the latest texts, newest first")
    listing.add_argument("--show", choices=SHOWS, default="all", help="only these (default all)")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(act=_list)


def _send(asked: argparse.Namespace) -> int:
    from appliance.texts import conversations  # gammu: 20 MB that no other noun needs
    from hw.pdu import PduError
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    try:
        with store.write(db):
            sms_id = conversations.reply(db, box, asked.number, " ".join(asked.text), datetime.now(UTC))
    except (conversations.ConversationError, PduError) as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2
    until, seen = time.monotonic() + asked.wait, -1
    while True:
        sms = db.execute("""
            SELECT number, state, reason, (SELECT count(*) FROM segment WHERE sms_id = sms.id) AS segments
            FROM sms
            WHERE id = ?""", (sms_id,)).fetchone()
        if sms["state"] not in OPEN_STATES or time.monotonic() >= until:
            break
        seen = store.wait_for_change(db, seen, until - time.monotonic())
    size = "1 segment" if sms["segments"] == 1 else f"{sms['segments']} segments"
    print(f"Text {sms_id} to {numbers.shown(sms['number'], box.country)} ({size}): {sms['state']}. "
          f"{sms['reason'] or ''}".rstrip())
    return 0 if not asked.wait or sms["state"] in ("sent", "delivered") else 1


def _list(asked: argparse.Namespace) -> int:
    from appliance.texts import listing
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    texts = listing.page(db, asked.show, limit=max(1, asked.limit)).texts
    if not texts and not asked.json:
        print("No texts yet." if asked.show == "all" else "No such texts.")
    for text in texts:
        if asked.json:
            print(json.dumps({**vars(text), "at": store.iso(text.at), "due_at": store.iso(text.due_at)},
                             ensure_ascii=False))
            continue
        words = " ".join(text.text.split())
        words = words if len(words) <= LISTED_LONGEST else words[:LISTED_LONGEST - 1] + "…"
        who = text.name or numbers.shown(text.number, box.country)
        print(f"{text.at.astimezone(box.zone):%Y-%m-%d %H:%M:%S}  {text.direction:3} {text.state:9} {text.id:>6}  "
              f"{who:20} {words}".rstrip())
        if text.reason and text.state != "delivered":
            print(f"{'':36}{text.reason}")
    return 0
