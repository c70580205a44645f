"""The telephone rings, whatever our software does."""
from __future__ import annotations

import socket
from pathlib import Path

import pytest

from appliance.store import db as store
from tests.pbx.box import wait
from tests.pbx.office import Office
from tests.sip import BUSY, RING, State, answer

RINGS_WITHIN_S = 3.0
CALLERS_AT_ONCE = 100
EVIL = Path("/tmp/deskbell-was-here")


def rings_within_s(office: Office, called_at: float, number: int = 1) -> float:
    return max(leg.at[State.CALLING] for leg in office.rung(number)) - called_at


def test_the_phones_show_the_name_the_daemon_looked_up(office: Office) -> None:
    number = office.mobile()
    office.contact("Anna Bell", number)
    caller = office.line.call(number, "LINE SAYS OTHER")
    assert {leg.name for leg in office.rung()} == {"Anna Bell"}
    caller.until(State.RINGING).cancel()
    call = office.call()
    assert call["bell"] == "rang" and call["contact_id"] and call["caller_name"] == "LINE SAYS OTHER"


def test_a_contact_named_like_a_command_is_only_a_name(office: Office) -> None:
    number = office.mobile()
    office.contact("Eve", number)
    with store.write(office.db):      # an import of long ago may have left a line break
        office.db.execute("UPDATE contact SET name = ? WHERE name = 'Eve'",
                          (f'Eve" \nEXEC System "touch {EVIL}"\\\nx',))
    caller = office.line.call(number)
    assert "Eve" in office.rung()[0].name
    caller.until(State.RINGING).cancel()
    assert office.call()["bell"] == "rang"
    assert not EVIL.exists(), "a contact's name was run as a command"


def test_the_phones_ring_when_the_daemon_was_killed(office: Office) -> None:
    number = office.mobile()
    office.daemon.kill()
    caller = office.line.call(number)
    assert rings_within_s(office, caller.at[State.CALLING]) < RINGS_WITHIN_S
    caller.until(State.RINGING).cancel()
    office.over_in_asterisk()
    office.daemon.start()
    call = office.call()
    assert (call["number"], call["outcome"], call["bell"]) == (number, "missed", None)
    assert "ringing" not in office.events(call["id"]), "a pop for a call that is over"


def test_the_phones_ring_when_the_daemon_hangs(office: Office) -> None:
    number = office.mobile()
    office.daemon.freeze()
    caller = office.line.call(number)
    assert rings_within_s(office, caller.at[State.CALLING]) < RINGS_WITHIN_S
    caller.until(State.RINGING).cancel()
    office.over_in_asterisk()
    office.daemon.thaw()
    call = office.call()
    assert (call["number"], call["outcome"], call["bell"]) == (number, "missed", "cut")
    assert office.events(call["id"])[:1] == ["ended"], "a pop for a call that is over"


def test_a_call_that_still_rings_when_the_daemon_wakes_pops_then(office: Office) -> None:
    number = office.mobile()
    office.daemon.freeze()
    caller = office.line.call(number).until(State.RINGING)
    office.daemon.thaw()
    live = office.live()
    wait(lambda: "ringing" in office.events(live["id"]), 5, "the pop of a call that still rings")
    caller.cancel()
    assert (office.call()["outcome"], office.call()["bell"]) == ("missed", "cut")


def test_all_phones_busy_is_told_at_once_also_when_the_daemon_hangs(office: Office) -> None:
    office.phones_will(BUSY)
    office.daemon.freeze()
    caller = office.line.call(office.mobile()).until(State.ENDED, RINGS_WITHIN_S)
    office.daemon.thaw()
    assert caller.final == 486
    assert office.call()["outcome"] == "busy"


def test_a_hundred_calls_ring_while_the_daemon_hangs_and_none_pops_afterwards(office: Office) -> None:
    numbers = [office.mobile() for _ in range(CALLERS_AT_ONCE)]
    office.daemon.freeze()
    callers = [office.line.call(number) for number in numbers]
    office.rung(CALLERS_AT_ONCE)
    for phone in office.phones:
        rang = {leg.number: leg.at[State.CALLING] for leg in phone.legs}
        slowest = max(rang[caller.number] - caller.at[State.CALLING] for caller in callers)
        assert slowest < RINGS_WITHIN_S, f"{phone.name} rang after {slowest:.1f} s"
    for caller in callers:
        caller.cancel()
    office.over_in_asterisk(CALLERS_AT_ONCE)
    office.daemon.thaw()
    rows = office.calls(CALLERS_AT_ONCE, 60)
    assert sorted(row["number"] for row in rows) == sorted(numbers)
    assert {(row["outcome"], row["bell"]) for row in rows} == {("missed", "cut")}
    for row in rows:
        assert [kind for kind in office.events(row["id"]) if kind != "text"] == ["ended"]
        assert len(office.texts(row["number"])) == 1


