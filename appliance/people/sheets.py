"""Sheets that Excel opens right: CSV and .xlsx, a row at a time; numbers of people stay text, no formula can run.

What is known of Excel and decides here:
- a CSV is read as UTF-8 only with a byte order mark, and split at the list separator of the PC's own region: a comma
  file opens in one column wherever the comma is the decimal sign. `sep=` in a first line makes it forget the mark.
- +79001234567 becomes a number without its plus, 0012 becomes 12, more than 11 digits 4.9E+12. A tab in front keeps the
  cell text and cannot be seen; what people read stays +7….
- a cell that begins with = + - @ may be run as a formula, also one that begins so after another region's separator.
  An apostrophe goes before it.
`plain` takes back what was put in front, so that what was exported is imported equal.
"""
from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape

Cell = str | int | float | date | None         # a datetime is on the shop's clock, without a zone

BOM = b"\xef\xbb\xbf"
# Where Windows splits a list at the semicolon, since the comma is the decimal sign there.
SEMICOLON = frozenset(re.findall("[A-Z]{2}", """
    AD AL AM AR AT AZ BA BE BG BO BR BY CH CL CO CR CY CZ DE DK EC EE ES FI FO FR GE GL GR HR HU ID IS IT KG KZ LI LT LU
    LV MC MD ME MK MN NL NO PE PL PT PY RO RS RU SE SI SK SM TJ TM TR UA UY UZ VE VN XK ZA"""))
LOSES_DIGITS = re.compile(r"\+[0-9]+|0[0-9]+|[0-9]{12,}", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,11}(?:[.,][0-9]+)?", re.ASCII)
STARTS = r"=+\-@\uff1d\uff0b\uff0d\uff20"
GUARDED = re.compile(rf"\A'*(?=[{STARTS}\t\r\n])|(?<=[,;|\t\r\n])'*(?=[{STARTS}])")
GUARD = re.compile(rf"(?:\A|(?<=[,;|\t\r\n]))'+(?=[{STARTS}\t\r\n])")
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
FLUSH_BYTES = 64 * 1024
LONGEST_CELL = 32_767          # Excel's; a longer one makes it "repair" the file
MOST_ROWS = 1_048_575          # Excel's, without the head
EPOCH = datetime(1899, 12, 30)
FIRST_DAY = datetime(1900, 3, 1)        # before it Excel has a 29 February 1900, and before 1900 no day at all
ESCAPE_OF_EXCEL = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


def separator(country: str) -> str:
    """What a CSV is split at for the PCs of this country (ISO 3166-1 alpha-2)."""
    return ";" if country in SEMICOLON else ","


def csv(head: Sequence[str], rows: Iterable[Sequence[Cell]], separator: str = ",") -> Iterator[bytes]:
    """The bytes of a CSV in pieces: UTF-8 with its mark, CRLF; decimals are written as the separator's regions do."""
    pieces, size = [BOM.decode()], 0
    for row in _with_head(head, rows):
        line = separator.join(_field(cell, separator) for cell in row) + "\r\n"
        pieces.append(line)
        size += len(line)
        if size >= FLUSH_BYTES:
            yield "".join(pieces).encode()
            pieces, size = [], 0
    yield "".join(pieces).encode()


def xlsx(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The bytes of an Excel file in pieces. Text is text, dates are dates; rows past Excel's last one are left out."""
    target = _Pieces()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as file:
        for name, content in PARTS.items():
            file.writestr(name, content)
        with file.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(_opening(len(head)).encode())
            lines: list[str] = []
            for number, row in enumerate(_with_head(head, rows)):
                if number > MOST_ROWS:
                    break
                lines.append(f"<row>{''.join(_xml(cell, number == 0) for cell in row)}</row>")
                if len(lines) == 200:
                    sheet.write("".join(lines).encode())
                    lines = []
                    yield target.take()
            sheet.write(("".join(lines) + "</sheetData></worksheet>").encode())
    yield target.take()


def safe(text: str) -> str:
    """The text as a cell of a CSV: it stays text and cannot become a formula."""
    text = clean(text)
    if LOSES_DIGITS.fullmatch(text):
        return "\t" + text
    return text if NUMBER.fullmatch(text) else GUARDED.sub(lambda found: found.group() + "'", text)


def plain(cell: str) -> str:
    """The text that `safe` made this cell of; the cell itself when `safe` did not."""
    if cell.startswith("\t") and LOSES_DIGITS.fullmatch(cell, 1):
        return cell[1:]
    return GUARD.sub(lambda found: found.group()[1:], cell)


def clean(text: str) -> str:
    """The text without what no sheet can hold."""
    return UNPRINTABLE.sub("", text)


def _with_head(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    yield head
    yield from rows


def _field(cell: Cell, separator: str) -> str:
    if isinstance(cell, str):
        text = safe(cell)
        if any(letter in text for letter in (separator, '"', "\n", "\r", "\t", ";", ",")):
            return '"' + text.replace('"', '""') + '"'
        return text
    if isinstance(cell, float):
        return f'"{cell}"'.replace(".", ",") if separator == ";" else str(cell)
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    return "" if cell is None else str(cell)


# --- Excel's own form, ECMA-376: a zip of XML ---

TEXT, HEAD, DATE, TIME = 1, 2, 3, 4         # the formats of STYLES, in order
PARTS = {
    "[Content_Types].xml": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        '<Override PartName="/xl/styles.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>'
        '</Relationships>',
    "xl/workbook.xml": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
        '<sheet name="Deskbell" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/styles.xml": '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="2">'
        '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
        '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill '
        'patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        '<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
        '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def _opening(columns: int) -> str:
    return ('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView '
            'workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
            f'</sheetViews><cols><col min="1" max="{max(columns, 1)}" width="19" customWidth="1"/></cols><sheetData>')


def _xml(cell: Cell, is_head: bool) -> str:
    if cell is None or cell == "":
        return "<c/>"
    if isinstance(cell, str):
        text = ESCAPE_OF_EXCEL.sub("_x005F_", clean(cell)[:LONGEST_CELL]).replace("\r\n", "\n").replace("\r", "\n")
        return (f'<c s="{HEAD if is_head else TEXT}" t="inlineStr"><is><t xml:space="preserve">'
                f"{escape(text)}</t></is></c>")
    if isinstance(cell, date):
        at = cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
        if at < FIRST_DAY:
            return _xml(str(cell), is_head)
        days = (at - EPOCH).total_seconds() / 86400
        return f'<c s="{TIME if isinstance(cell, datetime) else DATE}"><v>{days:.10f}</v></c>'
    return f"<c><v>{cell:d}</v></c>" if isinstance(cell, int) else f"<c><v>{cell!r}</v></c>"


class _Pieces:
    """A file that only grows and gives away what it has."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, content: bytes) -> int:
        self._held += content
        return len(content)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """What is held can still be taken."""

    def take(self) -> bytes:
        given, self._held = bytes(self._held), bytearray()
        return given
