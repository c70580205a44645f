"""The demo's story played without a person: `image/demo --check`, one line of JSON.

It looks only where a person or a stranger could look: at the page, at Asterisk's console, at what
went out on the air, read by gammu itself.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gammu
from playwright.sync_api import Page, expect, sync_playwright

from appliance.box.demo import AIR, Demo
from appliance.box.exchange import CALLER_HZ, CALLERS, STAFF_HZ
from tests.browser.sound import apart_db

PASSWORD = "correct horse battery staple"
SHOT = "/mnt/pop.png"
LIMIT_S = 20.0
SAID = [
    "the office is open", "the page opens", "the first-run code sets the password",
    "\"Call the shop\" is pressed", "the pop is in the page while Asterisk says Ringing", "the caller gives up",
    "the history shows a missed call", "gammu reads the text off the air",
    "the call's page shows the chain up to delivered", "\"Call and talk\" is pressed",
    "the pop rises and somebody answers", "the recording plays on the call's page",
    "only the caller is on the left and only the staff on the right", "everything is stopped, nothing runs on",
]


class NotSeen(Exception):
    """What the step was about could not be seen; the text says what was there instead."""


class Story:
    """The steps seen so far, each with its time; the first that is not seen ends the story."""

    def __init__(self) -> None:
        self.steps: list[dict[str, object]] = []

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        name, started, why = SAID[len(self.steps)], time.monotonic(), ""
        try:
            yield
        except Exception as unseen:
            why = str(unseen)
            raise
        finally:
            seconds = round(time.monotonic() - started, 2)
            self.steps.append({"name": name, "seconds": seconds, "ok": not why})
            print(f"{'NOT' if why else 'ok '} {seconds:6.2f} s  {name}{': ' * bool(why)}{why.partition(chr(10))[0]}",
                  file=sys.stderr)

    def told(self) -> dict[str, object]:
        """All steps; those that were not reached are not ok."""
        steps = [*self.steps, *({"name": name, "seconds": 0, "ok": False} for name in SAID[len(self.steps):])]
        return {"ok": all(step["ok"] for step in steps), "steps": steps}


def wait[T](until: Callable[[], T], what: str, limit_s: float = LIMIT_S) -> T:
    """What `until` gave, once it is true."""
    end = time.monotonic() + limit_s
    while not (given := until()):
        if time.monotonic() > end:
            raise NotSeen(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.02)
    return given


def channels() -> list[list[str]]:
    """What Asterisk has at this moment; the fifth field is the state: Ring, Ringing, Up."""
    asked = subprocess.run(["asterisk", "-rx", "core show channels concise"],
                           capture_output=True, text=True, check=True)
    return [line.split("!") for line in asked.stdout.splitlines() if "!" in line]


def on_the_air() -> list[tuple[str, str]]:
    """Number and text of what the network took, as gammu reads it, not as our own codec does."""
    if not AIR.exists():
        return []
    found = []
    for line in AIR.read_text().splitlines():
        read = gammu.DecodePDU(bytes.fromhex(json.loads(line)["pdu"]), True)
        found.append((read["Number"], read["Text"]))
    return found


def play(story: Story, demo: Demo, page: Page) -> None:
    missed, talked = CALLERS["miss"], CALLERS["talk"]
    with story.step():
        box = demo.start()
    with story.step():
        page.goto(demo.address)
        expect(page).to_have_url(re.compile("/setup$"))
    with story.step():
        page.fill("#code", demo.first_run_code(box))
        page.fill("#name", "Mia")
        page.fill("#password", PASSWORD)
        page.fill("#again", PASSWORD)
        page.click("form button.go")
        expect(page.locator("#tiles")).to_be_visible()
        wait(lambda: page.evaluate("document.readyState") == "complete", "the page's scripts")
    with story.step():
        page.click("button[value=miss]")
    with story.step():
        pop = page.locator(".dock .pop.ringing")
        expect(pop).to_contain_text(missed.name, timeout=LIMIT_S * 1000)
        ringing = [fields for fields in channels() if fields[4] == "Ringing"]
        if not ringing or not pop.is_visible():
            raise NotSeen(f"Asterisk has {channels()}")
        page.screenshot(path=SHOT) if Path("/mnt").is_mount() else None
    with story.step():
        expect(page.locator(".dock .pop.missed")).to_contain_text(missed.name, timeout=LIMIT_S * 1000)
        wait(lambda: not channels(), "no channel left")
    with story.step():
        page.goto(f"{demo.address.rstrip('/')}/history")
        row = page.locator("#ledger li", has=page.locator(".o.missed")).filter(has_text=missed.name)
        expect(row).to_have_count(1)
    with story.step():
        number, text = wait(on_the_air, "a text on the air")[0]
        if number != missed.number or not text.startswith("Café Blume: "):
            raise NotSeen(f"{number} was texted {text!r}")
    with story.step():
        row.locator("a.who").click()
        chain = page.locator("#chain")
        expect(chain).to_contain_text("elivered", timeout=LIMIT_S * 1000)
        times = chain.locator("time").all_inner_texts()
        if len(times) < 4 or times != sorted(times):
            raise NotSeen(f"the times {times}")
        expect(chain).not_to_contain_text("guesses")
        expect(page.locator("#texts")).to_contain_text("Café Blume")
    with story.step():
        page.goto(demo.address)
        page.click("button[value=talk]")
    with story.step():
        expect(page.locator(".dock .pop.ringing")).to_contain_text(talked.name, timeout=LIMIT_S * 1000)
        expect(page.locator(".dock .pop.answered")).to_contain_text("Counter", timeout=LIMIT_S * 1000)
        page.locator(".dock .pop.answered a[data-of=link]").click()
        expect(page.locator("h1")).to_have_text(talked.name)
    with story.step():
        audio = page.locator("audio")
        audio.wait_for(state="attached", timeout=2 * LIMIT_S * 1000)
        audio.evaluate("async player => { await player.play(); }")
        wait(lambda: audio.evaluate("player => player.currentTime") > 1, "a second of it heard")
        if not 8 < (length_s := audio.evaluate("player => player.duration")) < 20:
            raise NotSeen(f"{length_s} s long")
        audio.evaluate("player => player.pause()")
    with story.step():
        address = audio.evaluate("player => player.currentSrc.replace(/as=.*/, 'as=wav')")
        start = page.request.get(address, headers={"Range": "bytes=0-99"})
        whole = page.request.get(address)
        if start.status != 206 or whole.body()[:100] != start.body():
            raise NotSeen(f"a range is answered with {start.status}")
        left_db, right_db = apart_db(whole.body(), CALLER_HZ, STAFF_HZ)
        if min(left_db, right_db) < 30:
            raise NotSeen(f"the sides are {left_db:.0f} and {right_db:.0f} dB apart, 30 are wanted")


def running() -> list[str]:
    """Programs of this process namespace beside ourselves, those above us, and the browser's."""
    above, pid = set(), os.getpid()
    while pid:
        above.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(entry.name) not in above:
                found.append((entry / "comm").read_text().strip())
    return found


def main() -> int:
    story, demo, started = Story(), Demo(), time.monotonic()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium",
                args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"])
            play(story, demo, browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB"))
            browser.close()
        with story.step():
            demo.stop()
            wait(lambda: not running(), f"nothing running; there are {running()}")
    except Exception as unseen:
        print(f"{type(unseen).__name__}: {unseen}", file=sys.stderr)      # the step gave its first line
    finally:
        demo.stop()
    told = story.told()
    print(json.dumps({"ok": told["ok"], "seconds": round(time.monotonic() - started, 1), "steps": told["steps"]}))
    return 0 if told["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
