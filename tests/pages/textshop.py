"""What a shop with a SIM has besides calls: people in groups, texts in every state, a campaign that goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import settings
from appliance.config import Modem
from appliance.people import contacts, groups
from appliance.store import db as store
from appliance.texts import campaigns, occurrences
from appliance.texts.campaigns import Wish
from tests.desk import Browser, Office, box_at

MARGARET, HALIMA, PIET = "+4915123456701", "+4915123456702", "+4915123456703"
GARAGE = "+493012345678"


def shop(folder: Path, **more: object) -> Office:
    """An office with one SIM, three people in "Club riders" and a garage that has a landline."""
    office = Office(box_at(folder, modems=(Modem("sim1", "/dev/ttyUSB2"),), **more))
    now = datetime.now(UTC)
    with store.write(office.db) as db:
        settings.put(db, "shop_name", "Larkspur Cycles")
        settings.put(db, "broadcast_until", "09:00")  # the same as broadcast_from: at any hour
        ids = [
            contacts.add(db, name, [number], "DE", now)
            for name, number in (
                ("Margaret Osei", MARGARET),
                ("Halima Yusuf", HALIMA),
                ("Piet Haverkamp", PIET),
                ("Whitmoor Garage", GARAGE),
            )
        ]
        groups.put(db, groups.add(db, "Club riders"), ids)
        groups.add(db, "Nobody yet")
        db.execute("INSERT INTO sim (name, price, allowance) VALUES ('sim1', '0.04', 1500)")
        db.execute(
            "INSERT INTO modem (name, state, operator, signal_dbm, updated_at) "
            "VALUES ('sim1', 'registered', 'EE', -73, ?)",
            (store.iso(now),),
        )
    return office


def came(office: Office, number: str, text: str) -> int:
    """A text comes in."""
    at = store.iso(datetime.now(UTC))
    with store.write(office.db) as db:
        sms_id = db.execute(
            "INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at) "
            "VALUES ('in', ?, ?, 'received', ?, ?, ?)",
            (number, text, at, at, at),
        ).lastrowid
        db.execute("INSERT INTO event (at, kind) VALUES (?, 'text')", (at,))
    assert sms_id is not None
    return sms_id


def state(office: Office, sms_id: int) -> str:
    return str(office.db.execute("SELECT state FROM sms WHERE id = ?", (sms_id,)).fetchone()[0])


def outgoing(office: Office) -> list[tuple[str, str, str]]:
    """(number, text, state) of all that goes out, in order."""
    return [
        (row["number"], row["text"], row["state"])
        for row in office.db.execute("SELECT number, text, state FROM sms WHERE direction = 'out' ORDER BY id")
    ]


def unknown(office: Office, number: str = MARGARET) -> int:
    """The SIM never answered for this text."""
    office.texted(office.missed(number), "unknown")
    sms_id = int(office.db.execute("SELECT max(id) FROM sms").fetchone()[0])
    with store.write(office.db) as db:
        db.execute("INSERT INTO segment (sms_id, part, pdu, state) VALUES (?, 1, '00', 'unknown')", (sms_id,))
    return sms_id


def running(office: Office, text: str = "{shop}: hello {first_name|there}") -> int:
    """A campaign to the club riders whose texts are queued."""
    now = datetime.now(UTC)
    group = groups.named(office.db, "Club riders")
    wish = Wish("Winter service", text, {"groups": [group]})
    seen = campaigns.preview(office.db, office.box, wish, now)
    campaign_id = campaigns.confirm(office.db, office.box, seen.hash, wish, now)
    for step in range(6):
        occurrences.expand_due(office.db, office.box, now + timedelta(seconds=step))
    return campaign_id


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def undo(amy: Browser, page: str) -> int:
    return amy.post("/undo", {"done": hidden(page, "done")}).status
