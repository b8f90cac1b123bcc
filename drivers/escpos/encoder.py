"""Slip document → the bytes of one print job. Pure: the same document and profile give the same bytes.

A job starts with ``ESC @`` and ``FS .`` (printers sold in China start in Han mode and go back to it at every ``ESC @``;
devices.md section 1) and ends with the document's last cut. All commands: Epson ESC/POS Command Reference, by name.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

from drivers.escpos.bitmap import Bitmap, code128_c_modules, draw_modules
from drivers.escpos.layout import Line, lines_of
from drivers.escpos.profile import CutMode, Profile, TextMode
from pos_agent.domain.screen import cell_width
from pos_agent.domain.slip import Align, Barcode, Cut, Feed, QrCode, Row, Rule, SlipDocument, Text
from pos_agent.errors import UnencodableError

ESC, FS, GS, LF = b"\x1b", b"\x1c", b"\x1d", b"\n"
INITIALIZE = ESC + b"@"
HAN_ON, HAN_OFF = FS + b"&", FS + b"."
#: What stands for a character that cannot be shown on a line that may lose one: 〓 in Han mode (GB 2312 A1 FE, the
#: trade's mark for "glyph missing"), ? in code pages. It is never used on a critical line.
PLACEHOLDER_HAN, PLACEHOLDER_LATIN = "〓", "?"
#: Dots of a module of Code 128: 2 is the smallest that ``GS w`` takes; 22 digits make 312 dots and 40 of quiet zone.
MODULE_DOTS = 2
#: Rows of one ``GS v 0``: small clones choke on tall rasters (devices.md section 1: 100 rows go everywhere).
BAND_ROWS = 96
#: Real-time commands act wherever they stand, even inside a bar code's data: the pairs 16 20 01 would open the cash
#: drawer (DLE DC4), 16 05 would recover or clear (DLE ENQ). Such a number is drawn instead.
REAL_TIME = re.compile(rb"\x10[\x05\x14]")
_ALIGN = {Align.LEFT: 0, Align.CENTER: 1, Align.RIGHT: 2}

#: Draws a line at the paper's full width.
#: Raises UnencodableError for a critical line if the font lacks a glyph; on others it draws a placeholder.
Rasterize = Callable[[Line], Bitmap]
#: Draws a QR code of the given text, module size in dots, at the paper's full width.
RasterizeQr = Callable[[str, int], Bitmap]


def encode(
    document: SlipDocument,
    profile: Profile,
    *,
    rasterize: Rasterize | None = None,
    rasterize_qr: RasterizeQr | None = None,
) -> bytes:
    """Return all bytes of a job, from initialisation to the last cut.

    Args:
        document: What to print.
        profile: What the printer can do.
        rasterize: Draws lines that the printer's fonts cannot show; None = there is no font file.
        rasterize_qr: Draws QR codes for printers that cannot; None = the text is printed instead.
    Raises:
        UnencodableError: A critical line cannot be shown exactly: the slip is refused rather than printed wrong.
    """
    return _Encoder(profile, rasterize, rasterize_qr).job(document)


@lru_cache(maxsize=4096)
def is_han_pair(character: str) -> bool:
    """Return True if the character has a two-byte GB18030 code that is no private-use position.

    Four-byte codes print as garbage on printers that know GBK only (devices.md section 1).
    """
    try:
        code = character.encode("gb18030")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and not "\ue000" <= character <= "\uf8ff"


@lru_cache(maxsize=4096)
def _has_code(character: str) -> bool:
    return character.isascii() or is_han_pair(character)


@lru_cache(maxsize=4096)
def _han_cells(character: str) -> int:
    """Return the cells in the printer's Han font, which is not always the East Asian width ("·" takes two)."""
    return 2 if is_han_pair(character) and not character.isascii() else cell_width(character)


_east_asian_cells = lru_cache(maxsize=4096)(cell_width)


