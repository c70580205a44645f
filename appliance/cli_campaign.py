"""deskbell campaign: one text to many, without a browser."""
from __future__ import annotations

import argparse
import importlib
from pathlib import Path

VERBS = {
    "list": "every campaign and how it stands",
    "preview": "who would get what, and what it costs; nothing is sent",
    "start": "the same words once more, with --confirm HASH that the preview printed",
    "show": "how it stands, and who needs a look",
    "pause": "nothing goes from the next text on",
    "resume": "it goes on",
    "stop": "for good; what waits is cancelled",
    "resend": "those that failed get it once more, never those that are unknown",
    "export": "its recipients as CSV on standard output",
}


def add_to(nouns: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The noun campaign and its verbs."""
    verbs = nouns.add_parser("campaign", help="one text to many").add_subparsers(metavar="VERB", required=True)
    for verb, about in VERBS.items():
        one = verbs.add_parser(verb, help=about)
        if verb in ("preview", "start"):
            _wish_arguments(one)
        elif verb != "list":
            one.add_argument("campaign", type=int, help="its number in `deskbell campaign list`")
        if verb == "start":
            one.add_argument("--confirm", metavar="HASH", required=True, help="what the preview printed last")
        one.set_defaults(act=_act, verb=verb)


def _act(asked: argparse.Namespace) -> int:
    return int(importlib.import_module("appliance.cli_campaign_verbs").run(asked))


def _wish_arguments(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", help="so that you find it again")
    one.add_argument("text", help="such as \"{name|Hello}: we are closed on Monday. {shop}\"")
    one.add_argument("--group", action="append", default=[], metavar="NAME", help="may be given again")
    one.add_argument("--everyone", action="store_true", help="every contact")
    one.add_argument("--numbers", default="", metavar="LIST", help="numbers by commas")
    one.add_argument("--csv", type=Path, metavar="FILE", help="a list with a column \"number\"")
    one.add_argument("--at", metavar="TIME", help="shop time, such as 2026-11-28T10:00")
    one.add_argument("--after", type=int, metavar="MINUTES")
    one.add_argument("--weekly", metavar="DAY,TIME", help="such as monday,10:00")
    one.add_argument("--monthly", metavar="DAY,TIME", help="such as 1,10:00")
    one.add_argument("--birthdays", metavar="TIME", help="on each one's birthday at this time")
    one.add_argument("--late-limit", type=int, default=60, metavar="MINUTES",
                     help="when the box was off: missed by more than this it is not sent (default 60)")
    one.add_argument("--canary", type=int, default=0, metavar="PERCENT",
                     help="to you first, then to so many, then to the rest")
    one.add_argument("--a-day", type=int, metavar="PEOPLE", help="split over days")
    one.add_argument("--sim", metavar="NAME", help="the modem's name in box.toml; else any")
