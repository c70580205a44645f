"""How soon the customers' pages answer with 100,000 cards and 1,000,000 calls: every search, filter and card.

python3 -m tests.bench.bench_customers
Pages are asked for over HTTP of a server in this process, each once before it is measured and then thirty times.
The aim is a p95 of 100 ms. DESKBELL_BENCH names a folder that keeps the store from one run to the next.
"""
from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from cheroot import wsgi

from appliance.people import household, links, merge
from appliance.store import db as store
from tests.bench import million
from tests.desk import Browser
from web import app
from web.events import Hub
from web.office import Office

AIM_MS, RUNS = 100, 30
PAGES = {
    "customers": "/customers",
    "a page in the middle": "/customers?after={middle}",
    "part of a name of one": "/customers?q=Osei+4242",
    "part of a name of 9,000": "/customers?q=arga",
    "one letter": "/customers?q=W",
    "two letters of a name": "/customers?q=Wi",
    "two letters nobody has": "/customers?q=qx",
    "two Chinese letters nobody has": "/customers?q=%E5%BC%A0%E4%BC%9F",
    "part of a company": "/customers?q=ompany+700",
    "the last four digits": "/customers?q={tail4}",
    "the last six digits": "/customers?q={tail6}",
    "three digits many have": "/customers?q=151",
    "four digits nobody ends with": "/customers?q=%2B4930",
    "a whole number, the national way": "/customers?q=0{national}",
    "VIP, of whom there are 200": "/customers?show=vip",
    "blocked, of whom there are none": "/customers?show=blocked",
    "opted out, of whom there are 5,000": "/customers?show=optout",
    "group of 40": "/customers?group=901",
    "group of 20,000": "/customers?group=902",
    "group of 20,000, by a name": "/customers?group=902&q=Zhang",
    "tag of 300": "/customers?tag=gold",
    "tag of 50,000": "/customers?tag=book",
    "card": "/customer/{some}",
    "card of a heavy caller": "/customer/{heavy}",
    "its recordings, of which there are none": "/customer/{heavy}?show=recordings",
    "its texts": "/customer/{heavy}?show=texts",
    "form of a card": "/customer/{some}/edit",
    "merge, a name": "/customer/{some}/merge?q=Osei",
    "merge, what results": "/customer/{some}/merge?with={heavy}",
    "forget, what there is of a heavy caller": "/customer/{heavy}/forget",
    "groups": "/customers/groups",
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        box = million.made(Path(folder))
        office = Office(box, Hub(box.store), lambda: million.ENDS_AT + timedelta(hours=14))
        known = _filled(office.db)
        began = time.perf_counter()
        while not links.settle(office.db, 60):
            pass
        print(f"{'100,000 numbers settled after an import':46} {time.perf_counter() - began:8.1f} s")
        server = wsgi.Server(("127.0.0.1", 0), app.create(office), numthreads=4)
        server.prepare()
        threading.Thread(target=server.serve, daemon=True).start()
        try:
            amy = Browser(int(server.bind_addr[1]))
            amy.set_up(box)
            slow = [name for name, path in PAGES.items() if _measure(amy, name, path.format(**known)) > AIM_MS]
        finally:
            server.stop()
        _direct(office.db, known)
    print(f"Slower than {AIM_MS} ms: {', '.join(slow) or 'none'}.")
    return 1 if slow else 0


def _filled(db: sqlite3.Connection) -> dict[str, str]:
    """Groups, tags, VIPs and opt-outs; the keys of what is asked for."""
    at = store.iso(million.ENDS_AT)
    with store.write(db):
        ids = [row["id"] for row in db.execute("SELECT id FROM contact ORDER BY name COLLATE NOCASE, id")]
        db.executemany("INSERT INTO contact_group (id, name) VALUES (?, ?)", [(901, "Forty"), (902, "Twenty thousand")])
        for group, members in ((901, ids[::2500]), (902, ids[::5])):
            db.executemany("INSERT OR IGNORE INTO contact_group_member VALUES (?, ?)",
                           [(group, one) for one in members])
        for tag, theirs in (("gold", ids[::333]), ("book", ids[::2])):
            db.executemany("INSERT OR IGNORE INTO contact_tag VALUES (?, ?)", [(one, tag) for one in theirs])
        db.executemany("UPDATE contact SET is_vip = 1 WHERE id = ?", [(one,) for one in ids[::500]])
        db.executemany("""
            INSERT OR IGNORE INTO opt_out (number, at, source)
            SELECT number, ?, 'reply' FROM contact_number WHERE contact_id = ?""", [(at, one) for one in ids[::20]])
    heavy = db.execute("""
        SELECT contact_id, number FROM call WHERE contact_id IS NOT NULL AND number IS NOT NULL
        GROUP BY contact_id ORDER BY count(*) DESC LIMIT 1""").fetchone()
    number = db.execute("SELECT number FROM contact_number WHERE contact_id = ?", (ids[777],)).fetchone()["number"]
    return {"middle": ids[50_000], "some": ids[777], "heavy": heavy["contact_id"], "national": number[3:],
            "tail4": number[-4:], "tail6": number[-6:]}


def _measure(amy: Browser, name: str, path: str) -> float:
    """The p95 in milliseconds."""
    answer = amy.get(path)
    assert answer.status == 200, f"{name}: {answer.status} {path}"
    took = sorted(_timed(lambda: amy.get(path)) for _ in range(RUNS))
    p95 = took[int(RUNS * 0.95) - 1]
    print(f"{name:46} p50 {statistics.median(took):6.1f}  p95 {p95:6.1f} ms  {len(answer.body) / 1024:5.0f} kB")
    return p95


def _timed(act: object) -> float:
    assert callable(act)
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _direct(db: sqlite3.Connection, known: dict[str, str]) -> None:
    """What a press costs."""
    count = db.execute("SELECT count(*) FROM call WHERE contact_id = ?", (known["heavy"],)).fetchone()[0]
    took = _timed(lambda: household.suggestions(db, known["heavy"]))
    print(f"{'suggestions of a household, heavy caller':46} {took:8.1f} ms")
    took = _timed(lambda: merge.merge(db, known["some"], known["heavy"], "Amy", million.ENDS_AT))
    print(f"{f'merging a card with {count} calls':46} {took:8.1f} ms, in steps")


if __name__ == "__main__":
    sys.exit(main())
