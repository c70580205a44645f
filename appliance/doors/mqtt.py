"""Tells an MQTT broker how the telephone is, so that Home Assistant finds it by itself (its MQTT discovery).

One retained state, `deskbell/<box>/state`, as JSON; `deskbell/<box>/online` is online or, by the broker's last will,
offline. Off until a broker is set; paho is only imported then.
"""
from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance import settings
from appliance.calls import history, owed
from appliance.config import Box
from appliance.doors import standing
from appliance.settings import Settings
from appliance.store import db as store
from appliance.store.db import iso
from appliance.texts import conversations

log = logging.getLogger("mqtt")

LOOK_S = 1.0
POLL_S = 0.1
WHOLE_S = 60.0           # so often it counts anew without an event: midnight, a debt that grew old
KEEPALIVE_S = 30
RETRY_S = (1, 60)
SENSORS: dict[str, tuple[str, str, dict[str, str]]] = {      # key in the state: name, icon, what else discovery says
    "line": ("Line", "mdi:phone", {"device_class": "enum"}),
    "caller": ("Caller", "mdi:account", {}),
    "missed_today": ("Missed today", "mdi:phone-missed", {"state_class": "measurement"}),
    "owed": ("Owed a call", "mdi:phone-return", {"state_class": "measurement"}),
    "unread": ("Unread texts", "mdi:message-badge", {"state_class": "measurement"}),
    "signal_dbm": ("SIM signal", "mdi:signal", {"device_class": "signal_strength", "unit_of_measurement": "dBm",
                                               "state_class": "measurement", "entity_category": "diagnostic"})}
BROKER = ("mqtt_host", "mqtt_port", "mqtt_tls", "mqtt_user", "mqtt_password", "mqtt_names")
REFUSED = "The MQTT broker {0} refuses us ({1}). Calls and texts go on. Look at name and password on the page " \
          "Programs."
SILENT = "The MQTT broker {0} does not answer. Calls and texts go on; it is tried again each minute."


class Mqtt:
    """Follows the setting: connects when a broker is named, anew when it changes, and lets go when it is taken away."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._client: Any = None
        self._news = threading.Event()
        self._trouble: str | None = ""      # "" nothing known yet
        self._is_on = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join(3.0)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        db = store.connect(self._box.store)
        seen, looked, chosen, told, told_at = -1, -2, (), "", datetime.min.replace(tzinfo=UTC)
        while not self._stop.is_set():
            try:
                wanted, now = settings.read(db), datetime.now(UTC)
                if (new := tuple(getattr(wanted, key) for key in BROKER)) != chosen:
                    chosen, told, looked = new, "", -2
                    self._connect(db, wanted)
                if self._client:
                    self._note(db, now)
                    if seen != looked or self._news.is_set() or (now - told_at).total_seconds() > WHOLE_S:
                        looked = seen
                        state = json.dumps(state_of(db, self._box, wanted, now), ensure_ascii=False)
                        if state != told or self._news.is_set():
                            told = self._tell(state, wanted)
                        told_at = now
                seen = store.wait_for_change(db, seen, LOOK_S, self._stop, POLL_S)
            except sqlite3.Error as broken:
                log.error("MQTT waits (%s). Calls and texts go on.", broken)
                self._stop.wait(LOOK_S)
        self._let_go()
        db.close()

    def _connect(self, db: sqlite3.Connection, wanted: Settings) -> None:
        self._let_go()
        self._trouble = ""
        if not wanted.mqtt_host:
            standing.forget(db, "mqtt")
            return
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"deskbell-{slug(self._box)}")
        client.will_set(f"{base(self._box)}/online", "offline", qos=1, retain=True)
        client.reconnect_delay_set(*RETRY_S)
        client.max_queued_messages_set(20)
        if wanted.mqtt_user:
            client.username_pw_set(wanted.mqtt_user, wanted.mqtt_password)
        if wanted.mqtt_tls:
            client.tls_set()

        def connected(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
            self._is_on = not reason.is_failure
            self._trouble = REFUSED.format(wanted.mqtt_host, reason) if reason.is_failure else None
            self._news.set()

        def gone(*_: Any) -> None:
            self._is_on = False
            self._trouble = self._trouble or SILENT.format(wanted.mqtt_host)
        client.on_connect, client.on_disconnect, client.on_connect_fail = connected, gone, gone
        try:
            client.connect_async(wanted.mqtt_host, wanted.mqtt_port, KEEPALIVE_S)
        except ValueError:
            self._trouble = SILENT.format(wanted.mqtt_host)
            return
        client.loop_start()
        self._client = client

    def _note(self, db: sqlite3.Connection, now: datetime) -> None:
        if self._trouble != "":
            standing.keep(db, "mqtt", self._trouble, now)

    def _tell(self, state: str, wanted: Settings) -> str:
        """What was told; "" while nobody listens."""
        if not self._is_on:
            return ""
        if self._news.is_set():
            self._news.clear()
            for topic, told in discovery(self._box, wanted.shop_name, wanted.mqtt_names).items():
                self._client.publish(topic, json.dumps(told) if told else "", qos=1, retain=True)
            self._client.publish(f"{base(self._box)}/online", "online", qos=1, retain=True)
        self._client.publish(f"{base(self._box)}/state", state, qos=1, retain=True)
        return state

    def _let_go(self) -> None:
        """Says good-bye itself: a last will comes only when the line breaks."""
        client, self._client = self._client, None
        if client is None:
            return
        if self._is_on:
            client.publish(f"{base(self._box)}/online", "offline", qos=1, retain=True).wait_for_publish(1.0)
        self._is_on = False
        client.disconnect()
        client.loop_stop()


def slug(box: Box) -> str:
    """The box's name as a topic may have it."""
    return re.sub(r"[^a-z0-9_]+", "_", box.name.lower()).strip("_") or "box"