def test_a_hung_daemon_does_not_cut_a_call_short(office: Office) -> None:
    """The bell's absolute time-out must not live on into the conversation."""
    office.phones_will(answer(tone_hz=1000), RING)
    office.daemon.freeze()
    caller = office.line.call(office.mobile(), tone_hz=440).until(State.TALKING)
    wait(lambda: State.ENDED in caller.at or len(caller.sound.heard) >= 8000 * 1.2, 10, "1.2 s of conversation")
    assert caller.state is State.TALKING
    caller.hang_up()
    office.daemon.thaw()
    assert office.call()["outcome"] == "answered"


def test_the_phones_show_names_kept_in_asterisk_while_the_daemon_is_dead(office: Office) -> None:
    number = office.mobile()
    office.contact("Anna Bell", number)
    wait(lambda: "Anna Bell" in office.asterisk.ask(f"database get name {number}"), 10, "the name in Asterisk")
    office.daemon.kill()
    caller = office.line.call(number)
    assert {leg.name for leg in office.rung()} == {"Anna Bell"}
    caller.until(State.RINGING).cancel()
    office.over_in_asterisk()
    office.daemon.start()
    assert office.call()["contact_id"]


def test_a_blocked_caller_rings_nowhere_dead_or_alive(office: Office) -> None:
    number = office.mobile()
    office.contact("Nuisance", number, is_blocked=True)
    wait(lambda: "Value" in office.asterisk.ask(f"database get blocked {number}"), 10, "the block in Asterisk")
    assert office.line.call(number).until(State.ENDED).final == 403
    call = office.call()
    assert call["outcome"] == "blocked" and "ringing" not in office.events(call["id"])
    office.daemon.kill()
    office.line.call(number).until(State.ENDED)
    office.daemon.start()
    assert [row["outcome"] for row in office.calls(2)] == ["blocked", "blocked"]
    assert not office.counter.legs and not office.desk.legs
    assert not office.texts(number)


def test_a_stranger_at_the_bell_is_told_off_and_the_bell_goes_on(office: Office) -> None:
    """Unknown path, half an environment, rubbish, silence: each connection ends alone."""
    said = [b"agi_network: yes\nagi_network_script: nonsense\nagi_request: agi://127.0.0.1/nonsense\n\n",
            b"agi_network: yes\nagi_network_script: ringing\n\n", b"GET / HTTP/1.1\r\n\r\n",
            b"\x00\xff" * 500 + b"\n\n", b"agi_network", b""]
    for words in said:
        with socket.create_connection(("127.0.0.1", 4573), 2) as visitor:
            visitor.sendall(words)
    number = office.mobile()
    caller = office.line.call(number).until(State.RINGING)
    caller.cancel()
    assert office.call()["bell"] == "rang"
    assert office.daemon.is_running


@pytest.mark.parametrize(("date", "told"), [
    (b"Mon, 22 Nov 2027 10:30:00 GMT", "Mon 22 Nov 2027 10:30:00 GMT"),
    (b"${SHELL(id)}%0aagi_x: ,y", "SHELLid0aagix: y"), (None, "")])
def test_the_bell_is_told_the_date_of_a_call(office: Office, date: bytes | None, told: str) -> None:
    office.daemon.kill()
    try:
        with socket.create_server(("127.0.0.1", 4573)) as bell:
            bell.settimeout(10)
            caller = office.line.call(office.mobile(), headers=[("date", date)] if date else None)
            asked = bell.accept()[0]
            with asked, asked.makefile(encoding="utf-8") as lines:
                env = dict(line.rstrip("\n").split(": ", 1) for line in iter(lines.readline, "\n"))
            assert len(office.rung()) == 2
            caller.until(State.RINGING).cancel()
            office.over_in_asterisk()
    finally:
        office.daemon.start()
    assert env["agi_arg_2"] == told and "agi_x" not in env
    office.call()


def test_asterisk_started_again_finds_the_bell_and_the_phones(office: Office) -> None:
    office.phones_will(RING)
    office.asterisk.stop()
    office.asterisk_again()
    number = office.mobile()
    caller = office.line.call(number).until(State.RINGING)
    caller.cancel()
    call = office.call()
    assert (call["outcome"], call["bell"]) == ("missed", "rang")


def test_a_telephone_that_was_switched_to_silent_does_not_ring_and_does_again_at_once(office: Office) -> None:
    quiet = office.box.extensions[1].number
    office.set(silent_phones=quiet)
    try:
        caller = office.line.call(office.mobile())
        office.counter.next_leg()
        caller.until(State.RINGING).cancel()
        assert set(office.legs(office.call()["id"])) == {office.box.trunks[0].key, office.box.extensions[0].number}
    finally:
        office.set(silent_phones="")
    caller = office.line.call(office.mobile())
    wait(lambda: quiet in office.legs(office.live()["id"]), 10, "the other telephone rings again")
    caller.until(State.RINGING).cancel()


def test_while_the_daemon_is_dead_every_telephone_rings(office: Office) -> None:
    office.set(silent_phones=office.box.extensions[1].number)
    office.daemon.kill()
    try:
        caller = office.line.call(office.mobile())
        assert len(office.rung()) == 2
        caller.until(State.RINGING).cancel()
        office.over_in_asterisk()
    finally:
        office.set(silent_phones="")
        office.daemon.start()
    office.call()
