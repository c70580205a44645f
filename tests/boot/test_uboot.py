"""U-Boot's script alone, in QEMU: through every state of its block, and through every torn one."""
from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.boot import cards


@pytest.fixture(scope="session")
def two_systems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cards.card_with_two_systems(tmp_path_factory.mktemp("cards"))


@pytest.fixture
def card(two_systems: Path, tmp_path: Path) -> Path:
    return cards.copy(two_systems, tmp_path / "card.img")


def left(order: str, a: str, b: str) -> dict[str, str]:
    return {"BOOT_ORDER": order, "BOOT_A_LEFT": a, "BOOT_B_LEFT": b}


def good(order: str, a: str, b: str) -> bytes:
    return cards.state(**left(order, a, b))


RUBBISH = random.Random(6).randbytes(cards.STATE_BYTES)
FULL = good("B A", "3", "3")
STATES = [
    # what the block holds                  block                                     starts  what it holds then
    ("zeros, a virgin card",                bytes(cards.STATE_BYTES),                 "A", left("A B", "2", "3")),
    ("what an erased card has",             b"\xff" * cards.STATE_BYTES,              "A", left("A B", "2", "3")),
    ("rubbish of another use",              RUBBISH,                                  "A", left("A B", "2", "3")),
    ("a wrong checksum",                    b"\0" + FULL[1:],                         "A", left("A B", "2", "3")),
    ("a flipped bit far behind",            FULL[:-1] + b"\1",                        "A", left("A B", "2", "3")),
    ("nothing, well written",               cards.state(),                            "A", left("A B", "2", "3")),
    ("A first",                             good("A B", "3", "3"),                    "A", left("A B", "2", "3")),
    ("A first, at its last try",            good("A B", "1", "3"),                    "A", left("A B", "0", "3")),
    ("A first, used up",                    good("A B", "0", "3"),                    "B", left("A B", "0", "2")),
    ("B first, just installed",             good("B A", "3", "3"),                    "B", left("B A", "3", "2")),
    ("B first, a second try",               good("B A", "3", "2"),                    "B", left("B A", "3", "1")),
    ("B first, its last try",               good("B A", "2", "1"),                    "B", left("B A", "2", "0")),
    ("B first, used up: rolled back",       good("B A", "3", "0"),                    "A", left("B A", "2", "0")),
    ("both used up, A first",               good("A B", "0", "0"),                    "A", left("A B", "2", "3")),
    ("both used up, B first",               good("B A", "0", "0"),                    "B", left("B A", "3", "2")),
    ("B taken out while it is written",     good("A", "3", "0"),                      "A", left("A", "2", "0")),
    ("B taken out, though it has tries",    good("A", "1", "3"),                      "A", left("A", "0", "3")),
    ("B taken out, A used up",              good("A", "0", "0"),                      "A", left("A B", "2", "3")),
    ("B taken out, A used up, B not",       good("A", "0", "3"),                      "A", left("A B", "2", "3")),
    ("A taken out",                         good("B", "0", "3"),                      "B", left("B", "0", "2")),
    ("A taken out, B used up",              good("B", "0", "0"),                      "B", left("B A", "3", "2")),
    ("both taken out: no order",            cards.state(BOOT_A_LEFT="0", BOOT_B_LEFT="0"), "A", left("A B", "2", "3")),
    ("no order, A used up",                 cards.state(BOOT_A_LEFT="0", BOOT_B_LEFT="2"), "B", left("A B", "0", "1")),
    ("an order alone",                      cards.state(BOOT_ORDER="B A"),            "B", left("B A", "3", "2")),
    ("an empty order",                      good("", "3", "3"),                       "A", left("A B", "2", "3")),
    ("an order of strangers",               good("C D", "3", "3"),                    "A", left("A B", "2", "3")),
    ("an order with a stranger in it",      good("B C", "3", "3"),                    "A", left("A B", "2", "3")),
    ("an order that is a command",          good("A; reset", "3", "3"),               "A", left("A B", "2", "3")),
    ("an order with quotes and signs",      good('" -o ${x} $(', "3", "3"),           "A", left("A B", "2", "3")),
    ("an order that goes on and on",        good("B A " * 60, "3", "3"),              "A", left("A B", "2", "3")),
    ("99 tries",                            good("A B", "99", "3"),                   "A", left("A B", "2", "3")),
    ("tries below zero",                    good("A B", "-1", "3"),                   "A", left("A B", "2", "3")),
    ("tries that are no number",            good("B A", "3", "many"),                 "B", left("B A", "3", "2")),
    ("tries with quotes and signs",         good("A B", '" = "0', "$("),              "A", left("A B", "2", "3")),
    ("tries with a space",                  good("A B", "0 ", "3"),                   "A", left("A B", "2", "3")),
    ("tries in hexadecimal",                good("A B", "0x2", "3"),                  "A", left("A B", "2", "3")),
    ("strange variables, which go",         cards.state(x="y", **left("B A", "3", "3")), "B", left("B A", "3", "2")),
]


