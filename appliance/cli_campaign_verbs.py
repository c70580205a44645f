"""What the verbs of `deskbell campaign` do. Loaded only then: it brings gammu's codec with it."""
from __future__ import annotations

import argparse
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any

from appliance import config
from appliance.people import groups, numbers
from appliance.store import db as store
from appliance.texts import audience, campaigns, lists, progress, schedule
from appliance.texts.campaigns import CampaignError, Preview, Wish

SHOWN = 10
STAGES = ("to you first", "to the first few", "to everyone")


def run(asked: argparse.Namespace) -> int:
    """The exit code; what cannot be done is said in one sentence and is 2."""
    verbs = {"list": _list, "preview": _preview, "start": _start, "show": _show, "export": _export}
    try:
        return verbs.get(asked.verb, _change)(asked)
    except (CampaignError, lists.ListError) as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2


def _wish(db: sqlite3.Connection, box: config.Box, asked: argparse.Namespace) -> Wish:
    chosen = []
    for name in asked.group:
        if (group := groups.named(db, name)) is None:
            raise CampaignError(f"There is no group {name!r}.")
        chosen.append(group)
    rows = lists.pasted(asked.numbers)
    if asked.csv:
        try:
            rows += lists.read_csv(asked.csv.read_bytes(), box.country)
        except OSError as missing:
            raise CampaignError(f"{asked.csv} cannot be read ({missing.strerror}).") from missing
    return Wish(asked.name, asked.text, {"groups": chosen, "everyone": asked.everyone, "rows": rows}, _when(asked),
                asked.late_limit, asked.canary, asked.a_day, asked.sim)


def _when(asked: argparse.Namespace) -> dict[str, Any]:
    given = [way for way in ("at", "after", "weekly", "monthly", "birthdays") if getattr(asked, way) is not None]
    if len(given) > 1:
        raise CampaignError(f"Choose one of --{given[0]} and --{given[1]}.")
    if asked.at:
        return {"kind": "at", "at": asked.at}
    if asked.after is not None:
        return {"kind": "after", "delay_min": asked.after}
    if asked.birthdays:
        return {"kind": "birthday", "time": asked.birthdays}
    if asked.weekly:
        day, _, time = asked.weekly.partition(",")
        short = day.strip().lower()[:3]
        near = [place for place, name in enumerate(schedule.WEEKDAYS) if short and name.lower().startswith(short)]
        return {"kind": "weekly", "weekday": near[0] if near else None, "time": time.strip()}
    if asked.monthly:
        day, _, time = asked.monthly.partition(",")
        return {"kind": "monthly", "day": int(day) if day.strip().isdecimal() else None, "time": time.strip()}
    return {"kind": "now"}


def _open() -> tuple[sqlite3.Connection, config.Box]:
    box = config.load()
    db = store.connect(box.store)
    store.migrate(db)
    return db, box


def _list(_asked: argparse.Namespace) -> int:
    db, box = _open()
    listed = campaigns.listed(db)
    for one in listed:
        stands = progress.of(db, box, one.id, datetime.now(UTC))
        following = f", next {one.next_at.astimezone(box.zone):%Y-%m-%d %H:%M}" if one.next_at else ""
        print(f"{one.id:4}  {one.state:9}  {stands.done} of {stands.people}  {one.wish.name}{following}"
              + (f"  ({one.reason})" if one.reason else ""))
    if not listed:
        print("No campaigns yet. Look at one first: deskbell campaign preview NAME TEXT --group GROUP")
    return 0


def _preview(asked: argparse.Namespace) -> int:
    db, box = _open()
    _print_preview(box, campaigns.preview(db, box, _wish(db, box, asked), datetime.now(UTC)))
    return 0


def _start(asked: argparse.Namespace) -> int:
    db, box = _open()
    campaign_id = campaigns.confirm(db, box, asked.confirm, _wish(db, box, asked), datetime.now(UTC))
    one = campaigns.get(db, campaign_id)
    print(f"Campaign {campaign_id} is scheduled: {schedule.words(one.wish.schedule)}. "
          f"How it stands: deskbell campaign show {campaign_id}")
    return 0


def _print_preview(box: config.Box, seen: Preview) -> None:
    print(f"{len(seen.recipients)} people, {seen.cost.segments} texts (the longest takes {seen.cost.most}), "
          f"about {seen.cost.minutes} min. {seen.when}.")
    if seen.cost.price is not None:
        print(f"Cost {seen.cost.price}" + (f", left on the SIM after it {seen.cost.left_after}."
                                           if seen.cost.left_after is not None else "."))
    for note in seen.notes:
        print(note)
    if seen.plainer:
        written = " ".join(change for change, _ in seen.plainer.changes)
        print(f"Plainer characters for {written} would cost {seen.plainer.after.segments} instead of "
              f"{seen.plainer.before.segments} texts a person: {seen.plainer.text}")
    for left_out in seen.exclusions[:SHOWN]:
        print(f"  not {_who(left_out, box)}: {left_out.reason}")
    if len(seen.exclusions) > SHOWN:
        print(f"  and {len(seen.exclusions) - SHOWN} more get nothing")
    for one, text in list(zip(seen.recipients, seen.texts, strict=True))[:3]:
        print(f"  {one.name or numbers.shown(one.number, box.country)} reads: {text}")
    print(f"Nothing was sent. To start it, the same with `start` and --confirm {seen.hash}")


def _who(one: audience.Exclusion, box: config.Box) -> str:
    number = numbers.shown(one.number, box.country) if one.number.startswith("+") else one.number
    return " ".join(part for part in (one.name, number) if part) or "an empty line"


def _show(asked: argparse.Namespace) -> int:
    db, box = _open()
    one, now = campaigns.get(db, asked.campaign), datetime.now(UTC)
    stands = progress.of(db, box, one.id, now)
    print(f"{one.wish.name}: {one.state}. {schedule.words(one.wish.schedule)}.")
    print(f"{stands.done} of {stands.people} done: {stands.delivered} delivered, {stands.sent} sent, "
          f"{stands.failed} failed, {stands.unknown} unknown, {stands.cancelled} cancelled; {stands.waiting} wait, "
          f"{stands.excluded} left out, {stands.stops} wrote STOP.")
    if stands.waiting and stands.is_running:
        print(f"Now {STAGES[stands.stage]}; about {stands.minutes_left} min left.")
    if stands.halted:
        print(stands.halted)
    for line in progress.troubles(db, one.id):
        print(f"  {line.name or numbers.shown(line.number, box.country)}: {line.state}. {line.reason or ''}".rstrip())
    return 0


def _export(asked: argparse.Namespace) -> int:
    db, box = _open()
    campaigns.get(db, asked.campaign)
    sys.stdout.buffer.write(progress.export(db, box, asked.campaign))
    return 0


def _change(asked: argparse.Namespace) -> int:
    db, _ = _open()
    now = datetime.now(UTC)
    if asked.verb == "resend":
        print(f"{campaigns.resend_failed(db, asked.campaign, now)} go once more.")
        return 0
    {"pause": campaigns.pause, "resume": campaigns.resume, "stop": campaigns.stop}[asked.verb](db, asked.campaign, now)
    print({"pause": "Paused. Nothing goes until you resume it.", "resume": "It goes on.",
           "stop": "Stopped for good. What waited is cancelled."}[asked.verb])
    return 0
