"""An office that sends one text to many, with the modem's and the clock's parts played by hand and no real time."""
from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from appliance import settings
from appliance.config import Box, Modem
from appliance.people import contacts, groups
from appliance.store import db as store
from appliance.texts import campaigns, occurrences, optouts, outbox, progress, reports
from appliance.texts.campaigns import Preview, Wish
from appliance.texts.rules import Draft
from hw.pdu import DeliveryReport

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday, 10:00 in Berlin
SIM = "SIM"


def mobile(place: int) -> str:
    return f"+49170{1000000 + place}"


class Mailing:
    """now moves only by pass_()."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.now = db, NOW
        self.box = dataclasses.replace(box, modems=(Modem(SIM, "/dev/null", "+4915100000001"),))
        self.last_reference = 0

    def set(self, key: str, value: object) -> None:
        with store.write(self.db):
            settings.put(self.db, key, value)

    def sim(self, **values: object) -> None:
        self.db.execute("INSERT OR IGNORE INTO sim (name) VALUES (?)", (SIM,))
        for key, value in values.items():
            self.db.execute(f"UPDATE sim SET {key} = ? WHERE name = ?", (value, SIM))

    def contact(self, name: str, number: str | None = None, group: str | None = None, company: str | None = None,
                birthday: str | None = None, is_blocked: bool = False, **fields: str) -> str:
        with nullcontext() if self.db.in_transaction else store.write(self.db):
            contact_id = contacts.add(self.db, name, [number] if number else [], "DE", self.now, is_blocked)
            self.db.execute("UPDATE contact SET company = ?, birthday = ? WHERE id = ?",
                            (company, birthday, contact_id))
            self.db.executemany("INSERT INTO contact_field (contact_id, name, value) VALUES (?, ?, ?)",
                                [(contact_id, key, value) for key, value in fields.items()])
            if group:
                self.join(group, contact_id)
        return contact_id

    def join(self, group: str, contact_id: str) -> int:
        group_id = groups.named(self.db, group) or groups.add(self.db, group)
        groups.put(self.db, group_id, [contact_id])
        return group_id

    def people(self, number: int, group: str = "Riders") -> None:
        with store.write(self.db):
            for place in range(number):
                self.contact(f"Rider {place}", mobile(place), group)

    def wish(self, text: str = "We open at ten.", group: str = "Riders", **changes: object) -> Wish:
        wish = Wish("Winter", text, {"groups": [groups.named(self.db, group)] if group else []})
        return dataclasses.replace(wish, **changes)  # type: ignore[arg-type]

    def preview(self, text: str = "We open at ten.", group: str = "Riders", **changes: object) -> Preview:
        return campaigns.preview(self.db, self.box, self.wish(text, group, **changes), self.now)

    def start(self, text: str = "We open at ten.", group: str = "Riders", **changes: object) -> int:
        wish = self.wish(text, group, **changes)
        seen = campaigns.preview(self.db, self.box, wish, self.now)
        return campaigns.confirm(self.db, self.box, seen.hash, wish, self.now)

    def tick(self, is_clock_set: bool = True) -> int:
        return occurrences.expand_due(self.db, self.box, self.now, is_clock_set)

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)

    def opt_out(self, number: str) -> None:
        with store.write(self.db):
            optouts.add(self.db, number, "reply", self.now, "STOP")

    def answer(self, number: str, expires_min: float = 15, is_automatic: bool = True) -> int:
        """A text that answers a call."""
        with store.write(self.db):
            return outbox.queue(self.db, Draft(number, "Sorry we missed you.", "missed", self.now,
                                               self.now + timedelta(minutes=expires_min)), None, self.now,
                                is_automatic=is_automatic)

    def radio(self, fails: int | None = None, silent: bool = False) -> str | None:
        """The number whose segment the modem took now, or refused with CMS `fails`; None: it was nobody's turn."""
        due = outbox.next_due(self.db, SIM, self.now)
        if due is None:
            return None
        with store.write(self.db):
            if not outbox.mark_sending(self.db, due, SIM, self.now):
                return None
        with store.write(self.db):
            if fails is not None:
                outbox.refused(self.db, due, "the network knows no such number", fails, False, self.now)
            elif silent:
                outbox.unknown(self.db, due, "the modem did not say", None, self.now)
            else:
                self.last_reference = (self.last_reference + 1) % 256
                outbox.accepted(self.db, due, self.last_reference, self.now)
        return due.number

    def sends(self, seconds: int = 60, step_s: float = 1.0) -> list[str]:
        """Who got a text in so many seconds, with the clock's look each second."""
        sent = []
        for _ in range(int(seconds / step_s)):
            self.tick()
            while number := self.radio():
                sent.append(number)
            self.pass_(seconds=step_s)
        return sent

    def reports(self, status: int = 0) -> None:
        """The network reports on every text it took and has not reported on."""
        for row in self.db.execute("""
                SELECT segment.reference, sms.number FROM segment JOIN sms ON sms.id = segment.sms_id
                WHERE segment.state = 'sent'""").fetchall():
            with store.write(self.db):
                reports.report(self.db, DeliveryReport(row["reference"], row["number"], status, self.now, self.now),
                               self.now)

    def stands(self, campaign_id: int) -> progress.Progress:
        return progress.of(self.db, self.box, campaign_id, self.now)

    def state(self, campaign_id: int) -> tuple[str, str | None]:
        row = self.db.execute("SELECT state, reason FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
        return row["state"], row["reason"]

    def occurrences(self) -> list[tuple[str, str]]:
        return [(row["due_key"], row["state"]) for row in self.db.execute(
            "SELECT due_key, state FROM occurrence ORDER BY due_at, id")]

    def texted(self) -> list[str]:
        return [row["number"] for row in self.db.execute("SELECT number FROM sms WHERE direction = 'out' ORDER BY id")]
