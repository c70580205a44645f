"""Files of customers as people and machines really make them are read, whatever their encoding and age."""
from __future__ import annotations

import io
import random
import sqlite3
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import Box
from appliance.people import (
    cards,
    transfer_columns,
    transfer_read,
    transfer_rows,
    transfer_store,
    transfer_vcard,
)
from appliance.people.transfer import MOST_ROWS, Item, Line, Ready, TransferError
from tests.unit.clerk import Clerk

NAMES = "Имя;Телефон\nОльга Соколова;+79161234567\nИван Петров;+79161234568\nМария;+79161234569\n"
CHINESE = "姓名,电话,公司\n李雷,13912345678,北京公司\n韩梅梅,13912345679,\n王小明,13912345680,上海\n"
WESTERN = "Nom;Téléphone\nFrançois Lefèvre;0142681234\nZoë Müller;0142681235\nJosé García;0142681236\n"


@pytest.fixture
def put(box: Box, tmp_path: Path) -> object:
    def write(content: str | bytes, encoding: str = "utf-8", name: str = "people.csv") -> Path:
        path = transfer_store.folder(box) / name
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path
    return write


@pytest.fixture
def clerk(db: sqlite3.Connection, box: Box) -> Clerk:
    return Clerk(db, box)


# --- reading ---

@pytest.mark.parametrize(("text", "encoding", "guessed"), [
    (NAMES, "utf-8", "utf-8"), (NAMES, "utf-8-sig", "utf-8"), (NAMES, "utf-16", "utf-16"),
    (NAMES, "utf-16-le", "utf-16"),
    (NAMES, "utf-16-be", "utf-16"), (NAMES, "cp1251", "cp1251"), (NAMES, "koi8-r", "koi8-r"), (NAMES, "cp866", "cp866"),
    (CHINESE, "gb18030", "gb18030"), (CHINESE, "gbk", "gb18030"), (WESTERN, "cp1252", "cp1252"),
    (WESTERN, "latin-1", "cp1252"), ("Name;Tel\nBen;030123456\n", "ascii", "utf-8"),
    ("Name;Tel\n" + "Ben;030123456\n" * 30_000 + "Müller;030123457\n", "cp1252", "cp1252")])
def test_the_encoding_is_guessed_and_the_names_are_right(put, text: str, encoding: str,  # type: ignore[no-untyped-def]
                                                         guessed: str) -> None:
    path = put(text, encoding)
    assert transfer_read.encoding_of(path) == guessed
    separator = transfer_read.separator_of(path, guessed)
    assert list(transfer_read.csv_rows(path, guessed, separator)) == [
        line.split(separator) for line in text.splitlines()]


@pytest.mark.parametrize(("text", "separator"), [
    ("a;b,c;d\n1;2,3;4\n", ";"), ("a,b\n1,2\n", ","), ("a\tb\n1\t2\n", "\t"),
    ("a|b\n1|2\n", "|"),
    ("alone\n1\n", ","),
    ('Name,Note\nBen,"a;b;c;d"\nAnna,"e;f;g;h"\n', ",")])
def test_the_separator_is_guessed(put, text: str, separator: str) -> None:  # type: ignore[no-untyped-def]
    assert transfer_read.separator_of(put(text), "utf-8") == separator


@pytest.mark.parametrize(("content", "said"), [
    (b"a" * (1024 * 1024 + 5), "longer than a table"), (b"a," * 600 + b"\n", "601 cells"),
    (b"a\x00b,1\n", "no text has"), (b'"' + b"x" * 140_000, "never ends")],
    ids=["one line", "many cells", "no text", "a quote that never ends"])
def test_evil_csv_is_refused_in_a_sentence(put, content: bytes, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TransferError, match=said):
        list(transfer_read.csv_rows(put(content), "utf-8", ","))


def test_more_rows_than_a_file_may_have_are_refused(put) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TransferError, match="more than 300,000 rows"):
        list(transfer_read.csv_rows(put("a,b\n" * (MOST_ROWS + 5)), "utf-8", ","))


def excel(*rows: list[object]) -> bytes:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def test_an_excel_sheet_is_read_as_text(put) -> None:  # type: ignore[no-untyped-def]
    path = put(excel(["Name", "Tel", "Day"], ["Ben", 4915123456701, datetime(1984, 6, 3)], [None, None, None],
                     ["=1+1", "+79161234567", 2.5]), name="a.upload")
    assert list(transfer_read.excel_rows(path)) == [
        ["Name", "Tel", "Day"], ["Ben", "4915123456701", "1984-06-03"], ["", "+79161234567", "2.5"]]


def evil_excel(part: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(excel(["Name"], ["Ben"]))) as good, zipfile.ZipFile(made, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, content if name == part else good.read(name))
    return made.getvalue()


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
WITHIN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">' \
         b'<c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>'