class _Encoder:
    """One job under way; the style that the printer is in is tracked so that only changes are sent."""

    def __init__(self, profile: Profile, rasterize: Rasterize | None, rasterize_qr: RasterizeQr | None) -> None:
        self._profile = profile
        self._rasterize = rasterize if profile.has_raster else None
        self._rasterize_qr = rasterize_qr if profile.has_raster else None
        self._cells_of = _han_cells if profile.text_mode is TextMode.GB18030 else _east_asian_cells
        self._out = bytearray()
        self._align = Align.LEFT
        self._size = (1, 1)
        self._bold = False

    def job(self, document: SlipDocument) -> bytes:
        self._out += INITIALIZE + HAN_OFF
        if self._profile.text_mode is TextMode.CODEPAGE:
            self._out += ESC + b"t" + bytes([self._profile.code_page_number])
        for block in document.blocks:
            self._block(block)
        return bytes(self._out)

    def _block(self, block: Text | Row | Rule | Barcode | QrCode | Feed | Cut) -> None:
        match block:
            case Text() | Row() | Rule():
                for line in lines_of(block, self._profile.columns, self._cells_of):
                    self._line(line)
            case Barcode():
                self._barcode(block)
            case QrCode():
                self._qr(block)
            case Feed():
                self._feed(block.lines)
            case Cut():
                self._cut()

    # -- text -------------------------------------------------------------------------------------------------

    def _line(self, line: Line) -> None:
        encoded = None if self._profile.text_mode is TextMode.RASTER else self._text_bytes(line.text)
        if encoded is None and self._rasterize is not None:
            self._picture(self._rasterize(line))
            return
        if encoded is None:
            if line.is_critical:
                raise UnencodableError(f"profile={self._profile.profile_id}: a critical line has no code")
            encoded = self._text_bytes(self._with_placeholders(line.text)) or b""
        self._style(line.align, (line.width, line.height), line.bold)
        self._out += encoded + LF

    def _text_bytes(self, text: str) -> bytes | None:
        """Return the bytes of a line, None if a character has no code."""
        if self._profile.text_mode is TextMode.CODEPAGE:
            try:
                return text.encode(self._profile.code_page)
            except UnicodeEncodeError:
                return None
        if not all(map(_has_code, text)):
            return None
        runs = groupby(text, str.isascii)
        return b"".join(self._run(is_ascii, "".join(run)) for is_ascii, run in runs)

    @staticmethod
    def _run(is_ascii: bool, text: str) -> bytes:
        return text.encode("ascii") if is_ascii else HAN_ON + text.encode("gb18030") + HAN_OFF

    def _with_placeholders(self, text: str) -> str:
        if self._profile.text_mode is TextMode.CODEPAGE:
            return text.encode(self._profile.code_page, "replace").decode(self._profile.code_page)
        # As many cells as the lost character took, so that columns stay right.
        return "".join(
            character
            if _has_code(character)
            else (PLACEHOLDER_HAN if cell_width(character) == 2 else PLACEHOLDER_LATIN)
            for character in text
        )

    def _style(self, align: Align, size: tuple[int, int], bold: bool) -> None:
        if align is not self._align:
            self._align = align
            self._out += ESC + b"a" + bytes([_ALIGN[align]])
        if size != self._size:
            self._size = size
            width, height = size
            # GS ! sizes ASCII (and, on Epson, Han); FS ! sizes Han on clones that keep the two apart. On Epson the
            # last of them counts and both say the same. Bits: GS ! 0x10 width 0x01 height; FS ! 0x04 width 0x08 height.
            self._out += GS + b"!" + bytes([(width - 1) << 4 | (height - 1)])
            if self._profile.text_mode is TextMode.GB18030:
                self._out += FS + b"!" + bytes([(width - 1) << 2 | (height - 1) << 3])
        if bold is not self._bold:
            self._bold = bold
            self._out += ESC + b"E" + bytes([bold])

    # -- pictures and codes -------------------------------------------------------------------------------------

    def _picture(self, bitmap: Bitmap) -> None:
        """Print rows of dots: ``GS v 0 m xL xH yL yH d…`` in bands."""
        self._style(Align.LEFT, (1, 1), bold=False)
        step = BAND_ROWS * bitmap.width_bytes
        for start in range(0, len(bitmap.rows), step):
            band = bitmap.rows[start : start + step]
            height = len(band) // bitmap.width_bytes
            head = GS + b"v0\x00" + bitmap.width_bytes.to_bytes(2, "little") + height.to_bytes(2, "little")
            self._out += head + band

    def _barcode(self, block: Barcode) -> None:
        """Print Code 128 in set C without human-readable text: the document prints the number itself."""
        try:
            modules = code128_c_modules(block.digits)
            bitmap = draw_modules(
                modules,
                module_dots=MODULE_DOTS,
                height_dots=min(max(block.height_dots, 24), 255),
                width_dots=self._profile.width_dots,
            )
        except ValueError as error:
            raise UnencodableError(str(error)) from error
        # GS k, function B, m = 73: n, then "{C" and one byte of value 0 … 99 for each pair of digits.
        data = b"{C" + bytes(int(block.digits[index : index + 2]) for index in range(0, len(block.digits), 2))
        must_draw = self._profile.text_mode is TextMode.RASTER or not self._profile.has_code128
        if must_draw or (self._profile.has_raster and REAL_TIME.search(data)):
            if not self._profile.has_raster:
                raise UnencodableError(f"profile={self._profile.profile_id}: no way to print a bar code")
            self._picture(bitmap)
            return
        self._style(Align.CENTER, (1, 1), bold=False)
        self._out += GS + b"H\x00" + GS + b"w" + bytes([MODULE_DOTS]) + GS + b"h" + bytes([bitmap.height])
        self._out += GS + b"k\x49" + bytes([len(data)]) + data

    def _qr(self, block: QrCode) -> None:
        """Print a QR code, model 2, error correction M: ``GS ( k``, functions 165, 167, 169, 180, 181."""
        if not self._profile.has_qr or self._profile.text_mode is TextMode.RASTER:
            if not block.is_optional:
                self._drawn_qr(block)
            return
        self._style(Align.CENTER, (1, 1), bold=False)
        data = b"1P0" + block.text.encode()
        for body in (b"1A2\x00", b"1C" + bytes([min(max(block.module_dots, 1), 16)]), b"1E1", data, b"1Q0"):
            self._out += GS + b"(k" + len(body).to_bytes(2, "little") + body
        if block.caption:
            self._feed(1)  # the quiet zone: 4 modules, ISO/IEC 18004:2015 section 5.3.8
            self._block(Text(block.caption, align=Align.CENTER))

    def _drawn_qr(self, block: QrCode) -> None:
        if self._rasterize_qr is not None:
            self._picture(self._rasterize_qr(block.text, block.module_dots))
            return
        for line in lines_of(Text(block.text, align=Align.CENTER), self._profile.columns, self._cells_of):
            self._line(line)

    # -- paper --------------------------------------------------------------------------------------------------

    def _feed(self, lines: int) -> None:
        """Feed: ``ESC d n``."""
        if lines > 0:
            self._out += ESC + b"d" + bytes([min(lines, 255)])

    def _cut(self) -> None:
        """End a sheet, see `CutMode`."""
        self._style(Align.LEFT, (1, 1), bold=False)
        if self._profile.cut is CutMode.FEED_AND_CUT:
            self._out += GS + b"V\x42\x00"
            return
        self._feed(self._profile.feed_to_knife_lines)
        if self._profile.cut is CutMode.CUT:
            self._out += GS + b"V\x01"
