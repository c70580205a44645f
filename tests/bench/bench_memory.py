"""What our daemons weigh together, after a few calls.

python3 tests/bench/bench_memory.py      as root in the disposable root; half a minute
RSS counts shared pages once a daemon, PSS once in all.
"""
from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from appliance.config import Box
from hw.gsm_sim import GsmSim
from tests.pbx import box as boxes
from tests.pbx.box import Daemon
from tests.pbx.office import running

AIM_MB = 150


def size_mb(pid: int, kind: str) -> float:
    found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def main() -> None:
    if os.geteuid() != 0 or boxes.REPO != boxes.DISPOSABLE:
        sys.exit("This bench lays out a whole box, so it runs as root in the disposable root only.")
    with tempfile.TemporaryDirectory() as name, GsmSim(Path(name) / "modem") as sim:
        folder = Path(name)
        folder.chmod(0o755)

        def plug_modem(_box: Box) -> None:
            file = Path(os.environ["DESKBELL_CONFIG"])
            file.write_text(file.read_text().replace("/dev/deskbell-nowhere", str(sim.link)))
            Path(sim.link).resolve().chmod(0o666)

        with running(plug_modem) as office:
            daemons = [office.daemon, *(Daemon(part, f"deskbell-{part}", folder, boxes.ENVIRONMENT).start()
                                        for part in ("modem", "web", "clock"))]
            for _ in range(5):
                office.begin()
                office.missed(office.mobile())
            rss = {daemon.name: size_mb(daemon.pid, "Rss") for daemon in daemons}
            pss = {daemon.name: size_mb(daemon.pid, "Pss") for daemon in daemons}
            for daemon in daemons[1:]:
                daemon.stop()
    parts = ", ".join(f"{name} {rss[name]:.0f} ({pss[name]:.0f})" for name in rss)
    print(f"memory: all daemons RSS {sum(rss.values()):.0f} MB (PSS {sum(pss.values()):.0f}): {parts}; "
          f"of the {AIM_MB} MB aimed at: ratio {sum(rss.values()) / AIM_MB:.2f}")


if __name__ == "__main__":
    main()
