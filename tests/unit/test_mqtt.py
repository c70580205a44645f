"""Home Assistant hears how the telephone is: by a real mosquitto, by a last will when we die, and no name unasked."""
from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho

from appliance import settings
from appliance.config import Box
from appliance.doors import mqtt, standing
from appliance.settings import DEFAULTS
from appliance.store import db as store
from tests.desk import free_port

pytestmark = pytest.mark.xdist_group("mqtt")
NOW = datetime.now(UTC)


def wait(until: Callable[[], object], limit_s: float = 20.0) -> None:
    end = time.monotonic() + limit_s
    while not until():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


class Broker:
    """A real mosquitto, and a listener that keeps the last word of each topic."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.port, self.folder = free_port(), folder
        rules = "allow_anonymous true\n"
        if password:
            subprocess.run(["mosquitto_passwd", "-b", "-c", str(folder / "users"), "deskbell", password], check=True)
            (folder / "users").chmod(0o644)
            rules = f"allow_anonymous false\npassword_file {folder / 'users'}\n"
        (folder / "conf").write_text(f"listener {self.port} 127.0.0.1\nuser root\n{rules}")
        self.said: dict[str, str] = {}
        self.start()
        self.ear = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if password:
            self.ear.username_pw_set("deskbell", password)
        self.ear.on_message = lambda _c, _u, word: self.said.__setitem__(word.topic, word.payload.decode())
        self.ear.on_connect = lambda *_: self.ear.subscribe("#", 1)
        self.ear.reconnect_delay_set(1, 1)
        self.ear.connect("127.0.0.1", self.port)
        self.ear.loop_start()

    def start(self) -> None:
        self.process = subprocess.Popen(["mosquitto", "-c", str(self.folder / "conf")], stderr=subprocess.DEVNULL)
        wait(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.said.get("deskbell/box1/state", "{}")))

    def close(self) -> None:
        self.ear.loop_stop()
        self.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    found = Broker(folder)
    yield found
    found.close()


@pytest.fixture
def db(box: Box) -> sqlite3.Connection:
    found = store.connect(box.store)
    store.migrate(found)
    return found


def put(db: sqlite3.Connection, **values: object) -> None:
    with store.write(db):
        for key, value in values.items():
            settings.put(db, key, value)


@pytest.fixture
def teller(box: Box, db: sqlite3.Connection) -> Iterator[mqtt.Mqtt]:
    it = mqtt.Mqtt(box)
    it.start()
    yield it
    it.stop()


def rings(db: sqlite3.Connection) -> int:
    with store.write(db):
        call_id = db.execute("""
            INSERT INTO call (box, boot, linkedid, trunk, direction, caller_id, caller_name, number, presentation,
              started_at, bell, is_clock_set)
            VALUES ('box1', 1, ?, 'line1', 'in', '', 'Margaret Osei', '+4915123456789', 'allowed', ?, 'rang', 1)""",
            (f"{time.time_ns()}", store.iso(datetime.now(UTC)))).lastrowid
    assert call_id
    return int(call_id)


def put_call(db: sqlite3.Connection, call_id: int, **values: str) -> None:
    with store.write(db):
        db.execute(f"UPDATE call SET {', '.join(f'{key} = ?' for key in values)} WHERE id = ?",
                   (*values.values(), call_id))


def test_home_assistant_finds_each_sensor_and_hears_each_call(box: Box, db: sqlite3.Connection, broker: Broker,
                                                              teller: mqtt.Mqtt) -> None:
    put(db, mqtt_host="127.0.0.1", mqtt_port=broker.port)
    wait(lambda: broker.said.get("deskbell/box1/online") == "online")
    wait(lambda: broker.state().get("line") == "idle")
    call_id, at = rings(db), store.iso(datetime.now(UTC))
    wait(lambda: broker.state()["line"] == "ringing")
    assert "Margaret" not in json.dumps(broker.said) and "caller" not in broker.state()
    put_call(db, call_id, answered_at=at)
    wait(lambda: broker.state()["line"] == "talking")
    put_call(db, call_id, ended_at=at, outcome="answered")
    wait(lambda: broker.state()["line"] == "idle")
    put_call(db, rings(db), ended_at=at, outcome="missed")
    wait(lambda: (broker.state()["missed_today"], broker.state()["owed"]) == (1, 1))
    line = json.loads(broker.said["homeassistant/sensor/deskbell_box1/line/config"])
    assert line["state_topic"] == "deskbell/box1/state" and line["availability_topic"] == "deskbell/box1/online"
    assert line["unique_id"] == "deskbell_box1_line" and line["options"] == ["idle", "ringing", "talking"]
    assert standing.trouble(db, "mqtt") is None


def test_the_caller_is_told_only_where_the_owner_says_so(box: Box, db: sqlite3.Connection, broker: Broker,
                                                         teller: mqtt.Mqtt) -> None:
    topic = "homeassistant/sensor/deskbell_box1/caller/config"
    put(db, mqtt_host="127.0.0.1", mqtt_port=broker.port, mqtt_names=True)
    rings(db)
    wait(lambda: broker.state().get("caller") == "Margaret Osei")
    wait(lambda: broker.said.get(topic))
    put(db, mqtt_names=False)
    wait(lambda: broker.said.get(topic) == "")
    wait(lambda: "caller" not in broker.state())


def test_the_broker_is_told_good_bye_when_it_is_switched_off(db: sqlite3.Connection, broker: Broker,
                                                            teller: mqtt.Mqtt) -> None:
    put(db, mqtt_host="127.0.0.1", mqtt_port=broker.port)
    wait(lambda: broker.said.get("deskbell/box1/online") == "online")
    put(db, mqtt_host="")
    wait(lambda: broker.said.get("deskbell/box1/online") == "offline")
    wait(lambda: standing.trouble(db, "mqtt") == "")


def test_the_last_will_says_offline_when_the_box_dies(box: Box, db: sqlite3.Connection, broker: Broker) -> None:
    put(db, mqtt_host="127.0.0.1", mqtt_port=broker.port)
    code = """if True:
        import sys, threading
        from pathlib import Path
        from appliance.config import Box
        from appliance.doors import mqtt
        mqtt.Mqtt(Box(state=Path(sys.argv[1]), run=Path(sys.argv[2]), spool=Path(sys.argv[3]))).start()
        threading.Event().wait()"""
    process = subprocess.Popen([sys.executable, "-c", code, str(box.state), str(box.run), str(box.spool)])
    wait(lambda: "online" in broker.said.values())
    process.kill()
    process.wait()
    wait(lambda: "online" not in broker.said.values() and "offline" in broker.said.values())


def test_a_broker_that_goes_and_comes_back_hears_the_truth(db: sqlite3.Connection, broker: Broker,
                                                          teller: mqtt.Mqtt) -> None:
    put(db, mqtt_host="127.0.0.1", mqtt_port=broker.port)
    wait(lambda: broker.state().get("line") == "idle")
    broker.stop()
    wait(lambda: "does not answer" in (standing.trouble(db, "mqtt") or ""))
    rings(db)
    broker.said.clear()
    broker.start()
    wait(lambda: broker.state().get("line") == "ringing")
    wait(lambda: standing.trouble(db, "mqtt") is None)


def test_a_wrong_password_is_said_in_words(db: sqlite3.Connection, tmp_path: Path, teller: mqtt.Mqtt) -> None:
    folder = tmp_path / "strict"
    folder.mkdir()
    strict = Broker(folder, password="right")
    try:
        put(db, mqtt_host="127.0.0.1", mqtt_port=strict.port, mqtt_user="deskbell", mqtt_password="wrong")
        wait(lambda: "refuses us" in (standing.trouble(db, "mqtt") or ""))
        put(db, mqtt_password="right")
        wait(lambda: strict.state().get("line") == "idle")
    finally:
        strict.close()


def test_nothing_of_mqtt_is_loaded_until_a_broker_is_named() -> None:
    code = "import sys, web.server; print([name for name in sys.modules if name.startswith(('paho', 'escpos'))])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_box_with_a_strange_name_has_a_plain_topic(box: Box, db: sqlite3.Connection) -> None:
    assert mqtt.base(replace(box, name="Lädchen 1/#+")) == "deskbell/l_dchen_1"
    assert mqtt.state_of(db, box, DEFAULTS, NOW)["line"] == "idle"
