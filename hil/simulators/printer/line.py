"""The print buffer: characters and column graphics of one line, composed to a strip when the line is printed."""

from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageDraw

from hil.simulators.printer.fonts import FONT_A, FONT_B, HAN, glyph
from hil.simulators.printer.text import Character


@dataclass
class Style:
    """How characters look and where the line stands; `ESC @` makes a new one.

    Attributes:
        align: 0 left, 1 centre, 2 right.
        area_dots: Print area of `GS W`, None = up to the right edge.
        ank_size, kanji_size: (width, height) multipliers.
    """

    is_font_b: bool = False
    is_bold: bool = False
    underline: int = 0
    kanji_underline: int = 0
    is_reverse: bool = False
    align: int = 0
    ank_size: tuple[int, int] = (1, 1)
    kanji_size: tuple[int, int] = (1, 1)
    right_space_dots: int = 0
    line_spacing_dots: int = 30
    margin_dots: int = 0
    area_dots: int | None = None
    tabs: tuple[int, ...] = field(default_factory=lambda: tuple(range(8, 256, 8)))


class Line:
    """The line that is being filled."""

    def __init__(self) -> None:
        self._items: list[tuple[int, Image.Image]] = []
        self._text: list[str] = []
        self.width_dots = 0

    @property
    def is_empty(self) -> bool:
        """Return whether nothing waits to be printed (a position set by `ESC $` is nothing)."""
        return not self._items

    @property
    def text(self) -> str:
        """Return the characters so far."""
        return "".join(self._text)

    def put(self, item: Image.Image, text: str = "") -> None:
        """Add a picture at the current position."""
        self._items.append((self.width_dots, item))
        self._text.append(text)
        self.width_dots += item.width

    def move_to(self, x_dots: int) -> None:
        """Go to a position from the left margin; the text gets the blanks that fit."""
        blanks = (x_dots - self.width_dots) // FONT_A[0]
        self._text.append(" " * max(0, blanks))
        self.width_dots = max(0, x_dots)

    def compose(self, paper_width_dots: int, style: Style) -> Image.Image:
        """Return the strip: items on a common base line, aligned in the print area."""
        height = max(item.height for _, item in self._items)
        strip = Image.new("1", (paper_width_dots, height), 1)
        left = style.margin_dots + aligned(self.width_dots, area_of(style, paper_width_dots), style.align)
        for x, item in self._items:
            strip.paste(item, (left + x, height - item.height))
        return strip


def area_of(style: Style, paper_width_dots: int) -> int:
    """Return the width that may be printed, in dots."""
    room = max(1, paper_width_dots - style.margin_dots)
    return room if style.area_dots is None else min(room, max(1, style.area_dots))


def aligned(width: int, area: int, align: int) -> int:
    """Return the offset of something `width` dots wide."""
    return max(0, (area - width) * align // 2)


def draw_character(character: Character, style: Style) -> Image.Image:
    """Return the cell of a character in the current style."""
    cell = HAN if character.is_kanji else FONT_B if style.is_font_b else FONT_A
    magnify = style.kanji_size if character.is_kanji else style.ank_size
    picture = glyph(character.text, cell, magnify, is_bold=style.is_bold)
    underline = style.kanji_underline if character.is_kanji else style.underline
    if not (style.right_space_dots or underline or style.is_reverse):
        return picture
    whole = Image.new("1", (picture.width + style.right_space_dots * magnify[0], picture.height), 1)
    whole.paste(picture, (0, 0))
    if underline:
        top = whole.height - underline
        ImageDraw.Draw(whole).rectangle((0, top, whole.width, whole.height), fill=0)
    return ImageChops.invert(whole.convert("L")).convert("1") if style.is_reverse else whole
