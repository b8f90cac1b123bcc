"""Lines drawn as pictures, for printers without a Han font and for characters that a printer lacks.

Every character is drawn into its cells from the bundled font, so that columns stay as the layout set them and the same
slip gives the same dots on every till. At 12 × 24 dots a cell (16 → 24) every stroke is two dots wide: see
`drivers.fonts.scale`.
"""

from functools import lru_cache
from importlib.util import find_spec

from drivers.escpos.bitmap import Bitmap
from drivers.escpos.layout import Line, width_of
from drivers.escpos.profile import Profile
from drivers.fonts.cells import CELL_DOTS, Glyph, bundled_font
from drivers.fonts.scale import stretch_bits, stretch_rows
from pos_agent.domain.screen import cell_width
from pos_agent.domain.slip import Align
from pos_agent.errors import UnencodableError

#: White rows under each line, so that drawn lines are spaced as printed ones.
LEADING_DOTS = 6
_PLACEHOLDERS = {1: "?", 2: "〓"}


class LineRasterizer:
    """Draws lines and QR codes at the paper's full width; the font is mapped by the first line drawn."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._drawn = lru_cache(maxsize=512)(self._draw)

    def line(self, line: Line) -> Bitmap:
        """Draw one line.

        Raises:
            UnencodableError: A critical line holds a character that the font lacks.
        """
        width, height = self._profile.width_dots, self._profile.cell_dots * 2 * line.height
        used = width_of(line.text, cell_width) * self._profile.cell_dots * line.width
        right = {Align.LEFT: width - used, Align.CENTER: (width - used + 1) // 2, Align.RIGHT: 0}[line.align]
        rows = [0] * height
        for character in line.text:
            self._check(character, line)
            cells, drawn = self._drawn(character, line.width, line.height, line.bold)
            step = cells * self._profile.cell_dots * line.width
            rows = [row << step | dots for row, dots in zip(rows, drawn, strict=True)]
        # What does not fit on the paper is cut off at the right; the layout never lets that happen.
        shifted = [row << right if right >= 0 else row >> -right for row in rows] + [0] * LEADING_DOTS
        return Bitmap(width // 8, b"".join(row.to_bytes(width // 8, "big") for row in shifted))

    def qr(self, text: str, module_dots: int) -> Bitmap:
        """Draw a QR code, error correction M, in the middle of the paper.

        Raises:
            UnencodableError: The extra "escpos" is missing, or the code is wider than the paper.
        """
        try:
            import qrcode  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, for printers that cannot draw the code themselves
        except ImportError as error:
            raise UnencodableError("drawing QR codes needs the extra escpos") from error
        code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
        code.add_data(text.encode())
        try:
            code.make()
        except (ValueError, qrcode.exceptions.DataOverflowError) as error:
            # Too long for any version; or all zeros, on which the library's division fails.
            raise UnencodableError(f"QR code of {len(text)} characters cannot be drawn") from error
        modules = code.get_matrix()
        width = self._profile.width_dots
        used = len(modules) * module_dots
        if used > width:
            raise UnencodableError("QR code wider than the paper")
        rows = []
        for row in modules:
            dots = "".join(("1" if dark else "0") * module_dots for dark in row)
            drawn = int(dots, 2) << (width - used) // 2
            rows.append(drawn.to_bytes(width // 8, "big") * module_dots)
        return Bitmap(width // 8, b"".join(rows))

    def _check(self, character: str, line: Line) -> None:
        if line.is_critical and character != " " and bundled_font().find(character) is None:
            raise UnencodableError(f"font lacks U+{ord(character):04X} of a critical line")

    def _draw(self, character: str, width: int, height: int, bold: bool) -> tuple[int, list[int]]:
        """Return the cells of a character and its rows of dots."""
        glyph = bundled_font().find(character) or _placeholder(character)
        dots = glyph.cells * CELL_DOTS
        target = glyph.cells * self._profile.cell_dots * width
        rows = [
            stretch_bits(row, dots, target) for row in stretch_rows(glyph.rows, self._profile.cell_dots * 2 * height)
        ]
        return glyph.cells, [row | row >> 1 for row in rows] if bold else rows


def can_draw_qr() -> bool:
    """Return True if QR codes can be drawn; nothing is loaded."""
    return find_spec("qrcode") is not None


def _placeholder(character: str) -> Glyph:
    glyph = bundled_font().find(_PLACEHOLDERS[cell_width(character)])
    if glyph is None:
        raise UnencodableError("font lacks its own placeholder")
    return glyph
