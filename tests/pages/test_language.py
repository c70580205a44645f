"""Every word of the pages can be said in another language, and a new one needs no code."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import polib
import pytest

from appliance.people import users
from web import language, messages
from web.language import Languages

WEB = Path(language.__file__).parent
BERLIN = ZoneInfo("Europe/Berlin")
SAID_AS_IS = {"Deskbell", "· Deskbell", "CSV", "Excel", "vCard", "SHA-256", "Windows", "Android", "iPhone, iPad", "Mac",
              "Firefox", "macOS", "Linux", "Grandstream", "UDP", "https://",
              "tcp://192.168.2.9:9100", "homeassistant.local", "c", "F2", "Esc"}
CODE = {"code", "pre"}                                  # the same in every language
READ_ALOUD = {"aria-label", "title", "placeholder", "alt", "aria-description"}
RUSSIAN = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

msgid "History"
msgstr "История"

msgid "Monday"
msgstr "понедельник"

msgid "%(n)s text"
msgid_plural "%(n)s texts"
msgstr[0] "%(n)s сообщение"
msgstr[1] "%(n)s сообщения"
msgstr[2] "%(n)s сообщений"
"""


class Words(HTMLParser):
    """Collects what a reader would see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_code = False

    def handle_data(self, data: str) -> None:
        if not self.is_code:
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.is_code = self.is_code and tag not in CODE

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.is_code = self.is_code or tag in CODE
        self.found += [
            value or ""
            for name, value in attributes
            if name in READ_ALOUD or name.startswith("data-") and " " in (value or "").strip()
        ]


def unmarked(template: str) -> list[str]:
    """The words in a template that no catalogue could translate."""
    bare = re.sub(r"{%-?\s*trans\b.*?endtrans\s*-?%}", "", template, flags=re.S)
    bare = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", bare, flags=re.S)
    words = Words()
    words.feed(bare)
    return [text.strip() for text in words.found if re.search(r"[^\W\d_]", text) and text.strip() not in SAID_AS_IS]


ENGLISH = {"doorsapi.html"}              # the reference for programmers, as the document it shows


def test_no_colon_stands_between_words_outside_the_catalogue() -> None:
    """French has a space before it, Chinese a colon of its own: what it joins is one message."""
    for template in sorted((WEB / "templates").iterdir()):
        text = re.sub(r"{%-? *trans\b.*?endtrans *-?%}", "", template.read_text(), flags=re.DOTALL)
        glued = re.findall(r".{40}(?:}}|%})(?:</\w+>)?:(?= |</).{20}", text)
        assert not glued, f"{template.name}: {glued}"


@pytest.mark.parametrize("template", [it for it in sorted((WEB / "templates").iterdir()) if it.name not in ENGLISH],
                         ids=lambda path: path.name)
def test_templates_have_no_unmarked_words(template: Path) -> None:
    assert unmarked(template.read_text()) == []


def test_an_unmarked_word_would_be_found() -> None:
    assert unmarked("<p>{{ _('Marked') }}</p><p>Not marked</p>") == ["Not marked"]
    assert unmarked('<button aria-label="Close"></button>') == ["Close"]


@pytest.mark.parametrize("script", sorted((WEB / "static").glob("*.js")), ids=lambda path: path.name)
def test_scripts_write_no_words_of_their_own(script: Path) -> None:
    code = re.sub(r"//.*", "", script.read_text())
    assert [text for text in re.findall(r'"([^"\n]*)"', code) if re.search(r"^[A-Z][a-z]+ [a-z]+ ", text)] == []


def test_no_translator_is_asked_to_translate_the_store() -> None:
    found = {message for message, _, _ in messages.messages()}
    assert not [message for message in found if re.match("(SELECT|INSERT|UPDATE|DELETE) ", message)]


def test_every_marked_message_stands_in_the_template_of_the_catalogues() -> None:
    assert (WEB / "locale" / "deskbell.pot").read_text() == messages.template(), (
        "run: python3 -m web.messages > web/locale/deskbell.pot"
    )


def test_messages_given_to_words_are_literals() -> None:
    for file in WEB.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno}"


@pytest.fixture
def russian(tmp_path: Path) -> Languages:
    folder = tmp_path / "ru" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "deskbell.po").write_text(RUSSIAN)
    return Languages(BERLIN, locale=tmp_path)


def test_a_catalogue_alone_makes_a_language(russian: Languages) -> None:
    words = russian.choose(None, "ru-RU,ru;q=0.9,en;q=0.5")
    assert words.language == "ru" and words("History") == "История" and words("Log in") == "Log in"
    assert [words.plural("%(n)s text", "%(n)s texts", n) for n in (1, 3, 11, 21)] == [
        "1 сообщение",
        "3 сообщения",
        "11 сообщений",
        "21 сообщение",
    ]
    assert words.day(datetime(2026, 11, 16, 12, tzinfo=UTC)) == "понедельник, 16 November"


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "ru", "ru"),
        (None, "fr,ru;q=0.5", "ru"),
        ("en", "ru", "en"),
        ("xx", "ru;q=0.1", "ru"),
        (None, "ru;q=0", "en"),
        (None, ";;;,q=", "en"),
        (None, "*", "en"),
        (None, "ru;q=abc,en", "en"),
        (None, "r" * 9999, "en"),
    ],
)
def test_the_user_chooses_then_the_browser_then_the_box(
    russian: Languages, wanted: str | None, accepted: str, language: str
) -> None:
    assert russian.choose(wanted, accepted).language == language


def test_spans_and_days_read_as_people_say_them() -> None:
    words = Languages(BERLIN).choose(None, "")
    text = [words.span(ms).replace("\N{NO-BREAK SPACE}", " ") for ms in (0, 24_400, 60_000, 192_000, 3_840_000)]
    assert text == ["0 s", "24 s", "1 min 0 s", "3 min 12 s", "1 h 4 min"]
    now = datetime(2026, 11, 17, 23, 30, tzinfo=UTC)  # already the 18th in the shop
    assert words.near(now, now) == "Today" and words.near(now - timedelta(hours=2), now) == "Yesterday"
    assert words.day(now) == "Wednesday, 18 November" and words.day_short(now, now) == "Wed 18 Nov"
    assert words.day_short(datetime(2025, 1, 2, tzinfo=UTC), now) == "2 Jan 2025"


def test_the_sentences_about_passwords_name_the_real_limits() -> None:
    with pytest.raises(users.UserError, match=str(users.MIN_PASSWORD)):
        users.hash_password("x" * (users.MIN_PASSWORD - 1))
    with pytest.raises(users.UserError, match=str(users.MAX_PASSWORD)):
        users.hash_password("x" * (users.MAX_PASSWORD + 1))
    assert str(users.MAX_NAME) in users.NAME_LIMIT


def test_every_value_of_a_sentence_from_below_has_its_number() -> None:
    """A finished sentence is known again by {0} {1}…; with {} nobody would ever read its translation."""
    about_braces = "The text holds {} without a field's name."
    assert not [message for message, _, place in messages.messages() if "{}" in message.removeprefix(about_braces)
                or place == "mqtt.py" and re.search(r"{[a-z]+}", message)]


PLURALS = {"zh": 1, "ru": 3, "fr": 2}
HOLDS = re.compile(r"%\(\w+\)[a-z]|%%|\{\d\}|</?[a-z]+>")


@pytest.mark.parametrize("tongue", sorted(PLURALS))
def test_every_message_is_translated_and_keeps_its_values(tongue: str) -> None:
    said = {entry.msgid: entry for entry in polib.pofile(str(language.LOCALE / tongue / "LC_MESSAGES" / "deskbell.po"))}
    wanted = polib.pofile(messages.template())
    assert {entry.msgid for entry in wanted} == said.keys()
    wrong = []
    for entry in wanted:
        forms = said[entry.msgid].msgstr_plural or {0: said[entry.msgid].msgstr}
        many = sorted(HOLDS.findall(entry.msgid_plural or entry.msgid))
        is_whole = all(form and set(HOLDS.findall(form)) <= set(many) for form in forms.values())
        if not is_whole or entry.msgid_plural and len(forms) != PLURALS[tongue] or "fuzzy" in said[entry.msgid].flags \
                or not entry.msgid_plural and sorted(HOLDS.findall(forms[0])) != many:
            wrong.append(entry.msgid)
    assert not wrong
