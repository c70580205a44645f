"""Files of customers as people and machines really make them; brought in once, taken back whole."""
from __future__ import annotations

import contextlib
import io
import json
import random
import sqlite3
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import Box
from appliance.people import (
    cards,
    contacts,
    transfer_cards,
    transfer_columns,
    transfer_read,
    transfer_rows,
    transfer_store,
    transfer_vcard,
    transfer_work,
)
from appliance.people.transfer import MOST_ROWS, SKIP, Item, Line, Plan, Ready, TransferError
from appliance.store import db as store

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
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


class Clerk:
    """Brings files in as the pages and the clock do."""

    def __init__(self, db: sqlite3.Connection, box: Box) -> None:
        self.db, self.box, self.files = db, box, 0

    def check(self, content: str | bytes, format: str = "csv", **plan: object) -> int:
        self.files += 1
        path = transfer_store.folder(self.box) / f"{self.files}.upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        guessed = transfer_work.plan_of(path, format, self.box.country)
        guessed = Plan(**{**guessed.__dict__, **plan})          # type: ignore[arg-type]
        with store.write(self.db):
            number = transfer_store.add(self.db, "people.csv", path.name, format, guessed, "amy", NOW)
            transfer_store.check(self.db, number)
        self.work()
        return number

    def bring_in(self, content: str | bytes, format: str = "csv", now: datetime = NOW, **plan: object) -> int:
        number = self.check(content, format, **plan)
        with store.write(self.db):
            transfer_store.bring_in(self.db, number, now)
        self.work()
        return number

    def undo(self, number: int) -> transfer_store.Import:
        with store.write(self.db):
            transfer_store.undo(self.db, number)
        self.work()
        return transfer_store.get(self.db, number)

    def work(self) -> None:
        while transfer_work.attend(self.db, self.box, NOW):
            pass

    def card(self, number: str) -> cards.Card:
        owner = contacts.find(self.db, number)
        assert owner
        found = cards.card(self.db, owner)
        assert found
        return found

    def everything(self) -> list[list[tuple[object, ...]]]:
        """Every row that makes cards what they are."""
        return [[tuple(row) for row in self.db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in (
            "contact", "contact_number", "contact_field", "contact_tag", "contact_group_member", "contact_group",
            "note")]


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
    (b"a\x00b,1\n", "no text has"), (b'"' + b"x" * 140_000, "never ends")])
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
    excel(["a"])[:-40]])
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


# --- bringing in and taking back ---

def test_of_a_number_that_somebody_has_the_card_is_completed_and_not_overwritten(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Company\nMargaret;0151 23456701;Osei\n")
    more = "Name;Mobile;Work;Company;Town;Group;Bike\nM. Osei;0151 23456701;030 123456;X;Leeds;VIP;Giant\n"
    number = clerk.bring_in(more)
    card = clerk.card("+4930123456")
    assert (card.name, card.company, card.address) == ("Margaret", "Osei", "Leeds")
    assert card.fields == (("Bike", "Giant"),) and [name for _, name in card.groups] == ["VIP"]
    assert transfer_store.get(clerk.db, number).joined == 1
    again = clerk.bring_in(more)
    assert (transfer_store.get(clerk.db, again).joined, transfer_store.get(clerk.db, again).same) == (0, 1)


def test_whoever_has_a_card_is_left_alone_when_asked(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile\nMargaret;0151 23456701\n")
    number = clerk.bring_in("Name;Mobile;Town\nM;0151 23456701;Leeds\nM2;0151 23456701;Ulm\nNew;0151 23456702;\n",
                            duplicates=SKIP)
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined, it.same) == (1, 0, 2) and clerk.card("+4915123456701").address is None


def test_somebody_who_stands_in_the_file_twice_is_one_card(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile;Work\nBen;0151 23456701;\nBen A.;0151 23456701;030 123456\nC;030 123456;\n")
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined) == (1, 2)
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.joined, it.same) == (1, 1, 1)
    assert [one.number for one in clerk.card("+4930123456").numbers] == ["+4915123456701", "+4930123456"]


