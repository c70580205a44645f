"""The small ring of the journal on the card: bounded, whatever screams."""
from __future__ import annotations

from pathlib import Path

from appliance.box import ring


def test_two_files_of_a_megabyte_are_all_that_is_ever_kept(tmp_path: Path) -> None:
    for number in range(60):
        ring.add(tmp_path, f"{number:06} something went wrong\n".encode() * 5000)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) == {"box.log", "box.log.1"}
    assert all(size <= ring.FULL_BYTES for size in sizes.values())
    assert "000059 something" in (tmp_path / "box.log").read_text(), "the newest stay"


def test_a_program_that_screams_does_not_push_out_what_was_before(tmp_path: Path) -> None:
    ring.add(tmp_path, b"the disk has errors\n")
    ring.add(tmp_path, b"again and again\n" * 1_000_000)
    text = (tmp_path / "box.log").read_text()
    assert text.startswith("the disk has errors\n(") and "bytes of this time were left out)" in text
    assert len(text) < ring.MOST_BYTES + 200


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    assert ring.add(tmp_path, b"") == 0
    assert list(tmp_path.iterdir()) == []


def test_warnings_of_all_and_every_word_of_ours_are_asked_for() -> None:
    asked = ring.question(Path("cursor"))
    assert "PRIORITY=4" in asked and "PRIORITY=5" not in asked
    assert asked[asked.index("_SYSTEMD_UNIT=deskbell-calls.service") - 1] == "+"
