"""Serial line displays (VFD or LCD poles): Epson DM-D commands, and CD5220.

Source: Epson DM-D110 specification, section 5.4: ESC @ (1B 40) initialise, CLR (0C), US MD1 (1F 01) overwrite mode,
US $ x y (1F 24) cursor from 1, US C n (1F 43) cursor shown. CD5220 manual: ESC Q A (1B 51 41) text CR upper line,
ESC Q B lower line; in that string mode other commands are ignored until CLR (0C).
Displays with Han glyphs take GB18030 (GBK), two cells a character; others ASCII.
"""

from unicodedata import normalize

from drivers.display.cells import Run
from pos_agent.domain.screen import cell_width

_INITIALISE = b"\x1b@"
_OVERWRITE_MODE = b"\x1f\x01"
_CLEAR = b"\x0c"
_HIDE_CURSOR = b"\x1f\x43\x00"
_CURSOR = b"\x1f\x24"
# What an ASCII display shows for signs that amounts need; as wide as the original.
_ASCII = {"￥": "Y ", "¥": "Y"}


def encode_cells(text: str, encoding: str) -> bytes:
    """Return `text` in the display's encoding, as many bytes as cells.

    What it lacks becomes `?`; on a display without Han, full-width signs become their ASCII ones and Han becomes blank,
    so that a customer sees the amount and no row of question marks.
    """
    return b"".join(_encode_character(character, encoding) for character in text)


def _encode_character(character: str, encoding: str) -> bytes:
    width = cell_width(character)
    if encoding == "ascii" and not character.isascii():
        return _transliterate(character, width)
    try:
        encoded = character.encode(encoding)
    except UnicodeEncodeError:
        encoded = b""
    # GB18030 has 4-byte codes, which such displays show as two wrong characters (U+00A5 is one of them).
    is_shown = len(encoded) == width and encoded[0] >= 0x20
    return encoded if is_shown else b"?" * width


def _transliterate(character: str, width: int) -> bytes:
    plain = _ASCII.get(character) or normalize("NFKC", character)
    if plain.isascii() and len(plain) <= width:
        return plain.ljust(width).encode("ascii")
    return b"  " if width == 2 else b"?"


class EpsonDialect:
    """Epson DM-D commands: changed cells only."""

    def __init__(self, *, encoding: str) -> None:
        self._encoding = encoding

    @property
    def beep(self) -> bytes:
        """Return nothing: these displays have no buzzer."""
        return b""

    def opening(self) -> bytes:
        """Return initialise, overwrite mode, no cursor, clear."""
        return _INITIALISE + _OVERWRITE_MODE + _HIDE_CURSOR + _CLEAR

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return each run behind its cursor position."""
        return b"".join(
            _CURSOR + bytes((run.column + 1, run.row + 1)) + encode_cells(run.text, self._encoding) for run in runs
        )

    def closing(self) -> bytes:
        """Return nothing: the content stays, the cursor is hidden already."""
        return b""


class Cd5220Dialect:
    """CD5220 string mode: changed lines only, two lines."""

    def __init__(self, *, encoding: str) -> None:
        self._encoding = encoding

    @property
    def beep(self) -> bytes:
        """Return nothing: these displays have no buzzer."""
        return b""

    def opening(self) -> bytes:
        """Return clear (ends string mode) and initialise."""
        return _CLEAR + _INITIALISE

    def paint(self, runs: list[Run], lines: tuple[str, ...]) -> bytes:
        """Return every line in which something changed."""
        rows = sorted({run.row for run in runs if run.row < 2})
        return b"".join(
            b"\x1bQ" + b"AB"[row : row + 1] + encode_cells(lines[row], self._encoding) + b"\r" for row in rows
        )

    def closing(self) -> bytes:
        """Return nothing: the content stays."""
        return b""
