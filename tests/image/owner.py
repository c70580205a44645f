"""Somebody at a browser in the shop: asks the box over TLS and trusts only what the box's own CA signed."""
from __future__ import annotations

import http.client
import io
import ssl
import time
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.desk import Answer, Browser

LIMIT_S = 120.0
TRIES = 5
PAUSE_S = 5.0


@dataclass
class Owner(Browser):
    """A Browser for a box elsewhere; `authority` is its CA in PEM, learnt at the first visit."""
    port: int = 443
    authority: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.authority:
            unsafe = ssl.create_default_context()
            unsafe.check_hostname, unsafe.verify_mode = False, ssl.CERT_NONE
            with urllib.request.urlopen(f"https://{self.host}/ca.crt", timeout=LIMIT_S, context=unsafe) as got:
                self.authority = ssl.DER_cert_to_PEM_cert(got.read())

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Once more where the box cut a connection that was too slow at its head, or starts its pages anew.

        Here its processor is played: what a box does in a second may take its watchdog's half minute.
        """
        for _ in range(TRIES - 1):
            try:
                return self._ask(method, path, body, headers)
            except ConnectionRefusedError:
                time.sleep(PAUSE_S)
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
                continue
        return self._ask(method, path, body, headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str] | None) -> Answer:
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=LIMIT_S, context=ssl.create_default_context(cadata=self.authority))
        sent = {"Cookie": self.cookie(), **(headers or {})}
        if body:                                # in pieces: the limit is for each, and an update takes minutes
            sent["Content-Length"] = str(len(body))
        if "Origin" in sent:
            sent["Origin"] = f"https://{self.host}"
        return self.answered(connection, method, path, io.BytesIO(body) if body else None, sent)

    def sees(self, path: str, words: str) -> int:
        """How often the page says it; 0 while it cannot be reached, as in a restart."""
        try:
            return self.get(path).text.count(words)
        except (OSError, http.client.HTTPException):
            return 0

    def change(self, page: str, **values: str) -> Answer:
        """Fills in these fields of the page's own form, leaves the others as they stand, and saves."""
        form = _Form(page)
        form.feed(self.get(page).text)
        assert set(values) <= form.names, f"{page} has no field {set(values) - form.names}"
        answer = self.post(page, form.found | values)
        assert answer.status == 303, answer.text
        return answer

    def upload(self, path: str, field_name: str, file_name: str, content: bytes, form: dict[str, str]) -> Answer:
        """A form with a file, as browsers send it (RFC 7578)."""
        mark = "----deskbell7MA4YWxk"
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                 for name, value in {"token": self.token(), **form}.items()]
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{field_name}"; filename="{file_name}"\r\n'
                     "Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n")
        return self.ask("POST", path, b"".join(parts) + f"--{mark}--\r\n".encode(), {
            "Accept": "text/html", "Origin": "here", "Sec-Fetch-Site": "same-origin",
            "Content-Type": f"multipart/form-data; boundary={mark}"})


class _Form(HTMLParser):
    """`found`: what the form that is posted to `action` would send as it stands; `names`: all it could."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.found, self.names = action, dict[str, str](), set[str]()
        self._is_in, self._select, self._area = False, "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self._is_in = given.get("action") == self.action
        if not self._is_in:
            return
        self.names.add(name)
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.found[name] = given.get("value", "on")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.found):
            self.found[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._area, self.found[name] = name, ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""
