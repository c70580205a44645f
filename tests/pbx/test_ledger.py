"""No call is missing from the history and none is counted twice, whoever was killed when."""
from __future__ import annotations

import sqlite3
import subprocess

from tests.pbx.box import as_user, wait
from tests.pbx.office import Office, ledger
from tests.sip import RING, State, answer

READ = """
import sqlite3, sys
spool = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
print(spool.execute("SELECT count(*) FROM cel").fetchone()[0])
"""
WRITE = """
import sqlite3, sys
sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True).execute("DELETE FROM cel")
"""


def test_the_daemon_killed_in_mid_call_counts_it_once(office: Office) -> None:
    number = office.mobile()
    office.phones_will(answer(), RING)
    caller = office.line.call(number).until(State.TALKING)
    wait(lambda: "answered" in office.events(office.live()["id"]), 10, "the answer in the store")
    office.daemon.kill()
    caller.hang_up()
    office.counter.legs[0].until(State.ENDED)
    office.daemon.start()
    call = office.call()
    assert (call["outcome"], call["number"], call["extension"]) == ("answered", number, "101")
    assert call["talk_ms"] is not None and call["bell"] == "rang"
    assert [kind for kind in office.events(call["id"]) if kind != "text"] == ["ringing", "answered", "ended"]


def test_the_daemon_killed_while_it_rings_misses_nothing_and_texts_once(office: Office) -> None:
    number = office.mobile()
    caller = office.line.call(number).until(State.RINGING)
    office.daemon.kill()
    caller.cancel()
    office.over_in_asterisk()
    office.daemon.start()
    assert office.call()["outcome"] == "missed"
    office.daemon.kill()
    office.daemon.start()
    assert office.call()["outcome"] == "missed"
    assert len(office.texts(number)) == 1


def test_calls_made_while_the_daemon_is_away_are_all_in_the_history(office: Office) -> None:
    numbers = [office.mobile() for _ in range(5)]
    office.daemon.stop()
    for number in numbers:
        caller = office.line.call(number).until(State.RINGING)
        caller.cancel()
        caller.until(State.ENDED)
    office.daemon.start()
    rows = office.calls(5)
    assert [row["number"] for row in rows] == numbers
    assert all(row["outcome"] == "missed" for row in rows)


def test_asterisk_killed_in_mid_call_leaves_an_interrupted_call(office: Office) -> None:
    number = office.mobile()
    office.phones_will(answer(), RING)
    caller = office.line.call(number).until(State.TALKING)
    wait(lambda: "answered" in office.events(office.live()["id"]), 10, "the answer in the store")
    boot = office.live()["boot"]
    office.asterisk.kill()
    office.asterisk_again()
    call = office.call(30)
    assert (call["outcome"], call["number"], call["boot"]) == ("interrupted", number, boot)
    caller.drop()
    again = office.missed(office.mobile())
    assert again["boot"] == boot + 1


def test_asterisk_killed_while_the_daemon_was_dead_leaves_an_interrupted_call(office: Office) -> None:
    number = office.mobile()
    caller = office.line.call(number).until(State.RINGING)
    office.daemon.kill()
    office.asterisk.kill()
    office.asterisk_again()
    office.daemon.start()
    call = office.call(30)
    assert (call["outcome"], call["number"]) == ("interrupted", number)
    caller.drop()


def test_a_living_call_survives_a_restart_of_the_daemon(office: Office) -> None:
    office.phones_will(answer(), RING)
    caller = office.line.call(office.mobile()).until(State.TALKING)
    assert office.daemon.stop() == 0
    office.daemon.start()
    assert office.live()["answered_at"]
    caller.hang_up()
    assert office.call()["outcome"] == "answered"


def test_only_asterisk_writes_the_spool_and_the_daemon_reads_it_running_or_stopped(office: Office) -> None:
    def read() -> str:
        return subprocess.run(as_user("deskbell-calls", "python3", "-c", READ, str(office.box.ledger)),
                              capture_output=True, text=True, check=True).stdout
    office.missed(office.mobile())
    with ledger(office.box) as spool:
        rows = spool.execute("SELECT count(*) FROM cel").fetchone()[0]
    assert int(read()) == rows
    refused = subprocess.run(as_user("deskbell-calls", "python3", "-c", WRITE, str(office.box.ledger)),
                             capture_output=True, text=True, check=False)
    assert "readonly database" in refused.stderr
    office.daemon.stop()
    office.asterisk.stop()
    assert int(read()) >= rows
    office.asterisk_again()
    assert int(read()) >= rows


def test_strangers_read_no_call(office: Office) -> None:
    for path in (office.box.ledger, office.box.store, office.box.raw_recordings, office.box.secrets / "ami"):
        done = subprocess.run(as_user("nobody", "test", "-r", str(path)), check=False)
        assert done.returncode != 0, f"{path} is readable by anybody"


