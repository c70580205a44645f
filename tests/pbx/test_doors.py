"""Who may do what at the box: strangers nothing, a caller only ring, a phone only with its secret."""
from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from appliance.calls.ami import Ami, AmiError, from_secret
from tests.pbx.box import as_user
from tests.pbx.office import Office
from tests.sip import Line, Phone, State

USERS = ("asterisk", "deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock", "nobody")
OUR_DAEMONS = {"deskbell-calls", "deskbell-modem", "deskbell-web", "deskbell-clock"}
LEDGER = {"asterisk", "deskbell-calls"}
WHO = [   # path, who reads it, who writes it; folders: who sees and who makes files in them
    ("/var/lib/deskbell", OUR_DAEMONS, OUR_DAEMONS),
    ("/var/lib/deskbell/office.db", OUR_DAEMONS, OUR_DAEMONS),
    ("/var/lib/deskbell/recordings", OUR_DAEMONS, OUR_DAEMONS),      # systemd: web reads, modem does not see it
    ("/var/lib/deskbell/decoded", OUR_DAEMONS, OUR_DAEMONS),
    ("/var/spool/deskbell", LEDGER, LEDGER),
    ("/var/spool/deskbell/cel.db", LEDGER, LEDGER),
    ("/var/spool/deskbell/recording", LEDGER, LEDGER),
    ("/etc/deskbell/box.toml", set(USERS), set()),
    ("/etc/deskbell/asterisk", {"asterisk"}, set()),
    ("/etc/deskbell/asterisk/pjsip_box.conf", {"asterisk"}, set()),
    ("/etc/deskbell/secret", OUR_DAEMONS, set()),
    ("/etc/deskbell/secret/ami", {"deskbell-calls"}, set()),
    ("/etc/deskbell/secret/sip-101", {"deskbell-web"}, set()),
]
ACCESS = """
import json, os, sys
print(json.dumps([[os.access(path, os.R_OK), os.access(path, os.W_OK)] for path in sys.argv[1:]]))
"""


def test_each_user_reads_and_writes_what_the_table_says_and_nothing_else(office: Office) -> None:
    office.missed(office.mobile())
    paths = [path for path, _, _ in WHO]
    can = {user: json.loads(subprocess.run(as_user(user, "python3", "-c", ACCESS, *paths), capture_output=True,
                                           text=True, check=True).stdout) for user in USERS}
    found = [(path, {user for user in USERS if can[user][at][0]}, {user for user in USERS if can[user][at][1]})
             for at, path in enumerate(paths)]
    assert found == WHO


def test_every_door_but_the_telephones_is_on_loopback(office: Office) -> None:
    """/proc/net/tcp: state 0A listens; the address is little-endian hex."""
    doors = [line.split() for table in ("tcp", "tcp6") for line in
             Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    listening = {row[1] for row in doors if row[3] == "0A"}
    ports = {int(address.split(":")[1], 16) for address in listening}
    assert {5038, 4573} <= ports and 8088 not in ports
    assert all(address.startswith("0100007F:") for address in listening), listening


def test_a_stranger_who_is_no_gateway_and_no_phone_rings_nobody(office: Office) -> None:
    with Line(("127.0.0.1", 0)) as stranger:
        caller = stranger.call("+491701234567", to="101").until(State.ENDED)
    assert caller.final == 401 and not office.counter.legs


@pytest.mark.parametrize("number", ["0301234567", "+15551234567", "00900123456", "101", "s"])
def test_a_caller_from_outside_can_only_ring_the_office(office: Office, number: str) -> None:
    """Whatever the line says was dialled, no call goes out again: that would be somebody's free telephone."""
    caller = office.line.call(office.mobile(), to=number)
    office.rung()
    assert [leg for leg in office.line.legs if not leg.is_ours] == []
    caller.until(State.RINGING).cancel()
    assert office.call()["direction"] == "in"


@pytest.mark.parametrize("number", ["x", "%0a1", "A" * 60, "%24%7BSHELL(id)%7D", "%26%26"])
def test_a_phone_cannot_dial_what_is_no_number(office: Office, number: str) -> None:
    call = office.counter.call(number).until(State.ENDED)
    assert call.final is not None and call.final >= 400
    assert not office.line.legs and not office.desk.legs


@pytest.mark.parametrize("number", ["1%26PJSIP%2F102", "101%26102", "0301%0aX", "030%24%7BSHELL(id)%7D"])
def test_a_phone_dials_the_digits_of_what_it_sent_and_nothing_between(office: Office, number: str) -> None:
    call = office.counter.call(number)
    dialled = office.line.next_leg().invite.start
    call.until(State.RINGING).cancel()
    assert re.match(rb"INVITE sip:[0-9]+@127.0.0.1:5070 ", dialled), dialled
    assert len(office.line.legs) == 1 and not office.desk.legs


def test_a_phone_with_a_wrong_secret_is_refused(office: Office) -> None:
    with Phone("101", "0" * 32) as thief, pytest.raises(PermissionError):
        thief.register()
    with Phone("999", "0" * 32) as thief, pytest.raises(PermissionError):
        thief.register()


def test_the_manager_lets_in_nobody_without_the_secret(office: Office) -> None:
    for user, secret in (("deskbell", "wrong"), ("deskbell", ""), ("admin", "admin"), ("", "")):
        with Ami(user, secret) as stranger, pytest.raises(AmiError):
            stranger.ask("CoreStatus")


@pytest.mark.parametrize("action", ["Originate", "Command", "UpdateConfig", "Redirect", "AGI"])
def test_the_manager_lets_the_daemon_ask_and_no_more(office: Office, action: str) -> None:
    """A daemon that was taken over must not run commands as Asterisk or call the world."""
    with from_secret(office.box.secrets / "ami") as asterisk:
        assert asterisk.ask("Ping")
        with pytest.raises(AmiError, match="refused"):
            asterisk.ask(action, Channel="Local/1@outside", Command="core show version", Filename="manager.conf",
                         Application="System", Data="id", Exten="1", Context="outside", Priority="1",
                         SrcFilename="manager.conf", DstFilename="manager.conf")


@pytest.mark.parametrize("action", ["Command", "UpdateConfig", "ModuleLoad", "DBPut", "DialplanExtensionAdd"])
def test_the_hand_on_the_telephone_moves_calls_and_no_more(office: Office, action: str) -> None:
    with from_secret(office.box.secrets / "ami-phone", "phone") as asterisk:
        with pytest.raises(AmiError, match="refused"):
            asterisk.ask(action, Command="core show version", SrcFilename="manager.conf", DstFilename="manager.conf",
                         LoadType="load", Module="app_system.so", Family="x", Key="y", Val="z", Context="office",
                         Extension="s", Priority="1", Application="System", ApplicationData="id")
        with pytest.raises(AmiError, match="refused"):
            asterisk.ask("Originate", Channel="Local/s@office", Application="System", Data="id")


def test_rubbish_at_the_telephones_door_disturbs_no_call(office: Office) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anybody:
        for words in (b"", b"\x00" * 2000, b"INVITE\r\n\r\n", b"INVITE sip:s@x SIP/2.0\r\n" * 50, b"\xff" * 60000,
                      b"SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"):
            anybody.sendto(words, ("127.0.0.1", 5060))
    assert office.missed(office.mobile())["outcome"] == "missed"