@pytest.mark.parametrize(("block", "starts", "then"), [state[1:] for state in STATES], ids=[s[0] for s in STATES])
def test_every_state_starts_a_system_and_counts_it(card: Path, block: bytes, starts: str, then: dict[str, str]) -> None:
    cards.write_state(card, block)
    began = cards.start(card)
    assert began.systems == [starts] and began.up == starts, began.console
    assert cards.variables_of(cards.read_state(card)) == then


def test_new_card_starts_system_a_and_knows_that_b_is_empty(card: Path) -> None:
    assert cards.variables_of(cards.read_state(card)) == left("A B", "3", "0")
    assert cards.start(card).up == "A"
    assert cards.variables_of(cards.read_state(card)) == left("A B", "2", "0")


def test_the_kernel_is_told_its_root_and_its_slot(card: Path) -> None:
    cards.write_state(card, good("B A", "3", "3"))
    console = cards.start(card).console
    assert "root=PARTUUID=de5cbe11-03 rootfstype=ext4 ro rootwait panic=10 rauc.slot=B console=tty0 con" in console
    cards.write_state(card, good("A B", "3", "3"))
    assert "root=PARTUUID=de5cbe11-02 rootfstype=ext4 ro rootwait panic=10 rauc.slot=A" in cards.start(card).console


def test_a_start_writes_its_one_sector_and_nothing_else(card: Path) -> None:
    cards.write_state(card, good("A B", "3", "3"))
    before = card.read_bytes()
    assert cards.start(card).up == "A"
    after = card.read_bytes()
    at = cards.STATE_AT
    assert before[at:at + cards.SECTOR] != after[at:at + cards.SECTOR]
    assert before[:at] == after[:at] and before[at + cards.SECTOR:] == after[at + cards.SECTOR:]


def test_broken_update_is_tried_three_times_and_then_the_old_system_stays(card: Path) -> None:
    cards.write_state(card, good("B A", "3", "3"))
    cards.break_system(card, "B")
    began = cards.start(card, resets=True)
    assert began.systems == ["B", "B", "B", "A"] and began.up == "A"
    assert cards.variables_of(cards.read_state(card)) == left("B A", "2", "0")


def test_power_cuts_use_up_every_try_and_the_box_still_starts(card: Path) -> None:
    cards.write_state(card, good("A B", "3", "0"))
    cards.break_system(card, "B")                          # as on a new card
    tried = [cards.start(card, resets=True).systems for _ in range(5)]     # nobody says that a start was good
    assert tried == [["A"]] * 5
    assert cards.variables_of(cards.read_state(card)) == left("A B", "1", "3")


def test_card_that_takes_no_writes_starts_and_passes_over_a_broken_system(card: Path) -> None:
    cards.write_state(card, good("A B", "0", "0"))
    assert cards.start(card, read_only=True).up == "A"
    cards.break_system(card, "A")
    began = cards.start(card, read_only=True)
    assert began.systems == ["A", "B"] and began.up == "B"


