"""The box of this ring: started once, handed to every test as `office`."""
from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.box.provision import provision, sip_secret
from tests.pbx import box as boxes
from tests.pbx.office import Office
from tests.sip import Line, Phone

DISPOSABLE = Path("/usr/lib/deskbell")


@pytest.fixture(scope="session")
def _running() -> Iterator[Office]:
    if os.geteuid() != 0 or boxes.REPO != DISPOSABLE:
        pytest.skip("these tests lay out a whole box, so they run as root in the disposable root only: tests/run pbx")
    os.umask(0o007)
    box = boxes.prepare()
    provision(box)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        asterisk = boxes.Asterisk(box).start()
        daemon = boxes.Daemon("calls", "deskbell-calls", Path(folder), boxes.ENVIRONMENT)
        try:
            daemon.start()
            phones = [Phone(desk.number, sip_secret(box, desk)).register() for desk in box.extensions]
            office = Office(box, asterisk, daemon, Line(), phones)
            yield office
            office.close()
        finally:
            for process in (daemon.process, asterisk.process):
                if process is not None and process.poll() is None:
                    process.kill()


@pytest.fixture
def office(_running: Office) -> Iterator[Office]:
    """The running office with a clean desk; afterwards the daemon must still be the one that was started."""
    _running.begin()
    yield _running
    _running.end()
