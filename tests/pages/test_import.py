"""Customers come in by a file over the pages: the steps, what is refused in words, what goes along."""
from __future__ import annotations

import csv
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

import openpyxl
import pytest

from appliance.people import cards as book
from appliance.people import groups, transfer_store, transfer_work
from appliance.people.transfer import MOST_BYTES
from appliance.store import db as store
from tests.desk import Answer, Browser, Office, eventually

BOUNDARY = "----deskbell7f3a"
PEOPLE = """Name;Mobile;Work;Company;Group;Bike
Margaret Osei;0151 23456701;;Osei Bakery;VIP;Gazelle
Ben Adler;0151 23456702;030 123456;;;
Margaret O.;+4915123456701;;;Suppliers;
Nobody;;;;;
Wrong;12;;;;
"""


def multipart(file: bytes | None, name: str = "customers.csv", token: str = "", **fields: str) -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
             for key, value in ({"token": token} if token else {}).items() | fields.items()]
    if file is not None:
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                     "Content-Type: application/octet-stream\r\n\r\n".encode() + file + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def send(browser: Browser, body: bytes, **headers: str) -> Answer:
    return browser.ask("POST", "/customers/import", body, {
        "Accept": "text/html", "Origin": f"http://{browser.host}:{browser.port}", "Sec-Fetch-Site": "same-origin",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **headers})


def upload(browser: Browser, file: str | bytes, name: str = "customers.csv") -> str:
    """The address of the page that the file leads to."""
    content = file.encode() if isinstance(file, str) else file
    answer = send(browser, multipart(content, name, browser.token()))
    assert answer.status == 303, answer.text
    return str(answer.headers["Location"])


def work(office: Office) -> None:
    """The clock does what there is to do."""
    while transfer_work.attend(office.db, office.box, datetime.now(UTC)):
        pass


def bring_in(office: Office, browser: Browser, file: str | bytes, name: str = "customers.csv") -> str:
    page = upload(browser, file, name)
    if "Columns of" in browser.get(page).text:
        browser.post(page + "/plan", {**chosen(browser.get(page).text), "go": "1"})
    work(office)
    browser.post(page + "/bring")
    work(office)
    return page


def chosen(page: str) -> dict[str, str]:
    """What the form of the columns would send as it stands."""
    found = {}
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        match = re.search(r'<option value="([^"]*)" selected', options)
        assert match, name
        found[name] = match[1]
    if re.search(r'name="has_head"[^>]* checked', page):
        found["has_head"] = "1"
    return found


def names(office: Office) -> list[str]:
    return [row[0] for row in office.db.execute("SELECT name FROM contact ORDER BY name")]


def uploads(office: Office) -> list[str]:
    return [file.name for file in transfer_store.folder(office.box).iterdir()]


def test_a_list_comes_in_step_by_step_and_goes_as_a_whole(office: Office, amy: Browser) -> None:
    page = upload(amy, PEOPLE)
    columns = amy.get(page).text
    assert chosen(columns) == {"encoding": "utf-8", "separator": ";", "duplicates": "join", "has_head": "1",
                               "column-0": "name", "column-1": "number", "column-2": "number", "column-3": "company",
                               "column-4": "groups", "column-5": "field:Bike"}
    amy.post(page + "/plan", {**chosen(columns), "go": "1"})
    assert "Every row is being looked at" in amy.get(page).text and "data-working" in amy.get(page).text
    work(office)
    looked = amy.get(page).text
    assert "Bring in 4" in looked and "“12” is not a telephone number here." in looked
    assert names(office) == []
    amy.post(page + "/bring")
    work(office)
    assert "3 customers brought in. 1 card was added to." in amy.get(page).text
    assert names(office) == ["Ben Adler", "Margaret Osei", "Nobody"]
    assert uploads(office) == []
    change = office.db.execute("SELECT by_user, what, after FROM change WHERE what = 'contacts import'").fetchone()
    assert change["by_user"] == "Amy" and '"added": 3' in change["after"]
    amy.post(page + "/undo")
    work(office)
    assert "This import was taken back." in amy.get(page).text
    assert names(office) == [] and office.db.execute("SELECT count(*) FROM contact_group").fetchone()[0] == 0


def test_another_encoding_shows_the_names_right(office: Office, amy: Browser) -> None:
    page = upload(amy, "姓名,电话\n李雷,+8613912345678\n韩梅梅,+8613912345679\n".encode("gb18030"))
    columns = amy.get(page).text
    assert "李雷" in columns and chosen(columns)["encoding"] == "gb18030"
    amy.post(page + "/plan", {**chosen(columns), "encoding": "cp1251", "go": "0"})
    assert "李雷" not in amy.get(page).text
    amy.post(page + "/plan", {**chosen(amy.get(page).text), "encoding": "gb18030", "go": "1"})   # shown first
    assert "李雷" in amy.get(page).text and "Columns of" in amy.get(page).text


