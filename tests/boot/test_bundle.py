"""Bundles and the real RAUC: what a box takes, what it refuses in a sentence, and when a slot is called good."""
from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.config import Box
from appliance.store import db as store
from appliance.update import bundle, bundles, health, installing, trial
from appliance.update.bundle import BundleError, Ground
from appliance.update.errands import FailedError

REPO = Path(__file__).resolve().parents[2]
GATE = REPO / "image/overlay/usr/libexec/deskbell-update-gate"
MANIFEST = """[update]
compatible={compatible}
version={version}
description=Calls are found faster.

[bundle]
format={form}

[meta.deskbell]
epoch={epoch}

[image.rootfs]
filename=rootfs.ext4
"""
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/></policy></busconfig>
"""
SYSTEM = """[system]
compatible=deskbell-amd64
bootloader=grub
grubenv={0}/grubenv
data-directory={0}/data
mountprefix={0}/mnt

[keyring]
path={0}/keys/ca.pem
check-purpose=codesign
use-bundle-signing-time=true

[handlers]
pre-install={1}

[slot.rootfs.0]
device={0}/a.img
bootname=A

[slot.rootfs.1]
device={0}/b.img
bootname=B
"""
WHOLE = "The file is not whole"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not Path(bundle.RAUC).exists():
        pytest.skip("RAUC is in the workshop only: tests/run boot")
    made = tmp_path_factory.mktemp("bundles")
    subprocess.run([REPO / "image/keys/make", made / "keys"], check=True)
    return made


@pytest.fixture(scope="module")
def make(folder: Path) -> Callable[..., Path]:
    """A bundle of a small slot: make(version=…, epoch=…, compatible=…, form=…, keys=…)."""
    count = 0

    def made(version: str = "9.1.0", epoch: int = 3, compatible: str = "deskbell-amd64", form: str = "verity",
             keys: Path = folder / "keys") -> Path:
        nonlocal count
        count += 1
        content = folder / f"content-{count}"
        content.mkdir()
        (content / "rootfs.ext4").write_bytes(random.Random(7).randbytes(1_300_000))
        (content / "manifest.raucm").write_text(MANIFEST.format(
            compatible=compatible, version=version, epoch=epoch, form=form))
        target = folder / f"{count}.raucb"
        subprocess.run(["rauc", "bundle", f"--cert={keys}/signer.pem", f"--key={keys}/signer.key", content, target],
                       check=True, capture_output=True)
        return target

    return made


@pytest.fixture
def ground(folder: Path) -> Ground:
    """A box of version 9.0.0 on which epoch 3 has run."""
    (folder / "epoch").write_text("3\n")
    (folder / "system.conf").write_text(SYSTEM.format(folder, GATE))
    return Ground(folder / "system.conf", folder / "keys/ca.pem", folder / "epoch", version="9.0.0", epoch=1)


def refused(path: Path, ground: Ground) -> str:
    """The sentence with which it is refused, "" when it is taken."""
    try:
        bundle.prove(path, bundle.look(path, ground))
    except BundleError as said:
        return str(said)
    return ""


def test_a_good_one_says_what_it_is(make: Callable[..., Path], ground: Ground) -> None:
    found = bundle.look(make(), ground)
    assert (found.version, found.epoch, found.news) == ("9.1.0", 3, "Calls are found faster.")
    assert refused(make(version="9.0.0"), ground) == ""


def test_one_flipped_byte_anywhere_is_refused(make: Callable[..., Path], ground: Ground, folder: Path) -> None:
    content, dice = make().read_bytes(), random.Random(11)
    found = bundle.look(make(), ground)
    places = [0, 4, found.payload_bytes - 1, found.payload_bytes, found.payload_bytes + found.tree_bytes - 1,
              len(content) - 1, len(content) - 8, len(content) - 200,
              *(dice.randrange(len(content)) for _ in range(60))]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << dice.randrange(8)
        path = folder / "flipped.raucb"
        path.write_bytes(flipped)
        said = refused(path, ground)
        # the unsigned words of a CMS (its framing) may change without changing what is signed
        if not said:
            assert place >= found.payload_bytes + found.tree_bytes, f"byte {place} of {len(content)}"
            assert bundle.look(path, ground).root == found.root


def test_a_payload_that_was_changed_together_with_its_tree_is_refused(make: Callable[..., Path], ground: Ground,
                                                                     folder: Path) -> None:
    content = bytearray(make().read_bytes())
    path = folder / "both.raucb"
    path.write_bytes(content)
    found = bundle.look(path, ground)
    content[5000] ^= 1
    level, tree = bytes(content[:found.payload_bytes]), b""
    while len(level) > 4096 or not tree:
        sums = b"".join(hashlib.sha256(found.salt + level[at:at + 4096]).digest() for at in range(0, len(level), 4096))
        level = sums + bytes(-len(sums) % 4096)
        tree = level + tree
    assert len(tree) == found.tree_bytes
    content[found.payload_bytes:found.payload_bytes + found.tree_bytes] = tree
    path.write_bytes(content)
    assert WHOLE in refused(path, ground)


def test_one_that_is_cut_off_is_refused(make: Callable[..., Path], ground: Ground, folder: Path) -> None:
    content, dice = make().read_bytes(), random.Random(12)
    for length in [0, 3, 8, 4096, len(content) - 1, *(dice.randrange(len(content)) for _ in range(20))]:
        path = folder / "cut.raucb"
        path.write_bytes(content[:length])
        assert WHOLE in (said := refused(path, ground)) or "is no update" in said and length < 4


@pytest.mark.parametrize(("changes", "said"), [
    ({"compatible": "deskbell-arm64"}, "for another machine (deskbell-arm64); this box is deskbell-amd64"),
    ({"epoch": 2}, "older than a security hole that was closed here (epoch 2, at least 3 is wanted)"),
    ({"version": "8.9.9"}, "version 8.9.9, older than 9.0.0"),
    ({"version": "newest"}, "is no update"),
    ({"form": "plain"}, WHOLE)])
def test_what_does_not_fit_is_refused_in_a_sentence(make: Callable[..., Path], ground: Ground,
                                                    changes: dict[str, object], said: str) -> None:
    assert said in refused(make(**changes), ground)


def test_one_that_others_signed_is_refused(make: Callable[..., Path], ground: Ground, folder: Path) -> None:
    subprocess.run([REPO / "image/keys/make", folder / "others"], check=True)
    assert "not made by those whom this box trusts" in refused(make(keys=folder / "others"), ground)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"hsqs" + b"\0" * 5000, b"hsqs"],
                         ids=["empty", "a zip", "squashfs alone", "four bytes"])
def test_a_strange_file_is_refused(ground: Ground, folder: Path, content: bytes) -> None:
    path = folder / "strange.raucb"
    path.write_bytes(content)
    assert refused(path, ground)


def test_a_folder_a_link_and_a_pipe_are_refused(make: Callable[..., Path], ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(make())
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "", "none"):
        assert refused(tmp_path / name, ground)


def test_an_image_with_test_keys_is_known(ground: Ground, folder: Path, tmp_path: Path) -> None:
    assert ground.is_for_tests
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/O=Shop/CN=Updates", "-keyout", tmp_path / "k", "-out", tmp_path / "ca.pem"],
                   check=True, capture_output=True)
    assert not Ground(ground.conf, tmp_path / "ca.pem", ground.epoch_file).is_for_tests


# With RAUC's own service, on a bus of its own

@dataclass
class Service:
    """RAUC as a box has it, booted from slot A; its slots are files."""
    folder: Path

    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["rauc", *words], capture_output=True, text=True, timeout=60)

    def variables(self) -> dict[str, str]:
        told = subprocess.run(["grub-editenv", self.folder / "grubenv", "list"], capture_output=True, text=True,
                              check=True).stdout
        return dict(line.split("=", 1) for line in told.splitlines())


@pytest.fixture
def rauc(folder: Path, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for name in ("a.img", "b.img"):
        with (folder / name).open("wb") as file:
            file.truncate(4 * 1024 * 1024)
    for name in ("data", "mnt"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    environment = folder / "grubenv"
    environment.unlink(missing_ok=True)
    subprocess.run(["grub-editenv", environment, "create"], check=True)
    subprocess.run(["grub-editenv", environment, "set", "ORDER=A B", "A_OK=0", "A_TRY=1", "B_OK=1", "B_TRY=0"],
                   check=True)
    (folder / "bus.conf").write_text(BUS.format(folder))
    (folder / "bus").unlink(missing_ok=True)
    bus = subprocess.Popen(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile"])
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder}/bus")
    monkeypatch.setenv("DESKBELL_EPOCH", str(ground.epoch_file))
    monkeypatch.setenv("DESKBELL_HOUSE", str(folder))
    until = time.monotonic() + 20
    while not (folder / "bus").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    served = subprocess.Popen(["rauc", "-c", str(ground.conf), "--override-boot-slot=A", "service"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    service = Service(folder)
    while service("status").returncode:
        assert served.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    yield service
    for process in (served, bus):
        process.terminate()
        process.wait(timeout=10)


def test_what_rauc_itself_opened_is_held_against_the_epoch(make: Callable[..., Path], rauc: Service) -> None:
    """The file lies where the pages may write: swapped after our look, it is refused all the same."""
    told = rauc("install", make(epoch=2, form="plain"))
    assert told.returncode
    assert installing.why(told.stdout) == ("This update is older than a security hole that was closed here. What ran "
                                           "before runs on.")
    assert rauc.variables()["ORDER"] == "A B"
    assert rauc("install", make(epoch=3, form="plain")).returncode == 0
    assert rauc.variables()["ORDER"] == "B A"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(state=tmp_path / "lib", run=tmp_path / "run")
    bundles.folder(made).mkdir(parents=True)
    db = store.connect(made.store)
    store.migrate(db)
    db.close()
    yield made


def brought(box: Box, path: Path, ground: Ground) -> int:
    db = store.connect(box.store)
    shutil.copy(path, bundles.folder(box) / "new.raucb")
    os.chown(bundles.folder(box) / "new.raucb", 65534, 65534)         # it came by the pages, which are another user
    return bundles.add(db, box, "Anna", "upload", "new.raucb", bundle.look(path, ground), datetime.now(UTC))


def means(box: Box, ground: Ground, folder: Path, ordered: list[str]) -> installing.Means:
    (folder / "cmdline").write_text("ro rauc.slot=A quiet\n")
    return installing.Means(box, ground, ("rauc",), folder / "trial.json", folder / "cmdline",
                            restart=lambda: ordered.append("restart"))


def test_an_installation_that_fails_says_why_and_what_ran_runs_on(make: Callable[..., Path], rauc: Service, box: Box,
                                                                  ground: Ground, folder: Path) -> None:
    if Path("/dev/mapper/control").exists():
        pytest.skip("this kernel has a device mapper, so RAUC installs; tests/run image sees it through")
    ordered: list[str] = []
    row_id, db = brought(box, make(), ground), store.connect(box.store)
    with pytest.raises(FailedError, match="could not be written .*device.* What ran before runs on|mapper"):
        installing.install(db, row_id, lambda percent, said="": None, means(box, ground, folder, ordered))
    row = bundles.read(db, row_id)
    assert row and row.state == "failed" and "What ran before runs on." in str(row.said)
    assert ordered == [] and trial.read(folder / "trial.json") is None and rauc.variables()["ORDER"] == "A B"


def test_without_room_for_the_note_of_the_trial_nothing_is_written_and_that_is_said(
        make: Callable[..., Path], rauc: Service, box: Box, ground: Ground, folder: Path) -> None:
    row_id, db = brought(box, make(), ground), store.connect(box.store)
    full = replace(means(box, ground, folder, []), trial_file=folder / "full" / "trial.json")
    (folder / "full/trial.json.tmp").mkdir(parents=True)
    with pytest.raises(FailedError, match="could not be written .* What ran before runs on"):
        installing.install(db, row_id, lambda percent, said="": None, full)
    row = bundles.read(db, row_id)
    assert row and row.state == "failed" and rauc.variables()["ORDER"] == "A B"


def gate(box: Box, ground: Ground, folder: Path, trouble: str, slot: str) -> tuple[int, list[str]]:
    """A boot from this slot on which all is well, or not."""
    clock, ordered = [0.0], list[str]()
    (folder / "cmdline").write_text(f"ro rauc.slot={slot}\n")

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    return health.gate(health.Means(
        box, (lambda box: trouble,), ground, ("rauc",), folder / "trial.json", folder / "cmdline",
        restart=lambda: ordered.append("restart"), clock=lambda: clock[0], sleep=sleep)), ordered


def on_trial(box: Box, ground: Ground, folder: Path, make: Callable[..., Path], to_slot: str, state: str) -> int:
    row_id, db = brought(box, make(), ground), store.connect(box.store)
    bundles.put(db, row_id, state, from_version="8.0.0")
    trial.begin(trial.Trial(row_id, "8.0.0", "9.0.0", "B" if to_slot == "A" else "A", to_slot), folder / "trial.json")
    return row_id


def test_a_version_that_is_well_is_called_good_and_stays(make: Callable[..., Path], rauc: Service, box: Box,
                                                        ground: Ground, folder: Path) -> None:
    row_id = on_trial(box, ground, folder, make, "A", "installed")
    (folder / "epoch").write_text("0\n")
    assert gate(box, ground, folder, "", "A") == (0, [])
    assert (rauc.variables()["A_OK"], rauc.variables()["A_TRY"]) == ("1", "0")
    row = bundles.read(store.connect(box.store), row_id)
    assert row and row.state == "good" and trial.read(folder / "trial.json") is None
    assert (folder / "epoch").read_text() == "1\n", "what is older than this is not installed any more"


def test_a_version_that_is_not_well_is_never_called_good_and_left(make: Callable[..., Path], rauc: Service, box: Box,
                                                                  ground: Ground, folder: Path) -> None:
    on_trial(box, ground, folder, make, "A", "installed")
    assert gate(box, ground, folder, "Asterisk does not answer.", "A") == (1, ["restart"])
    assert rauc.variables()["A_OK"] == "0" and trial.read(folder / "trial.json") is not None
    assert rauc.variables()["A_TRY"] == "0", "it was not taken out: it would be tried twice more"


def test_a_version_that_was_good_is_not_left_for_a_fault_of_today(rauc: Service, box: Box, ground: Ground,
                                                                  folder: Path) -> None:
    (folder / "trial.json").unlink(missing_ok=True)
    assert gate(box, ground, folder, "The pages do not answer.", "A") == (1, [])
    assert (rauc.variables()["A_OK"], rauc.variables()["A_TRY"]) == ("1", "0"), "three restarts later it would be left"


def test_the_version_before_tells_that_it_came_back_and_the_broken_one_is_not_tried_again(
        make: Callable[..., Path], rauc: Service, box: Box, ground: Ground, folder: Path) -> None:
    row_id = on_trial(box, ground, folder, make, "B", "installed")
    assert gate(box, ground, folder, "", "A") == (0, [])
    row = bundles.read(store.connect(box.store), row_id)
    assert row and (row.state, row.said) == ("went_back", bundles.WENT_BACK)
    assert rauc.variables()["B_OK"] == "0" and rauc.variables()["A_OK"] == "1"


def test_one_that_was_cut_off_while_it_was_written_says_so(make: Callable[..., Path], rauc: Service, box: Box,
                                                           ground: Ground, folder: Path) -> None:
    row_id = on_trial(box, ground, folder, make, "B", "installing")
    gate(box, ground, folder, "", "A")
    row = bundles.read(store.connect(box.store), row_id)
    assert row and row.state == "failed" and "switched off while it was written" in str(row.said)
