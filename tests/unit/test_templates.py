"""Texts with fields, and what they cost in a plainer spelling."""
from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import pytest

from appliance.store import db as store
from appliance.texts import alphabet, templates
from appliance.texts.templates import TemplateError

ANNA = {"name": "Anna Schmidt", "company": "", "shop": "Larkspur"}


@pytest.mark.parametrize(("text", "read"), [
    ("Hello {name}", "Hello Anna Schmidt"), ("Hello { NAME }", "Hello Anna Schmidt"),
    ("{shop}: {name}", "Larkspur: Anna Schmidt"),
    ("{company|your firm}", "your firm"), ("{name|there}", "Anna Schmidt"), ("Hi{bike|}!", "Hi!"), ("a { b", "a { b"),
    ("{shop|{name}}", "{shop|Anna Schmidt}"), ("50 } 60", "50 } 60"),
])
def test_fields_are_filled_in(text: str, read: str) -> None:
    assert templates.render(text, ANNA) == read


def test_a_value_is_never_read_as_a_field_again() -> None:
    assert templates.render("Hi {name}", {"name": "{shop}", "shop": "Larkspur"}) == "Hi {shop}"


def test_a_fallback_may_be_given_for_all_texts() -> None:
    assert templates.render("Hi {first_name}", {}, {"first_name": "there"}) == "Hi there"


@pytest.mark.parametrize(("text", "field"), [
    ("Dear {company}", "company"), ("Your {bike} is ready", "bike"), ("{}", "{}")])
def test_a_text_whose_field_stays_empty_is_refused_by_name(text: str, field: str) -> None:
    with pytest.raises(TemplateError, match=field):
        templates.render(text, ANNA)


@pytest.mark.parametrize(("text", "words"), [
    ("Dear {compny}", r"Did you mean \{company\}"), ("Dear {zzz}", r"There are \{company\}, \{name\}, \{shop\}"),
    ("Dear {}", r"Write \{name\}"), ("\n", "empty")])
def test_a_field_nobody_has_is_refused_before_anybody_is_chosen(text: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        templates.check(text, ANNA)


def test_a_template_is_kept_changed_and_deleted(db: sqlite3.Connection) -> None:
    with store.write(db):
        one = templates.save(db, " Winter  offer ", "Hello {name}", ANNA)
        templates.save(db, "Winter offer", "Hi {name}", ANNA, is_canned=True, template_id=one)
        assert templates.listed(db) == [templates.Template(one, "Winter offer", "Hi {name}", True)]
        templates.delete(db, one)
    assert templates.listed(db) == []


@pytest.mark.parametrize(("name", "text", "words"), [
    (" ", "Hello", "needs a name"), ("Taken", "Hello", "already"), ("New", "Hello {nme}", "Did you mean")])
def test_a_template_that_cannot_be_is_refused(db: sqlite3.Connection, name: str, text: str, words: str) -> None:
    with store.write(db):
        templates.save(db, "Taken", "Hello", ANNA)
    with pytest.raises(TemplateError, match=words), store.write(db):
        templates.save(db, name, text, ANNA)
    assert len(templates.listed(db)) == 1


@pytest.mark.parametrize(("text", "left"), [
    ("", 160), ("abc", 157), ("a" * 160, 0), ("a" * 161, 145), ("5 €", 156), ("ж", 69), ("ж" * 71, 63),
    ("a" * 152 + "€" * 5, 143),
])
def test_how_much_fits_before_it_costs_one_more(text: str, left: int) -> None:
    size = alphabet.size(text)
    assert size.left == left
    letter = "a" if size.alphabet is alphabet.Alphabet.GSM7 else "ж"
    assert alphabet.size(text + letter * left).segments == max(size.segments, 1 if left else 0)
    assert alphabet.size(text + letter * (left + 1)).segments == max(size.segments, 1) + bool(text) * 1 or not text


@pytest.mark.parametrize("letter", ["«", "»", "—", "…", "’", "“", "”"])
def test_one_character_that_doubles_the_cost_is_offered_in_plain(letter: str) -> None:
    offer = alphabet.replacements(f"Closed on Monday{letter} " + "a" * 100)
    assert offer is not None and (offer.before.segments, offer.after.segments) == (2, 1)
    assert letter not in offer.text and [written for written, _ in offer.changes] == [letter]


@pytest.mark.parametrize("text", ["plain", "a — b", "«" + "ж" * 20 + "»", "Grüße, 5 €"])
def test_nothing_is_offered_where_nothing_is_saved(text: str) -> None:
    assert alphabet.replacements(text) is None


def test_a_built_in_field_wins_over_a_custom_one_of_the_same_name(db: sqlite3.Connection) -> None:
    given: Mapping[str, str] = {"NAME": "x"}
    assert templates.render("{name}", given) == "x"
    assert {"name", "shop", "company", "first_name", "number"} <= templates.known_fields(db)
