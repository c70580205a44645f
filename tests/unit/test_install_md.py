"""image/INSTALL.md: what it names is there, and every code has its row."""
from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from appliance import cli
from appliance.box import codes, led
from appliance.box.codes import Weight

REPO = Path(__file__).resolve().parents[2]
GUIDE = REPO / "image/INSTALL.md"
TEXT = GUIDE.read_text()
PICTURES = sorted((REPO / "image/pictures").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
# What an installer sees for each blinking, and how long one round of it is, in milliseconds.
BLINKING = {
    Weight.WELL: ("a short blink every three seconds", 3000),
    Weight.SEE_TO: ("slowly on and off, a second each", 2000),
    Weight.TEXTS: ("lit, with a short gap every three seconds", 3000),
    Weight.CALLS: ("hurried, five times a second", 200),
}
COMMANDS = {          # a command of ours that the guide names, and what proves it
    "image/build": "file", "image/install": "file", "image/install --uninstall": "file",
    "deskbell check": "cli", "deskbell user password NAME": "cli",
}


def anchors() -> set[str]:
    """The names that GitHub gives to headings."""
    titles = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_each_code_of_a_finding_has_one_row_and_each_row_a_code() -> None:
    rows = Counter(re.findall(r"^\| `(DB-[A-Z]+-\d+)` \|", TEXT, re.MULTILINE))
    assert rows == Counter([*(code for code, _weight, _pattern in codes.CODES), codes.ELSE])


def test_each_row_has_symptom_cause_and_remedy() -> None:
    for row in re.findall(r"^\| `DB-.*$", TEXT, re.MULTILINE):
        _code, symptom, cause, remedy = (cell.strip() for cell in row.strip("|").split("|"))
        assert symptom and remedy and (cause or codes.ELSE in row), row


def test_a_code_that_is_mentioned_anywhere_is_one() -> None:
    known = {code for code, _weight, _pattern in codes.CODES} | {codes.ELSE}
    for named in set(re.findall(r"DB-[A-Z]+(?:-\d+)?", TEXT)):
        assert named in known or any(code.startswith(f"{named}-") for code in known), named


@pytest.mark.parametrize("weight", Weight)
def test_each_blinking_of_the_led_is_told_as_it_is(weight: Weight) -> None:
    words, round_ms = BLINKING[weight]
    assert f"| {words} |" in TEXT
    assert sum(led.PATTERNS[weight]) == round_ms


def test_the_steps_are_numbered_without_a_gap() -> None:
    steps = TEXT[:TEXT.index("### The gateway's own page")]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", steps, re.MULTILINE)] == list(range(1, 38))


def test_every_link_and_picture_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        file, _, anchor = target.partition("#")
        assert not file or (GUIDE.parent / file).is_file(), target
        if not file:
            assert anchor in anchors(), target
        elif anchor:
            titles = re.findall(r"^#+ (.*)$", (GUIDE.parent / file).read_text(), re.MULTILINE)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, target


def test_every_picture_is_shown_and_says_what_is_on_it() -> None:
    assert {file.name for file in PICTURES} == set(re.findall(r"\]\(pictures/([^)]+)\)", TEXT))


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.name)
def test_a_picture_stands_alone_and_has_words_for_who_does_not_see_it(file: Path) -> None:
    drawn = ElementTree.parse(file).getroot()
    assert drawn.find(f"{SVG}title") is not None and drawn.find(f"{SVG}desc") is not None
    assert "prefers-color-scheme: dark" in file.read_text()
    assert not re.search(r"href|url\(|<script|@import", file.read_text())


def test_what_does_not_work_yet_is_not_sold() -> None:
    assert not (REPO / "hw/fxo.py").exists(), "then the guide and the picture say that USB voice modems work"
    assert "It is not in this version" in TEXT
    assert "Not in this version yet" in (REPO / "image/pictures/voice-modem.svg").read_text()
    assert "Not automated" in TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_it_names_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"`{command}`" in TEXT
    program, *words = command.split()
    if COMMANDS[command] == "file":
        assert (REPO / program).stat().st_mode & 0o111
        return
    with pytest.raises(SystemExit) as ended:
        cli.main([*(word for word in words if word.islower()), "--help"])
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out


def test_no_other_command_is_named() -> None:
    named = set(re.findall(r"`((?:image/|deskbell )[a-z][^`]*)`", TEXT))
    assert named == set(COMMANDS)


def test_the_files_on_the_card_are_called_as_the_box_calls_them() -> None:
    from appliance.box import firstboot_keys, places, report, reset_asked
    assert f"`{places.TOML}`" in TEXT and f"`{report.FILE}`" in TEXT and f"`{reset_asked.ON_CARD}`" in TEXT
    assert f"`{reset_asked.EVERYTHING}`" in TEXT
    for section, key in (("network", "address"), ("wifi", "password"), ("line", "gateway"), ("sim", "pin")):
        assert key in firstboot_keys.KEYS[section]
    assert "deskbell-$version-$arch.img.xz" in (REPO / "image/build").read_text()
    assert "`deskbell-VERSION-arm64.img.xz`" in TEXT
