"""ESC/POS bytes to tokens. Pure: any stream is partitioned exactly, nothing raises, nothing is swallowed.

Source: Epson ESC/POS command reference (lengths); `ESC B n t` and four-byte kanji from Chinese printers' manuals.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

ESC, GS, FS, DLE = 0x1B, 0x1D, 0x1C, 0x10
_LEADS = {ESC: "ESC", GS: "GS", FS: "FS", DLE: "DLE"}
_CONTROLS = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}
#: No command takes more; a larger count is noise, and is shown instead of being waited for.
_LONGEST_BYTES = 4 * 1024 * 1024


class TokenKind(Enum):
    """What a token is."""

    TEXT = "text"
    CONTROL = "control"
    COMMAND = "command"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the stream.

    Attributes:
        name: `LF`, `ESC @`, `GS ( k` …; empty for text.
        data: All its bytes; joined, the tokens give the stream.
        args: What follows the name's bytes.
    """

    kind: TokenKind
    data: bytes
    name: str = ""
    args: bytes = b""


class _NeedMoreError(Exception):
    """The length is not known yet."""


Rule = Callable[[bytes], int]


def _fixed(arguments: int) -> Rule:
    return lambda _head: 2 + arguments


def _byte(head: bytes, index: int) -> int:
    if index >= len(head):
        raise _NeedMoreError
    return head[index]


def _word(head: bytes, index: int) -> int:
    return _byte(head, index) | _byte(head, index + 1) << 8


def _until_nul(head: bytes, start: int, most: int) -> int:
    end = head.find(b"\0", start, start + most + 1)
    if end >= 0:
        return end + 1
    if len(head) <= start + most:
        raise _NeedMoreError
    return 2  # no end where one must be: only the two bytes of the command are taken, the rest shows


def _counted(head: bytes) -> int:
    """Measure `( x pL pH data`."""
    return 5 + _word(head, 3)


def _bar_code(head: bytes) -> int:
    """Measure `GS k m d… NUL` (m ≤ 6) or `GS k m n d…`."""
    if _byte(head, 2) <= 6:
        return _until_nul(head, 3, 255)
    return 4 + _byte(head, 3)


def _user_characters(head: bytes) -> int:
    """Measure `ESC & y c1 c2 [x d1…d(y·x)]…`."""
    height, first, last = _byte(head, 2), _byte(head, 3), _byte(head, 4)
    end = 5
    for _ in range(max(0, last - first + 1)):
        end += 1 + height * _byte(head, end)
    return end


def _nv_images(head: bytes) -> int:
    """Measure `FS q n [xL xH yL yH d…]…`."""
    end = 3
    for _ in range(_byte(head, 2)):
        end += 4 + _word(head, end) * _word(head, end + 2) * 8
        if end > _LONGEST_BYTES:
            return end
    return end


def _counter(head: bytes) -> int:
    return {0x30: 5, 0x31: 9, 0x32: 5}.get(_byte(head, 2), 2)


def _fs_g(head: bytes) -> int:
    return 10 + (_word(head, 8) if _byte(head, 2) == 0x31 else 0)


_RULES: Mapping[int, Mapping[int, Rule]] = {
    ESC: {
        **dict.fromkeys(b"2<@LS\x0cim4", _fixed(0)),
        **dict.fromkeys(b" !%-3=?AEGJKMRTUVadert{u", _fixed(1)),
        **dict.fromkeys(b"$Bc\\f", _fixed(2)),
        ord("p"): _fixed(3),
        ord("W"): _fixed(8),
        ord("("): _counted,
        ord("D"): lambda head: _until_nul(head, 2, 32),
        ord("*"): lambda head: 5 + _word(head, 3) * (3 if head[2] in (32, 33) else 1),
        ord("&"): _user_characters,
    },
    GS: {
        **dict.fromkeys(b":c", _fixed(0)),
        **dict.fromkeys(b"!/BEFHITabfhjrw", _fixed(1)),
        **dict.fromkeys(b"$LPW\\", _fixed(2)),
        **dict.fromkeys(b"^z", _fixed(3)),
        ord("g"): _fixed(4),
        ord("("): _counted,
        ord("8"): lambda head: 7 + (_word(head, 3) | _word(head, 5) << 16),
        ord("*"): lambda head: 4 + _byte(head, 2) * _byte(head, 3) * 8,
        ord("C"): _counter,
        ord("V"): lambda head: 4 if _byte(head, 2) in (65, 66, 97, 98, 103, 104) else 3,
        ord("k"): _bar_code,
        ord("v"): lambda head: 8 + _word(head, 4) * _word(head, 6),
    },
    FS: {
        **dict.fromkeys(b"&.", _fixed(0)),
        **dict.fromkeys(b"!-CW", _fixed(1)),
        **dict.fromkeys(b"Sp?", _fixed(2)),
        ord("2"): _fixed(74),
        ord("("): _counted,
        ord("g"): _fs_g,
        ord("q"): _nv_images,
    },
    DLE: {
        0x04: lambda head: 4 if _byte(head, 2) in (7, 8) else 3,
        0x05: _fixed(1),
        0x14: lambda head: {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}.get(_byte(head, 2), 2),
    },
}
#: Two-byte commands whose third byte belongs to the name.
_LONG_NAMES = {(ESC, ord("(")), (GS, ord("(")), (FS, ord("(")), (GS, ord("8")), (GS, ord("v"))}
_DLE_NAMES = {0x04: "EOT", 0x05: "ENQ", 0x14: "DC4"}


