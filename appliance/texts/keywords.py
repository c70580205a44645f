"""The words that customers text and what they get back ("HOURS", "ADDRESS"). Each change runs inside write()."""
from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from appliance.texts import words
from hw import pdu

LONGEST = 60  # characters of a keyword


class KeywordError(Exception):
    """The keyword cannot be kept; the text says why."""


@dataclass(frozen=True)
class Keyword:
    """word as words.plain() sees it."""

    word: str
    answer: str


def every(db: sqlite3.Connection) -> list[Keyword]:
    """All of them by name."""
    return [Keyword(row["word"], row["answer"]) for row in db.execute("SELECT * FROM keyword ORDER BY word")]


def save(db: sqlite3.Connection, word: str, answer: str, stop_words: str = "") -> str:
    """The word as kept; one that is there gets the new answer.

    Raises KeywordError for an empty one, an empty or unsendable answer, a word that ends or resumes texts.
    """
    said, answer = words.plain(word), pdu.sendable(answer).strip()
    if not said or len(said) > LONGEST:
        raise KeywordError("A keyword is a word or a few, such as HOURS.")
    if words.wish(said, stop_words):
        raise KeywordError(f"{word.strip()} ends or resumes texts; it cannot have another answer.")
    if not answer:
        raise KeywordError(f"What shall {word.strip()} be answered with? Write a text.")
    db.execute("""
        INSERT INTO keyword (word, answer)
        VALUES (?, ?)
        ON CONFLICT (word) DO UPDATE SET answer = excluded.answer""", (said, answer))
    return said


def remove(db: sqlite3.Connection, word: str) -> bool:
    """True when there was one."""
    return db.execute("DELETE FROM keyword WHERE word = ?", (words.plain(word),)).rowcount == 1


def answer(db: sqlite3.Connection, text: str) -> str | None:
    """What a text that is a keyword is answered with; None when it is none."""
    row = db.execute("SELECT answer FROM keyword WHERE word = ?", (words.plain(text),)).fetchone()
    return row["answer"] if row else None
