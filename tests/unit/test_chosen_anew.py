"""A real daemon begins anew in its own process when the office chooses another time zone."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import settings
from appliance.config import Box
from appliance.store import db as store

LIMIT_S = 60


def wait_until_ready(notified: socket.socket) -> None:
    while b"READY=1" not in notified.recv(4096):
        pass


@pytest.mark.deep
def test_a_daemon_takes_the_new_time_zone_in_the_same_process(box: Box, tmp_path: Path) -> None:
    db = store.connect(box.store)
    store.migrate(db)
    config = tmp_path / "box.toml"
    config.write_text(f'state = "{box.state}"\nrun = "{box.run}"\nspool = "{box.spool}"\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "n"))
        notified.settimeout(LIMIT_S)
        daemon = subprocess.Popen([sys.executable, "-P", "-m", "appliance.cli", "run", "clock"], stderr=subprocess.PIPE,
                                  env={**os.environ, "DESKBELL_CONFIG": str(config),
                                       "NOTIFY_SOCKET": str(tmp_path / "n")})
        try:
            wait_until_ready(notified)
            with store.write(db):
                settings.put(db, "time_zone", "Asia/Shanghai")
            wait_until_ready(notified)
            assert daemon.poll() is None, "systemd sees the same process"
            daemon.send_signal(signal.SIGTERM)
            _, said = daemon.communicate(timeout=LIMIT_S)
        finally:
            daemon.kill()
    assert daemon.returncode == 0 and said.count(b"begins anew") == 1
    db.close()
