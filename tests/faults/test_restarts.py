"""A year of schedules in three zones with a box that is switched off and on a hundred times."""
from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from appliance.store import db as store
from appliance.texts import schedule
from tests.unit.conftest import box, db, new_store
from tests.unit.mailing import Mailing, mobile
from tests.unit.test_schedule import CHANGES, CREATED, NIGHTLY, ZONES, in_zone, office

__all__ = ["box", "db", "new_store", "office"]


@pytest.mark.parametrize("zone", ZONES)
def test_over_a_year_with_a_hundred_restarts_nothing_is_missed_and_nothing_doubled(office: Mailing, zone: str) -> None:
    """The clock looks once a day, at any minute or not at all; the store is closed and opened a hundred times."""
    dice = random.Random(zone)
    in_zone(office, zone).now = CREATED
    for night in CHANGES[zone]:
        office.contact(f"Born {night}", mobile(int(f"{night:%m%d}")), "Riders", birthday=f"1990-{night:%m-%d}")
    office.contact("Born 29 February", mobile(1229), "Riders", birthday="1992-02-29")
    plans = [NIGHTLY, {"kind": "weekly", "weekday": 6, "time": "02:15"},
             {"kind": "monthly", "day": 31, "time": "02:45"}]
    campaign_ids = [office.start(schedule=plan, late_limit_min=6 * 1440) for plan in plans]
    for look in range(366):
        office.now = CREATED + timedelta(days=look, minutes=dice.randrange(1440))
        if look % 3 == 0 and look < 300:
            office.db.close()
            office.db = store.connect(office.box.store)
        if dice.random() < 0.9:
            office.tick()
            while office.radio():
                pass
    office.tick()
    for campaign_id, plan in zip(campaign_ids, plans, strict=True):
        rows = office.db.execute("SELECT due_key, state FROM occurrence WHERE campaign_id = ? AND due_at <= ?",
                                 (campaign_id, store.iso(office.now - timedelta(days=6)))).fetchall()
        wanted = schedule.dues(plan, CREATED, CREATED, office.now - timedelta(days=6), office.box.zone)
        assert sorted(row["due_key"] for row in rows) == [due.key for due in wanted]
        assert {row["state"] for row in rows} == {"done"}, "0 missed"
    born = [row["due_key"] for row in office.db.execute("""
        SELECT due_key
        FROM recipient JOIN occurrence ON occurrence.id = recipient.occurrence_id
        WHERE campaign_id = ? AND recipient.sms_id IS NOT NULL
        ORDER BY due_key""", (campaign_ids[0],))]
    assert born == sorted([f"{night}T02:15" for night in [*CHANGES[zone], date(2027, 2, 28)]]), "0 double"
