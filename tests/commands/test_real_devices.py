"""Where real devices take the simulators' places in the demo: a softphone, a modem."""
from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gammu
import pytest

from appliance.box.demo import Demo, place_call
from appliance.box.exchange import CALLERS
from appliance.box.provision import sip_secret
from hw.gsm_sim import GsmSim
from tests.sip import RING, Phone

OWN_MOBILE = "+4915154599371"


def wait[T](until: Callable[[], T], limit_s: float = 20) -> T:
    end = time.monotonic() + limit_s
    while not (given := until()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
    return given


@pytest.fixture
def started() -> Iterator[list[Demo]]:
    demos: list[Demo] = []
    yield demos
    for demo in demos:
        demo.stop()


def test_a_softphone_rings_in_place_of_the_simulated_staff(started: list[Demo]) -> None:
    demo = Demo(sip_port=5080)
    started.append(demo)
    box = demo.start()
    with Phone("101", sip_secret(box, box.extensions[0]), box=("127.0.0.1", 5080)) as softphone:
        softphone.register()
        softphone.manner = RING
        place_call(box, "talk")
        assert softphone.next_leg().name == CALLERS["talk"].name


def test_a_real_modem_texts_the_number_that_was_given(started: list[Demo]) -> None:
    port, air = Path("/run/ttyUSB0"), Path("/run/air.jsonl")
    with GsmSim(port, air):
        shutil.chown(os.path.realpath(port), "deskbell-modem")
        demo = Demo(gsm=port, caller_number=OWN_MOBILE)
        started.append(demo)
        place_call(demo.start(), "miss")
        sent = json.loads(wait(lambda: air.exists() and air.read_text()).splitlines()[0])
        assert gammu.DecodePDU(bytes.fromhex(sent["pdu"]), True)["Number"] == OWN_MOBILE
