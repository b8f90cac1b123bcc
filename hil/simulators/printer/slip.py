"""What came out of the printer: one sheet between two cuts."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from PIL import Image


@dataclass(frozen=True, slots=True)
class PrintedCode:
    """A bar code that the printer drew.

    Attributes:
        symbology: CODE128 EAN13 EAN8 UPCA UPCE CODE39 ITF CODABAR QRCODE.
        data: The text that a scanner would send.
    """

    symbology: str
    data: str


@dataclass(frozen=True)
class Slip:
    """A torn or cut sheet.

    Attributes:
        id: 1, 2, 3 … in the order of cutting.
        lines: Text, one string a printed line, without alignment; unknown bytes as ‹1B 7F›.
        codes: Bar codes in the order of printing.
        cut: `full`, `partial` or `none` (torn off).
        raw_byte_count: Bytes executed since the cut before.
        unknown: Commands that the printer does not know, as hex.
        drawer_kicks: Cash drawer pulses since the cut before.
        image: One-bit picture, as wide as the print area.
        printed_at: `time.monotonic()` at the cut, in seconds.
    """

    id: int
    lines: Sequence[str]
    codes: Sequence[PrintedCode]
    cut: str
    raw_byte_count: int
    unknown: Sequence[str]
    drawer_kicks: int
    printed_at: float
    image: Image.Image = field(repr=False, compare=False)

    @property
    def text(self) -> str:
        """Return the lines joined."""
        return "\n".join(self.lines)

    @cached_property
    def png(self) -> bytes:
        """Return the picture as PNG, one pixel a dot."""
        out = io.BytesIO()
        self.image.save(out, "PNG")
        return out.getvalue()