def test_undo_leaves_everything_as_it_was(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Group\nMargaret;0151 23456701;VIP\nBen;0151 23456702;\n")
    before = clerk.everything()
    number = clerk.bring_in("Name;Mobile;Work;Company;Town;Group;Tag;Bike;VIP;Note\n"
                            "M;0151 23456701;030 123456;X;Leeds;VIP, New;gold;Giant;yes;likes tea\n"
                            "M;0151 23456701;030 123457;Y;;Other;;;;\nNeu;0151 23456703;;;;New;t;b;;hello\n",
                            now=NOW + timedelta(hours=1))
    assert clerk.everything() != before
    it = clerk.undo(number)
    assert (it.state, it.kept) == ("undone", 0) and clerk.everything() == before
    assert clerk.db.execute("SELECT count(*) FROM import_change WHERE import_id = ?", (number,)).fetchone()[0] == 0


def test_undo_keeps_what_a_person_changed_since(clerk: Clerk) -> None:
    number = clerk.bring_in("Name;Mobile;Work\nA;0151 23456701;\n"
                            "B;0151 23456702;\nC;0151 23456703;\nD;0151 23456704;\n")
    later = NOW + timedelta(days=5)
    with store.write(clerk.db):
        contacts.save(clerk.db, contacts.Wish("A changed", numbers=[("0151 23456701", "")]), "DE", "ben", later,
                      clerk.card("+4915123456701").id)
        clerk.db.execute("""
            INSERT INTO note (contact_id, text, by_user, created_at, updated_at)
            VALUES (?, 'x', 'b', ?, ?)""", (clerk.card("+4915123456702").id, store.iso(later), store.iso(later)))
    it = clerk.undo(number)
    assert it.kept == 2
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact ORDER BY name")] == ["A changed", "B"]


def test_undo_of_what_was_added_to_a_card_leaves_what_a_person_wrote_over_it(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile\nMargaret;0151 23456701\n")
    number = clerk.bring_in("Name;Mobile;Company;Town\nM;0151 23456701;Osei;Leeds\n", now=NOW + timedelta(hours=1))
    with store.write(clerk.db):
        contacts.save(clerk.db, contacts.Wish("Margaret", company="Osei & Sons", address="Leeds",
                                              numbers=[("0151 23456701", "")]), "DE", "ben", NOW + timedelta(days=1),
                      clerk.card("+4915123456701").id)
    clerk.undo(number)
    card = clerk.card("+4915123456701")
    assert (card.company, card.address, card.updated_at) == ("Osei & Sons", None, NOW + timedelta(days=1))


def people(count: int) -> str:
    return "Name;Mobile;Group\n" + "".join(f"Rider{n};0151{20000000 + n};{'VIP' if n % 3 else 'Team'}\n"
                                          for n in range(count))


def attend_and_die(box: Box, killed_after: int) -> None:
    """The clock works and is killed in the midst of a transaction after so many."""
    fresh, begun = store.connect(box.store), []

    def count(statement: str) -> None:
        begun.extend([1] * (statement == "BEGIN IMMEDIATE"))
        if len(begun) > killed_after:
            fresh.interrupt()
    fresh.set_trace_callback(count)
    with contextlib.suppress(sqlite3.OperationalError):
        transfer_work.attend(fresh, box, NOW)
    fresh.set_trace_callback(None)
    fresh.close()


@pytest.mark.parametrize("killed_after", [1, 3, 7])
def test_killed_in_the_middle_it_goes_on_exactly_there(clerk: Clerk, box: Box, killed_after: int) -> None:
    number = clerk.check(people(1500))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    while transfer_store.get(clerk.db, number).state == "importing":
        attend_and_die(box, killed_after)
    it = transfer_store.get(clerk.db, number)
    assert (it.state, it.added, it.joined) == ("done", 1500, 0)
    assert clerk.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 1500
    assert clerk.db.execute("SELECT count(*) FROM import_change").fetchone()[0] == 1500
    assert clerk.undo(number).kept == 0 and clerk.everything() == [[]] * 7


def test_the_write_lock_is_held_shortly(clerk: Clerk) -> None:
    from tests.bench.bench_campaign import Lock
    number = clerk.check(people(4000))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    lock = Lock(clerk.db)
    clerk.work()
    clerk.db.set_trace_callback(None)
    held = sorted(lock.held_ms)
    assert len(held) > 10 and held[len(held) // 2] < 20, held[-5:]


def test_another_number_taken_meanwhile_is_joined_and_not_doubled(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\nBen;0151 23456701\n")
    with store.write(clerk.db):
        contacts.add(clerk.db, "Somebody typed it", ["0151 23456701"], "DE", NOW)
        transfer_store.bring_in(clerk.db, number, NOW)
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert (it.added, it.same) == (0, 1) and clerk.card("+4915123456701").name == "Somebody typed it"


def test_people_without_a_number_come_in_once(clerk: Clerk) -> None:
    for _ in range(2):
        clerk.bring_in("Name;Mobile;Company\nBen;;Velo\nBen;;Velo\nAnna;;\n")
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact ORDER BY name")] == ["Anna", "Ben"]


def test_a_file_that_cannot_be_read_to_its_end_brings_in_nothing(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\n" + "Ben;0151 23456701\n" * 100 + "a;" * 600 + "\n")
    it = transfer_store.get(clerk.db, number)
    assert it.state == "failed" and "601 cells" in (it.reason or "") and clerk.everything() == [[]] * 7


def test_a_file_that_vanished_says_so(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(3))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    for file in transfer_store.folder(box).iterdir():
        file.unlink()
    clerk.work()
    it = transfer_store.get(clerk.db, number)
    assert it.state == "undone" and "Send it again" in (it.reason or "")


def test_a_file_nobody_went_on_with_is_put_away_after_a_day(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(3))
    assert transfer_store.sweep(clerk.db, box, NOW + timedelta(hours=23)) == 0
    assert transfer_store.sweep(clerk.db, box, NOW + timedelta(hours=25)) == 1
    assert list(transfer_store.folder(box).iterdir()) == []
    with pytest.raises(TransferError):
        transfer_store.get(clerk.db, number)


def test_what_was_left_out_is_kept_with_its_reason(clerk: Clerk) -> None:
    number = clerk.check("Name;Mobile\nBen;12\n;0151 23456701\nAnna;0151 23456702\n")
    assert [(remark.line, remark.is_left_out, remark.cells) for remark in
            transfer_store.every_remark(clerk.db, number)] == [
        (2, True, ("Ben", "12")), (3, True, ("", "0151 23456701"))]


def test_a_log_of_changes_has_one_line_for_an_import_and_one_for_its_undo(clerk: Clerk) -> None:
    clerk.undo(clerk.bring_in(people(30)))
    told = [(row["what"], json.loads(row["after"])) for row in clerk.db.execute("SELECT * FROM change ORDER BY id")]
    assert told == [("contacts import", {"file": "people.csv", "added": 30, "joined": 0, "left out": 0}),
                    ("contacts import undone", {"stay": 0})]


def test_groups_are_the_ones_there_are_in_any_case(clerk: Clerk) -> None:
    clerk.bring_in("Name;Mobile;Group\nA;0151 23456701;VIP\n")
    clerk.bring_in("Name;Mobile;Group\nB;0151 23456702;vip\n")
    assert [row[0] for row in clerk.db.execute("SELECT name FROM contact_group")] == ["VIP"]


def test_a_stop_pressed_between_two_batches_writes_no_more(clerk: Clerk, box: Box) -> None:
    number = clerk.check(people(200))
    with store.write(clerk.db):
        transfer_store.bring_in(clerk.db, number, NOW)
    it = transfer_store.get(clerk.db, number)
    with store.write(clerk.db):
        transfer_store.undo(clerk.db, number)
    with pytest.raises(transfer_work._Stopped):
        transfer_work._bring_in(clerk.db, box, it, NOW, 5)
    assert clerk.db.execute("SELECT count(*) FROM contact").fetchone()[0] == 0
    assert transfer_cards.Counts().added == 0
