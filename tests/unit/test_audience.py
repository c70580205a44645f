"""Who gets a group text, who does not and why; lists from any program."""
from __future__ import annotations

import re
import sqlite3

import pytest

from appliance.config import Box
from appliance.people import groups
from appliance.people.groups import GroupError
from appliance.store import db as store
from appliance.texts import audience, lists
from appliance.texts.lists import ListError
from tests.unit.mailing import Mailing, mobile

GERMAN = "number;name;bike\n0170 1000001;Jörg Müller;Räder\n0170 1000002;Änne;—\n"


@pytest.fixture
def office(db: sqlite3.Connection, box: Box) -> Mailing:
    return Mailing(db, box)


def chosen(office: Mailing, **parts: object) -> tuple[list[str], dict[str, str]]:
    """(the numbers chosen, why each other is left out by name or number)."""
    own = {"+4915100000001"}
    recipients, excluded = audience.select(office.db, parts, "DE", office.now, "Larkspur", own)
    return [one.number for one in recipients], {left.name or left.number: left.reason for left in excluded}


def test_two_groups_with_one_person_in_both_text_him_once(office: Mailing) -> None:
    both = office.contact("Both", mobile(1), "A")
    office.join("B", both)
    office.contact("Only B", mobile(2), "B")
    ids = [groups.named(office.db, name) for name in "AB"]
    assert chosen(office, groups=ids) == ([mobile(1), mobile(2)], {})


def test_everyone_who_cannot_or_must_not_be_texted_is_left_out_with_his_reason(office: Mailing) -> None:
    office.contact("Fine", mobile(1))
    office.contact("Landline", "+498912345678")
    office.contact("Toll free", "+498001234567")
    office.contact("Blocked", mobile(2), is_blocked=True)
    office.contact("No number")
    office.contact("Stopped", mobile(3))
    office.contact("Ours", "+4915100000001")
    office.opt_out(mobile(3))
    assert chosen(office, everyone=True) == ([mobile(1)], {
        "Landline": "A landline cannot take texts.", "Toll free": "A service number cannot take texts.",
        "Blocked": "Is blocked in the book.", "No number": "Has no telephone number in the book.",
        "Stopped": "Asked for no more texts.", "Ours": "Is a number of ours."})


def test_a_blocked_number_is_left_out_of_a_list_too(office: Mailing) -> None:
    office.contact("Blocked", mobile(2), is_blocked=True)
    assert chosen(office, rows=[{"number": mobile(1)}, {"number": mobile(2)}]) == (
        [mobile(1)], {"Blocked": "Is blocked in the book."})


def test_of_several_numbers_of_one_person_the_mobile_is_texted(office: Mailing) -> None:
    contact = office.contact("Two", "+498912345678")
    office.db.execute("INSERT INTO contact_number (number, contact_id) VALUES (?, ?)", (mobile(1), contact))
    assert chosen(office, everyone=True) == ([mobile(1)], {})


def test_a_pasted_list_is_read_as_people_write_numbers(office: Mailing) -> None:
    rows = lists.pasted("0170 1000001, +49 170 1000002;\n0049-170-1000003\n\n0170CALLME, 12, Anna 0170 1000009\n"
                        "01701000001")
    numbers, reasons = chosen(office, rows=rows)
    assert numbers == [mobile(1), mobile(2), mobile(3)]
    assert reasons == {
        "0170CALLME": "'0170CALLME' holds letters, so it is no telephone number.",
        "12": "'12' is no telephone number here. Write it as you would dial it, or with +.",
        "Anna 0170 1000009": "'Anna 0170 1000009' holds letters, so it is no telephone number.",
        mobile(1): "Is there twice: one text is enough."}


def test_a_list_and_a_group_with_the_same_number_text_it_once_by_its_own_name(office: Mailing) -> None:
    office.contact("Anna", mobile(1), "A", company="Velo", bike="Gazelle")
    rows = [{"number": mobile(1), "name": "Nobody"}, {"number": mobile(2), "name": "Bob"}]
    recipients, excluded = audience.select(office.db, {"groups": [1], "rows": rows}, "DE", office.now, "Larkspur")
    assert [(one.name, one.fields.get("company"), one.fields["shop"]) for one in recipients] == [
        ("Anna", "Velo", "Larkspur"), ("Bob", None, "Larkspur")]
    assert [left.reason for left in excluded] == [audience.TWICE]


def test_a_listed_number_that_is_in_the_book_has_the_books_fields_where_the_list_has_none(office: Mailing) -> None:
    office.contact("Anna Schmidt", mobile(1), bike="Gazelle")
    recipients, _ = audience.select(office.db, {"rows": [{"number": "01701000001", "size": "M"}]}, "DE", office.now)
    assert (recipients[0].name, recipients[0].fields["bike"], recipients[0].fields["size"]) == (
        "Anna Schmidt", "Gazelle", "M")


