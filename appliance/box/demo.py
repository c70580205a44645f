"""`deskbell demo`: a whole office in a throw-away root, with a simulated line, phone and SIM.

The daemons and Asterisk's configuration are the ones that ship; only what is plugged in is played.
"""
from __future__ import annotations

import argparse
import contextlib
import grp
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from appliance import config, settings
from appliance.box import exchange
from appliance.box.exchange import RUN, place_call
from appliance.box.provision import provision, sip_secret
from appliance.box.supervisor import Part, PartFailed, Supervisor
from appliance.box.wallclock import SYNCHRONISED
from appliance.config import Box
from appliance.people import contacts, users
from appliance.store import db as store
from appliance.texts import rulebook

__all__ = ["AIR", "DAEMONS", "Demo", "act", "place_call"]

DAEMONS = ("calls", "modem", "clock", "web")
BOX_TOML = Path("/etc/deskbell/box.toml")
SIM_PORT = RUN / "sim/port"
AIR = RUN / "sim/air.jsonl"      # one JSON line for every PDU that the simulated network took
WATCH_S = 0.2
OTHER_CONTACTS = (("Carla Weiss", "+493023125222"), ("Post office", "+493023125333"))


class DemoError(Exception):
    """The demo cannot run; the text says why and what to do."""


class Demo:
    """The office of the demo: start() it, then it serves until stop().

    gsm is a real modem's port or None for the simulated SIM; sip_port opens the box's SIP to
    softphones of the network on that port, in place of the simulated staff; caller_number is
    the caller who is texted.
    """

    def __init__(self, web_port: int = 8080, gsm: Path | None = None, sip_port: int | None = None,
                 caller_number: str | None = None) -> None:
        self._gsm, self._sip_port, self._caller_number = gsm, sip_port, caller_number
        self._web_port = web_port
        self._supervisor = Supervisor(RUN / "parts")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._web_port}/"

    def start(self) -> Box:
        """The box, once a call could ring. Raises DemoError or PartFailed; stop() is still needed then."""
        os.umask(0o022)
        box = self._lay_out()
        self._must_be_free(box)
        provision(box, starting_asterisk=True)
        phone = box.extensions[0] if self._sip_port is None else None
        exchange.write_run(box, phone, self._caller_number)
        sounds = threading.Thread(target=exchange.make_sounds)
        sounds.start()
        for part in self._parts(box):
            self._supervisor.start(part)
        if phone:
            self._supervisor.wait(lambda: _is_registered(phone.number), 15, "the simulated phone registered at the box")
        sounds.join()
        return box

    def dead(self) -> str | None:
        """A sentence about a part that ended by itself."""
        return self._supervisor.dead()

    def stop(self) -> None:
        self._supervisor.stop()

    def first_run_code(self, box: Box) -> str:
        return users.first_run_code(box)

    def _lay_out(self) -> Box:
        """box.toml and the seeds of the store."""
        BOX_TOML.write_text(self._box_toml())
        BOX_TOML.chmod(0o644)
        box = config.load(BOX_TOML)
        for folder, user in ((SIM_PORT.parent, "deskbell-modem"), (Path("/run/asterisk"), "asterisk")):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, user, user)
            folder.chmod(0o755)
        RUN.chmod(0o755)
        SYNCHRONISED.parent.mkdir(parents=True, exist_ok=True)
        SYNCHRONISED.touch()      # the clock is that of the computer the demo runs on, and its owner's business
        _seed(box)
        return box

    def _box_toml(self) -> str:
        listen, port = ("127.0.0.1", 5060) if self._sip_port is None else ("0.0.0.0", self._sip_port)
        return f"""
country = "DE"
own_numbers = ["{exchange.SHOP_NUMBER}"]
demo = "{RUN}"
[[trunk]]
key = "line1"
name = "Line 1"
gateway = "{exchange.GATEWAY}"
[[extension]]
number = "101"
name = "Counter"
[[extension]]
number = "102"
name = "Office"
[[modem]]
name = "SIM"
port = "{self._gsm or SIM_PORT}"
[web]
port = {self._web_port}
[sip]
listen = "{listen}"
port = {port}
"""

    def _must_be_free(self, box: Box) -> None:
        wanted = [("tcp", self._web_port, "the pages"), ("tcp", 5038, "Asterisk's manager"), ("tcp", 4573, "the bell"),
                  ("tcp", 5039, "the simulated telephone company"), ("udp", box.sip.port, "SIP"),
                  ("udp", 5070, "the simulated line"), ("udp", 5071, "the simulated phone")]
        for kind, port, what in wanted:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as probe:
                if kind == "tcp":
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as taken:
                    other = ", or name another with --web-port" if port == self._web_port else ""
                    raise DemoError(f"Port {port} ({kind}, for {what}) is used by another program. "
                                    f"End that program{other}, then start the demo again.") from taken

    def _parts(self, box: Box) -> list[Part]:
        told = {"DESKBELL_CONFIG": str(BOX_TOML)}
        sim = Part("SIM", ("python3", "-P", "-m", "hw.gsm_sim", "--link", str(SIM_PORT), "--air", str(AIR)),
                   "deskbell-modem", SIM_PORT.exists, environment={"PYTHONPATH": _code()})
        parts = [
            Part("Asterisk", ("asterisk", "-f", "-n", "-C", "/etc/asterisk/asterisk.conf", "-U", "asterisk"),
                 None, lambda: _is_booted("/etc/asterisk/asterisk.conf")),
            *(Part(name, ("deskbell", "run", name), f"deskbell-{name}", environment=told) for name in DAEMONS),
            Part("telephone-company", exchange.command("-f", "-n"), "asterisk",
                 lambda: _is_booted(str(exchange.CONFIGURATION / "asterisk.conf"))),
        ]
        if self._gsm is None:
            parts.insert(0, sim)
        return parts


