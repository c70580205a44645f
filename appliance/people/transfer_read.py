"""A file of customers as rows of text: CSV in whatever encoding and separator, or Excel. Nothing in it is trusted."""
from __future__ import annotations

import codecs
import csv
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from appliance.people import sheets
from appliance.people.transfer import LONGEST_LINE, MOST_COLUMNS, MOST_ROWS, TransferError

# What can be chosen, most likely first; the names are Python's.
ENCODINGS = ("utf-8", "utf-16", "gb18030", "big5", "cp1251", "koi8-r", "cp866", "cp1252", "cp1250", "shift_jis")
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_BYTES = 256 * 1024
SAMPLE_ROWS = 50
HIGH = re.compile(rb"[\x80-\xff]+")
COMMON_RUSSIAN = frozenset("оеаинтсрвлкмдОЕАИНТСРВЛКМД")
CYRILLIC = ("cp1251", "koi8-r", "cp866")
MOST_UNPACKED_BYTES = 400 * 1024 * 1024
MOST_STRINGS_BYTES = 48 * 1024 * 1024
MOST_PARTS = 2000
NOT_A_TABLE = ("This file is no table: it holds bytes that no text has. Nothing was brought in. "
               "Save it as CSV or Excel (.xlsx) and send it again.")


def format_of(head: bytes, name: str) -> str:
    """csv, xlsx or vcard, by what the file begins with. Raises TransferError for what is none of them."""
    text = head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").replace(b"\x00", b"")[:20].upper()
    if text.startswith(b"BEGIN:VCARD"):
        return "vcard"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise TransferError("This is the form Excel had before 2007, or a file with a password. Nothing was brought "
                            "in. Open it in Excel, save it as “Excel workbook (.xlsx)” and send that.")
    if head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"MZ", b"\x7fELF")):
        raise TransferError(NOT_A_TABLE)
    if not head.strip():
        raise TransferError("This file is empty. Nothing was brought in.")
    return "vcard" if name.lower().endswith(".vcf") else "csv"


def encoding_of(path: Path) -> str:
    """The encoding that the text of this file seems to have."""
    with open(path, "rb") as file:
        head = file.read(SAMPLE_BYTES)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _is_bare_utf16(head):
        return "utf-16"
    if b"\x00" in head:
        raise TransferError(NOT_A_TABLE)
    if _is_utf8(path):
        return "utf-8"
    return guess(_lines_with_letters(path))


def guess(sample: bytes) -> str:
    """Which of ENCODINGS this text has, when it is not UTF-8.

    Western letters stand alone between ASCII ones; common Chinese ones are pairs that begin with B0..D7; of the Russian
    ones the encoding wins in which the letters are the common ones. The rest is left to charset-normalizer.
    """
    runs = HIGH.findall(sample)
    if not runs:
        return "utf-8"
    high = sum(map(len, runs))
    leads = Counter(byte for run in runs for byte in run[::2])
    common = sum(count for byte, count in leads.items() if 0xB0 <= byte <= 0xD7) / sum(leads.values())
    even = sum(len(run) % 2 == 0 for run in runs) / len(runs)
    score, best = max((_russian(sample, name, high), name) for name in CYRILLIC)
    if even > 0.9 and common > 0.7 and score < 0.75:
        return "gb18030"
    if score > 0.5 and high / len(runs) > 1.5:
        return best
    if high / len(runs) < 1.6 and not any(0x80 <= byte < 0xA0 for run in runs for byte in run):
        return "cp1252"
    from charset_normalizer import from_bytes  # 3 MB, and rarely asked
    found = from_bytes(sample[:20_000], cp_isolation=[name.replace("-", "_") for name in ENCODINGS[2:]]).best()
    name = found.encoding.replace("_", "-") if found else "cp1252"
    return {"shift-jis": "shift_jis"}.get(name, name) if {"shift-jis": "shift_jis"}.get(name, name) in ENCODINGS \
        else "cp1252"


