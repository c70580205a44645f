"""Every message of the pages, for translators: `python3 -m web.messages > web/locale/deskbell.pot`."""
from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import polib
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from appliance.people import users
from appliance.texts import (
    audience,
    campaigns,
    canary,
    conversations,
    guards,
    keywords,
    lists,
    occurrences,
    outbox,
    rulebook,
    rules,
    templates,
    turn,
)

HERE = Path(__file__).parent
MARKS = {"N_", "words", "_"}
# Sentences that reach a page from below, where nothing is translated; those with a value in them stay as they are.
ELSEWHERE = (audience, campaigns, canary, conversations, guards, keywords, lists, occurrences, outbox, rulebook, rules,
             templates, turn, users)
SENTENCE = re.compile(r"(?!(?:SELECT|INSERT|UPDATE|DELETE) )[A-Z][^\n]* [^\n]*[.!?]")

Message = tuple[str, str | None, str]            # message, its plural, where it stands


def template() -> str:
    """The catalogue without translations, in a fixed order."""
    catalogue = polib.POFile(wrapwidth=0)
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit"}
    for message, plural, place in sorted(set(messages())):
        entry = catalogue.find(message)
        if entry is None:
            entry = polib.POEntry(msgid=message)
            catalogue.append(entry)
        if plural and not entry.msgid_plural:
            entry.msgid_plural, entry.msgstr_plural = plural, {0: "", 1: ""}
        if (place, "") not in entry.occurrences:
            entry.occurrences.append((place, ""))
    return str(catalogue)


def messages() -> Iterator[Message]:
    """Whatever is marked in our code and templates, and the sentences that come from below."""
    for file in sorted(HERE.glob("*.py")):
        yield from _of_code(file)
    environment = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
    for file in sorted((HERE / "templates").iterdir()):
        for _, _, found in extract_from_ast(environment.parse(file.read_text())):
            texts = found if isinstance(found, tuple) else (found,)
            if texts[0]:
                yield texts[0], texts[1] if len(texts) > 1 else None, file.name
    for module in ELSEWHERE:
        yield from _sentences(Path(str(module.__file__)))


def _of_code(file: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        texts = [argument.value for argument in node.args[:2]
                 if isinstance(argument, ast.Constant) and isinstance(argument.value, str)]
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name == "plural" and len(texts) == 2:
            yield texts[0], texts[1], file.name
        elif texts and (name in MARKS or ast.unparse(node.func) == "self" and file.name == "language.py"):
            yield texts[0], None, file.name


def _sentences(file: Path) -> Iterator[Message]:
    """The whole sentences of a module that are no docstrings."""
    tree = ast.parse(file.read_text())
    kept = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    kept |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in kept \
                and SENTENCE.fullmatch(node.value):
            yield node.value, None, file.name


if __name__ == "__main__":
    sys.stdout.write(template())
