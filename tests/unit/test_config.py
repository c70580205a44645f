"""box.toml: what a screwdriver changes, and what is said when it slipped."""
from __future__ import annotations

from pathlib import Path

import pytest

from appliance import config
from appliance.config import Box, ConfigError

WHOLE = """
name = "shop"
country = "RU"
time_zone = "Europe/Moscow"
own_numbers = ["8 495 123-45-67", "+79161234567"]

[[trunk]]
key = "line1"
name = "Line 1"
gateway = "192.168.1.20:5062"

[[trunk]]
key = "line2"
name = "Line 2"
gateway = "gateway.lan"

[[extension]]
number = "201"
name = "Стойка"

[[modem]]
name = "SIM"
port = "/dev/deskbell-modem"
number = "89161234500"

[web]
listen = "0.0.0.0"
port = 443
hosts = ["desk.lan"]
tls = true

[sip]
port = 5061
"""


def said(text: str, tmp_path: Path) -> str:
    """The sentence that refuses a box.toml."""
    file = tmp_path / "box.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        config.load(file)
    assert str(refused.value).startswith(f"{file}: ")
    return str(refused.value).removeprefix(f"{file}: ")


def test_a_whole_box_is_read(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(WHOLE)
    box = config.load(file)
    assert (box.name, box.country, str(box.zone)) == ("shop", "RU", "Europe/Moscow")
    assert [trunk.key for trunk in box.trunks] == ["line1", "line2"]
    assert box.extensions == (config.Extension("201", "Стойка"),)
    assert box.web == config.Web("0.0.0.0", 443, ("desk.lan",), True)
    assert box.sip == config.Sip(port=5061)


def test_numbers_of_our_own_are_kept_as_callers_numbers_are(tmp_path: Path) -> None:
    """Otherwise a call from the shop's own mobile would be answered by a text to itself."""
    file = tmp_path / "box.toml"
    file.write_text(WHOLE)
    box = config.load(file)
    assert box.own_numbers == ("+74951234567", "+79161234567")
    assert [modem.number for modem in box.modems] == ["+79161234500"]


def test_an_empty_file_is_a_box_of_defaults(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text("")
    assert config.load(file) == Box()
    assert Box().store == Path("/var/lib/deskbell/office.db")
    assert Box().ledger == Path("/var/spool/deskbell/cel.db")
    assert Box().web.listen == Box().sip.listen == "127.0.0.1", "nothing is open to the network unless it is said"
    assert not Box().web.tls and Box().demo is None


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_saved_by_an_editor_of_windows_is_read(tmp_path: Path, ending: str, mark: str) -> None:
    file = tmp_path / "box.toml"
    file.write_bytes((mark + 'name = "Büro"\ncountry = "AT"\n'.replace("\n", ending)).encode())
    assert (config.load(file).name, config.load(file).country) == ("Büro", "AT")


REFUSED = {
    'contry = "DE"': "there is no key 'contry'. Did you mean 'country'?",
    'own_number = []': "Did you mean 'own_numbers'?",
    '[[trunks]]\nkey = "line1"': "Did you mean 'trunk'?",
    '[[extension]]\nnumber = "101"\nnane = "x"': "there is no key 'nane' in [[extension]]. Did you mean 'name'?",
    '[web]\nprot = 80': "there is no key 'prot' in [web]. Did you mean 'port'?",
    'xyz = 1': "there is no key 'xyz'.",
    'name = 5': "name = 5 does not fit; text in quotes is wanted.",
    'country = ["DE"]': "text in quotes is wanted",
    'own_numbers = "+491701234567"': 'a list such as ["…", "…"] is wanted',
    'own_numbers = [5]': "a list such as",
    '[web]\nport = "80"': "port = '80' does not fit; a whole number is wanted.",
    '[web]\nport = true': "a whole number is wanted",
    '[web]\ntls = "yes"': "true or false is wanted",
    '[web]\nport = 0': "ports go from 1 to 65535",
    '[sip]\nport = 99999': "ports go from 1 to 65535",
    'web = 5': "[web] holds lines like",
    'trunk = 5': "write [[trunk]] with two brackets",
    '[trunk]\nkey = "line1"': "write [[trunk]] with two brackets",
    'trunk = [5]': "[[trunk]] holds lines like",
    '[[trunk]]\nkey = "line1"': "[[trunk]] lacks 'name' and 'gateway'",
    '[[extension]]\nname = "Counter"': "[[extension]] lacks 'number'",
    'country = "UK"': 'Did you mean "GB"?',
    'country = "ZZ"': "country = 'ZZ' is not known",
    'country = "de"': "two capital letters",
    'country = ""': "two capital letters",
    'time_zone = "Berlin"': "time_zone = 'Berlin' is not known",
    'time_zone = "Europe"': "is not known",
    'time_zone = ""': "is not known",
    'time_zone = "../../etc/passwd"': "is not known",
    'time_zone = "/etc/passwd"': "is not known",
    'own_numbers = ["12"]': "'12' is no number in DE",
    '[[modem]]\nname = "SIM"\nport = "ttyUSB0"': "port = 'ttyUSB0': a path such as",
    '[[modem]]\nname = "../SIM"\nport = "auto"': "a modem's name is up to 32 letters",
    '[[modem]]\nname = "SIM"\nport = "auto"\nengine = "smsd"': "engine = 'smsd': \"own\" and \"gammu\" are known",
    '[[modem]]\nname = "A"\nport = "auto"\n[[modem]]\nname = "B"\nport = "auto"': "two modems have port = 'auto'",
    '[[modem]]\nname = "A"\nport = "/dev/x"\n[[modem]]\nname = "A"\nport = "/dev/y"': "two modems are called 'A'",
    '[[modem]]\nname = "SIM"\nport = "/dev/x"\nnumber = "none"': "'none' is no number in DE",
    '[[extension]]\nnumber = "101"\nname = "a"\n[[extension]]\nnumber = "101"\nname = "b"': "'101' is given twice",
    '[[extension]]\nnumber = "h"\nname = "a"': "an extension is 1 to 10 digits",
    '[[extension]]\nnumber = "1 0"\nname = "a"': "an extension is 1 to 10 digits",
    '[[extension]]\nnumber = "112"\nname = "a"': "'112' is an emergency number",
    'country = "US"\n[[extension]]\nnumber = "911"\nname = "a"': "'911' is an emergency number",
    'country = "RU"\n[[extension]]\nnumber = "101"\nname = "a"': "'101' is an emergency number",
    '[[trunk]]\nkey = "udp"\nname = "a"\ngateway = "a"': "'udp' is taken",
    '[[trunk]]\nkey = "Line 1"\nname = "a"\ngateway = "a"': "a trunk's key is a small letter",
    '[[trunk]]\nkey = "a-b"\nname = "a"\ngateway = "a"': "a trunk's key is a small letter",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = ""': "write the gateway's address",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = "a:b"': "write the gateway's address",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = "a:0"': "write the gateway's address",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = "a:65536"': "write the gateway's address",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = "a:٥٠٦٠"': "write the gateway's address",
    '[[trunk]]\nkey = "a"\nname = "a"\ngateway = "1.2.3.4\\n[evil]"': "write the gateway's address",
    'name = "no end': "unterminated string",
    'a = 1\na = 2': "overwrite",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_slip_is_answered_by_a_sentence_that_says_what_is_wanted(text: str, tmp_path: Path) -> None:
    sentence = said(text, tmp_path)
    assert REFUSED[text].lower() in sentence.lower()
    assert sentence.endswith((".", "?")) and "\n" not in sentence


def test_a_missing_file_says_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read \(No such file or directory\).*which line and modem"):
        config.load(tmp_path / "box.toml")


def test_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_a_file_that_is_not_utf_8_is_said(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_bytes('name = "Büro"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not UTF-8 text. Save it as UTF-8"):
        config.load(tmp_path / "box.toml")


def test_the_environment_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('name = "other"')
    monkeypatch.setenv("DESKBELL_CONFIG", str(tmp_path / "other.toml"))
    assert config.load().name == "other"
