"""Two hundred hostile texts come in by every door; in a real browser none of them runs, is obeyed or is even tried."""
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from appliance import settings
from appliance.people import contacts
from appliance.store import db as store
from tests.browser.conftest import Desk
from tests.desk import Browser, Office
from tests.pages.people import somebody
from tests.pages.test_import import bring_in, upload, work

RUNS = [
    "<script>xss()</script>", "<img src=x onerror=xss()>", "<svg onload=xss()>", "<svg/onload=xss()>",
    "<body onload=xss()>", "<iframe src=javascript:xss()></iframe>", "<a href=javascript:xss()>x</a>",
    "<details open ontoggle=xss()>", "<input autofocus onfocus=xss()>", "<video><source onerror=xss()></video>",
    "<object data=javascript:xss()></object>", "<embed src=javascript:xss()>", "<style>*{color:red}</style>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>", "<form action=//evil.example><button>go</button></form>",
    "<script src=//evil.example/x.js></script>", "<marquee onstart=xss()>x</marquee>", "<audio src=x onerror=xss()>",
    "<p style=background:url(//evil.example)>", "javascript:xss()", "{{constructor.constructor('xss()')()}}",
    "${xss()}", "%(xss)s {0} {{7*7}}", "' onmouseover=xss() autofocus onfocus=xss() '", '" onerror=xss() src=x "',
]
BREAKS = ["", '">', "'>", "</script>", "</textarea>", "</title>", "--><!--", "&lt;"]
PAYLOADS = [f"{start}{run} #{n}" for n, (start, run) in enumerate(
    (start, run) for start in BREAKS for run in RUNS)][:200]
WATCH = """
window.ran = 0; window.broken = []; window.xss = () => { window.ran++; };
document.addEventListener("securitypolicyviolation", it =>
  window.broken.push(`${it.violatedDirective} ${it.blockedURI}`));
"""
LOOK = r"""() => {
  const foreign = [...document.querySelectorAll("*")].filter(it =>
    [...it.attributes].some(one => /^on/i.test(one.name) || one.name === "style"
      || /^\s*(javascript:|data:|(https?:)?\/\/)/i.test(one.value)
        && /^(href|src|action|formaction|data|content)$/.test(one.name))
    || /^(iframe|object|embed|base|style|marquee)$/i.test(it.tagName)
    || it.tagName === "SCRIPT" && !new URL(it.src, location).pathname.startsWith("/static/")
    || it.tagName === "META" && it.httpEquiv);
  return {ran: window.ran, broken: window.broken, foreign: foreign.map(it => it.outerHTML.slice(0, 200))};
}"""
CLEAN = {"ran": 0, "broken": [], "foreign": []}
NOW = datetime.now(UTC)


def number(n: int) -> str:
    return f"+49151234{n:05d}"


def watched(desk: Desk, who: Browser) -> Page:
    """A page that counts what ran; a dialog ends the test."""
    context = desk(who)
    context.add_init_script(WATCH)
    page = context.new_page()
    page.on("dialog", lambda dialog: (_ for _ in ()).throw(AssertionError(dialog.message)))
    return page


def see(page: Page, address: str) -> str:
    """Opens a page, looks for anything of the payloads that has become more than text; gives the text."""
    answer = page.goto(address)
    assert answer is not None and answer.status == 200, address
    assert page.evaluate(LOOK) == CLEAN, address
    return page.inner_text("body")


def test_no_name_a_line_gives_runs_in_the_history_on_a_calls_page_or_today(office: Office, amy: Browser,
                                                                          desk: Desk) -> None:
    calls = [office.missed(number(n), name=payload, at=NOW - timedelta(minutes=n))
             for n, payload in enumerate(PAYLOADS)]
    page, address, seen = watched(desk, amy), "/history", ""
    while address:
        seen += see(page, office.url + address)
        older = page.locator("a", has_text=re.compile("^Older")).last
        address = (older.get_attribute("href") or "") if older.count() else ""
    missing = [payload for payload in PAYLOADS if " ".join(payload.split()) not in " ".join(seen.split())]
    assert len(missing) <= 2, missing             # all stand there as they were sent
    see(page, office.url + "/")
    for call_id in calls[::4]:
        see(page, f"{office.url}/call/{call_id}")