def test_a_system_may_bring_its_own_kernel_arguments(tmp_path: Path) -> None:
    root = cards.made_up_root(tmp_path / "root")
    (root / "boot/slot.env").write_text("slot_args=quiet console=tty0\nBOOT_ORDER=B\nslot=B\n")
    assert cards.assemble(root, tmp_path / "card.img").returncode == 0
    began = cards.start(tmp_path / "card.img")
    assert "rauc.slot=A quiet console=tty0\n" in began.console and began.up == "A"
    assert cards.variables_of(cards.read_state(tmp_path / "card.img"))["BOOT_ORDER"] == "A B"


def torn(old: bytes, new: bytes) -> list[bytes]:
    """The block after each prefix of its 32 sectors was written: none, one, … all. Equal ones once."""
    return list(dict.fromkeys(new[:size] + old[size:] for size in range(0, len(new) + 1, cards.SECTOR)))


def test_write_of_uboot_torn_at_any_sector_leaves_the_old_or_the_new_state(card: Path) -> None:
    old = good("B A", "3", "2")
    cards.write_state(card, old)
    cards.start(card)
    new = cards.read_state(card)
    blocks = torn(old, new)
    assert blocks == [old, new]                            # they differ in one sector, and that is written whole or not
    for block, left_then in zip(blocks, ("1", "0"), strict=True):
        cards.write_state(card, block)
        assert cards.start(card).up == "B"
        assert cards.variables_of(cards.read_state(card)) == left("B A", "3", left_then)


@pytest.mark.parametrize("sectors", range(33))
def test_first_write_over_rubbish_torn_at_any_sector_starts_as_if_new(card: Path, sectors: int) -> None:
    size = sectors * cards.SECTOR
    cards.write_state(card, good("A B", "2", "3")[:size] + RUBBISH[size:])
    assert cards.start(card).up == "A"
    assert cards.variables_of(cards.read_state(card)) == left("A B", "1" if sectors == 32 else "2", "3")


# What RAUC sets while it writes slot B, one after the other, and which system starts after a cut there.
INSTALL = [("BOOT_ORDER", "A", "A"), ("BOOT_B_LEFT", "0", "A"), ("BOOT_B_LEFT", "3", "A"), ("BOOT_ORDER", "B A", "B")]


def fw(command: str, card: Path, *arguments: str) -> str:
    """fw_setenv or fw_printenv, with which RAUC reads and writes the block, on a card that is a file."""
    plan = (cards.REPO / "image/boot/fw_env.config").read_text()
    assert plan.count("/dev/deskbell-disk ") == 1
    config = card.with_suffix(".config")
    config.write_text(plan.replace("/dev/deskbell-disk", str(card)))
    done = subprocess.run([command, "-c", config, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_rauc_writes_is_understood_by_uboot_and_the_other_way_round(card: Path) -> None:
    assert cards.start(card).up == "A"
    assert fw("fw_printenv", card).splitlines() == ["BOOT_A_LEFT=2", "BOOT_B_LEFT=0", "BOOT_ORDER=A B"]
    for name, value, _ in INSTALL:
        fw("fw_setenv", card, name, value)
    assert cards.variables_of(cards.read_state(card)) == left("B A", "2", "3")
    assert cards.start(card).up == "B"
    assert fw("fw_printenv", card, "BOOT_B_LEFT") == "BOOT_B_LEFT=2\n"


def test_each_write_of_an_install_torn_at_any_sector_leaves_the_old_or_the_new_state(card: Path) -> None:
    cards.start(card)
    for name, value, starts in INSTALL:
        old = cards.read_state(card)
        fw("fw_setenv", card, name, value)
        new = cards.read_state(card)
        assert torn(old, new) in ([old, new], [old])
        assert cards.start(card).up == starts
        cards.write_state(card, new)


def test_the_block_is_readable_after_both_slots_were_taken_out(card: Path) -> None:
    fw("fw_setenv", card, "BOOT_ORDER", "")
    fw("fw_setenv", card, "BOOT_A_LEFT", "0")
    assert cards.start(card).up == "A"
    assert cards.variables_of(cards.read_state(card)) == left("A B", "2", "3")
