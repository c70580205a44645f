"""The program of a desk, as people use it: a real window on a screen of its own, typed at, against the real pages."""
from __future__ import annotations

import json
import os
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.people import desks
from appliance.store import db as store
from tests.desk import Office, box_at, eventually
from tests.pages.people import user_id
from web import certificate

pytestmark = pytest.mark.xdist_group("tray")        # one screen for its windows

PROGRAM = Path(__file__).resolve().parents[2] / "web" / "desktop" / "deskbell_desk.py"
SHOTS = os.environ.get("TEST_SHOTS", "")
LIMIT_S = 30.0


def wait[T](ask: Callable[[], T]) -> T:
    return eventually(ask, LIMIT_S)


@dataclass
class Screen:
    """An X server with a window manager, and hands."""
    number: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": f":{self.number}"}

    def run(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30).stdout

    def windows(self) -> dict[str, tuple[int, int, int, int]]:
        """x, y, width and height of each window of the program that is seen, by its id."""
        found = {}
        for window in self.run("xdotool", "search", "--onlyvisible", "--class", "Deskbell").split():
            told = dict(re.findall(r"^(X|Y|WIDTH|HEIGHT)=(-?\d+)$",
                                   self.run("xdotool", "getwindowgeometry", "--shell", window), re.M))
            if len(told) == 4 and int(told["WIDTH"]) > 20:
                found[window] = (int(told["X"]), int(told["Y"]), int(told["WIDTH"]), int(told["HEIGHT"]))
        return found

    def pops(self) -> list[tuple[int, int, int, int]]:
        """Those of calls, lowest first: they stand at the right."""
        return sorted((place for place in self.windows().values() if place[2] == 424), key=lambda at: -at[1])

    def pop_shows(self, *colours: str) -> bool:
        """Whether the lowest window of a call has these colours; False while there is none."""
        return any(set(colours) <= self.colours(pop) for pop in self.pops()[:1])

    def title(self) -> str:
        for window in self.run("xdotool", "search", "--class", "Deskbell").split():
            if "·" in (name := self.run("xdotool", "getwindowname", window)):
                return name.strip()
        return ""

    def type(self, text: str) -> None:
        self.run("xdotool", "type", "--delay", "12", text)

    def key(self, *keys: str) -> None:
        self.run("xdotool", "key", "--delay", "40", *keys)

    def colours(self, place: tuple[int, int, int, int]) -> set[str]:
        """The colours of a part of the screen, as #RRGGBB."""
        x, y, wide, high = place
        said = self.run("sh", "-c", f"import -window root -crop {wide}x{high}+{x}+{y} +repage -depth 8 txt:-")
        return set(re.findall(r"#[0-9A-F]{6}", said))

    def shot(self, name: str) -> None:
        if SHOTS:
            self.run("import", "-window", "root", f"{SHOTS}/{name}.png")


@pytest.fixture
def screen() -> Iterator[Screen]:
    read, write = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-dpi", "96",
                               "-nolisten", "tcp"],
                              pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with open(read) as told:
        screen = Screen(int(told.readline()), [server])
    screen.processes.append(subprocess.Popen(["openbox"], env=screen.environment, stderr=subprocess.DEVNULL))
    yield screen
    for process in reversed(screen.processes):
        process.kill()
        process.wait()


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    box = box_at(tmp_path)
    office = Office(replace(box, web=replace(box.web, tls=True)))
    with store.write(office.db) as db:
        db.execute("INSERT INTO user (name, password_hash, created_at, role) "
                   "VALUES ('Amy', '-', '2026-01-01T00:00:00.000Z', 'owner')")
    yield office
    office.close()


@dataclass
class Tray:
    """The program on a screen; `settings` is the file it keeps."""
    screen: Screen
    office: Office
    settings: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> Tray:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--settings", str(self.settings), "--language", "en", *more],
            env={**self.screen.environment, "BROWSER": f"sh -c 'echo %s >> {self.settings.parent}/opened' &"})
        wait(self.screen.windows)
        return self

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def kept(self) -> dict[str, object]:
        try:
            return dict(json.loads(self.settings.read_text()))
        except FileNotFoundError:
            return {}

    def paired(self) -> Tray:
        """Paired as by hand, without the typing."""
        with store.write(self.office.db) as db:
            token = desks.pair(db, desks.new_code(db, user_id(self.office, "Amy"), now()), "Counter", now())
        der = certificate.der(certificate.authority(self.office.box))
        self.settings.write_text(json.dumps({
            "address": f"https://127.0.0.1:{self.office.server.port}", "token": token, "me": {"name": "Counter"},
            "authority": ssl.DER_cert_to_PEM_cert(der)}))
        self.start()
        wait(lambda: self.office.server.hub.desks == 1)
        wait(lambda: self.screen.title() == "Deskbell · Counter")
        return self


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def tray(screen: Screen, office: Office, tmp_path: Path) -> Iterator[Tray]:
    tray = Tray(screen, office, tmp_path / "desk.json")
    yield tray
    tray.stop()


