"""The paper under the head: what was printed where, until it is cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from hil.simulators.printer.slip import PrintedCode


@dataclass(frozen=True)
class Sheet:
    """What a cut separates."""

    lines: Sequence[str]
    codes: Sequence[PrintedCode]
    image: Image.Image


class Paper:
    """A strip of paper of `width_dots`; y grows with the feed, 0 = the last cut.

    Attributes:
        fed_dots: Feed since power-on, in dots; what the engine charges time and paper for.
    """

    def __init__(self, width_dots: int) -> None:
        self.width_dots = width_dots
        self.fed_dots = 0
        self._y = 0
        self._strips: list[tuple[int, Image.Image]] = []
        self._lines: list[tuple[int, str]] = []
        self._codes: list[tuple[int, PrintedCode]] = []

    def feed(self, dots: int) -> None:
        """Move the paper."""
        self._y += dots
        self.fed_dots += dots

    def print_strip(self, strip: Image.Image) -> None:
        """Print a picture, and move the paper by its height."""
        self._strips.append((self._y, strip))
        self.feed(strip.height)

    def note_line(self, text: str) -> None:
        """Remember the text of the line that is printed here."""
        self._lines.append((self._y, text))

    def note_code(self, code: PrintedCode) -> None:
        """Remember the bar code that is printed here."""
        self._codes.append((self._y, code))

    @property
    def lines(self) -> list[str]:
        """Return the text since the last cut."""
        return _trimmed([text for _, text in self._lines])

    @property
    def codes(self) -> list[PrintedCode]:
        """Return the bar codes since the last cut."""
        return [code for _, code in self._codes]

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was printed since the last cut."""
        return not self._strips and not self._lines

    def snapshot(self) -> Image.Image:
        """Return the picture of the paper since the last cut."""
        return self._picture(0, self._y)

    def cut(self, behind_head_dots: int) -> Sheet:
        """Cut where the knife is: what is still between knife and head stays for the next sheet."""
        at = max(0, self._y - behind_head_dots)
        sheet = Sheet(
            lines=_trimmed([text for y, text in self._lines if y < at]),
            codes=[code for y, code in self._codes if y < at],
            image=self._picture(0, at),
        )
        self._strips = [(y - at, strip) for y, strip in self._strips if y + strip.height > at]
        self._lines = [(y - at, text) for y, text in self._lines if y >= at]
        self._codes = [(y - at, code) for y, code in self._codes if y >= at]
        self._y -= at
        return sheet

    def _picture(self, top: int, bottom: int) -> Image.Image:
        picture = Image.new("1", (self.width_dots, max(1, bottom - top)), 1)
        for y, strip in self._strips:
            picture.paste(strip, (0, y - top))
        return picture


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return [line.rstrip() for line in lines]