def test_filters_narrow_the_contacts(office: Mailing) -> None:
    office.contact("Rang", mobile(1), "A", company="Velo Ltd")
    office.contact("Never", mobile(2), "A")
    office.contact("Texted", mobile(3), "A", company="velo ltd")
    office.db.execute("""
        INSERT INTO call (box, boot, linkedid, direction, caller_id, number, presentation, started_at, is_clock_set)
        VALUES ('b', 1, '1', 'in', '', ?, 'allowed', ?, 1)""", (mobile(1), store.iso(office.now)))
    office.answer(mobile(3))
    assert chosen(office, everyone=True, rang_within_days=30)[0] == [mobile(1)]
    assert chosen(office, everyone=True, not_texted_within_days=14)[0] == [mobile(1), mobile(2)]
    assert chosen(office, groups=[1], company="VELO LTD", not_texted_within_days=14)[0] == [mobile(1)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_of_any_program_is_read_to_the_letter(encoding: str) -> None:
    text = GERMAN.replace("—", "x") if encoding == "cp1252" else GERMAN
    rows = lists.read_csv(text.encode(encoding), "DE")
    assert [(row["number"], row["name"]) for row in rows] == [("0170 1000001", "Jörg Müller"), ("0170 1000002", "Änne")]


def test_a_russian_csv_of_excel_is_read_by_the_country() -> None:
    content = "Имя;Телефон\nНина;8 916 123-45-67\n".encode("cp1251")
    assert lists.read_csv(content, "RU") == [{"имя": "Нина", "number": "8 916 123-45-67"}]


def test_a_csv_with_three_encodings_is_refused_and_names_the_lines() -> None:
    content = b"number,name\n" + "01701000001,Jörg\n".encode() + "01701000002,Änne\n".encode("cp1252") + \
        "01701000003,Нина\n".encode("cp1251")
    with pytest.raises(ListError, match="line 3, 4 is written otherwise than the rest. Save it once more"):
        lists.read_csv(content, "DE")


@pytest.mark.parametrize(("content", "words"), [
    (b"", "empty"), (b"\n\n,,\n", "empty"), (b"name,town\nAnna,Bonn\n", "No column"), (b"\xff\xfe\x00", "no encoding"),
    (b'number\n"0170', "0170|No column|no CSV"), (b"0" * (9 * 1024 * 1024), "larger than 8 MB"),
    (b"number,name\n01701000001,\x81\x8d\n", "no encoding"),
], ids=range(7))
def test_a_list_that_cannot_be_read_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    try:
        rows = lists.read_csv(content, "DE")
    except ListError as refused:
        assert re.search(words, str(refused))
    else:
        assert rows == [{"number": "0170"}] and "0170" in words


def test_without_heads_the_column_of_numbers_is_found() -> None:
    assert lists.read_csv(b"Anna,Bonn,01701000001\nBob,Ulm,01701000002\n", "DE") == [
        {"number": "01701000001"}, {"number": "01701000002"}]


@pytest.mark.parametrize(("cell", "number"), [
    ("'+491701000001", mobile(1)), ('="01701000001"', mobile(1)), ("4.91701E+11", None), ("01701000001 ", mobile(1)),
    ("+49 (170) 1000-001", mobile(1)), ("٠١٧٠", None), ("0170FLOWERS", None), ("1-800-GO-FEDEX", None)])
def test_what_spreadsheets_do_to_numbers_is_undone_or_said(cell: str, number: str | None) -> None:
    assert lists.e164(cell, "DE") == number
    if cell.startswith("4."):
        assert "shortened by the spreadsheet" in lists.why_no_number(cell)


def test_a_group_is_made_renamed_filled_and_deleted(office: Mailing) -> None:
    anna = office.contact("Anna", mobile(1))
    with store.write(office.db):
        vip = groups.add(office.db, " VIP ")
        assert (groups.put(office.db, vip, [anna, anna]), groups.put(office.db, vip, [anna])) == (1, 0)
        groups.rename(office.db, vip, "Best")
    assert groups.listed(office.db) == [groups.Group(vip, "Best", 1)]
    assert (groups.of_contact(office.db, anna), groups.named(office.db, "best")) == (["Best"], vip)
    with store.write(office.db):
        assert groups.take_out(office.db, vip, [anna]) == 1
        groups.delete(office.db, vip)
    assert groups.listed(office.db) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x07b", "vip"])
def test_a_group_without_a_proper_name_is_refused(office: Mailing, name: str) -> None:
    with store.write(office.db):
        groups.add(office.db, "VIP")
    with pytest.raises(GroupError):
        groups.add(office.db, name)


def test_a_contact_that_is_gone_cannot_join(office: Mailing) -> None:
    with pytest.raises(GroupError, match="deleted meanwhile"), store.write(office.db):
        groups.put(office.db, groups.add(office.db, "VIP"), ["0" * 36])
