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

from appliance.box import licences
from hw import cms, gsm
from web import about

HERE = Path(__file__).parent
MARKS = {"N_", "words", "_"}
# Sentences made below the pages may reach one, finished and in English; web/sayings.py finds them again by these
# patterns. What only the journal, a terminal or an owner's telephone sees is not among them.
BELOW = HERE.parent / "appliance"
UNSEEN = {"agi", "ami", "bell", "daemon", "config", "demo", "supervisor", "exchange", "provision", "notify", "owner",
          "owner_words", "control", "db", "migrations", "codes", "console"}
SENTENCE = re.compile(r"(?!.*\b(?:SELECT|INSERT|UPDATE|DELETE|PRAGMA|WHERE|ORDER BY|VACUUM|AND [a-z_]+\.)\b)"
                      r"(?:[A-Z“]|\{0\})[^\n]* [^\n]*(?:[.!?]|\{\d\})")
SAYERS = {"words", "_when"}                       # whatever these make up is shown
REASONED = {"Refusal", "Wait", "Finding"}         # what these are given is shown, whole sentence or not

Message = tuple[str, str | None, str]            # message, its plural, where it stands


def template() -> str:
    """The catalogue without translations, in a fixed order."""
    catalogue = polib.POFile(wrapwidth=0)
    catalogue.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Content-Transfer-Encoding": "8bit"}
    for message, plural, place in sorted(set(messages()), key=lambda it: (it[0], it[1] or "", it[2])):
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
    for file in sorted(BELOW.rglob("*.py")):
        if file.stem not in UNSEEN and not file.stem.startswith("cli"):
            yield from _sentences(file)
    for version in about.shown(licences.changelog()):
        yield from ((told, None, "CHANGELOG.md") for told in (version.lead, *version.points) if told)
    for _, cause in cms.CAUSES.values():
        yield cause, None, "cms.py"
    for state in gsm.State:
        yield state.value, None, "gsm.py"
    yield from (("{0} min", None, "guards.py"), ("{0} h", None, "guards.py"))     # texted {0} ago


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
    """The whole sentences of a module, with {0} {1}… for values; neither docstrings nor what goes to the journal."""
    tree = ast.parse(file.read_text())
    passed_over = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).lower().startswith("log."):
            passed_over |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(part) for part in ast.walk(node)} - {id(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in SAYERS:
            yield from ((pattern, None, file.name) for part in ast.walk(node)
                        if isinstance(part, (ast.JoinedStr, ast.Constant)) and id(part) not in passed_over
                        and (pattern := _pattern(part)) and (isinstance(part, ast.JoinedStr) or pattern[0].isupper()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in REASONED:
            for argument in node.args[1:]:
                if pattern := _pattern(argument):
                    yield pattern, None, file.name
        if id(node) not in passed_over and (pattern := _pattern(node)) and SENTENCE.fullmatch(pattern):
            yield pattern, None, file.name


def _pattern(node: ast.AST) -> str:
    """A text as the catalogue has it; "" for what is none, or has no word of its own to be found again by."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    places = iter(range(10))
    text = "".join(part.value if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values)
    return text if re.search(r"[A-Za-z]{2}", text) else ""


if __name__ == "__main__":
    sys.stdout.write(template())
