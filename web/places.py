"""The places of the office: what stands in the rail, in the phone's tabs and on its page of further places."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from web.language import N_


@dataclass(frozen=True)
class Place:
    """One of them. mark: whose it is, see roles.py; under: beginnings of further addresses that belong to it;
    counts: which number stands beside it."""
    address: str
    name: str
    icon: str
    what: str
    mark: str = "staff"
    under: tuple[str, ...] = ()
    counts: str = ""

    def is_at(self, path: str) -> bool:
        """Whether the page of this address is here."""
        if self.address == "/":
            return path == "/"
        return any(path == start or path.startswith(start + "/") for start in (self.address, *self.under))


DAILY = (
    Place("/", N_("Today"), "bell", N_("Who calls, who is owed, what comes next"), counts="owed"),
    Place("/history", N_("History"), "book", N_("Every call, found and exported"), under=("/call",)),
    Place("/tocall", N_("To call"), "phone", N_("Promised call-backs and lists to work through"), counts="due"),
    Place("/customers", N_("Customers"), "people", N_("Cards, groups, import and export"), under=("/customer",)),
    Place("/texts", N_("Texts"), "text", N_("Conversations and group texts"), under=("/campaigns", "/campaign"),
          counts="unread"),
    Place("/recordings", N_("Recordings"), "wave", N_("Listen, mark and find")),
    Place("/statistics", N_("Statistics"), "bars", N_("Calls by hour and day, and who was saved"), "owner"),
)
HOUSE = (
    Place("/rules", N_("Rules"), "fork", N_("When a call is answered by a text"), "owner", ("/rule",)),
    Place("/templates", N_("Templates"), "note", N_("Texts kept for use, and answers to a word")),
    Place("/optouts", N_("Opt-outs"), "shield", N_("Who wants no texts, and why")),
    Place("/sims", N_("SIMs"), "sim", N_("Signal, pace, allowance and balance"), "installer"),
    Place("/backups", N_("Backups"), "drawer", N_("What is kept where, and proven"), "owner"),
    Place("/settings", N_("Settings"), "gear", N_("Shop, hours, line, recording, texts"), "installer"),
    Place("/update", N_("Update"), "again", N_("Which version runs, and a newer one"), "installer"),
    Place("/box", N_("The box"), "drawer", N_("The machine: network, clock, starting it anew"), "installer"),
    Place("/doors", N_("Programs"), "net", N_("Keys for programs, webhooks, phone books, printer"), "owner"),
    Place("/users", N_("Users"), "key", N_("Who may do what, and who changed what"), "owner", ("/changes",)),
    Place("/desks", N_("Desks"), "screen", N_("Programs that show who rings, without a browser")),
    Place("/account", N_("My account"), "me", N_("My password, my sessions, a code from my telephone"), "any"),
    Place("/help", N_("Help"), "help", N_("How things are done here"), "any"),
    Place("/about", N_("About"), "info", N_("Version, licences, diagnostics"), "any"),
)
TABS = ("/", "/history", "/texts", "/customers")      # of the phone, beside "More"


@dataclass(frozen=True)
class Frame:
    """What one reader sees around every page. tabs: at the foot of the phone; further: on its page "More"."""
    daily: list[Place]
    house: list[Place]
    tabs: list[Place]
    further: list[Place]

    def is_further(self, path: str) -> bool:
        """Whether the page of this address is one that a phone reaches by "More"."""
        return path == "/more" or any(place.is_at(path) for place in self.further)


def frame(may: Callable[[str], bool]) -> Frame:
    """The places of somebody who may open those with such a mark."""
    daily, house = ([place for place in places if may(place.mark)] for places in (DAILY, HOUSE))
    tabs = [place for address in TABS for place in daily if place.address == address]
    return Frame(daily, house, tabs, [place for place in daily + house if place not in tabs])
