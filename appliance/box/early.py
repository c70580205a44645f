"""What runs before /data is mounted, at each start: a program of its own, since importing the house takes seconds.

`python3 -m appliance.box.early data` makes the partition ready; `reset` does the reset that was asked for and makes
the folders. Both end well whatever is wrong: nothing may stop the telephones.
"""
from __future__ import annotations

import sys

from appliance.box import data_partition, reset_asked
from appliance.box.boot_notes import slot, tell
from appliance.box.places import Places

NOT_DONE = ("The factory reset was not done, or not wholly ({0}). Calls ring. It is tried again at the next start. "
            "Have everything deleted, or put a new card in.")


def data(places: Places) -> None:
    """The card's last partition, grown and mended; what is wrong is left for the report.

    And which system runs: the kernel's command line is hidden from the pages.
    """
    try:
        said = data_partition.prepare(data_partition.own_disk())
    except data_partition.DataError as refused:
        said = [str(refused)]
    for sentence in said:
        print(sentence, file=sys.stderr)
    tell(places, "data", {"said": said})
    tell(places, "slot", {"slot": slot()})


def reset(places: Places) -> None:
    """The reset, if one was asked for, and the folders that are mounted where the daemons look for them."""
    what = reset_asked.pending(places, is_held=reset_asked.is_button_held())
    if what:
        from appliance.box import reset as doing  # the house is imported only now
        try:
            doing.carry_out(places, what)
        except OSError as refused:
            sentence = NOT_DONE.format(refused)
            print(sentence, file=sys.stderr)
            tell(places, "reset", {"said": [sentence]})
    data_partition.make_folders(places.data)


if __name__ == "__main__":
    {"data": data, "reset": reset}[sys.argv[1]](Places())
