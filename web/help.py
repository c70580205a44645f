"""Help that needs no line to anywhere: short pages, searched in the reader's language."""
from __future__ import annotations

import html
import re
from dataclasses import dataclass

import bottle
from bottle import HTTPError, request

from web.helptopics import TOPICS
from web.office import Office

SHORTEST = 2


@dataclass(frozen=True)
class Hit:
    """A page that holds the words, with the piece of it that does."""
    topic: str
    piece: str


def routes(app: bottle.Bottle, office: Office) -> None:
    app.get("/help", callback=lambda: _index(office), role="any")
    app.get("/help/<topic:re:[a-z-]{1,30}>", callback=lambda topic: _topic(office, topic), role="any")


def _index(office: Office) -> str:
    asked = request.query.getunicode("q", "").strip()[:80]
    return office.render("help.html", topics=TOPICS, asked=asked, hits=_search(office, asked), related=[])


def _topic(office: Office, topic: str) -> str:
    if topic not in TOPICS:
        raise HTTPError(404)
    names = list(TOPICS)
    place = names.index(topic)
    return office.render("helptopic.html", topic=topic, topics=TOPICS, following=names[(place + 1) % len(names)])


def _search(office: Office, asked: str) -> list[Hit]:
    """The topics that hold every word, those with it in their name first."""
    wanted = [word.casefold() for word in asked.split() if len(word) >= SHORTEST or not word.isascii()]
    if not wanted:
        return []
    found = []
    for topic, (name, _, what) in TOPICS.items():
        head = f"{office.words(name)} {office.words(what)}"
        text = _text(office, topic)
        if all(word in (head + " " + text).casefold() for word in wanted):
            in_head = all(word in head.casefold() for word in wanted)
            found.append((not in_head, -text.casefold().count(wanted[0]), Hit(topic, _piece(text, wanted[0]))))
    return [hit for *_, hit in sorted(found, key=lambda one: one[:2])]


def _text(office: Office, topic: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", office.piece(f"_help_{topic}.html"))).split())


def _piece(text: str, word: str) -> str:
    """Some words around the place; the beginning when the word is in the name alone."""
    at = max(0, text.casefold().find(word))
    start = max(0, text.rfind(". ", 0, at) + 2 if at else 0)
    return text[start:start + 160].rstrip() + ("…" if len(text) > start + 160 else "")
