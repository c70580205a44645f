"""Every finding has a code, and it stays."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.box import codes, early, reset
from appliance.box.codes import Weight
from appliance.doors import mqtt, slips
from hw.gsm import State

REPO = Path(__file__).resolve().parents[2]
# Where the findings of `deskbell check` are written, and the functions there that give them.
SOURCES = {
    "appliance/box/health.py": None,
    "appliance/calls/retention.py": "troubles",
    "appliance/texts/rulebook.py": "troubles",
    "appliance/backup/health.py": "findings",
    "appliance/doors/webhooks.py": "findings",
    "appliance/box/boot_health.py": None,
    "appliance/box/data_partition.py": None,
    "appliance/box/stick.py": "refusal",
}
OF_A_SIM = "The SIM {}: {}"      # what stands behind the colon is written by texts/pace.py


def sentences(file: Path, function: str | None) -> Iterator[str]:
    """The sentences a module yields, returns or raises, with {} where its values stand."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and (function is None or node.name == function):
            for inner in ast.walk(node):
                found = inner.value if isinstance(inner, ast.Yield | ast.Return) else getattr(inner, "elt", None)
                if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call) and inner.exc.args:
                    found = inner.exc.args[0]
                written = found.values if isinstance(found, ast.JoinedStr) else [found]
                told = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in written)
                if isinstance(found, ast.JoinedStr | ast.Constant) and (". " in told or "{}" in told):
                    yield told


def written() -> list[tuple[str, str]]:
    return [(name, sentence) for name, function in SOURCES.items() if (REPO / name).is_file()
            for sentence in sentences(REPO / name, function)]


@pytest.mark.parametrize(("name", "sentence"), written())
def test_every_finding_that_is_written_anywhere_has_a_code(name: str, sentence: str) -> None:
    if sentence == OF_A_SIM:
        return
    filled = re.sub(r"\{\}(?= rows| MB| days| recordings)", "7", sentence).replace("{}", "what it is")
    assert codes.of(filled) != codes.ELSE, f"{name}: {filled}"


def test_the_findings_are_all_read() -> None:
    assert len(written()) >= 40, "the sentences are not found any more, so nothing was tested"


@pytest.mark.parametrize(("sentence", "code"), [
    ("The modem SIM: no SIM card. Calls are logged; texts wait.", "DB-SIM-1"),
    ("The modem SIM: the SIM card asks for its PIN: write it into the file sim-SIM.pin beside the other secrets. "
     "Calls are logged; texts wait.", "DB-SIM-2"),
    ("The modem SIM: no modem found anywhere. Calls are logged; texts wait.", "DB-MODEM-3"),
    ("The modem SIM: The SIM card has no room for texts that come. Delete old ones with a telephone. Texts go.",
     "DB-SIM-6"),
    ("The SIM sim1: 5 texts in a row were refused for good, the last because of that. Group texts wait; answers to "
     "calls still go. Look at the numbers and the SIM, then press Resume.", "DB-TEXT-1"),
    ("1 recording is not on the disk any more. Its call is still there. A backup with recordings may have it.",
     "DB-REC-1"),
    ("The telephone 101 has an emergency number of RU. Who dials 101 inside reaches the emergency service instead.",
     "DB-PHONE-2"),
    (slips.STUCK, "DB-PRINTER-1"),
    (mqtt.SILENT.format("broker"), "DB-MQTT-1"),
    (mqtt.REFUSED.format("broker", "bad password"), "DB-MQTT-1"),
    ("The card is smaller than the image that was written to it. Calls ring, nothing is kept. Write the image to "
     "a card of 8 GB or more.", "DB-CARD-2"),
    ("The data partition is damaged and could not be mended. Calls ring, nothing is kept. Put a new card in and "
     "restore the last backup.", "DB-CARD-3"),
    (reset.OLD_PASSWORDS.format("file is not a database"), "DB-RESET-1"),
    (early.NOT_DONE.format("[Errno 28] No space left on device"), "DB-RESET-1"),
    ("deskbell.toml on the card: Line 12: there is no key \"contry\" below [shop].", "DB-TOML-1"),
    ("/etc/deskbell/box.toml: Expected '=' after a key in a key/value pair (at line 3, column 5).", "DB-BOX-1"),
    ("Something new that nobody thought of. Calls go.", codes.ELSE),
])
def test_a_finding_is_known_again_by_its_words(sentence: str, code: str) -> None:
    assert codes.of(sentence) == code
    assert codes.coded(sentence) == f"{code}  {sentence}"


@pytest.mark.parametrize("state", [state for state in State if not state.can_send], ids=lambda state: state.name)
def test_every_state_in_which_a_radio_cannot_send_has_a_code_and_holds_texts(state: State) -> None:
    sentence = f"The modem SIM: {state.value}. Calls are logged; texts wait."
    assert codes.of(sentence) != codes.ELSE
    assert codes.worst([sentence]) is Weight.TEXTS


def test_a_code_is_given_once_and_looks_like_one() -> None:
    given = [code for code, _weight, _pattern in codes.CODES]
    assert len(given) == len(set(given))
    assert all(re.fullmatch(r"DB-[A-Z]+-[1-9]\d*", code) for code in given)


def test_the_worst_finding_is_what_suffers_most() -> None:
    clock = "Nothing vouches for the clock: no time server was reached. Calls are kept and marked."
    assert codes.worst([]) is Weight.WELL
    assert codes.worst([clock]) is Weight.SEE_TO
    assert codes.worst([clock, "No line is set up. Add one."]) is Weight.CALLS