def _code() -> str:
    return str(Path(__file__).resolve().parents[2])


def _seed(box: Box) -> None:
    os.umask(0o007)
    db = store.connect(box.store)
    store.migrate(db)
    now = datetime.now(UTC)
    with store.write(db):
        settings.put(db, "shop_name", "Café Blume")
        settings.put(db, "record_calls", True)
        settings.put(db, "quiet_until", settings.DEFAULTS.quiet_from)      # it is shown at any hour
        for rule in rulebook.rules(db):
            rulebook.save(db, replace(rule, delay_s=0), now, rulebook.lines(box))
        if not db.execute("SELECT count(*) FROM contact").fetchone()[0]:
            for name, number in [*((c.name, c.number) for c in exchange.CALLERS.values()), *OTHER_CONTACTS]:
                contacts.add(db, name, [number], box.country, now)
    db.close()


def _console(configuration: str, command: str) -> str:
    """What an Asterisk answers on its console; empty while it is not there."""
    asked = subprocess.run(["asterisk", "-C", configuration, "-rx", command], capture_output=True, text=True,
                           timeout=10, check=False)
    return asked.stdout


def _is_booted(configuration: str) -> bool:
    return "fully booted" in _console(configuration, "core waitfullybooted")


def _is_registered(extension: str) -> bool:
    return f"{extension}/sip:" in _console("/etc/asterisk/asterisk.conf", "pjsip show contacts")


def act(asked: argparse.Namespace) -> int:
    """The exit code of `deskbell demo`: serves until it is stopped."""
    if problem := _problem(asked):
        print(f"deskbell: {problem}", file=sys.stderr)
        return 2
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    demo = Demo(asked.web_port, asked.gsm, asked.sip_port, asked.caller)
    try:
        box = demo.start()
        print(_welcome(demo, box, asked.sip_port), flush=True)
        while not stop.wait(WATCH_S):
            if sentence := demo.dead():
                raise PartFailed(sentence)
    except (DemoError, PartFailed) as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2 if isinstance(refused, DemoError) else 1
    finally:
        demo.stop()
    print("Stopped. Nothing is left running.", flush=True)
    return 0


def _problem(asked: argparse.Namespace) -> str | None:
    """Why the demo cannot be started like this, or None."""
    if os.geteuid() != 0:
        return "the demo starts each daemon as its own user and needs root; start it with image/demo."
    try:
        grp.getgrnam("deskbell")
    except KeyError:
        return "this machine is no Deskbell box; start the demo with image/demo, which makes one to throw away."
    if Path("/run/systemd/system").exists() or config.DEFAULT_PATH.exists():
        return "this is a real box; the demo would overwrite its configuration. Start it with image/demo on a computer."
    if asked.gsm and not asked.caller:
        return "a real modem sends real texts: say with --caller whose number gets them."
    if asked.gsm and not asked.gsm.exists():
        return f"there is no modem at {asked.gsm}. Plug it in, or leave --gsm away for the simulated SIM."
    return None


def _welcome(demo: Demo, box: Box, sip_port: int | None) -> str:
    lines = ["", "The office is open.", f"  Page            {demo.address}",
             f"  First-run code  {demo.first_run_code(box)}"]
    if sip_port is not None:
        lines += [f"  Softphone       server {_own_address()} port {sip_port} (UDP), user 101, "
                  f"password {sip_secret(box, box.extensions[0])}",
                  "                  Make a SIP account with these in the softphone, codec PCMA or PCMU, no proxy.",
                  "                  It rings when you press \"Call and talk\"; answer it yourself."]
    return "\n".join([*lines, "  Ctrl-C stops everything.", ""])


def _own_address() -> str:
    """This machine's address towards others, loopback without a network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))      # RFC 5737, reserved for documentation
        return str(probe.getsockname()[0])
    return "127.0.0.1"