def test_no_text_note_or_contact_runs_on_its_page(office: Office, amy: Browser, desk: Desk) -> None:
    ids = []
    with store.write(office.db) as db:
        for n, payload in enumerate(PAYLOADS):
            ids.append(contacts.add(db, payload[:60], [number(n)], "DE", NOW))
            db.execute("INSERT INTO sms (direction, number, text, state, created_at, due_at, updated_at) "
                       "VALUES ('in', ?, ?, 'received', ?, ?, ?)", (number(n), payload, *[store.iso(NOW)] * 3))
            db.execute("INSERT INTO note (contact_id, text, by_user, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
                       (ids[-1], payload, payload[:60], store.iso(NOW), store.iso(NOW)))
    page = watched(desk, amy)
    for address in ("/texts", "/texts/list", "/customers", "/", "/optouts", "/campaigns/new", "/customers/groups"):
        see(page, office.url + address)
    for n in range(0, len(PAYLOADS), 5):
        assert PAYLOADS[n].split()[0] in see(page, f"{office.url}/texts/with?number=%2B{number(n)[1:]}")
        see(page, f"{office.url}/customer/{ids[n]}")
        see(page, f"{office.url}/customer/{ids[n]}/edit")


def test_no_list_or_card_that_is_imported_runs_in_the_preview_or_after(office: Office, amy: Browser,
                                                                       desk: Desk) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    csv = 'Name,Number,Company,"<img src=x onerror=xss()>"\n' + "".join(
        f"{quoted(payload)},{number(n)},{quoted(payload)},{quoted(payload)}\n" for n, payload in enumerate(PAYLOADS))
    cards = "".join(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{0}\r\nORG:{0}\r\nNOTE:{0}\r\nTEL:{1}\r\nEND:VCARD\r\n".format(
            payload.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,"), number(500 + n))
        for n, payload in enumerate(PAYLOADS))
    page = watched(desk, amy)
    for content, name in ((csv, "<svg onload=xss()>.csv"), (cards, "cards.vcf")):
        address = upload(amy, content, name.replace('"', ""))
        work(office)
        see(page, office.url + address)
        bring_in(office, amy, content, name)
        see(page, office.url + "/customers/import")
    for address in ("/customers", "/changes", "/customers?q=xss"):
        see(page, office.url + address)


def test_no_caller_runs_in_the_pop(office: Office, amy: Browser, desk: Desk) -> None:
    page = watched(desk, amy)
    page.goto(office.url + "/history")
    while not office.server.hub.desks:
        page.wait_for_timeout(10)
    for n, payload in enumerate(PAYLOADS):
        call_id = office.call(number(n), name=payload, contact=payload if n % 2 else None)
        expect(page.locator(".dock")).to_contain_text(f"#{n}")
        office.ended(call_id, "answered")
    assert page.evaluate(LOOK) == CLEAN


def test_no_user_shop_or_rule_runs_on_any_page(office: Office, amy: Browser, desk: Desk) -> None:
    for n in range(0, len(PAYLOADS), 20):
        eve = somebody(office, PAYLOADS[n][:60], "owner")
        with store.write(office.db) as db:
            settings.put(db, "shop_name", PAYLOADS[n + 1][:60])
        eve.post("/optouts", {"number": number(n)})
        eve.post("/templates", {"name": PAYLOADS[n + 2][:60], "text": "Hello"})
        page = watched(desk, eve)
        for address in ("/", "/users", "/changes", "/account", "/account/second", "/templates", "/rules", "/settings"):
            see(page, office.url + address)
        page.context.close()