@pytest.mark.parametrize("content", [
    evil_excel("xl/worksheets/sheet1.xml", BOMB + WITHIN), evil_excel("xl/workbook.xml", b"<x"),
    evil_excel("xl/workbook.xml", BOMB + b"<workbook>&b;</workbook>"), b"PK\x03\x04", b"PK\x05\x06" + bytes(18),
    excel(["a"])[:-40]],
    ids=["a bomb of entities", "a torn workbook", "a bomb in the workbook", "four bytes", "an empty zip", "cut off"])
def test_evil_excel_files_are_refused_in_a_sentence(put, content: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TransferError):
        if not list(transfer_read.excel_rows(put(content))):
            raise TransferError("no row")


def test_an_excel_row_of_sixteen_thousand_cells_is_refused(put) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TransferError, match="more than 500 cells"):
        list(transfer_read.excel_rows(put(excel(["x"] * 16_000))))


# --- what columns mean ---

@pytest.mark.parametrize(("head", "columns"), [
    ("Name,Phone,Email", ("name", "number", "skip")), ("Vorname,Nachname,Handy", ("first", "last", "number")),
    ("ФИО,Телефон,День рождения,Группа", ("name", "number", "birthday", "groups")),
    ("姓名,手机,公司,备注", ("name", "number", "company", "note")),
    ("Nom complet,Téléphone portable,Adresse,Code postal,Ville", ("name", "number", "address", "zip", "city")),
    ("First Name,Middle Name,Last Name,Organization Name,Phone 1 - Label,Phone 1 - Value",
     ("first", "middle", "last", "company", "label", "number")),
    ("Name,Number 1,Label 1,Number 2,Label 2", ("name", "number", "label", "number", "label")),
    ("Name,Tel,Bike,Field: Notes", ("name", "number", "field:Bike", "field:Notes"))])
def test_headings_are_understood_in_five_languages(head: str, columns: tuple[str, ...]) -> None:
    rows = [head.split(","), ["x"] * (head.count(",") + 1)]
    assert transfer_columns.guess(rows, "DE").columns == columns


def test_a_list_without_headings_is_understood_by_what_stands_in_it() -> None:
    plan = transfer_columns.guess([["Ben Adler", "0151 23456701"], ["Anna", "030 123456"]], "DE")
    assert (plan.has_head, plan.columns) == (False, ("name", "number"))


NAMED = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12).map(
    lambda text: cards.clean(text, 40)).filter(lambda text: bool(text) and not text.startswith("* "))


@given(st.lists(NAMED, max_size=5))
def test_names_of_groups_in_one_cell_come_back(names: list[str]) -> None:
    assert transfer_columns.listed(transfer_columns.joined(names)) == names


# --- a row ---

def ready(*items: tuple[str, str] | tuple[str, str, str]) -> Ready:
    return transfer_rows.ready(Line(1, [Item(*one) for one in items], ["cell"]), "DE")


@pytest.mark.parametrize(("items", "wanted"), [
    ([("name", " Ben \x07 Adler ")], {"name": "Ben Adler"}),
    ([("first", "Ben"), ("last", "Adler")], {"name": "Ben Adler"}),
    ([("last", "李"), ("first", "雷")], {"name": "李雷"}), ([("company", "Velo")], {"name": "Velo", "company": None}),
    ([("name", "B"), ("number", "0151 23456701; 030 123456")],
     {"numbers": (("+4915123456701", ""), ("+4930123456", ""))}),
    ([("name", "B"), ("number", "4915123456701")], {"numbers": (("+4915123456701", ""),)}),
    ([("name", "B"), ("number", "030 123456 ext. 12")], {"numbers": (("+4930123456", ""),)}),
    ([("name", "B"), ("vip", "да"), ("blocked", "нет")], {"is_vip": True, "is_blocked": False}),
    ([("name", "B"), ("street", "High St 1"), ("zip", "10115"), ("city", "Berlin")],
     {"address": "High St 1\n10115 Berlin"}),
    ([("name", "B"), ("birthday", "3.6.1984")], {"birthday": "1984-06-03"}),
    ([("name", "B"), ("birthday", "soon"), ("number", "030123456")], {"birthday": None}),
    ([("name", "B"), ("groups", "VIP, Suppliers;VIP")], {"groups": ("VIP, Suppliers", "VIP")})])
def test_a_row_is_made_ready(items: list[tuple[str, str]], wanted: dict[str, object]) -> None:
    row = ready(*items)
    assert not row.left_out and {name: getattr(row, name) for name in wanted} == wanted


@pytest.mark.parametrize(("items", "said"), [
    ([("name", "B"), ("number", "4.91512E+12")], "Excel shortened this number to 4.91512E+12"),
    ([("name", "B"), ("number", "12")], "“12” is not a telephone number here."),
    ([("number", "030123456")], "a number and no name"), ([("note", "x")], "Neither a name nor a number")])