def test_a_desk_is_paired_by_typing_address_and_code_and_comparing_the_print(tray: Tray) -> None:
    tray.start()
    screen, office = tray.screen, tray.office
    with store.write(office.db) as db:
        code = desks.new_code(db, user_id(office, "Amy"), now())
    window = next(iter(wait(screen.windows)))
    screen.run("xdotool", "windowactivate", "--sync", window)
    screen.shot("1-pair")
    screen.type(f"127.0.0.1:{office.server.port}")
    screen.key("Tab")
    screen.type(f"{code[:3]} {code[3:]}")
    screen.key("Tab", "ctrl+a")
    screen.type("Front counter")
    before = screen.windows()
    screen.key("Return")
    wait(lambda: screen.windows() != before)
    screen.shot("2-print")
    assert office.db.execute("SELECT count(*) FROM desk").fetchone()[0] == 0        # nothing is told before the yes

    def is_paired() -> bool:
        if office.db.execute("SELECT count(*) FROM desk").fetchone()[0] == 0:
            screen.key("Return")                       # one that comes before the window listens is lost
        return office.server.hub.desks == 1
    wait(is_paired)
    wait(lambda: screen.title() == "Deskbell · Front counter")
    screen.shot("3-connected")
    assert stat.S_IMODE(tray.settings.stat().st_mode) == 0o600
    assert tray.kept()["token"] not in {row[0] for row in office.db.execute("SELECT token_hash FROM desk")}


def test_a_window_rises_while_it_rings_and_takes_no_focus_from_who_types(tray: Tray) -> None:
    tray.paired()
    focus = tray.screen.run("xdotool", "getwindowfocus")
    call = tray.office.call("+4915123456789", contact="Margaret Osei")
    pop = wait(tray.screen.pops)[0]
    assert wait(lambda: {"#F8EDD0", "#A87410", "#FCFDFA"} <= tray.screen.colours(pop))       # brass rings
    tray.screen.shot("4-ringing")
    assert tray.screen.run("xdotool", "getwindowfocus") == focus
    tray.office.ended(call, "missed")
    wait(lambda: tray.screen.pop_shows("#FBE6E7", "#8C1D39"))      # pink is owed: it stays
    tray.screen.shot("5-missed")
    tray.screen.key("Escape")                          # of its small window, which has the focus
    wait(lambda: not tray.screen.pops())


def test_answered_elsewhere_turns_green_folds_and_goes_after_the_call(tray: Tray) -> None:
    tray.paired()
    call = tray.office.call()
    full = wait(tray.screen.pops)[0]
    tray.office.answered(call)
    wait(lambda: tray.screen.pop_shows("#DBEAE2"))
    tray.screen.shot("6-answered")
    wait(lambda: [pop for pop in tray.screen.pops() if pop[3] < full[3]])
    tray.screen.shot("7-folded")
    tray.office.ended(call, "answered", talk_ms=1000)
    wait(lambda: not tray.screen.pops())


def test_several_calls_do_not_cover_one_another(tray: Tray) -> None:
    tray.paired()
    for n in range(6):
        tray.office.call(f"+4915123456{n:03}", contact=f"Customer number {n}")
    places = wait(lambda: found if len(found := tray.screen.pops()) == 6 else [])
    tray.screen.shot("8-six")
    for a in places:
        assert a[0] >= 0 and a[1] >= 0 and a[0] + a[2] <= 1280 and a[1] + a[3] <= 900
        for b in places:
            assert a is b or a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1]


def test_markup_tricks_and_endless_names_are_text(tray: Tray) -> None:
    tray.paired()
    for name in ("<b>Bob</b> [exec rm] $x {", "\u202eevil\u202c \U0001f600 \x00\x1b[31m", "A" * 5000):
        tray.office.call("+4915123456789", name=name)
    wait(lambda: len(tray.screen.pops()) == 3)
    tray.screen.shot("9-tricks")
    assert tray.process and tray.process.poll() is None


