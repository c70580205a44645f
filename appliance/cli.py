"""deskbell: the command line of the box."""
from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from appliance import chosen, config, settings
from appliance.box.notify import Notify
from appliance.people import contacts, numbers
from appliance.store import db as store

DAEMONS = {   # by name: the pages stand above us, so they are not imported but called
    "calls": "appliance.calls.daemon",
    "modem": "appliance.texts.modem",
    "web": "web.server",
    "clock": "appliance.box.clock",
}
# Nouns with a file of their own: add_to(nouns) gives their verbs.
MORE = ("appliance.cli_backup", "appliance.cli_boot", "appliance.cli_campaign", "appliance.cli_contact",
        "appliance.cli_modem", "appliance.cli_recording", "appliance.cli_rules", "appliance.cli_sms",
        "appliance.cli_update", "appliance.cli_user")
ABOUT = """The telephone desk of a small office: who rings, who was missed, who was texted.

  deskbell call list             the latest calls
  deskbell contact add NAME …    put somebody into the book, so that the pop knows the name
  deskbell sms send NUMBER …     text somebody; `deskbell sms list` shows what became of it
  deskbell rule rehearse         whom the rules would have texted in the last 30 days; sends nothing
  deskbell campaign preview …    who would get one text to many, and what it costs
  deskbell backup now            a backup, proved; `deskbell backup restore` brings one back
  deskbell check                 what is wrong with this box, in words; exit 1 if anything is
  deskbell setting list          what can be set, and how it stands
  deskbell user password NAME    a code for who is locked out; also `list`, `add` and `role`
  deskbell reset --keep-data     a factory reset at the next start; also `--everything`
  deskbell run calls             one of the four daemons: calls, modem, web, clock
  deskbell demo                  a whole office with a simulated line and SIM (see image/demo)
"""


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 findings, 2 it could not be done and a sentence says why."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s: %(message)s")
    try:
        code = int(asked.act(asked) or 0)
        sys.stdout.flush()
        return code
    except (config.ConfigError, store.StoreError, settings.SettingError, contacts.ContactError) as refused:
        print(f"deskbell: {refused}", file=sys.stderr)
        return 2
    except sqlite3.DatabaseError as broken:
        print(f"deskbell: The store cannot be used now ({broken}). Calls still ring. `deskbell check` says more.",
              file=sys.stderr)
        return 2
    except PermissionError as refused:
        print(f"deskbell: {refused.filename} may not be touched by this user. Run it as root.", file=sys.stderr)
        return 2
    except OverflowError:
        print("deskbell: Of what was asked, a number is too large.", file=sys.stderr)
        return 2
    except BrokenPipeError:      # a reader such as head has what it wanted; nothing more may go to it at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("deskbell", description=ABOUT,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    nouns = parser.add_subparsers(metavar="NOUN", required=True)
    run = nouns.add_parser("run", help="run a daemon in the foreground")
    run.add_argument("daemon", choices=sorted(DAEMONS))
    run.set_defaults(act=_run)
    calls = nouns.add_parser("call", help="the calls").add_subparsers(metavar="VERB", required=True)
    listing = calls.add_parser("list", help="the latest calls, newest first")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(act=_call_list)
    check = nouns.add_parser("check", help="findings in words; exit 1 if there are any")
    check.set_defaults(act=_check)
    setting = nouns.add_parser("setting", help="the settings").add_subparsers(metavar="VERB", required=True)
    setting.add_parser("list", help="every setting and how it stands").set_defaults(act=_setting_list)
    put = setting.add_parser("set", help="change one: deskbell setting set record_calls true")
    put.add_argument("key")
    put.add_argument("value")
    put.set_defaults(act=_setting_set)
    for module in MORE:
        importlib.import_module(module).add_to(nouns)
    provision = nouns.add_parser("provision", help="write Asterisk's part of box.toml and the secrets (root)")
    provision.add_argument("--starting-asterisk", action="store_true", help="count a start of Asterisk")
    provision.set_defaults(act=_provision)
    demo = nouns.add_parser("demo", help="a whole office with a simulated line and SIM (see image/demo)")
    demo.add_argument("--web-port", type=int, default=8080, metavar="N", help="where the pages are (default 8080)")
    demo.add_argument("--gsm", type=Path, metavar="PORT", help="a real modem, such as /dev/ttyUSB0; needs --caller")
    demo.add_argument("--caller", metavar="NUMBER", help="the number that rings and is texted: your own, with +")
    demo.add_argument("--sip-port", type=int, metavar="N",
                      help="a real softphone takes the staff's place: SIP on UDP port N, on all addresses")
    demo.set_defaults(act=lambda asked: importlib.import_module("appliance.box.demo").act(asked))
    return parser


