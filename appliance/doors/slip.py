"""The call slip on a receipt printer that speaks ESC/POS: who rang, where they live, what was last noted.

Letters that every such printer has (code page 437) are sent as text, a line with others as a picture: printers number
their further code pages each in its own way. Where no font of this box has the letters, the slip says so.
"""
from __future__ import annotations

import textwrap
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from appliance.networks import PRINTER

if TYPE_CHECKING:
    from escpos.escpos import Escpos  # type: ignore[import-untyped]
    from PIL.Image import Image

WIDTH = 32               # letters of a 58 mm roll; a wide one leaves room at the right
DOTS = 384
PICTURE_PT = 24
ANSWER_S = 10.0
MOST_NOTE = 600
FONTS = tuple(Path("/usr/share/fonts") / name for name in (
    "truetype/wqy/wqy-zenhei.ttc", "truetype/droid/DroidSansFallbackFull.ttf",
    "opentype/noto/NotoSansCJK-Regular.ttc", "truetype/dejavu/DejaVuSans.ttf", "truetype/freefont/FreeSans.ttf"))
NO_LETTERS = "(letters this printer lacks: see the screen)"


class PrinterError(Exception):
    """The slip did not come out; the text says why."""


@dataclass(frozen=True)
class Slip:
    """What stands on it. number: as the region writes it; an empty text leaves its lines out."""
    shop: str
    name: str
    number: str
    address: str
    note: str
    at: datetime


def printer(address: str) -> Escpos:
    """The printer at "tcp://192.168.2.9:9100" or "file:///dev/usb/lp0", not opened yet."""
    # Here: an office without a printer spares their many modules.
    from escpos.printer import File, Network  # type: ignore[import-untyped]

    found = PRINTER.fullmatch(address)
    if found is None:
        raise PrinterError(f"{address!r} is no printer.")
    if found["device"]:
        return File(found["device"])
    return Network(found["host"], int(found["port"] or 9100), timeout=ANSWER_S)


def send(to: Escpos, slip: Slip, zone: ZoneInfo, fonts: tuple[Path, ...] = FONTS) -> None:
    """Prints it. Blocks for as long as the printer takes it in. Raises PrinterError."""
    from escpos.exceptions import Error  # type: ignore[import-untyped]

    try:
        to.open()
        to._raw(b"\x1b@\x1bt\x00")           # ESC @: as it was switched on; ESC t 0: code page 437
        _write(to, slip.shop, fonts)
        _write(to, f"{slip.at.astimezone(zone):%Y-%m-%d %H:%M}", fonts)
        to._raw(b"\n")
        _write(to, slip.name, fonts, is_large=True)
        _write(to, slip.number, fonts, is_large=True)
        _write(to, slip.address, fonts)
        if slip.note:
            to._raw(b"\n")
            _write(to, slip.note[:MOST_NOTE], fonts)
        to._raw(b"\n" * 5 + b"\x1dV\x01")    # room for a hand, then GS V: cut; a printer without a knife minds nothing
        to.close()
    except (OSError, Error) as refused:
        raise PrinterError(f"The receipt printer does not answer ({_short(refused)}).") from refused


def _write(to: Escpos, text: str, fonts: tuple[Path, ...], is_large: bool = False) -> None:
    for line in text.splitlines():
        for part in textwrap.wrap(line.replace("\u00a0", " ").replace("\u2011", "-"), WIDTH) or [""]:
            try:
                plain = part.encode("cp437")
            except UnicodeEncodeError:
                _draw(to, part, fonts, is_large)
                continue
            large = b"\x11" if len(plain) <= WIDTH // 2 else b"\x01"      # GS !: twice as wide and high, or high
            to._raw(b"\x1d!" + (large if is_large else b"\x00") + plain + b"\n\x1d!\x00")


def _draw(to: Escpos, text: str, fonts: tuple[Path, ...], is_large: bool) -> None:
    picture = drawn(text, fonts, PICTURE_PT * 2 if is_large else PICTURE_PT)
    if picture is None:
        to._raw(NO_LETTERS.encode() + b"\n")
    else:
        to.image(picture, impl="bitImageRaster", center=False)


def drawn(text: str, fonts: tuple[Path, ...], size_pt: int) -> Image | None:
    """The text black on white, made smaller where the roll is too narrow; None when no font has all its letters."""
    from PIL import Image, ImageDraw, ImageFont

    for path in fonts:
        if not path.exists():
            continue
        font = ImageFont.truetype(str(path), size_pt)
        if not _has(font, text):
            continue
        left, top, right, bottom = font.getbbox(text)
        picture = Image.new("1", (max(1, int(right)), max(1, int(bottom) + 4)), 1)
        ImageDraw.Draw(picture).text((0, 0), text, font=font, fill=0)
        if picture.width > DOTS:
            picture = picture.resize((DOTS, max(1, picture.height * DOTS // picture.width)))
        return picture
    return None


def _has(font: Any, text: str) -> bool:
    """Whether the font has every letter: one it lacks looks like the one that no font has."""
    missing = bytes(font.getmask("\U0010ffff"))
    return all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in text)


def _short(refused: Exception) -> str:
    return " ".join(str(refused).split("\n")[-1].split())[:80]