def test_muted_by_a_key_it_shows_calls_behind_and_the_page_knows(tray: Tray) -> None:
    tray.paired()
    screen = tray.screen
    small = next(iter(screen.windows()))
    screen.run("xdotool", "windowactivate", "--sync", small)
    screen.key("space")                                # the first button has the focus: Mute
    wait(lambda: tray.office.db.execute("SELECT is_muted FROM desk").fetchone()[0] == 1)
    wait(lambda: "Muted" in screen.title())
    screen.shot("10-muted")
    tray.office.call()
    wait(screen.pops)
    with store.write(tray.office.db) as db:            # the page lets it rise aloud again
        desks.mute(db, 1, False)
    wait(lambda: screen.title() == "Deskbell · Counter")


def test_a_token_that_is_revoked_ends_it_at_once_and_it_says_so(tray: Tray) -> None:
    tray.paired()
    tray.office.call()
    wait(tray.screen.pops)
    with store.write(tray.office.db) as db:
        desks.revoke(db, 1, now())
    wait(lambda: tray.office.server.hub.desks == 0)
    wait(lambda: "may see no calls" in tray.screen.title())
    tray.screen.shot("11-revoked")
    assert tray.screen.pops() == []
    tray.office.missed("+493012345678")


def test_a_box_that_restarts_is_found_again_and_what_rings_then_is_shown(tray: Tray) -> None:
    tray.paired()
    call = tray.office.call("+493012345678")
    wait(tray.screen.pops)
    tray.office.server.stop()
    wait(lambda: "No word" in tray.screen.title())
    tray.screen.shot("12-lost")
    tray.office.ended(call, "answered", talk_ms=5000)
    tray.office.call("+4915123456789", contact="Margaret Osei")
    tray.office.server = type(tray.office.server)(tray.office.box)
    tray.office.server.start()
    wait(lambda: tray.screen.title() == "Deskbell · Counter")
    wait(lambda: len(tray.screen.pops()) in (1, 2) and "#F8EDD0" in tray.screen.colours(tray.screen.pops()[-1]))


def test_a_computer_that_slept_shows_the_truth_at_once_and_says_what_was_missed(tray: Tray) -> None:
    tray.paired()
    assert tray.process
    tray.process.send_signal(signal.SIGSTOP)
    asleep_s = time.monotonic()
    for n in range(3):
        call_id = tray.office.call(f"+49301234567{n}")
        rang_s = time.monotonic()
        wait(lambda rang_s=rang_s: tray.office.server.hub.beat_s > rang_s + 0.5)     # told as ringing, here too
        tray.office.ended(call_id, "missed")
    tray.office.call("+4915123456789", contact="Margaret Osei")
    wait(lambda: time.monotonic() - asleep_s > 6)      # longer than a busy moment
    tray.process.send_signal(signal.SIGCONT)
    woke_s = time.monotonic()
    wait(lambda: tray.kept()["last"] == tray.office.db.execute("SELECT max(id) FROM event").fetchone()[0])
    wait(lambda: time.monotonic() - woke_s > 3)
    assert len(tray.screen.pops()) == 1, "what rang while it slept is over"
    tray.screen.shot("13-slept")


def test_another_box_at_the_same_address_is_told_nothing(tray: Tray, tmp_path: Path) -> None:
    tray.paired()
    tray.office.server.stop()
    stranger = box_at(tmp_path / "stranger")
    other = Office(replace(stranger, web=replace(tray.office.box.web)))
    try:
        wait(lambda: "Something else" in tray.screen.title())
        tray.screen.shot("14-stranger")
        assert other.server.hub.desks == 0
    finally:
        other.close()
        tray.office.server = type(tray.office.server)(tray.office.box)
        tray.office.server.start()


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("ru", "dark"), ("fr", "light")])
def test_it_speaks_the_language_of_the_desk(tray: Tray, language: str, theme: str) -> None:
    tray.office.missed("+4915123456789", contact="Margaret Osei")
    with store.write(tray.office.db) as db:
        token = desks.pair(db, desks.new_code(db, 1, now()), "Counter", now())
    der = certificate.der(certificate.authority(tray.office.box))
    tray.settings.write_text(json.dumps({
        "address": f"https://127.0.0.1:{tray.office.server.port}", "token": token, "me": {"name": "Counter"},
        "authority": ssl.DER_cert_to_PEM_cert(der)}))
    tray.start("--language", language, "--theme", theme)
    wait(lambda: tray.office.server.hub.desks == 1)
    tray.office.call("+4915123456789", contact="Margaret Osei")
    wait(tray.screen.pops)
    tray.screen.shot(f"15-{language}-{theme}")
    assert tray.process and tray.process.poll() is None