def _run(asked: argparse.Namespace) -> int:
    # The pages put the office's choice over box.toml at each request, the others at their start.
    box, notify, stop = (config.read if asked.daemon == "web" else config.load)(), Notify(), threading.Event()
    os.umask(0o007)        # what a daemon makes, its group may use and nobody else

    def stopped(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, stopped)
    signal.signal(signal.SIGINT, stopped)
    daemon: Callable[[config.Box, threading.Event, Notify], None] = importlib.import_module(DAEMONS[asked.daemon]).run
    watch = chosen.Watch(box.store, stop) if asked.daemon != "web" else None
    daemon(box, stop, notify)
    if watch and watch.is_changed:
        logging.getLogger(asked.daemon).info("The office chose another country, zone or name: begins anew.")
        os.execv(sys.executable, sys.orig_argv)      # the same process to systemd: only what it knew is gone
    notify.stopping()
    return 0


def _open(box: config.Box) -> sqlite3.Connection:
    db = store.connect(box.store)
    store.migrate(db)
    return db


def _call_list(asked: argparse.Namespace) -> int:
    box = config.load()
    rows = _open(box).execute("""
        SELECT call.*, contact.name AS contact FROM call LEFT JOIN contact ON contact.id = call.contact_id
        ORDER BY started_at DESC, call.id DESC LIMIT ?""", (asked.limit,)).fetchall()
    if not rows and not asked.json:
        print("No calls yet.")
    for row in rows:
        if asked.json:
            print(json.dumps(dict(row), ensure_ascii=False))
            continue
        at = store.parse_time(row["started_at"]).astimezone(box.zone)
        who = row["contact"] or row["caller_name"] or ""
        given = row["caller_id"] if row["presentation"] == "allowed" else row["presentation"]
        number = numbers.shown(row["number"], box.country) if row["number"] else given
        outcome = row["outcome"] or ("talking" if row["answered_at"] else "ringing")
        print(f"{at:%Y-%m-%d %H:%M:%S}  {row['direction']:8} {outcome:11} {number:20} {who}".rstrip())
    return 0


def _setting_list(_asked: argparse.Namespace) -> int:
    now = settings.read(_open(config.load()))
    for key, default in vars(settings.DEFAULTS).items():
        value = getattr(now, key)
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}" + ("" if value == default else "   (changed)"))
    return 0


def _setting_set(asked: argparse.Namespace) -> int:
    wanted = type(getattr(settings.DEFAULTS, asked.key, ""))
    value: object = asked.value
    if wanted is not str:
        with contextlib.suppress(ValueError):      # put() says what is wanted
            value = json.loads(asked.value)
    db = _open(config.load())
    with store.write(db):
        settings.put(db, asked.key, value)
    print(f"{asked.key} = {json.dumps(value, ensure_ascii=False)}")
    return 0


def _check(_asked: argparse.Namespace) -> int:
    health, codes = map(importlib.import_module, ("appliance.box.health", "appliance.box.codes"))
    findings: list[str] = health.findings(config.load())
    for finding in findings:
        print(codes.coded(finding))
    if not findings:
        print("All well.")
    return 1 if findings else 0


def _provision(asked: argparse.Namespace) -> int:
    provision = importlib.import_module("appliance.box.provision")
    provision.provision(config.load(), starting_asterisk=asked.starting_asterisk)
    return 0


if __name__ == "__main__":
    sys.exit(main())
