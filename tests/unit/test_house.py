"""The walls of the house, read from its own files."""
from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
FLOOR = {"hw": 0, "appliance": 1, "web": 2}
MODULES = sorted(file for part in FLOOR for file in (REPO / part).rglob("*.py"))
BINARY = {".png", ".pyc", ".wav", ".mo"}
TEXTS = sorted(
    file for file in REPO.rglob("*")
    if file.is_file() and not {".git", "__pycache__"} & set(file.parts) and file.suffix not in BINARY
    and not file.name.startswith("."))
# Written in two halves, so that this file does not name them either.
MIRRORS = [r"(deb|ftp|security|snapshot)" + r"\.debian\.org", "files.pyth" + "onhosted", "pypi" + r"\.org/simple",
           "index" + "-url", "find" + r"-links(?! \"\$CACHE/)"]
PATHS = ["(?<![a-z])/wo" + "rk/", "/var/tmp/" + "proto", "/home/" + "[a-z]", r"\.pye" + "nv"]


def named(file: Path) -> str:
    return str(file.relative_to(REPO))


def imported(file: Path) -> Iterator[str]:
    package = file.relative_to(REPO).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield ".".join([*package[:len(package) - node.level + 1], node.module or ""])
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("file", MODULES, ids=named)
def test_imports_point_down_only(file: Path) -> None:
    own = file.relative_to(REPO).parts[0]
    above = [name for name in imported(file)
             if (part := name.split(".")[0]) in {*FLOOR, "tests"} and FLOOR.get(part, 3) > FLOOR[own]]
    assert not above, f"{named(file)} imports {above}, which is above it"


def test_hw_knows_nothing_of_sqlite() -> None:
    knowing = [named(file) for file in MODULES if file.relative_to(REPO).parts[0] == "hw"
               and any(name.split(".")[0] in {"sqlite3", "sqlite_utils"} for name in imported(file))]
    assert not knowing


ONE_FILE = REPO / "web" / "desktop" / "deskbell_desk.py"      # a program people carry to their desk: it is one file


@pytest.mark.parametrize("file", sorted({*MODULES, *(REPO / "tests").rglob("*.py")} - {ONE_FILE}), ids=named)
def test_no_module_is_longer_than_400_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 400, "past 400 lines it is two rooms"


def test_no_template_switches_escaping_off() -> None:
    off = [named(file) for file in (REPO / "web").rglob("*") if file.suffix in {".html", ".txt", ".xml", ".py"}
           and re.search(r"\{\{!|\|\s*safe\b|autoescape\s+false|Markup\(", file.read_text())]
    assert not off


def test_no_package_mirror_and_no_path_of_one_machine_is_named() -> None:
    mirror, machine = re.compile("|".join(MIRRORS)), re.compile("|".join(PATHS))
    for file in TEXTS:
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            assert not mirror.search(line), f"{named(file)}:{number} names a mirror"
            assert not machine.search(line), f"{named(file)}:{number} names a folder of one machine"


def test_no_test_and_no_daemon_sleeps_for_luck() -> None:
    """A test waits on a condition with a limit; its polling pause is the only sleep there is."""
    for file in sorted((REPO / "tests").rglob("test_*.py")):
        assert not re.search(r"\bsleep\((?:[1-9]|0\.[5-9])", file.read_text()), named(file)


def readme_commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines() if line.split("#")[0].strip()]


# What runs each command of the README. The proof of a command is that CI or the named test runs it.
PROVED = {
    "image/demo": "tests/commands/test_commands.py",
    "image/demo --check": "tests/commands/test_commands.py",
    "image/build": "tests/image/conftest.py",
    "image/install": "tests/boot/test_install.py",
    "image/install --uninstall": "tests/boot/test_install.py",
    "tests/run": ".ci/run",
    "tests/run unit": ".ci/run",
    "tests/run modem": ".ci/run",
    "tests/run pages": ".ci/run",
    "tests/run pbx": ".ci/run",
    "tests/run browser": ".ci/run",
    "tests/run commands": ".ci/run",
    "tests/run boot": ".ci/run",
    "tests/run deep": ".ci/run",
    "tests/run faults": ".ci/run",
}


def test_the_readme_shows_only_commands_that_are_run_by_a_test() -> None:
    assert set(readme_commands()) == set(PROVED)
    for command, proof in PROVED.items():
        program = shlex.split(command)[0]
        assert (REPO / program).stat().st_mode & 0o111, f"{program} cannot be run"
        assert program in (REPO / proof).read_text(), f"{proof} does not run {program}"


def test_every_ring_runs_in_ci() -> None:
    script = (REPO / "tests/run").read_text()
    default = re.search(r"\|\| rings=\((.*)\)", script)
    ci = {ring for rings in re.findall(r'"\$run" ([a-z ]+)', (REPO / ".ci/run").read_text()) for ring in rings.split()}
    assert default and {command.split()[1] for command in readme_commands()
                        if command.startswith("tests/run ")} == set(default[1].split()) | ci