def text_of(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text; what its encoding does not know becomes a �."""
    if encoding not in ENCODINGS:
        raise TransferError("That encoding is not known here.")
    raw: BinaryIO = open(path, "rb")                       # noqa: SIM115  the wrapper closes it
    if encoding == "utf-16":
        head = raw.read(400)
        raw.seek(0)
        if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = f"utf-16-{_is_bare_utf16(head) or 'le'}"
    return io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, errors="replace",
                            newline="")


def separator_of(path: Path, encoding: str) -> str:
    """The separator that gives the most even table."""
    with text_of(path, encoding) as file:
        sample = [line for line, _ in zip(lines(file), range(SAMPLE_ROWS), strict=False)]
    return max(SEPARATORS, key=lambda separator: _evenness(sample, separator))


def csv_rows(path: Path, encoding: str, separator: str,
             progress: Callable[[float], None] | None = None) -> Iterator[list[str]]:
    """The rows of a CSV, empty ones left out; what `sheets.safe` put in front of a cell is taken back."""
    size = max(path.stat().st_size, 1)
    with text_of(path, encoding) as file:
        rows = 0
        try:
            for row in csv.reader(lines(file), delimiter=separator):
                if len(row) > MOST_COLUMNS:
                    raise TransferError(f"A row of this file has {len(row)} cells; {MOST_COLUMNS} are the most. "
                                        "Nothing was brought in. Look whether the separator is right.")
                if not any(cell.strip() for cell in row):
                    continue
                rows += 1
                _count(rows)
                if progress and rows % 500 == 0:
                    progress(min(at(file) / size, 1))
                yield [sheets.plain(cell) for cell in row]
        except csv.Error:
            raise TransferError("A cell of this file never ends, or is longer than 128,000 letters. Nothing was "
                                "brought in. Look whether a quotation mark is missing.") from None


def excel_rows(path: Path, progress: Callable[[float], None] | None = None) -> Iterator[list[str]]:
    """The rows of the first sheet that has any, empty ones left out; dates as YYYY-MM-DD, figures without a ".0"."""
    _check_zip(path)
    from openpyxl import load_workbook  # type: ignore[import-untyped]  # 12 MB, wanted only here
    file = open(path, "rb")          # noqa: SIM115  by its name openpyxl would go by the ending
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        rows = 0
        for sheet in book.worksheets:
            total = sheet.max_row or 0
            sheet.reset_dimensions()
            for raw in sheet.iter_rows(values_only=True):
                if len(raw) > MOST_COLUMNS and any(cell is not None for cell in raw[MOST_COLUMNS:]):
                    raise TransferError(f"A row of this sheet has more than {MOST_COLUMNS} cells. Nothing was brought "
                                        "in. Delete the columns that are not needed.")
                row = [_cell(cell) for cell in raw[:MOST_COLUMNS]]
                if not any(row):
                    continue
                rows += 1
                _count(rows)
                if progress and total and rows % 500 == 0:
                    progress(min(rows / total, 1))
                yield row
            if rows:
                break
    except TransferError:
        raise
    except Exception as broken:      # openpyxl raises whatever its parser does: KeyError, ParseError, EntitiesForbidden
        raise TransferError("This is no Excel file that can be read, or it is damaged. Nothing was brought in. Open "
                            "it in Excel, save it anew as .xlsx, or as CSV.") from broken
    finally:
        file.close()


def at(file: io.TextIOWrapper) -> int:
    """How many bytes of the file were read; tell() itself is refused while its lines are walked."""
    return os.lseek(file.fileno(), 0, os.SEEK_CUR)


def _check_zip(path: Path) -> None:
    """Refuses an archive that would unpack to more than the box can hold; a zip cannot give more than it declares."""
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise TransferError("This is no Excel file that can be read, or it is damaged. Nothing was brought in. Open "
                            "it in Excel, save it anew as .xlsx, or as CSV.") from None
    strings = sum(part.file_size for part in parts if "sharedstrings" in part.filename.lower())
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED_BYTES \
            or strings > MOST_STRINGS_BYTES or any(part.flag_bits & 1 for part in parts):
        raise TransferError("This Excel file would unpack to far more than a list of customers, or has a password. "
                            "Nothing was brought in. Save only the sheet with the customers, as .xlsx or CSV.")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, datetime):
        return value.date().isoformat() if (value.hour, value.minute, value.second) == (0, 0, 0) else f"{value}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), str(value)).strip()


def _count(rows: int) -> None:
    if rows > MOST_ROWS + 1:
        raise TransferError(f"This file has more than {MOST_ROWS:,} rows. Nothing was brought in. Send it in parts.")


def lines(file: io.TextIOWrapper) -> Iterator[str]:
    """The lines with their ends; a file that is one endless line is refused before it fills the memory."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
            raise TransferError("A line of this file is longer than a table's ever is. Nothing was brought in. "
                                "Save it as CSV or Excel (.xlsx) and send it again.")
        if "\x00" in line:
            raise TransferError(NOT_A_TABLE)
        yield line


def _evenness(sample: list[str], separator: str) -> tuple[float, int]:
    """How many rows have the width that most have, times that width; 0 when there is one column only."""
    try:
        widths = Counter(len(row) for row in csv.reader(sample, delimiter=separator) if row)
    except csv.Error:
        return 0.0, 0
    if not widths:
        return 0.0, 0
    width, rows = max(widths.items(), key=lambda pair: (pair[1], pair[0]))
    return (rows / sum(widths.values()) if width > 1 else 0.0), width


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(SAMPLE_BYTES):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_bare_utf16(head: bytes) -> str:
    """"le" or "be" when every other byte of the first ones is 0: UTF-16 without its mark."""
    even, odd = head[0:400:2], head[1:400:2]
    if odd and odd.count(0) > len(odd) * 0.4 and even.count(0) < len(even) * 0.1:
        return "le"
    return "be" if even and even.count(0) > len(even) * 0.4 and odd.count(0) < len(odd) * 0.1 else ""


def _lines_with_letters(path: Path) -> bytes:
    """The first lines that hold bytes beyond ASCII: a list may begin with a thousand that do not."""
    found, size = [], 0
    with open(path, "rb") as file:
        while line := file.readline(LONGEST_LINE):
            if HIGH.search(line):
                found.append(line)
                size += len(line)
                if size > 64 * 1024:
                    break
    return b"".join(found)


def _russian(sample: bytes, encoding: str, high: int) -> float:
    """The share of the letters beyond ASCII that would be the common Russian ones."""
    return sum(letter in COMMON_RUSSIAN for letter in sample.decode(encoding, "replace")) / max(high, 1)
