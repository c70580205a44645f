"""A campaign through the daemon that ships, on the simulated modem, read off the air by gammu."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

from appliance import config, settings
from appliance.store import db as store
from appliance.texts import campaigns, occurrences, progress
from appliance.texts.campaigns import Wish
from hw.gsm_sim import GsmSim
from tests.modem.conftest import CALLER, Box

PEOPLE = [f"+49170{2000000 + place}" for place in range(12)]


def start(box: Box, pace_s: float = 0) -> tuple[config.Box, int]:
    """The box as its daemons see it, and a campaign to twelve people that is queued."""
    with store.write(box.db):
        settings.put(box.db, "broadcast_until", settings.DEFAULTS.broadcast_from)     # at any hour
        box.db.execute("INSERT OR REPLACE INTO sim (name, pace_s, hourly, daily) VALUES ('SIM', ?, 0, 0)", (pace_s,))
    ours = dataclasses.replace(config.load(box.config))
    wish = Wish("Winter", "{shop}: we open at ten. 5 €", {"rows": [{"number": number} for number in PEOPLE]})
    now = datetime.now(UTC)
    one = campaigns.confirm(box.db, ours, campaigns.preview(box.db, ours, wish, now).hash, wish, now)
    assert occurrences.expand_due(box.db, ours, now) == len(PEOPLE)
    return ours, one


def test_a_campaign_reaches_each_of_them_once_and_a_missed_call_text_overtakes_it(
        box: Box, sim: GsmSim, until: Callable[..., None], off_the_air: Callable[[str], tuple[str, str]]) -> None:
    sim.network_s = 0.15
    ours, one = start(box)
    box.start()
    until(lambda: len(sim.air) >= 3)
    before = len(sim.air)
    box.text(CALLER)
    until(lambda: len(sim.air) == len(PEOPLE) + 1)
    heard = [off_the_air(part) for part in sim.air]
    assert heard.index((CALLER, "Sorry we missed you.")) <= before + 2
    assert sorted(number for number, _ in heard) == sorted([CALLER, *PEOPLE])
    assert {text for _, text in heard} == {"Sorry we missed you.", "Our shop: we open at ten. 5 €"}
    until(lambda: progress.of(box.db, ours, one, datetime.now(UTC)).delivered == len(PEOPLE))
    occurrences.expand_due(box.db, ours, datetime.now(UTC))
    assert campaigns.get(box.db, one).state == "done"


def test_paused_it_stops_within_a_text_and_a_killed_daemon_doubles_nothing(
        box: Box, sim: GsmSim, until: Callable[..., None], off_the_air: Callable[[str], tuple[str, str]]) -> None:
    sim.network_s = 0.1
    ours, one = start(box)
    box.start()
    until(lambda: len(sim.air) >= 3)
    campaigns.pause(box.db, one, datetime.now(UTC))
    until(lambda: not box.rows("SELECT 1 FROM sms WHERE state = 'sending'"))
    paused_at = len(sim.air)
    box.kill()
    box.start()
    until(lambda: box.modem() == "registered")
    box.text(CALLER)
    until(lambda: len(sim.air) > paused_at)
    assert off_the_air(sim.air[-1])[0] == CALLER, "while it is paused only answers go"
    campaigns.resume(box.db, one, datetime.now(UTC))
    occurrences.expand_due(box.db, ours, datetime.now(UTC))
    until(lambda: len(sim.air) == len(PEOPLE) + 1)
    assert sorted(off_the_air(part)[0] for part in sim.air) == sorted([CALLER, *PEOPLE])
