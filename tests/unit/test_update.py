"""Updates: the channel is asked at night, and what waits is installed then."""
from __future__ import annotations

import hashlib
import http.server
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance import settings
from appliance.box import licences
from appliance.config import Box
from appliance.store import db as store
from appliance.update import bundle, bundles, channel, errands, installing, steward
from appliance.update.bundle import Bundle, Ground
from appliance.update.channel import ChannelError
from appliance.update.errands import RefusedError

NIGHT = datetime(2026, 11, 22, 2, 35, tzinfo=UTC)          # 03:35 in Berlin
NEWER = Bundle("9.1.0", 1, "News.", 4, "deskbell-amd64", 4096, 4096, b"", b"")


@pytest.fixture
def image(db: sqlite3.Connection, box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A box that was set up from an image, with a steward."""
    rauc = tmp_path / "rauc"
    rauc.mkdir()
    (rauc / "system.conf").write_text("[system]\ncompatible=deskbell-amd64\n")
    (rauc / "keyring.pem").write_text("")
    monkeypatch.setenv("DESKBELL_RAUC", str(rauc))
    (box.run / "boot").write_text("this-boot\n")
    errands.knocker(box).parent.mkdir()
    bundles.folder(box).mkdir()
    return box


@dataclass
class Served:
    """An https server of a CA of our own: what it answers, by path, and what it was asked."""
    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict)
    leads: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def at(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    made = Served()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", tmp_path / "key", "-out", tmp_path / "ca.pem"], check=True, capture_output=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            if lead := made.leads.get(self.path):
                self.send_response(302)
                self.send_header("Location", lead)
                self.end_headers()
                return
            content = made.answers.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    yield made
    server.shutdown()
    server.server_close()


def tells(served: Served, version: str = "9.1.0", content: bytes = b"no bundle at all", **changes: str) -> str:
    """The address of a channel that tells of this version."""
    served.answers["/new.raucb"] = content
    served.answers["/deskbell.json"] = json.dumps({
        "version": version, "url": "new.raucb", "sha256": hashlib.sha256(content).hexdigest(), **changes}).encode()
    return served.at("/deskbell.json")


def fetched(db: sqlite3.Connection, box: Box, address: str) -> bool:
    return channel.fetch(db, box, Ground(), address, NIGHT, "ready")


def test_a_version_that_is_not_newer_is_not_even_fetched(db: sqlite3.Connection, image: Box, served: Served) -> None:
    for version in (licences.version(), "0.0.1"):
        assert not fetched(db, image, tells(served, version))
    assert set(served.asked) == {"/deskbell.json"}


def test_what_comes_is_checked_like_every_other_and_leaves_nothing_when_refused(
        db: sqlite3.Connection, image: Box, served: Served) -> None:
    with pytest.raises(bundle.BundleError, match="no update for a Deskbell"):
        fetched(db, image, tells(served))
    assert served.asked[-1] == "/new.raucb"
    assert not list(bundles.folder(image).iterdir()) and bundles.waiting(db) is None


@pytest.mark.parametrize(("changes", "said"), [
    ({"sha256": "0" * 64}, "is not whole"), ({"sha256": "short"}, "serves something else"),
    ({"version": "soon"}, "serves something else"), ({"url": "http://localhost/x"}, "serves something else"),
    ({"url": "file:///etc/passwd"}, "serves something else"), ({"url": "gone.raucb"}, "does not answer")])
def test_what_makes_no_sense_is_a_sentence(db: sqlite3.Connection, image: Box, served: Served,
                                           changes: dict[str, str], said: str) -> None:
    with pytest.raises(ChannelError, match=said):
        fetched(db, image, tells(served, **changes))
    assert not list(bundles.folder(image).iterdir())


def test_who_leads_away_from_https_is_not_followed(db: sqlite3.Connection, image: Box, served: Served) -> None:
    served.leads["/away"] = "http://localhost:1/deskbell.json"
    with pytest.raises(ChannelError):
        fetched(db, image, served.at("/away"))
    served.leads["/on"] = tells(served, "0.0.1")
    assert not fetched(db, image, served.at("/on")), "to https it is"


def test_a_server_that_others_vouch_for_is_not_asked(db: sqlite3.Connection, image: Box, served: Served,
                                                     monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = tells(served)
    (tmp_path / "nobody.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nobody.pem"))
    with pytest.raises(ChannelError, match="does not answer"):
        fetched(db, image, address)
    assert served.asked == []


# The night

class Night:
    def __init__(self, box: Box, now: datetime) -> None:
        self.now = now
        self.nightly = channel.Nightly(box, Ground(), lambda: self.now)


def waits(db: sqlite3.Connection, box: Box, state: str = "night") -> int:
    (bundles.folder(box) / "one.raucb").write_bytes(b"hsqs")
    return bundles.add(db, box, "Anna", "upload", "one.raucb", NEWER, NIGHT, state)


def on_the_telephone(db: sqlite3.Connection) -> None:
    with store.write(db):
        db.execute("""
            INSERT INTO call (box, boot, linkedid, direction, caller_id, presentation, started_at, is_clock_set)
            VALUES ('box1', 1, 'a', 'in', '', 'withheld', ?, 1)""", (store.iso(NIGHT),))


def hung_up(db: sqlite3.Connection) -> None:
    with store.write(db):
        db.execute("UPDATE call SET ended_at = ?, outcome = 'answered'", (store.iso(NIGHT),))


@pytest.mark.parametrize(("minutes", "is_asked"), [(-6, False), (0, True), (114, True), (116, False), (12 * 60, False)])
def test_what_waits_for_the_night_is_asked_for_in_its_hours(db: sqlite3.Connection, image: Box, minutes: int,
                                                            is_asked: bool) -> None:
    row_id = waits(db, image)
    Night(image, NIGHT + timedelta(minutes=minutes)).nightly.serve(db)
    asked = errands.latest(db, "update")
    assert (asked is not None) == is_asked
    assert asked is None or (asked.wanted, asked.by) == ({"bundle": row_id}, "the box")


def test_what_waits_for_a_person_is_not(db: sqlite3.Connection, image: Box) -> None:
    waits(db, image, "ready")
    Night(image, NIGHT).nightly.serve(db)
    assert errands.latest(db) is None


def test_it_is_asked_for_once_a_night_and_never_while_somebody_talks(db: sqlite3.Connection, image: Box) -> None:
    waits(db, image)
    on_the_telephone(db)
    night = Night(image, NIGHT)
    night.nightly.serve(db)
    assert errands.latest(db) is None
    hung_up(db)
    night.nightly.serve(db)
    first = errands.latest(db)
    assert first
    with store.write(db):
        db.execute("UPDATE errand SET state = 'refused'")
    night.now += timedelta(minutes=1)
    night.nightly.serve(db)
    assert errands.latest(db) == replace(first, state="refused")
    night.now += timedelta(days=1)
    night.nightly.serve(db)
    assert errands.latest(db) != first


def test_no_channel_is_asked_before_the_owner_sets_one(db: sqlite3.Connection, image: Box, served: Served) -> None:
    address, night = tells(served, licences.version()), Night(image, NIGHT)
    night.nightly.serve(db)
    assert served.asked == []
    with store.write(db):
        settings.put(db, "update_channel", address)
    for _ in range(3):
        night.nightly.serve(db)
    assert served.asked == ["/deskbell.json"]


@pytest.mark.parametrize("clock", ["23:30", "00:00", "03:30", "23:59"])
def test_the_nights_hours_may_go_over_midnight(box: Box, clock: str) -> None:
    hour, minute = map(int, clock.split(":"))
    began = datetime(2026, 11, 21, hour, minute, tzinfo=box.zone)
    inside = [channel.window(clock, began + timedelta(minutes=m), box) for m in (0, 30, 60, 119)]
    assert inside == [began] * 4
    assert channel.window(clock, began + timedelta(minutes=120), box) is None
    assert channel.window(clock, began - timedelta(minutes=1), box) is None


# The verb

def test_a_bundle_whose_file_is_gone_is_refused_and_said(db: sqlite3.Connection, image: Box) -> None:
    row_id = waits(db, image)
    (bundles.folder(image) / "one.raucb").unlink()
    with pytest.raises(RefusedError, match="no longer there"):
        installing.install(db, row_id, lambda *_: None, installing.Means(image, Ground()))
    row = bundles.read(db, row_id)
    assert row and row.state == "failed"
    with pytest.raises(RefusedError, match="no longer there"):
        installing.install(db, row_id, lambda *_: None, installing.Means(image, Ground()))


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "media/STICK").mkdir(parents=True)
    return tmp_path / "media/STICK"


def waited_in_vain(*_: object) -> None:
    raise AssertionError("the steward waits for ever")


def refused_from(db: sqlite3.Connection, box: Box, stick: Path, path: Path, source: str = "stick") -> str:
    """The sentence with which this path of the store, which the pages may write, is not installed; within seconds."""
    row_id = bundles.add(db, box, "Anna", source, str(path), NEWER, NIGHT)
    means = installing.Means(box, Ground(), ("rauc",), stick / "trial", stick / "cmdline", (stick.parent,))
    signal.signal(signal.SIGALRM, waited_in_vain)
    signal.alarm(20)
    try:
        with pytest.raises(RefusedError) as refused:
            installing.install(db, row_id, lambda *_: None, means)
    finally:
        signal.alarm(0)
    return str(refused.value)


def test_a_pipe_a_link_or_a_file_elsewhere_is_not_copied_and_holds_up_no_errand(
        db: sqlite3.Connection, image: Box, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "roots.raucb").write_bytes(b"hsqs, what only root may read")
    os.mkfifo(stick / "pipe.raucb")
    (stick / "link.raucb").symlink_to(tmp_path / "roots.raucb")
    (stick / "folder").symlink_to(tmp_path)
    (stick / "deep.raucb").mkdir()
    for path in (stick / "pipe.raucb", stick / "folder/roots.raucb", stick / "../../roots.raucb",
                 tmp_path / "roots.raucb", stick / "deep.raucb"):
        assert refused_from(db, image, stick, path) == bundle.NO_BUNDLE, path
    assert "cannot be read" in refused_from(db, image, stick, stick / "link.raucb")
    assert refused_from(db, image, stick, tmp_path / "roots.raucb", "upload") == bundle.NO_BUNDLE
    assert list(bundles.folder(image).iterdir()) == []


def test_a_bundle_is_copied_off_its_stick_before_it_is_looked_at_and_a_bad_copy_goes(
        db: sqlite3.Connection, image: Box, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stick / "new.raucb").write_bytes(b"hsqs" + b"x" * 5000)
    (stick / "rauc").write_text('#!/bin/sh\nfor last; do :; done\necho "$last" >"$0.asked"\nexit 1\n')
    (stick / "rauc").chmod(0o755)
    monkeypatch.setattr(bundle, "RAUC", str(stick / "rauc"))
    assert refused_from(db, image, stick, stick / "new.raucb") == bundle.CUT_OFF
    asked = Path((stick / "rauc.asked").read_text().strip())
    assert asked.parent == bundles.folder(image) and not asked.exists()


def test_it_waits_until_nobody_is_on_the_telephone_but_not_for_ever(db: sqlite3.Connection, image: Box) -> None:
    on_the_telephone(db)
    slept, said = [0.0], set[str]()

    def sleep(seconds: float) -> None:
        slept[0] += seconds
        if slept[0] == 20:
            hung_up(db)

    means = installing.Means(image, Ground(), sleep=sleep)
    installing.wait_for_quiet(db, lambda percent, word="": said.add(word), 20, means)
    assert slept == [20] and said == {installing.WAITING}
    with store.write(db):
        db.execute("UPDATE call SET ended_at = NULL, outcome = NULL")
    slept[0] = 100
    with pytest.raises(RefusedError, match="on the telephone for an hour"):
        installing.wait_for_quiet(db, lambda *_: None, 20, means)


@pytest.mark.parametrize(("told", "said"), [
    ("LastError: Failed mounting bundle: no dm\nidle\n", "(Failed mounting bundle: no dm)"),
    ("LastError: Compatible mismatch: Expected 'a' but bundle manifest has 'b'\n", "for another machine"),
    ("LastError: Pre-install handler error: Child process exited with code 1\n", "older than a security hole"),
    ("", "(no reason given)")])
def test_the_last_words_of_rauc_are_a_sentence(told: str, said: str) -> None:
    assert said in installing.why(told) and installing.why(told).endswith("What ran before runs on.")


def test_the_steward_knows_the_verb(db: sqlite3.Connection, image: Box, monkeypatch: pytest.MonkeyPatch,
                                    tmp_path: Path) -> None:
    monkeypatch.setenv("DESKBELL_CONFIG", str(tmp_path / "box.toml"))
    (tmp_path / "box.toml").write_text(f'state = "{image.state}"\nrun = "{image.run}"\n')
    errands.ask(db, image, "Anna", "update", {"bundle": 77}, datetime.now(UTC))
    assert steward.run() == 0
    it = errands.latest(db)
    assert it and (it.state, it.said) == ("refused", installing.GONE)
