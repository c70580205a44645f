"""Customers by file: a list brought in step by step, looked at before, undone as a whole; and taken along."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import bottle
from bottle import HTTPError, HTTPResponse, request

from appliance.people import (
    cards,
    search,
    transfer_columns,
    transfer_export,
    transfer_read,
    transfer_rows,
    transfer_store,
    transfer_vcard,
    transfer_work,
)
from appliance.people.search import Filter
from appliance.people.transfer import JOIN, MOST_BYTES, SHOWN, SKIP, Plan, Ready, TransferError
from appliance.people.transfer_store import Import
from appliance.store import db as store
from web import forms, sheets
from web.language import N_
from web.office import Office, go
from web.textwords import Writer

STEPS = (N_("File"), N_("Columns"), N_("Look at 20"), N_("Bring in"))
AT = {"uploaded": 1, "checking": 2, "checked": 2, "importing": 3, "done": 3, "undoing": 3, "undone": 3, "failed": 1}
ENCODINGS = {
    "utf-8": N_("Unicode (UTF-8)"), "utf-16": N_("Unicode (UTF-16)"), "gb18030": N_("Chinese (GB18030)"),
    "big5": N_("Chinese, traditional (Big5)"), "cp1251": N_("Russian (Windows-1251)"), "koi8-r": N_("Russian (KOI8-R)"),
    "cp866": N_("Russian (DOS 866)"), "cp1252": N_("Western European (Windows-1252)"),
    "cp1250": N_("Central European (Windows-1250)"), "shift_jis": N_("Japanese (Shift JIS)")}
SEPARATORS = {",": N_("Comma"), ";": N_("Semicolon"), "\t": N_("Tab"), "|": N_("Bar")}
TARGETS = {
    "skip": N_("Leave out"), "name": N_("Name"), "first": N_("First name"), "middle": N_("Middle name"),
    "last": N_("Family name"), "other_name": N_("Other name"), "company": N_("Company"), "number": N_("Number"),
    "label": N_("Label of the number"), "address": N_("Address"), "street": N_("Street"), "zip": N_("Postcode"),
    "city": N_("Town"), "state": N_("State or region"), "land": N_("Country"), "birthday": N_("Birthday"),
    "groups": N_("Groups"), "tags": N_("Tags"), "vip": N_("VIP"), "blocked": N_("Blocked"),
    "blocked_reason": N_("Why blocked"), "note": N_("Note")}
HEADINGS = ("name", "other_name", "company", "number", "label", "address", "birthday", "vip", "blocked",
            "blocked_reason", "groups", "tags")
STATES = {"uploaded": N_("Waits for you"), "checking": N_("Is being looked at"), "checked": N_("Waits for you"),
          "importing": N_("Comes in"), "done": N_("Brought in"), "undoing": N_("Is taken back"),
          "undone": N_("Undone"), "failed": N_("Not read")}
REMARKS = 100
PAGE = "/customers/import"


@dataclass(frozen=True)
class Column:
    """A column of the table as its form shows it."""
    place: int
    heading: str
    cells: list[str]
    target: str


@dataclass(frozen=True)
class Shown:
    """A row of the preview: what would become of it, and of whom."""
    row: Ready
    verdict: str
    owner: str


def routes(app: bottle.Bottle, office: Office) -> None:
    one = PAGE + "/<import_id:int>"
    app.get(PAGE, callback=lambda: _list(office), role="owner")
    app.post(PAGE, callback=lambda: _take(office), role="owner", upload=MOST_BYTES)
    app.get(one, callback=lambda import_id: _one(office, import_id), role="owner")
    app.post(one + "/plan", callback=lambda import_id: _plan(office, import_id), role="owner")
    app.post(one + "/<what:re:columns|bring|undo|forget>",
             callback=lambda import_id, what: _turn(office, import_id, what), role="owner")
    app.get(one + "/left-out", callback=lambda import_id: _left_out(office, import_id), role="owner")
    app.get("/customers/export", callback=lambda: _export(office), role="owner")


def _list(office: Office, problem: str = "") -> str:
    return office.render("import.html", rows=transfer_store.listed(office.db), states=STATES, problem=problem,
                         steps=STEPS, step=0, most_mb=MOST_BYTES // 1024 // 1024,
                         writer=Writer(office.box, office.words, office.clock()))


def _take(office: Office) -> str | HTTPResponse:
    """The file goes where the clock finds it, under a name of ours."""
    sent, words = office.upload, office.words
    if sent.too_big:
        return _list(office, words("This file is bigger than %(most)s MB. Nothing was brought in. Save only the sheet "
                                   "with the customers, or send it in parts.", most=MOST_BYTES // 1024 // 1024))
    if sent.path is None:
        return _list(office, words("Choose the file first, then press Go on."))
    name = "".join(letter for letter in sent.name if letter.isprintable())[:120] or words("Unnamed file")
    try:
        with open(sent.path, "rb") as file:
            format = transfer_read.format_of(file.read(4096), name)
        plan = transfer_work.plan_of(sent.path, format, office.box.country, _headings(office))
    except TransferError as refused:
        return _list(office, words(str(refused)))
    assert office.session is not None
    with store.write(office.db) as db:
        import_id = transfer_store.add(db, name, sent.path.name, format, plan, office.session.user, office.clock())
        if format == "vcard":
            transfer_store.check(db, import_id)
    sent.path = None
    return go(f"{PAGE}/{import_id}")


def _one(office: Office, import_id: int) -> str:
    it = _import(office, import_id)
    given = {"it": it, "steps": STEPS, "step": AT[it.state], "encodings": ENCODINGS, "separators": SEPARATORS,
             "writer": Writer(office.box, office.words, office.clock())}
    if it.state in ("uploaded", "failed") and it.format != "vcard":
        return _columns(office, it, given)
    shown, problem = [], office.words(it.reason) if it.reason else ""
    if it.state in ("uploaded", "checking", "checked", "failed"):
        try:
            shown = preview(office, it)
        except (TransferError, OSError) as refused:
            problem = problem or office.words(str(refused))
    remarks = transfer_store.remarks(office.db, it.id, REMARKS) if not it.state.startswith("undo") else []
    return office.render("importlook.html", shown=shown, remarks=remarks, problem=problem, most=REMARKS, **given)


def _columns(office: Office, it: Import, given: dict[str, object]) -> str:
    problem, columns = office.words(it.reason) if it.reason else "", []
    try:
        columns = _sample(office, it)
    except (TransferError, OSError) as refused:
        problem = office.words(str(refused))
    return office.render("importcolumns.html", columns=columns, targets=TARGETS, problem=problem, **given)


def _sample(office: Office, it: Import) -> list[Column]:
    path = transfer_store.folder(office.box) / (it.aside or "")
    rows = [row for row, _ in zip(transfer_work.rows(path, it.format, it.plan), range(SHOWN + 1), strict=False)]
    head, body = (rows[0] if rows else [], rows[1:]) if it.plan.has_head else ([], rows)
    found = []
    for place in range(max((len(row) for row in rows), default=0)):
        cells = [row[place].strip()[:60] for row in body if place < len(row) and row[place].strip()][:3]
        found.append(Column(place, head[place].strip()[:60] if place < len(head) else "", cells,
                            it.plan.columns[place] if place < len(it.plan.columns) else "skip"))
    return found


def preview(office: Office, it: Import) -> list[Shown]:
    """The first rows and what would become of each."""
    rows = [transfer_rows.ready(line, office.box.country)
            for line, _ in zip(transfer_work.lines(office.box, it), range(SHOWN), strict=False)]
    found = []
    for row, (verdict, owner) in zip(rows, transfer_work.Seen().verdicts(office.db, rows), strict=True):
        card = cards.card(office.db, owner) if owner else None
        found.append(Shown(row, verdict, card.name if card else ""))
    return found


def _plan(office: Office, import_id: int) -> HTTPResponse:
    """The form of the columns: shown anew when it is read another way, else every row is looked at."""
    it = _import(office, import_id)
    encoding = forms.field("encoding") or it.plan.encoding
    separator = {"tab": "\t"}.get(forms.field("separator"), forms.field("separator")) or it.plan.separator
    if encoding not in ENCODINGS or separator not in SEPARATORS or it.aside is None:
        raise HTTPError(400)
    try:
        if (encoding, separator) != (it.plan.encoding, it.plan.separator):
            path = transfer_store.folder(office.box) / it.aside
            plan = transfer_work.plan_of(path, it.format, office.box.country, _headings(office), encoding, separator)
        else:
            plan = Plan(encoding, separator, forms.ticked("has_head"), tuple(_chosen(it)),
                        SKIP if forms.field("duplicates") == SKIP else JOIN)
        with store.write(office.db) as db:
            transfer_store.plan(db, it.id, plan)
            if forms.field("go") == "1" and (encoding, separator) == (it.plan.encoding, it.plan.separator):
                transfer_store.check(db, it.id)
    except TransferError as refused:
        return office.done(f"{PAGE}/{it.id}", office.words(str(refused)))
    return go(f"{PAGE}/{it.id}")


def _chosen(it: Import) -> Iterator[str]:
    """The target of each column as the form has it; what it does not say stays as it was."""
    for place, before in enumerate(it.plan.columns):
        wanted = forms.field(f"column-{place}", 80)
        yield wanted if wanted and transfer_columns.is_target(wanted) else before


def _turn(office: Office, import_id: int, what: str) -> HTTPResponse:
    it, words = _import(office, import_id), office.words
    try:
        with store.write(office.db) as db:
            if what == "columns":
                transfer_store.plan(db, it.id, it.plan)
            elif what == "bring":
                transfer_store.bring_in(db, it.id, office.clock())
            elif what == "undo":
                transfer_store.undo(db, it.id)
            else:
                transfer_store.forget(db, office.box, it.id)
    except TransferError as refused:
        return office.done(f"{PAGE}/{it.id}", words(str(refused)))
    if what == "forget":
        return office.done(PAGE, words("%(file)s was put away. Nothing was brought in.", file=it.file))
    return go(f"{PAGE}/{it.id}")


def _left_out(office: Office, import_id: int) -> HTTPResponse:
    """The rows that were not used, as they were, each with its reason: to be mended and sent again."""
    it, words = _import(office, import_id), office.words
    rows = ([remark.line, words(remark.reason), *remark.cells]
            for remark in transfer_store.every_remark(office.db, it.id))
    return sheets.answer(office, re.sub(r"[^\w-]+", "-", it.file.rpartition(".")[0])[:40] + "-" + words("left-out"),
                         [words("Row"), words("Why")], rows, request.query.get("format", "csv"))


def _export(office: Office) -> HTTPResponse:
    asked = request.query
    wanted = Filter(asked.getunicode("q", "").strip()[:80], asked.get("show", "all"), forms.asked_id("group"),
                    asked.getunicode("tag", "")[:40])
    format = asked.get("format", "csv")
    if wanted.show not in search.SHOWS or format not in sheets.TYPES:
        raise HTTPError(404)
    name = office.words("customers")
    chosen = transfer_export.chosen(office.db, office.box.country, wanted)
    if format == "vcf":
        return sheets.download(office, name, transfer_vcard.write(chosen), format)
    head = transfer_export.head(office.db, {target: office.words(TARGETS[target]) for target in HEADINGS})
    return sheets.answer(office, name, head, transfer_export.rows(office.db, chosen, len(head)), format)


def _headings(office: Office) -> dict[str, str]:
    """What our own exports call their columns, in every language there is."""
    found: dict[str, str] = {}
    for words in office.languages.all.values():
        for target in HEADINGS:
            found.setdefault(transfer_columns.head_key(words(TARGETS[target])), target)
    return found


def _import(office: Office, import_id: int) -> Import:
    try:
        return transfer_store.get(office.db, import_id)
    except (TransferError, OverflowError):
        raise HTTPError(404) from None
