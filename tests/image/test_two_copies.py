"""Two cards flashed from one image, in one shop, no text file on them: two boxes that share no secret."""
from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.image.card import Card
from tests.image.lan import Lan, wait_until
from tests.image.machine import BOOT_LIMIT_S, Machine
from tests.image.test_first_boot import visited

# What is made at the first start and must differ, by a command that prints it whole.
OWN = {
    "name": "cat /proc/sys/kernel/hostname",
    "machine id": "cat /etc/machine-id",
    "code of the first run": "cat /var/lib/deskbell/sticker.txt",
    "key of its authority": "find /var/lib/deskbell -name authority.pem -exec cat {} + | grep -v -- ----- | head -n 3",
    "secret of telephone 101": "grep -h ^password /etc/deskbell/asterisk/pjsip_box.conf",
}


@pytest.fixture(scope="module")
def boxes(image: Path, lan: Lan, folder: Path) -> Iterator[list[Machine]]:
    with ExitStack() as all_off:
        yield [all_off.enter_context(Machine(Card.flashed(image, folder / f"card{n}.img").file, lan, folder, cores=1,
                                             mac=f"52:54:00:77:01:0{n}")) for n in (1, 2)]


def test_two_boxes_share_neither_name_nor_key_nor_code(boxes: list[Machine]) -> None:
    owners = [wait_until(lambda box=box: visited(box), BOOT_LIMIT_S, box.console()[-600:])    # type: ignore[misc]
              for box in boxes]
    assert owners[0].authority != owners[1].authority
    for what, command in OWN.items():
        one, two = (box.run(command) for box in boxes)
        assert one and two and one != two, f"{what}: {one[:8]!r} and {two[:8]!r}"
        if what == "name":
            assert all(re.fullmatch(r"deskbell-[0-9a-f]{4}", name) for name in (one, two))