def test_malformed_rows_and_a_torn_last_row_stop_nothing(office: Office) -> None:
    """Whatever stands in the spool, the next call is in the history."""
    torn = [
        ("CHAN_START", "not a time", "", "", "", "", "", "", "x", "x", "{", "1"),
        ("HANGUP", "1795291359.1", "", "", "", "", "", "", "", "", "{\"hangupcause\":\"many\"}", "1"),
        (None, None, None, None, None, None, None, None, None, None, None, None),
        ("CHAN_START", b"\xff\xfe", b"\xcf\xe5", b"\x00", "s", "from-trunk", "PJSIP/line1-9", "", "9", "9", "", "many"),
        ("UNHEARD_OF", "1795291359.1", "n", "1", "s", "from-trunk", "PJSIP/line1-8", "", "8.8", "8.8", "[]", "1"),
        ("CHAN_START", "1795291359.1", "n", "1", "s", "from-trunk", "PJSIP/line1-7"),
    ]
    columns = ("kind", "at", "caller_name", "caller_id", "extension", "context", "channel", "application",
               "uniqueid", "linkedid", "extra", "boot")
    spool = sqlite3.connect(office.box.ledger, timeout=5)
    with spool:
        for row in torn:
            spool.execute(f"INSERT INTO cel ({', '.join(columns[:len(row)])}) "
                          f"VALUES ({', '.join('?' * len(row))})", row)
    spool.close()
    number = office.mobile()
    call = office.missed(number)
    assert call["outcome"] == "missed" and office.daemon.is_running
    office.settle()


def test_a_spool_torn_by_a_power_cut_loses_its_last_rows_and_nothing_more(office: Office) -> None:
    before = office.missed(office.mobile())
    office.daemon.stop()
    caller = office.line.call(office.mobile()).until(State.RINGING)
    office.asterisk.kill()
    caller.drop()
    journal = office.box.ledger.with_name("cel.db-wal")
    with journal.open("r+b") as file:
        file.truncate(journal.stat().st_size - 100)
    office.asterisk_again()
    office.daemon.start()
    number = office.mobile()
    caller = office.line.call(number).until(State.RINGING)
    caller.cancel()
    assert office.call_of(number, 30)["outcome"] == "missed"
    assert office.db.execute("SELECT outcome FROM call WHERE id = ?", (before["id"],)).fetchone()[0] == "missed"


def test_a_spool_made_anew_is_followed_from_its_first_row(office: Office) -> None:
    """Somebody threw the spool away: what we have stays, and no old cursor hides what comes."""
    before = office.missed(office.mobile())
    office.asterisk.stop()
    for file in office.box.spool.glob("cel.db*"):
        file.unlink()
    office.asterisk_again()
    after = office.missed(office.mobile())
    assert after["outcome"] == "missed" and after["id"] > before["id"]
    office.settle()
    assert office.daemon.is_running


def test_the_boot_number_keeps_calls_apart_when_asterisk_repeats_its_ids(office: Office) -> None:
    """A box without a clock: the linkedid of yesterday comes again."""
    first = office.missed(office.mobile())
    with ledger(office.box) as spool:
        rows = spool.execute("SELECT kind, at, caller_name, caller_id, extension, context, channel, application,"
                             " uniqueid, linkedid, extra FROM cel WHERE linkedid = ? ORDER BY AcctId",
                             (first["linkedid"],)).fetchall()
    office.asterisk.stop()
    boot = first["boot"] + 1
    (office.box.asterisk / "boot").write_text(str(boot))
    spool = sqlite3.connect(office.box.ledger, timeout=5)
    with spool:
        spool.executemany("INSERT INTO cel (kind, at, caller_name, caller_id, extension, context, channel, application,"
                          f" uniqueid, linkedid, extra, boot) VALUES ({', '.join('?' * 11)}, {boot})", rows)
    spool.close()
    office.asterisk_again()

    def twins() -> list[int]:
        return [row["boot"] for row in office.db.execute(
            "SELECT boot FROM call WHERE linkedid = ? ORDER BY boot", (first["linkedid"],))]
    wait(lambda: len(twins()) == 2, 10, "the second call of that id")
    assert twins() == [boot - 1, boot]


def test_the_watchdog_is_fed_while_the_daemon_works_and_starved_while_it_hangs(office: Office) -> None:
    office.daemon.said()
    wait(lambda: "WATCHDOG=1" in office.daemon.said(), 15, "a fed watchdog")
    office.daemon.freeze()
    office.daemon.said()
    caller = office.line.call(office.mobile()).until(State.RINGING)
    assert "WATCHDOG=1" not in office.daemon.said()
    caller.cancel()


def test_the_daemon_stops_when_asked_and_says_so(office: Office) -> None:
    office.daemon.said()
    assert office.daemon.stop() == 0
    wait(lambda: "STOPPING=1" in office.daemon.said(), 5, "the daemon's last word")
