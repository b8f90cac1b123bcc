"""Lines drawn as pictures, for printers without a Han font. The only module here that uses Pillow, and only when used.

Every character is drawn into its cells, so that columns stay as the layout set them.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.escpos.bitmap import Bitmap
from drivers.escpos.layout import Line, width_of
from drivers.escpos.profile import Profile
from pos_agent.domain.screen import cell_width
from pos_agent.domain.slip import Align
from pos_agent.errors import ConfigValueError, UnencodableError

if TYPE_CHECKING:
    from PIL import ImageFont

#: White rows under each line, so that drawn lines are spaced as printed ones.
LEADING_DOTS = 6
_PLACEHOLDER = "〓"
#: No font has a glyph for a noncharacter: what is drawn for it is the font's "missing glyph" box.
_NONCHARACTER = "\uffff"


class LineRasterizer:
    """Draws lines and QR codes at the paper's full width.

    Construction opens nothing; Pillow and the font are loaded by the first line drawn.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._glyph = lru_cache(maxsize=2048)(self._draw_glyph)
        self._font: ImageFont.FreeTypeFont | None = None
        self._missing: dict[int, bytes] = {}

    def line(self, line: Line) -> Bitmap:
        """Draw one line.

        Raises:
            UnencodableError: A critical line holds a character that the font lacks.
            ConfigValueError: No font file (checked before by `check_drawing` where every line is drawn).
        """
        from PIL import Image  # noqa: PLC0415 - 18 ms and 5 MB that other text modes never pay

        width, cell = self._profile.width_dots, self._profile.cell_dots
        picture = Image.new("1", (width, cell * 2 * line.height + LEADING_DOTS))
        used = width_of(line.text, cell_width) * cell * line.width
        left = {Align.LEFT: 0, Align.CENTER: (width - used) // 2, Align.RIGHT: width - used}[line.align]
        for character in line.text:
            cells = cell_width(character)
            if character != " ":
                glyph = self._glyph(self._known(character, line), cells, line.width, line.height, line.bold)
                picture.paste(glyph, (left, 0))
            left += cells * cell * line.width
        return Bitmap(width // 8, picture.tobytes())

    def qr(self, text: str, module_dots: int) -> Bitmap:
        """Draw a QR code, error correction M, in the middle of the paper.

        Raises:
            UnencodableError: The extra "escpos" is missing, or the code is wider than the paper.
        """
        try:
            import qrcode  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, for printers that cannot draw the code themselves
        except ImportError as error:
            raise UnencodableError("drawing QR codes needs the extra escpos") from error
        from PIL import Image  # noqa: PLC0415

        code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
        code.add_data(text.encode())
        code.make()
        modules = code.get_matrix()
        if len(modules) * module_dots > self._profile.width_dots:
            raise UnencodableError("QR code wider than the paper")
        small = Image.new("1", (len(modules), len(modules)))
        small.putdata([255 if dark else 0 for row in modules for dark in row])
        large = small.resize((len(modules) * module_dots,) * 2, Image.Resampling.NEAREST)
        picture = Image.new("1", (self._profile.width_dots, large.height))
        picture.paste(large, ((picture.width - large.width) // 2, 0))
        return Bitmap(picture.width // 8, picture.tobytes())

    def _known(self, character: str, line: Line) -> str:
        if not self._is_missing(character):
            return character
        if line.is_critical:
            raise UnencodableError(f"font lacks U+{ord(character):04X} of a critical line")
        return _PLACEHOLDER if cell_width(character) == 2 else "?"

    def _is_missing(self, character: str) -> bool:
        font = self._loaded_font()
        if not self._missing:
            self._missing[0] = bytes(font.getmask(_NONCHARACTER, mode="1"))
        return bytes(font.getmask(character, mode="1")) == self._missing[0]

    def _draw_glyph(self, character: str, cells: int, width: int, height: int, bold: bool) -> Any:
        from PIL import Image, ImageDraw  # noqa: PLC0415

        font = self._loaded_font()
        box = (cells * self._profile.cell_dots, self._profile.cell_dots * 2)
        # A letter that is wider than its cell (M, W) is drawn whole and made narrower: cut off, M would read as N.
        drawn_width = max(box[0], ceil(font.getlength(character)) + bold)
        glyph = Image.new("1", (drawn_width, box[1]))
        draw = ImageDraw.Draw(glyph)
        draw.fontmode = "1"
        left = (drawn_width - bold - round(font.getlength(character))) // 2
        baseline = box[1] * 7 // 8
        draw.text((left, baseline), character, fill=1, font=font, anchor="ls")
        if bold:
            draw.text((left + 1, baseline), character, fill=1, font=font, anchor="ls")
        return glyph.resize((box[0] * width, box[1] * height), Image.Resampling.NEAREST)

    def _loaded_font(self) -> "ImageFont.FreeTypeFont":
        if self._font is None:
            self._font = _load_font(self._profile.fonts, self._profile.cell_dots * 2 - 2)
        return self._font


def can_draw(profile: Profile) -> bool:
    """Return True if a font of the profile exists and Pillow is installed; neither is loaded."""
    return find_font(profile.fonts) is not None and find_spec("PIL") is not None


def check_drawing(profile: Profile) -> None:
    """Say at start what would otherwise refuse every slip.

    Raises:
        ConfigValueError: No font file of the profile exists, or Pillow is not installed.
    """
    if can_draw(profile):
        return
    key = "devices.printer.profile"
    if find_font(profile.fonts) is None:
        hint = "install the Debian package fonts-wqy-zenhei"
        raise ConfigValueError("no font to draw lines with", key=key, origin=profile.profile_id, hint=hint)
    hint = "install pos-agent[escpos]"
    raise ConfigValueError("drawing lines needs Pillow", key=key, origin=profile.profile_id, hint=hint)


def find_font(fonts: Sequence[str]) -> Path | None:
    """Return the first font file that exists."""
    return next((Path(name) for name in fonts if Path(name).is_file()), None)


def _load_font(fonts: Sequence[str], size: int) -> "ImageFont.FreeTypeFont":
    found = find_font(fonts)
    if found is None:
        key = "devices.printer.profile"
        raise ConfigValueError("none of the font files exists", key=key, origin="fonts", hint=", ".join(fonts))
    from PIL import ImageFont  # noqa: PLC0415

    return ImageFont.truetype(str(found), size)
