"""Sends a browser that came without encryption to the same page with it. Nothing else is served in the clear."""
from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cheroot import wsgi

from appliance.config import Box
from web import auth

log = logging.getLogger("web")

THREADS = 2
IDLE_S = 5
MOST_HEADER_BYTES = 8 * 1024
ELSEWHERE = "This is not the address of this box. Open it by its name or its address, as its start screen shows them.\n"


class Redirect:
    """A door like the others: start, is_alive, stop. Without redirect_from under [web] in box.toml it stays shut."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._server: wsgi.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listens. A port that is taken is said in the log; the pages are served all the same."""
        web = self._box.web
        if not web.redirect_from:
            return
        server = wsgi.Server((web.listen, web.redirect_from), self._answer, numthreads=THREADS,  # type: ignore[no-untyped-call]
                             max=THREADS, server_name="Deskbell", timeout=IDLE_S)
        server.max_request_header_size, server.max_request_body_size = MOST_HEADER_BYTES, 1
        server.expiration_interval = 0.1
        try:
            server.prepare()
        except OSError as taken:
            log.warning("nobody is sent on from port %d (%s); the pages are served", web.redirect_from, taken)
            return
        self._server = server
        self._thread = threading.Thread(target=server.serve, name="redirect", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int | None:
        return int(self._server.bind_addr[1]) if self._server else None

    def is_alive(self) -> bool:
        return self._thread is None or self._thread.is_alive()

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def _answer(self, asked: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        host = str(asked.get("HTTP_HOST", ""))
        if not auth.is_our_host(host, self._box.web):
            start("421 Misdirected Request", [("Content-Type", "text/plain; charset=utf-8")])
            return [ELSEWHERE.encode()]
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
        port = "" if self._box.web.port == 443 else f":{self._box.web.port}"
        query = f"?{asked['QUERY_STRING']}" if asked.get("QUERY_STRING") else ""
        path = str(asked.get("REQUEST_URI") or asked.get("PATH_INFO") or "/").partition("?")[0]
        path = "/" + path.lstrip("/") if path.startswith("/") else "/"
        start("307 Temporary Redirect", [("Location", f"https://{name}{port}{path}{query}"), ("Content-Length", "0"),
                                         ("Cache-Control", "no-store")])
        return []
