"""Errands and the store's crossing on a booted box: under the real units and users."""
from __future__ import annotations

from tests.boot.nspawn import HERE, Machine, wait
from tests.sip import Line, State

GATEWAY_PORT, CALLER = 5072, "+491701234567"

ASK = """
from datetime import UTC, datetime
from appliance import config
from appliance.store import db as store
from appliance.update import errands
box = config.load()
print(errands.ask(store.connect(box.store), box, "Anna", {kind!r}, {wanted!r}, datetime.now(UTC)))
"""
LAST = """
from appliance import config
from appliance.store import db as store
from appliance.update import errands
it = errands.latest(store.connect(config.load().store), {kind!r})
print(it and it.state, it and it.said)
"""
NEWER = """
from datetime import UTC, datetime
from appliance import config
from appliance.store import db as store
db = store.connect(config.load().store)
with store.write(db):
    db.execute("INSERT INTO setting (key, value) VALUES ('shop_name', '\\"From the newer one\\"')")
    db.execute("ALTER TABLE call ADD COLUMN mood TEXT")
    db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('deskbell', '0099_newer', ?)",
               (store.iso(datetime.now(UTC)),))
"""
SHOP = """
from appliance import config, settings
from appliance.store import db as store
print(settings.read(store.connect(config.load().store)).shop_name)
"""


def asked(machine: Machine, kind: str, wanted: dict[str, object]) -> str:
    """What became of an errand that the pages' user asked for."""
    machine.python(ASK.format(kind=kind, wanted=wanted), user="deskbell-web")

    def ended() -> str:
        said = machine.python(LAST.format(kind=kind)).strip()
        return "" if said.startswith(("waiting", "running")) else said

    return wait(ended, 30, f"the errand {kind} done", machine.console)


def test_what_a_page_asks_for_is_done_by_root_and_said(machine: Machine) -> None:
    assert asked(machine, "update", {"bundle": 77}) == (
        "refused The file of this update is no longer there. Bring it again.")
    assert asked(machine, "update", {"bundle": 78}).startswith("refused"), "a second knock is heard too"
    shown = machine.show("deskbell-steward.service", "Result", "User")
    assert shown["Result"] == "success"


def rings(machine: Machine) -> bool:
    """Whether a call from our gateway is taken in."""
    with Line((HERE, GATEWAY_PORT), (machine.address, 5060)) as line:
        leg = line.call(CALLER)
        try:
            leg.until(State.RINGING).cancel()
        except TimeoutError:
            return False
        leg.until(State.ENDED)
    return True


def has_pages(machine: Machine) -> bool:
    try:
        return machine.http("/ping").status == 200
    except OSError:
        return False


def test_a_line_that_a_page_sets_up_rings_at_once_and_one_taken_away_no_more(machine: Machine) -> None:
    daemon = machine.show("asterisk", "MainPID")
    assert not rings(machine)
    assert asked(machine, "line", {"key": "", "gateway": f"{HERE}:{GATEWAY_PORT}"}) \
        == "done The line is set up. Ring the shop to hear it."
    wait(lambda: rings(machine), 30, "a call over the new line", machine.console)
    wait(lambda: has_pages(machine), 30, "the pages to answer", machine.console)
    assert asked(machine, "line", {"key": "line1", "gateway": ""}) == "done The line is taken away."
    wait(lambda: not rings(machine), 30, "no call any more", machine.console)
    assert machine.show("asterisk", "MainPID") == daemon, "what talks goes on talking"
    assert machine.failed() == []


def test_only_the_group_of_the_daemons_may_knock(machine: Machine) -> None:
    said = machine.run("runuser -u nobody -- touch /var/lib/deskbell/errand/wanted", check=False)
    assert said.returncode != 0


def test_a_store_of_a_newer_version_is_brought_back_before_any_daemon_opens_it(machine: Machine) -> None:
    machine.run("systemctl stop deskbell-clock deskbell-modem deskbell-web deskbell-calls deskbell-store")
    machine.run("ls /var/lib/deskbell/snapshots")
    machine.run("cp /var/lib/deskbell/office.db /var/lib/deskbell/snapshots/$(basename $(ls "
                "/usr/lib/deskbell/appliance/store/schema/*.sql | tail -n 1) .sql).db")
    machine.python(NEWER, user="deskbell-calls")
    machine.run("systemctl start deskbell-calls deskbell-modem deskbell-web deskbell-clock")
    assert machine.show("deskbell-store.service", "Result", "ActiveState") == {
        "Result": "success", "ActiveState": "active"}
    assert machine.python(SHOP).strip() == "From the newer one"
    assert "newer-0099_newer.db" in machine.said("ls /var/lib/deskbell/snapshots")
    wait(lambda: machine.http("/ping").status == 200, 30, "the pages to answer", machine.console)


def test_the_gate_looks_and_the_box_is_whole(machine: Machine) -> None:
    assert machine.failed() == []
    said = machine.said("journalctl -u deskbell-health -o cat --no-pager")
    assert "Traceback" not in said
    wait(lambda: "is well" in machine.said("journalctl -u deskbell-health -o cat --no-pager"), 150,
         "the gate to find the box well", lambda: machine.said("journalctl -u deskbell-health -o cat --no-pager"))