class Tokenizer:
    """Feed bytes in any pieces, take tokens; a token comes as soon as its last byte is there."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0

    @property
    def pending(self) -> bytes:
        """Return the bytes of an unfinished command."""
        return bytes(self._buffer)

    @property
    def pending_raster_rows(self) -> int:
        """Return how many dot rows of an unfinished `GS v 0` have arrived: they are printed as they come."""
        head = self._buffer
        if len(head) < 8 or head[:3] != b"\x1dv0":
            return 0
        row_bytes = _word(bytes(head[:8]), 4)
        rows = (len(head) - 8) // row_bytes if row_bytes else 0
        return rows * (2 if head[3] & 2 else 1)

    def feed(self, data: bytes) -> Iterator[Token]:
        """Yield the tokens that `data` completes."""
        self._buffer += data
        while self._buffer and len(self._buffer) >= self._needed:
            token = self._next()
            if token is None:
                return
            self._needed = 0
            del self._buffer[: len(token.data)]
            yield token

    def _next(self) -> Token | None:
        first = self._buffer[0]
        if first >= 0x20:
            return self._text()
        if first in _CONTROLS:
            return Token(TokenKind.CONTROL, bytes([first]), _CONTROLS[first])
        if first not in _LEADS:
            return Token(TokenKind.UNKNOWN, bytes([first]))
        if len(self._buffer) < 2:
            return None
        return self._command()

    def _text(self) -> Token:
        end = next((index for index, byte in enumerate(self._buffer) if byte < 0x20), len(self._buffer))
        return Token(TokenKind.TEXT, bytes(self._buffer[:end]))

    def _command(self) -> Token | None:
        lead, code = self._buffer[0], self._buffer[1]
        rule = _RULES[lead].get(code)
        if rule is None:
            return Token(TokenKind.UNKNOWN, bytes(self._buffer[:2]))
        try:
            # 1 KiB is enough to measure everything but downloads, which are measured from all of it.
            head = bytes(self._buffer if code in b"&q" else self._buffer[:1024])
            length = rule(head)
        except _NeedMoreError:
            return None if len(self._buffer) < _LONGEST_BYTES else Token(TokenKind.UNKNOWN, bytes(self._buffer[:2]))
        if length > _LONGEST_BYTES or (length == 2 and not _takes_none(lead, code)):
            return Token(TokenKind.UNKNOWN, bytes(self._buffer[:2]))
        if len(self._buffer) < length:
            self._needed = length
            return None
        data = bytes(self._buffer[:length])
        name_bytes = 3 if (lead, code) in _LONG_NAMES else 2
        return Token(TokenKind.COMMAND, data, _name(data, name_bytes), data[name_bytes:])


def _takes_none(lead: int, code: int) -> bool:
    return lead != DLE and (lead, code) not in ((ESC, ord("D")), (GS, ord("k")), (GS, ord("C")))


def _name(data: bytes, name_bytes: int) -> str:
    parts = [_LEADS[data[0]]]
    for byte in data[1:name_bytes]:
        parts.append(_DLE_NAMES.get(byte, "?") if data[0] == DLE else chr(byte))
    return " ".join(parts).replace("\x0c", "FF")