def test_contacts_of_a_telephone_need_no_columns(office: Office, amy: Browser) -> None:
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Margaret Osei\r\nTEL;TYPE=CELL:+4915123456701\r\nEND:VCARD\r\n"
    page = bring_in(office, amy, card, "contacts.vcf")
    assert "1 customer brought in." in amy.get(page).text and names(office) == ["Margaret Osei"]


def test_an_excel_file_comes_in(office: Office, amy: Browser) -> None:
    book, content = openpyxl.Workbook(), io.BytesIO()
    for row in (["Kunde", "Handy"], ["Margaret Osei", 4915123456701], ["Ben", "0151 23456702"]):
        book.active.append(row)
    book.save(content)
    bring_in(office, amy, content.getvalue(), "kunden.xlsx")
    assert names(office) == ["Ben", "Margaret Osei"]


@pytest.mark.parametrize(("content", "said"), [
    (b"", "This file is empty."), (b"\x89PNG\r\n\x1a\n\x00\x00", "This file is no table"),
    (b"Name;Tel\n\x00\x00;1\n" * 9, "This file is no table"), (b"PK\x03\x04 broken", "no Excel file that can be read"),
    (b"\xd0\xcf\x11\xe0old", "the form Excel had before 2007"), (b"a," * 1000, "1001 cells"),
    (b"x" * (2 * 1024 * 1024), "A line of this file is longer")])
def test_what_is_no_list_is_refused_in_a_sentence_and_not_kept(office: Office, amy: Browser, content: bytes,
                                                               said: str) -> None:
    answer = send(amy, multipart(content, token=amy.token()))
    assert answer.status == 200 and said in answer.text, answer.text
    assert uploads(office) == []


def test_a_form_without_a_file_says_so(office: Office, amy: Browser) -> None:
    assert "Choose the file first" in send(amy, multipart(b"", "", amy.token())).text


def test_an_excel_bomb_is_refused(office: Office, amy: Browser) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file, file.open("xl/sharedStrings.xml", "w") as part:
        for _ in range(60):
            part.write(bytes(1024 * 1024))
    assert "would unpack to far more" in send(amy, multipart(packed.getvalue(), "a.xlsx", amy.token())).text
    assert uploads(office) == []


