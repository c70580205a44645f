"""The phone books of desk phones: Yealink and Grandstream fetch theirs from an address with a token in it.

A desk phone cannot log in, so the address is the key: it comes from a private network alone, is taken back on the
page Programs, and holds names and numbers and nothing else.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance import networks
from appliance.doors import tokens
from web.office import Office

START = "/phonebook/"
MOST = 5_000               # what the larger of these telephones hold
KINDS = ("yealink", "grandstream")


@dataclass(frozen=True)
class Entry:
    name: str
    numbers: list[tuple[str, str]]       # (number, label)


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get(START + f"<token:re:[A-Za-z0-9_-]{{20,60}}>/<kind:re:{'|'.join(KINDS)}>.xml",
            callback=lambda token, kind: _book(office, token, kind))
    # A Grandstream is given a folder and asks for this name in it.
    app.get(START + "<token:re:[A-Za-z0-9_-]{20,60}>/phonebook.xml",
            callback=lambda token: _book(office, token, "grandstream"))


def _book(office: Office, token: str, kind: str) -> HTTPResponse:
    """404 for everything that is no key, so that nobody learns whether there is one."""
    if not networks.is_allowed(request.environ.get("REMOTE_ADDR") or "", []):
        raise HTTPError(404)
    found = tokens.find(office.db, tokens.hash_of(token), office.clock())
    if found is None or found.role != tokens.PHONEBOOK:
        raise HTTPError(404)
    write = yealink if kind == "yealink" else grandstream
    book = "".join(write(entries(office.db))).encode()
    return HTTPResponse(book, headers={"Content-Type": "text/xml; charset=utf-8"})


def entries(db: sqlite3.Connection) -> Iterator[Entry]:
    """Who has a number, by name; blocked ones are in nobody's book."""
    rows = db.execute("""
        SELECT contact.id, contact.name, contact_number.number, coalesce(contact_number.label, '') AS label
        FROM (SELECT * FROM contact WHERE is_blocked = 0
                AND EXISTS (SELECT 1 FROM contact_number WHERE contact_id = contact.id)
              ORDER BY name COLLATE NOCASE, id LIMIT ?) AS contact
        JOIN contact_number ON contact_number.contact_id = contact.id
        ORDER BY contact.name COLLATE NOCASE, contact.id, contact_number.position""", (MOST,))
    for (_, name), theirs in groupby(rows, lambda row: (row["id"], row["name"])):
        yield Entry(name, [(row["number"], row["label"]) for row in theirs])


def yealink(book: Iterator[Entry]) -> Iterator[str]:
    """A remote phone book, as Yealink's "Remote Phonebook Template" has it: an entry holds several numbers."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<YealinkIPPhoneDirectory>\n'
    for entry in book:
        numbers = "".join(f'<Telephone label="{_safe(label)}">{number}</Telephone>' if label
                          else f"<Telephone>{number}</Telephone>" for number, label in entry.numbers)
        yield f"<DirectoryEntry><Name>{_safe(entry.name)}</Name>{numbers}</DirectoryEntry>\n"
    yield "</YealinkIPPhoneDirectory>\n"


def grandstream(book: Iterator[Entry]) -> Iterator[str]:
    """An XML phone book as the GXP and GRP telephones download it: Phone type Work, Home or Cell, three at most."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<AddressBook>\n<version>1</version>\n'
    for place, entry in enumerate(book, 1):
        first, _, last = entry.name.rpartition(" ")
        numbers = "".join(f'<Phone type="{_type(label)}"><phonenumber>{number}</phonenumber>'
                          "<accountindex>0</accountindex></Phone>" for number, label in entry.numbers[:3])
        yield (f"<Contact><id>{place}</id><FirstName>{_safe(first)}</FirstName><LastName>{_safe(last)}</LastName>"
               f"{numbers}</Contact>\n")
    yield "</AddressBook>\n"


def _type(label: str) -> str:
    return {"mobile": "Cell", "home": "Home"}.get(label, "Work")


def _safe(text: str) -> str:
    """Fit for XML 1.0, which has no control characters."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text), {'"': "&quot;"})
