"""Bytes to characters as the printer's ROM shows them: code pages of `ESC t`, GB18030 in kanji mode. Pure.

Source: Epson ESC/POS reference, `ESC t` (page numbers), `FS &`; GB 18030-2022 for the byte ranges.
"""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

CODE_PAGES: Mapping[int, str] = {
    0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737", 15: "iso8859_7",
    16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 33: "cp775", 34: "cp855", 35: "cp861", 36: "cp862",
    37: "cp864", 38: "cp869", 39: "iso8859_2", 40: "iso8859_15", 45: "cp1250", 46: "cp1251", 47: "cp1253",
    48: "cp1254", 49: "cp1255", 50: "cp1256", 51: "cp1257", 52: "cp1258",
}  # fmt: skip
_KATAKANA_PAGE = 1
#: 80h to 9Fh of that page. Source: Epson ESC/POS command reference, character code tables, "Page 1 (Katakana)".
_KATAKANA_LINES = "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯"
#: What the printer shows for a byte that the page does not have.
MISSING = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Character:
    """One character; `is_kanji` = from the two-byte font, 24 dots wide."""

    text: str
    is_kanji: bool


class TextDecoder:
    """Keeps a lead byte that waits for its second half.

    Attributes:
        code_page: Number of `ESC t`.
        is_kanji_mode: Between `FS &` and `FS .`, or from the start on printers for the Chinese market.
    """

    def __init__(self, *, is_kanji_mode: bool, has_four_byte: bool = True) -> None:
        self.code_page = 0
        self.is_kanji_mode = is_kanji_mode
        self._has_four_byte = has_four_byte
        self._lead = b""

    def feed(self, data: bytes) -> Iterator[Character]:
        """Yield the characters that `data` completes."""
        for value in data:
            yield from self._byte(value)

    def break_off(self) -> Iterator[Character]:
        """Yield what an unfinished character leaves behind; a command in between ends it."""
        if self._lead:
            self._lead = b""
            yield Character(MISSING, is_kanji=True)

    def _byte(self, value: int) -> Iterator[Character]:
        if self._lead:
            yield from self._continue(value)
        elif self.is_kanji_mode and 0x81 <= value <= 0xFE:
            self._lead = bytes([value])
        else:
            yield Character(self._single(value), is_kanji=False)

    def _continue(self, value: int) -> Iterator[Character]:
        sequence = self._lead + bytes([value])
        self._lead = b""
        wants_digit = len(sequence) in (2, 4)
        if wants_digit and len(sequence) == 2 and 0x40 <= value <= 0xFE and value != 0x7F:
            yield _kanji(sequence)
        elif self._has_four_byte and (
            (wants_digit and 0x30 <= value <= 0x39) or (len(sequence) == 3 and 0x81 <= value <= 0xFE)
        ):
            if len(sequence) == 4:
                yield _kanji(sequence)
            else:
                self._lead = sequence
        else:
            yield Character(MISSING, is_kanji=True)
            yield from self._byte(value)

    def _single(self, value: int) -> str:
        if value < 0x80:
            return chr(value)
        if self.code_page == _KATAKANA_PAGE:
            return _katakana(value)
        page = CODE_PAGES.get(self.code_page)
        return MISSING if page is None else codecs.decode(bytes([value]), page, "replace")


def _katakana(value: int) -> str:
    if 0x80 <= value <= 0x9F:
        return _KATAKANA_LINES[value - 0x80]
    return bytes([value]).decode("cp932", "replace") if 0xA1 <= value <= 0xDF else MISSING


def _kanji(sequence: bytes) -> Character:
    try:
        return Character(sequence.decode("gb18030"), is_kanji=True)
    except UnicodeDecodeError:
        return Character(MISSING, is_kanji=True)
