"""A table that goes out as a file: CSV or Excel, sent as it is made."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import quote

from bottle import HTTPError, HTTPResponse

from appliance.people import sheets
from appliance.people.sheets import Cell
from web.office import Office

TYPES = {"csv": "text/csv; charset=utf-8; header=present",
         "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
         "vcf": "text/vcard; charset=utf-8"}


def answer(office: Office, name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], format: str) -> HTTPResponse:
    """The rows as the file "name-YYYY-MM-DD.csv" or ".xlsx"; 404 for another format.

    Times in the rows are on the shop's clock and have no zone. The separator of a CSV is that of the shop's country.
    """
    made: dict[str, Callable[[], Iterator[bytes]]] = {
        "csv": lambda: sheets.csv(head, rows, sheets.separator(office.box.country)),
        "xlsx": lambda: sheets.xlsx(head, rows)}
    if format not in made:
        raise HTTPError(404)
    return download(office, name, made[format](), format)


def download(office: Office, name: str, body: Iterator[bytes], format: str) -> HTTPResponse:
    """The body as a file to keep, named after the shop's day."""
    name = f"{name}-{office.words.local(office.clock()):%Y-%m-%d}.{format}"
    plain = name.encode("ascii", "replace").decode().replace("?", "-").replace('"', "")
    return HTTPResponse(body, headers={
        "Content-Type": TYPES[format],
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"})