def base(box: Box) -> str:
    return f"deskbell/{slug(box)}"


def discovery(box: Box, shop: str, has_names: bool) -> dict[str, dict[str, Any] | None]:
    """The configuration of each sensor by its topic; None takes one away that is not (any longer) told."""
    name, found = slug(box), dict[str, dict[str, Any] | None]()
    device = {"identifiers": [f"deskbell_{name}"], "name": shop, "manufacturer": "Deskbell", "model": "Deskbell"}
    for key, (label, icon, more) in SENSORS.items():
        topic = f"homeassistant/sensor/deskbell_{name}/{key}/config"
        if key == "caller" and not has_names:
            found[topic] = None
            continue
        found[topic] = {
            "name": label, "unique_id": f"deskbell_{name}_{key}", "state_topic": f"{base(box)}/state", "icon": icon,
            "value_template": f"{{{{ value_json.{key} }}}}", "availability_topic": f"{base(box)}/online",
            "device": device, "origin": {"name": "Deskbell"}, **more,
            **({"options": ["idle", "ringing", "talking"]} if key == "line" else {})}
    return found


def state_of(db: sqlite3.Connection, box: Box, wanted: Settings, now: datetime) -> dict[str, Any]:
    """How the telephone is. line: idle, ringing or talking; a call that rings counts first."""
    live = [call for call in history.live(db) if call.direction != "internal"]
    first = next((call for call in live if call.is_ringing), live[0] if live else None)
    midnight = now.astimezone(box.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    missed = db.execute("""
        SELECT count(*) FROM call INDEXED BY call_missed
        WHERE direction = 'in' AND outcome IN ('missed', 'abandoned') AND started_at >= ?""",
        (iso(midnight.astimezone(UTC)),)).fetchone()[0]
    signal = db.execute("SELECT max(signal_dbm) FROM modem WHERE updated_at > ?",
                        (iso(now - timedelta(minutes=10)),)).fetchone()[0]
    state = {"line": "idle" if first is None else "ringing" if first.is_ringing else "talking",
             "missed_today": missed, "owed": owed.count(db, now - owed.OWED_FOR),
             "unread": conversations.unread(db), "signal_dbm": signal}
    if wanted.mqtt_names:
        state["caller"] = (first.name or first.number or "") if first else ""
    return state
