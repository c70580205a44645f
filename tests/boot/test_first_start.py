"""The first start of a real box: from deskbell.toml to its page, and back to the beginning by a factory reset."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.boot.nspawn import Machine, wait
from tests.image.owner import Owner

TOML = '''# written in Notepad
[shop]
name = "Flowers Miller"
language = "fr"
country = "DE"
[owner]
name = "Anna"
password = "four words in a row"
[line]
gateway = "10.77.0.1:5062"
[sim]
pin = "4711"
nummer = "12"
'''
REPORT_S = 60.0


@pytest.fixture(scope="module")
def box(boot: Callable[..., Machine]) -> Iterator[Machine]:
    machine = boot(toml=None)
    (machine.fat / "deskbell.toml").write_bytes(b"\xef\xbb\xbf" + TOML.replace("\n", "\r\n").encode())
    yield machine.start()


def report(machine: Machine, holds: str) -> str:
    """The report on the card, once it holds a word."""
    file = machine.fat / "deskbell-report.txt"

    def read() -> str:
        found = file.read_bytes().decode() if file.exists() else ""
        return found if holds in found else ""
    return wait(read, REPORT_S, f"the report says {holds}", lambda: (
        file.read_text() if file.exists() else "there is none") + machine.run(
            "systemctl status --no-pager deskbell-console deskbell-report deskbell-firstboot", check=False).stdout)


def test_the_box_has_the_name_that_it_tells(box: Machine) -> None:
    name = json.loads((box.data / "etc/identity.json").read_text())["name"]
    assert re.fullmatch("deskbell-[0-9a-f]{4}", name)
    assert box.said("hostname").strip() == name
    assert f'name = "{name}"' in (box.data / "etc/box.toml").read_text()


def test_the_report_tells_address_print_and_the_wrong_line_and_no_code_since_there_is_a_password(box: Machine) -> None:
    told = report(box, "SHA-256")
    assert "\r\n" in told and "https://10.77.0." in told
    assert 'Line 13: there is no key "nummer" below [sim]. Did you mean' in " ".join(told.split()), told
    assert "the first password (and wiped from the file)" in " ".join(told.split())
    assert "Code " not in told


def test_no_secret_is_left_on_the_card(box: Machine) -> None:
    left = b"".join(file.read_bytes() for file in box.fat.rglob("*") if file.is_file())
    assert b"four words" not in left and b"4711" not in left and b"Flowers Miller" in left


def test_the_password_opens_the_pages_and_not_the_code(box: Machine) -> None:
    opened = box.python("from appliance import config; from appliance.people import users; "
                        "from appliance.store import db; box = config.load(); d = db.connect(box.store); "
                        "print(users.verify(d, \"Anna\", \"four words in a row\"), users.is_first_run(d))")
    assert opened.split()[-2:] == ["1", "False"]


def visited(box: Machine) -> Owner | None:
    """Somebody at the pages; None while their certificate does not know the box's address."""
    try:
        owner = Owner(host=box.address)
        return owner if owner.get("/ping").status == 200 else None
    except OSError:
        return None


def test_a_file_is_taken_by_the_pages_behind_their_filter_of_system_calls(box: Machine) -> None:
    """The first one makes the folder for all; RestrictSUIDSGID lets nobody set its bits."""
    owner = wait(lambda: visited(box), REPORT_S, "the pages at the address they vouch for")
    assert owner.log_in("Anna", "four words in a row").status == 303
    answer = owner.upload("/update/upload", "file", "next.raucb", b"no update at all" * 100, {})
    assert answer.status == 400 and 'role="alert"' in answer.text


def test_a_reset_by_a_file_on_the_card_brings_the_code_back_and_keeps_the_line(box: Machine) -> None:
    (box.fat / "factory-reset.txt").write_text("")
    box.reboot()
    told = report(box, "Code ")
    assert re.search(r"Code +[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}\r\n", told)
    assert not (box.fat / "factory-reset.txt").exists()
    assert "10.77.0.1:5062" in (box.data / "etc/box.toml").read_text()
    assert box.failed() == []


def test_a_fixed_address_is_taken_and_its_page_answers(boot: Callable[..., Machine]) -> None:
    machine = boot(toml='[network]\naddress = "10.77.0.50/24"\ngateway = "10.77.0.1"\n').start()
    wait(lambda: machine.address == "10.77.0.50", 30, "the address", machine.troubles)
    assert "deskbell-wired" in machine.said("networkctl status eth0 --no-pager")
    assert "Page      https://10.77.0.50/" in report(machine, "SHA-256")