def test_a_file_too_big_is_refused_in_a_sentence(office: Office, amy: Browser) -> None:
    answer = send(amy, multipart(b"a;b\n" * (MOST_BYTES // 4 + 40_000), token=amy.token()))
    assert answer.status == 200 and "bigger than 64 MB" in answer.text
    assert uploads(office) == []


@pytest.mark.parametrize("token", ["", "another"])
def test_a_file_without_the_forms_token_is_refused_before_it_is_kept(office: Office, amy: Browser, token: str) -> None:
    amy.get("/customers/import")
    assert send(amy, multipart(PEOPLE.encode(), token=token)).status == 403
    assert uploads(office) == [] and transfer_store.listed(office.db) == []


def test_a_token_behind_the_file_does_not_count(office: Office, amy: Browser) -> None:
    late = multipart(PEOPLE.encode()).removesuffix(f"--{BOUNDARY}--\r\n".encode()) + multipart(None, token=amy.token())
    assert send(amy, late).status == 403 and uploads(office) == []


def test_a_form_without_file_and_token_is_refused_too(office: Office, amy: Browser) -> None:
    amy.get("/customers/import")
    assert send(amy, multipart(None, other="x")).status == 403
    assert send(amy, multipart(None, token="another")).status == 403


def test_another_site_can_send_no_file(office: Office, amy: Browser) -> None:
    body = multipart(PEOPLE.encode(), token=amy.token())
    assert send(amy, body, Origin="http://evil.example", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    stranger = office.browser(logged_in=False)
    assert send(stranger, body).status in (401, 403) and uploads(office) == []


@pytest.mark.parametrize("broken", [
    b"", b"--wrong\r\n\r\n", f"--{BOUNDARY}\r\n\r\n\r\n".encode(), f"--{BOUNDARY}\r\n".encode() + b"a" * 20_000,
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="token"\r\n\r\nx'.encode()])
def test_a_broken_form_is_refused(office: Office, amy: Browser, broken: bytes) -> None:
    assert send(amy, broken).status in (400, 403) and uploads(office) == []


@pytest.mark.parametrize("cut", [1, 2, 3, 17, 4000])
def test_a_form_may_arrive_in_pieces_of_any_size(office: Office, amy: Browser, cut: int,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.upload.CHUNK_BYTES", cut)
    tricky = "Name;Mobile\r\nBen;0151 23456702\r\n--\r\n----deskbell;0151 23456703\r\n" * 20
    page = upload(amy, tricky)
    (file,) = transfer_store.folder(office.box).iterdir()
    assert file.read_bytes() == tricky.encode() and file.stat().st_mode & 0o777 == 0o660
    amy.post(page + "/forget")
    assert uploads(office) == [] and transfer_store.listed(office.db) == []


def test_the_name_of_a_file_is_text_and_no_path(office: Office, amy: Browser) -> None:
    page = upload(amy, PEOPLE, "../../etc/<script>alert(1)</script>.csv")
    assert "&lt;/script&gt;" not in amy.get(page).text          # cut at the last slash, as browsers of old sent paths
    assert "<script>alert" not in amy.get(page).text
    assert all(re.fullmatch(r"[0-9a-f]{24}\.upload", name) for name in uploads(office))


def test_what_was_left_out_can_be_taken_mended_and_sent_again(office: Office, amy: Browser) -> None:
    page = bring_in(office, amy, PEOPLE)
    answer = amy.get(page + "/left-out?format=csv")
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig")), delimiter=";"))
    assert rows[1][:4] == ["6", "“12” is not a telephone number here.", "Wrong", "12"]
    assert "attachment" in answer.headers["Content-Disposition"]
    assert amy.get(page + "/left-out?format=exe").status == 404


def cards(office: Office) -> list[tuple[object, ...]]:
    """All that is on all cards, but their ids and times."""
    db = office.db
    return sorted((row["name"], row["other_name"], row["company"], row["address"], row["birthday"], row["is_vip"],
                   row["is_blocked"], row["blocked_reason"],
                   *(tuple(map(tuple, db.execute(sql, (row["id"],)))) for sql in (
                       "SELECT number, label FROM contact_number WHERE contact_id = ? ORDER BY position, rowid",
                       "SELECT name, value FROM contact_field WHERE contact_id = ? ORDER BY name",
                       "SELECT tag FROM contact_tag WHERE contact_id = ? ORDER BY tag",
                       "SELECT name FROM contact_group JOIN contact_group_member ON id = contact_group_id "
                       "WHERE contact_id = ? ORDER BY name")))
                  for row in db.execute("SELECT * FROM contact"))


@pytest.mark.parametrize("format", ["csv", "xlsx", "vcf"])
def test_what_goes_along_comes_in_equal(office: Office, amy: Browser, format: str) -> None:
    with store.write(office.db) as db:
        team, odd = groups.add(db, "Suppliers; near, \"old\""), groups.add(db, "李, 雷")
        book.save(db, book.Wish("Margaret Osei", "Маргарита", "Osei, Bakery; Sons", "12 High St\nLeeds", "3.6.", True,
                                numbers=[("+447400123456", "mobile"), ("030 123456", "Büro; Hof"),
                                         ("+79161234567", "")],
                                fields=[("Bike", "=HYPERLINK(1)"), ("Notes", "a,b"), ("Number 2", "x")],
                                tags=["VIP, gold", "@home"], groups=[team, odd]), "DE", "amy", datetime.now(UTC))
        book.save(db, book.Wish("=1+1", birthday="1984-06-03", is_blocked=True, blocked_reason="rang, at night",
                                numbers=[("+8613912345678", "")]), "DE", "amy", datetime.now(UTC))
        book.save(db, book.Wish("李雷"), "DE", "amy", datetime.now(UTC))
    before = cards(office)
    assert len(before) == 3
    answer = amy.get(f"/customers/export?format={format}")
    assert f".{format}" in answer.headers["Content-Disposition"]
    with store.write(office.db) as db:
        db.execute("DELETE FROM contact")
        db.execute("DELETE FROM contact_group")
    page = bring_in(office, amy, answer.body, f"customers.{format}")
    assert cards(office) == before
    again = bring_in(office, amy, answer.body, f"customers.{format}")
    assert cards(office) == before and "3 stood here already" in amy.get(again).text
    assert "3 customers brought in." in amy.get(page).text


def test_the_export_is_narrowed_as_the_list_is(office: Office, amy: Browser) -> None:
    bring_in(office, amy, PEOPLE)
    found = amy.get("/customers/export?format=csv&q=osei").body.decode("utf-8-sig")
    assert "Margaret Osei" in found and "Ben Adler" not in found
    assert amy.get("/customers/export?format=exe").status == 404
    assert amy.get("/customers/export?show=none").status == 404


@pytest.fixture
def clock(office: Office) -> Iterator[None]:
    """The clock, going on with imports as its daemon does."""
    stop = threading.Event()

    def tick() -> None:
        db = store.connect(office.box.store)
        while not stop.wait(0.05):
            while transfer_work.attend(db, office.box, datetime.now(UTC)) and not stop.is_set():
                pass
        db.close()
    thread = threading.Thread(target=tick)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_stop_in_the_middle_takes_back_what_came_in(office: Office, amy: Browser, clock: None) -> None:
    rows = "".join(f"Rider{n};0151{20000000 + n}\n" for n in range(6000))
    page = upload(amy, "Name;Mobile\n" + rows)
    amy.post(page + "/plan", {**chosen(amy.get(page).text), "go": "1"})
    eventually(lambda: "Bring in 6,000" in amy.get(page).text)
    amy.post(page + "/bring")
    eventually(lambda: len(names(office)) > 0)
    amy.post(page + "/undo")
    eventually(lambda: "This import was taken back." in amy.get(page).text)
    assert names(office) == []


def test_a_page_of_an_import_that_is_not_there_is_none(office: Office, amy: Browser) -> None:
    assert amy.get("/customers/import/99").status == 404
    assert amy.get("/customers/import/99999999999999999999").status == 404
    assert amy.post("/customers/import/99/bring").status == 404
