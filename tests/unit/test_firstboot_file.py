"""deskbell.toml as people write it: whatever editor, whatever slip, the rest of it counts."""
from __future__ import annotations

import codecs

import pytest

from appliance.box import firstboot_keys
from appliance.box.firstboot_keys import Wishes

SHOP = '[shop]\nname = "Blumen Müller"\ncountry = "DE"\n'


def read(text: str) -> Wishes:
    return firstboot_keys.read(text.encode())


def remarks(text: str) -> list[str]:
    return [str(remark) for remark in read(text).remarks]


@pytest.mark.parametrize("content", [
    SHOP.encode(), codecs.BOM_UTF8 + SHOP.encode(), SHOP.replace("\n", "\r\n").encode(),
    SHOP.replace("\n", "\r").encode(), codecs.BOM_UTF16_LE + SHOP.encode("utf-16-le"),
    codecs.BOM_UTF16_BE + SHOP.encode("utf-16-be"), SHOP.encode("utf-16-le"),
    SHOP.replace(" = ", "\u00a0=\u00a0").encode(), SHOP.replace("[shop]", "  [ Shop ]  # here").encode()],
    ids=["as it is", "BOM", "CRLF", "CR", "UTF-16", "UTF-16 BE", "UTF-16 without its mark", "hard blanks", "blanks"])
def test_every_editor_of_windows_can_write_it(content: bytes) -> None:
    wishes = firstboot_keys.read(content)
    assert (wishes.value("shop.name"), wishes.value("shop.country"), wishes.remarks) == ("Blumen Müller", "DE", ())


def test_the_letters_of_an_older_windows_are_read_and_told() -> None:
    wishes = firstboot_keys.read(SHOP.encode("cp1252"))
    assert wishes.value("shop.name") == "Blumen Müller"
    assert "not saved as UTF-8" in wishes.remarks[0].says


@pytest.mark.parametrize(("line", "told"), [
    ('nane = "x"', 'Line 2: there is no key "nane" below [shop]. Did you mean "name"?'),
    ("name = “Blumen”", 'curly ones. Only the straight " is known; write  name = "Blumen".'),
    ("name = Blumen", 'name lacks its quotation marks; write  name = "Blumen".'),
    ('name = "Blumen', 'the second quotation mark of name is missing; write  name = "Blumen".'),
    ('name = "C:\\Laden"', "a backslash stands in"),
    ("name =", "name has no value."),
    ("name = 2026-11-22", "name is text in quotes"),
    ("name", 'Line 2: "name" cannot be understood.'),
    ('country = "UK"', 'Did you mean "GB"?'),
    ('country = "Germany"', 'country is two letters such as "DE" or "GB", not "Germany".'),
    ('language = "Russian"', 'Did you mean "ru"?'),
    ('time_zone = "Berlin"', 'Did you mean "Europe/Berlin"?'),
    ('time_zone = "europe/berlin"', 'Did you mean "Europe/Berlin"?'),
    (f'name = "{"x" * 61}"', "name has up to 60 letters."),
])
def test_a_slip_is_told_with_its_line_and_what_is_right(line: str, told: str) -> None:
    wishes = read(f'[shop]\n{line}\n[line]\nname = "Line 1"\n')
    assert told in str(wishes.remarks[0]) and len(wishes.remarks) == 1
    assert wishes.value("line.name") == "Line 1", "a wrong line stops no other"


@pytest.mark.parametrize(("text", "told"), [
    ('[netwrk]\nkind = "dhcp"', "Line 2: there is no section [netwrk]. Did you mean [network]? Nothing below"),
    ('[network]\nkind = "wlan"', "Wi-Fi is set by name and password below [wifi]; delete this line."),
    ('[network]\nkind = "fix"', 'Did you mean "fixed"?'),
    ('[network]\naddress = "192.168.1.300"', "address is written with its mask"),
    ('[network]\ndns = "fritz.box"', "dns is an address such as"),
    ('[wifi]\npassword = "short"', "password of a Wi-Fi has 8 to 63 characters."),
    ('[owner]\npassword = "short"', "password has at least 12 characters."),
    ("[sim]\npin = 0123", "pin lacks its quotation marks"),
    ('[sim]\npin = "12"', "pin is 4 to 8 digits"),
    ('[line]\ngateway = "192.168.1.9:0"', "gateway is the address of the line's gateway"),
    ('[line]\ngateway = "192.168.1.9:٥٠٦٠"', "gateway is the address of the line's gateway"),
    ('[line]\ngateway = "192.168.1.9:99999"', "gateway is the address of the line's gateway"),
    ('[[telephone]]\nname = "Counter"', "this telephone has a name and no number"),
    ('[[telephone]]\nnumber = "101"\n[[telephone]]\nnumber = "101"', "the telephone 101 is there already"),
    ('pin = "1234"', "pin stands above every [section]; write it below [sim]."),
    ('password = "long enough"', "password stands above every [section]; write it below [owner] or [wifi]."),
    ('[shop]\nname = "A"\nname = "B"', "name was given before, in line 2; that one counts."),
])
def test_what_does_not_fit_is_told_in_a_sentence(text: str, told: str) -> None:
    assert told in remarks(text)[0]


def test_no_remark_repeats_a_secret() -> None:
    text = '[owner]\npassword = hunter2hunter2\n[sim]\npin = "98765432199"\n[wifi]\npassword = “geheim123”\n' \
           '[owner]\npassword "swordfish swordfish"\n'
    told = " ".join(remarks(text))
    assert len(remarks(text)) == 4
    assert not [secret for secret in ("hunter2", "9876", "geheim", "swordfish") if secret in told]


def test_a_list_may_go_over_several_lines_and_a_number_needs_no_quotes_where_it_can_be_none() -> None:
    wishes = read('[network]\ndns = [ "9.9.9.9", # one\n  "1.1.1.1",\n]\n[[telephone]]\nnumber = 101\n')
    assert wishes.value("network.dns") == ("9.9.9.9", "1.1.1.1")
    assert wishes.value("telephone") == (("101", "101"),) and not wishes.remarks


def test_what_is_said_of_the_shop_may_stand_above_every_section() -> None:
    wishes = read('country = "DE"\nlanguage = "fr"\n[line]\nname = "Line 1"\n')
    assert (wishes.value("shop.country"), wishes.value("shop.language"), wishes.remarks) == ("DE", "fr", ())


def test_an_empty_value_is_no_wish() -> None:
    assert read('[owner]\npassword = ""\n[shop]\nname = "  "\n') == Wishes()


def test_a_file_that_is_none_is_left_alone() -> None:
    assert "larger than 64 KB" in str(firstboot_keys.read(b"x" * 70_000).remarks[0])
    assert firstboot_keys.read(bytes(range(256)) * 8).by_name == {}


def test_the_example_on_the_card_wishes_nothing_and_every_key_of_it_fits_when_its_sign_is_taken_off() -> None:
    from appliance.box.licences import HOUSE
    example = (HOUSE / "image/deskbell.toml").read_bytes()
    assert example.isascii() and example.count(b"\r\n") == example.count(b"\n"), "Notepad of any Windows shows it"
    assert firstboot_keys.read(example) == Wishes()
    opened = "\n".join(line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
                       for line in example.decode().splitlines())
    wishes = read(opened)
    assert not wishes.remarks
    known = {f"{section}.{key}" for section, keys in firstboot_keys.KEYS.items() for key in keys}
    assert set(wishes.by_name) == {name for name in known if not name.startswith("telephone.")} | {"telephone"}
