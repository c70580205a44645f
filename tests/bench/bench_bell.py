"""The bell that stays beside a bell that is started for every call, and the bell while somebody imports.

python3 tests/bench/bench_bell.py [--calls 40]     as root in the disposable root; about a minute
Side by side through the real Asterisk: every second call asks an AGI script that does the same work with the
same code. Without a bell at all the same way is measured too, so that the bell's own share is known.
"""
from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from appliance.config import Box
from appliance.people import contacts
from appliance.store import db as store
from tests.pbx import box as boxes
from tests.pbx.office import Office, running
from tests.sip import State

SCRIPT = Path("/usr/share/asterisk/agi-bin/bell")
STARTED = f"""#!/usr/bin/python3
import sys
sys.path.insert(0, "{boxes.REPO}")
from appliance import config
from appliance.calls.agi import Agi
from appliance.calls.bell import Bell
agi = Agi(sys.stdin.buffer, sys.stdout.buffer, sys.stdout.close)
Bell(config.load()).ringing(agi)
"""
BELL = "AGI(agi://127.0.0.1:4573/ringing,${BOOT})"
CHOICE = 'AGI(${IF($["${CALLERID(dnid)}" = "started"]?bell:agi://127.0.0.1:4573/ringing)},${BOOT})'
ROWS, BATCH, PAUSE_S = 100_000, 100, 0.005


def both_bells(_box: Box) -> None:
    """A dialplan that asks the started bell when the caller dials "started"; it may take 5 s."""
    SCRIPT.parent.mkdir(parents=True, exist_ok=True)
    SCRIPT.write_text(STARTED)
    SCRIPT.chmod(0o755)
    subprocess.run(["usermod", "-aG", "deskbell", "asterisk"], check=True)
    plan = boxes.ASTERISK_ETC / "extensions.conf"
    text = plan.read_text()
    assert BELL in text and "TIMEOUT(absolute)=0.8" in text
    plan.write_text(text.replace(BELL, CHOICE).replace("TIMEOUT(absolute)=0.8", "TIMEOUT(absolute)=5"))


def ring_ms(office: Office, to: str = "office") -> float:
    """From the caller's INVITE to the phones' INVITE, with the bell between."""
    office.begin()
    number = office.mobile()
    caller = office.line.call(number, to=to)
    phones = office.rung()
    caller.until(State.RINGING).cancel()
    caller.until(State.ENDED)
    return (max(leg.at[State.CALLING] for leg in phones) - caller.at[State.CALLING]) * 1000


def import_contacts(path: str) -> None:
    """100,000 contacts, prepared outside and written in short transactions, as promised for the pages."""
    db = store.connect(path)
    for start in range(0, ROWS, BATCH):
        with store.write(db):
            for row in range(start, start + BATCH):
                contacts.add(db, f"Contact {row}", [f"+4917{20000000 + row}"], "DE", datetime.now(UTC))
        time.sleep(PAUSE_S)


def at_share(times: list[float], share: float) -> float:
    return sorted(times)[round(share * (len(times) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--import-into", metavar="STORE", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.import_into:
        import_contacts(asked.import_into)
        return
    if os.geteuid() != 0 or boxes.REPO != boxes.DISPOSABLE:
        sys.exit("This bench lays out a whole box, so it runs as root in the disposable root only.")
    with running(both_bells) as office:
        stays, started = [], []
        for _ in range(asked.calls):
            stays.append(ring_ms(office))
            started.append(ring_ms(office, to="started"))
        office.settle()
        importer = subprocess.Popen([sys.executable, __file__, "--import-into", str(office.box.store)])
        busy = []
        while importer.poll() is None:
            busy.append(ring_ms(office))
        assert importer.returncode == 0
        office.settle(60)
        office.daemon.stop()
        without = [_ring_without(office) for _ in range(asked.calls)]
        office.daemon.start()
    stay, start, none = (statistics.median(times) for times in (stays, started, without))
    print(f"bell: the phones' INVITE {stay:.1f} ms after the caller's with the bell that stays, {start:.1f} ms "
          f"with one started for the call; ratio {start / stay:.1f}")
    print(f"bell alone, less the {none:.1f} ms of a call without it: {stay - none:.1f} ms and {start - none:.1f} ms; "
          f"ratio {(start - none) / max(0.1, stay - none):.0f}")
    print(f"bell while {ROWS} contacts are imported: p50 {statistics.median(busy):.1f} ms, "
          f"p99 {at_share(busy, 0.99):.1f} ms over {len(busy)} calls; p99 alone {at_share(stays, 0.99):.1f} ms; "
          f"ratio {at_share(busy, 0.99) / at_share(stays, 0.99):.1f}")


def _ring_without(office: Office) -> float:
    caller = office.line.call(office.mobile())
    for phone in office.phones:
        phone.forget()
    phones = [phone.next_leg(0) for phone in office.phones]
    caller.until(State.RINGING).cancel()
    caller.until(State.ENDED)
    for leg in phones:
        leg.until(State.ENDED)
    return (max(leg.at[State.CALLING] for leg in phones) - caller.at[State.CALLING]) * 1000


if __name__ == "__main__":
    main()