def test_a_row_that_cannot_be_used_says_why(items: list[tuple[str, str]], said: str) -> None:
    assert said in ready(*items).left_out


def test_a_number_that_lost_its_plus_in_excel_is_read_with_it() -> None:
    row = transfer_rows.ready(Line(1, [Item("name", "B"), Item("number", "79161234567")], []), "FR")
    assert row.numbers == (("+79161234567", ""),)


def test_a_wrong_number_beside_a_right_one_is_left_out_alone() -> None:
    row = ready(("name", "B"), ("number", "030123456"), ("number", "12"))
    assert row.numbers == (("+4930123456", ""),) and "“12”" in row.remark and not row.left_out


# --- vCards ---

OLD = ("BEGIN:VCARD\r\nVERSION:2.1\r\n"
       "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=9F=D0=B5=D1=82=D1=80=D0=BE=D0=B2;=\r\n"
       "=D0=98=D0=B2=D0=B0=D0=BD;;;\r\nTEL;CELL:+79161234567\r\nTEL;WORK;VOICE:+74951234567\r\nEND:VCARD\r\n")
APPLE = ("BEGIN:VCARD\nVERSION:3.0\nFN:Margaret Osei\nN:Osei;Margaret;;;\nitem1.TEL:+44 7400 123456\n"
         "item1.X-ABLabel:_$!<HomeFAX>!$_\nitem2.TEL;type=pref:030 123456\nitem2.X-ABLabel:Büro\nBDAY:1604-06-03\n"
         "item1.ADR;type=HOME:;;12 High St;Leeds;;LS1 4AP;UK\nCATEGORIES:VIP,Sup\\,pliers\nNOTE:a\\nb\n"
         "PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 70 + "\n " + "B" * 70 + "\nEND:VCARD\n")
NEW = ("BEGIN:VCARD\nVERSION:4.0\nFN:李雷\nTEL;VALUE=uri;TYPE=\"cell,voice\":tel:+8613912345678\nBDAY:--0603\n"
       "ORG:公司;部门\nNICKNAME:Lei\nEND:VCARD\n")
BAD = "BEGIN:VCARD\nVERSION:3.0\nTEL;TYPE=cell:\nX;;;=:::\n::::\nEND:VCARD\n"


def of(put, text: str) -> list[Ready]:  # type: ignore[no-untyped-def]
    return [transfer_rows.ready(line, "DE") for line in transfer_vcard.lines(put(text), "utf-8")]


def test_cards_of_every_age_are_read(put) -> None:  # type: ignore[no-untyped-def]
    old, apple, new = of(put, OLD + APPLE + NEW)
    assert (old.name, old.numbers) == ("Иван Петров", (("+79161234567", "mobile"), ("+74951234567", "work")))
    assert apple.name == "Margaret Osei" and apple.birthday == "--06-03"
    assert apple.numbers == (("+447400123456", "homefax"), ("+4930123456", "Büro"))
    assert apple.address == "12 High St\nLS1 4AP Leeds\nUK" and apple.groups == ("VIP", "Sup,pliers")
    assert apple.note == "a\nb"
    assert (new.name, new.company, new.other_name, new.birthday) == ("李雷", "公司", "Lei", "--06-03")
    assert new.numbers == (("+8613912345678", "mobile"),)


def test_one_bad_card_never_stops_the_rest(put) -> None:  # type: ignore[no-untyped-def]
    broken = "BEGIN:VCARD\nFN:Cut off\nTEL:030 1234"
    rows = of(put, BAD + NEW + APPLE.removesuffix("END:VCARD\n") + NEW + "junk\n" + broken)
    assert [row.name for row in rows] == ["", "李雷", "Margaret Osei", "李雷", "Cut off"]
    assert rows[0].left_out


def test_random_bytes_are_no_card_and_no_crash(put) -> None:  # type: ignore[no-untyped-def]
    dice = random.Random(7)
    for _ in range(100):
        text = list(OLD + APPLE + NEW)
        for _ in range(40):
            text[dice.randrange(len(text))] = dice.choice("\n;:=\\,\"B\x7f")
        of(put, "".join(text))


def test_the_cards_we_write_are_read_by_another_library(clerk: Clerk) -> None:
    clerk.bring_in("Name;Tel;Company;Birthday\n" + "Ö" * 70 + ";0151 23456701;a,b;1984-06-03\n")
    (text,) = transfer_vcard.write([clerk.card("+4915123456701")])
    assert max(map(len, text.split(b"\r\n"))) <= 75
    card = vobject.readOne(text.decode())
    assert (card.fn.value, card.tel.value, card.org.value, card.bday.value) == (
        "Ö" * 70, "+4915123456701", ["a,b"], "1984-06-03")
