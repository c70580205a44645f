"""Who may open which page: one word at each route, and nothing for a word that is not known.

    app.get("/users", callback=…, role="owner")        the owner alone
    app.get("/sims", callback=…, role="installer")     owner and installer
    app.get("/calls", callback=…)                      owner and staff: what holds callers, texts or customers
    app.get("/about", callback=…, role="any")          whoever has logged in
"""
from __future__ import annotations

from typing import Any

from web.language import N_

OWNER, STAFF, INSTALLER = "owner", "staff", "installer"
UNMARKED = "staff"
WHO: dict[str, frozenset[str]] = {
    "owner": frozenset({OWNER}),
    "staff": frozenset({OWNER, STAFF}),
    "installer": frozenset({OWNER, INSTALLER}),
    "any": frozenset({OWNER, STAFF, INSTALLER}),
}
HOME = {INSTALLER: "/settings"}                            # where a role that has no calls begins
NAMES = {OWNER: N_("Owner"), STAFF: N_("Staff"), INSTALLER: N_("Installer")}
MAY = {OWNER: N_("Everything, also users, backups and settings"),
       STAFF: N_("Calls, customers, texts, recordings and the list to call"),
       INSTALLER: N_("Lines, network, SIMs and diagnostics; no calls, texts, customers or recordings")}


def may(role: str, mark: object) -> bool:
    """Whether somebody of this role may use a route with this mark; an unknown word lets nobody in."""
    return role in WHO.get(str(mark), frozenset())


def mark_of(config: Any) -> str:
    """The word at a route."""
    return str(config.get("role") or UNMARKED)
