"""What goes out as CSV or Excel is what comes back, and nothing in it can run."""
from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.people import sheets

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=40).map(sheets.clean)
EVIL = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "'=1", "''+x", "＝1+1",
        "Bob;=cmd|' /C calc'!A0", "a,=1", "line\n=1", '"=1', "-2+3+cmd|' /C calc'!A0", "+", "="]


def read_csv(content: bytes, separator: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


def csv_of(rows: Iterable[Sequence[sheets.Cell]], separator: str = ",") -> list[list[str]]:
    return read_csv(b"".join(sheets.csv(["a"], rows, separator)), separator)[1:]


def xlsx_of(rows: Iterable[Sequence[sheets.Cell]]) -> list[tuple[object, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(b"".join(sheets.xlsx(["a", "b"], rows))))
    return [tuple(cell.value for cell in row) for row in itertools.islice(book.active.iter_rows(), 1, None)]


@given(st.lists(st.lists(TEXTS | st.sampled_from(EVIL), min_size=1, max_size=5), max_size=5), st.sampled_from(",;"))
def test_every_text_comes_back_from_a_csv_as_it_went_out(rows: list[list[str]], separator: str) -> None:
    rows = [row for row in rows if row != [""]]          # a line without a letter is no row of a CSV
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    assert [[sheets.plain(cell) for cell in row] for row in csv_of(rows, separator)] == rows


@given(TEXTS | st.sampled_from(EVIL))
def test_no_cell_begins_as_a_formula_in_any_region(text: str) -> None:
    for separator in ",;":
        (line,) = csv_of([[text, "x"]], separator)
        for other in ",;\t|":
            for piece in line[0].split(other) if line[0] and not sheets.NUMBER.fullmatch(line[0]) else []:
                assert not piece.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")), line


@pytest.mark.parametrize("number", ["+79001234567", "+4915123456789", "00491512345678", "01512345678",
                                    "491512345678901"])
def test_a_number_stays_text_in_excel_and_nobody_sees_what_keeps_it(number: str) -> None:
    written = csv_of([[number]])[0][0]
    assert written == "\t" + number and sheets.plain(written) == number
    assert "'" not in b"".join(sheets.csv(["Number"], [[number]])).decode()


def test_figures_are_left_as_they_are() -> None:
    assert csv_of([[-1, 2.5, "-1", "12", None, True]]) == [["-1", "2.5", "-1", "12", "", "True"]]
    assert csv_of([[2.5]], ";") == [["2,5"]]


def test_a_csv_has_its_mark_and_the_line_ends_of_excel() -> None:
    content = b"".join(sheets.csv(["Имя", "姓名"], [["Ольга", "李雷"]]))
    assert content.startswith(b"\xef\xbb\xbf") and content.count(b"\r\n") == 2
    assert read_csv(content) == [["Имя", "姓名"], ["Ольга", "李雷"]]


def test_the_separator_is_that_of_the_country() -> None:
    assert {country: sheets.separator(country) for country in ("DE", "FR", "RU", "CN", "US", "GB", "CH")} == {
        "DE": ";", "FR": ";", "RU": ";", "CN": ",", "US": ",", "GB": ",", "CH": ";"}


def test_times_and_days_are_times_and_days() -> None:
    at, day = datetime(2026, 11, 21, 14, 5, 9), date(1990, 2, 1)
    assert csv_of([[at, day]]) == [["2026-11-21 14:05:09", "1990-02-01"]]
    found = xlsx_of([[at, day], [datetime(1899, 1, 1, 1), None]])
    assert found[0] == (at, datetime(1990, 2, 1)) and found[1][0] == "1899-01-01 01:00:00"


@pytest.mark.deep
@given(st.lists(st.tuples(TEXTS.filter(bool) | st.sampled_from(EVIL), st.integers(-10**12, 10**12)), max_size=5))
def test_every_text_comes_back_from_excel_and_none_is_a_formula(rows: list[tuple[str, int]]) -> None:
    content = b"".join(sheets.xlsx(["a", "b"], rows))
    book = openpyxl.load_workbook(io.BytesIO(content))
    for row, wanted in zip(itertools.islice(book.active.iter_rows(), 1, None), rows, strict=True):
        assert row[0].data_type in ("s", "inlineStr")
        assert row[0].value.replace("_x005F_", "_") == wanted[0].replace("\r", "\n")
        assert row[1].value == wanted[1]


def test_long_digits_and_what_no_sheet_holds_in_excel() -> None:
    assert xlsx_of([["491512345678901234", "a\x00b\x07\ud800"], ["_x0041_", "x" * 40_000]]) == [
        ("491512345678901234", "ab"), ("_x005F_x0041_", "x" * 32_767)]


def test_a_big_sheet_is_made_a_piece_at_a_time() -> None:
    made = 0

    def rows() -> Iterable[list[str]]:
        nonlocal made
        for made in range(5000):
            yield [f"+49151{made:08}", "Margaret Osei"]
    for pieces in (sheets.csv(["a", "b"], rows()), sheets.xlsx(["a", "b"], rows())):
        made = 0
        next(pieces)
        assert 0 < made < 4999
