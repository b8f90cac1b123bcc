"""A serial line display (VFD/LCD pole) that understands Epson DM-D and CD5220 commands, with GB18030 characters.

Source: Epson DM-D110/DM-D210 command list; CD5220 manual (string modes, `ESC l`); cell = one half-width character, a
Han character takes two. Unknown bytes are counted and kept, never shown as text.
"""

import unicodedata
from collections.abc import Callable
from pathlib import Path

from hil.simulators.panel import SimPanel

# Arguments that follow a two-byte command. Source: Epson DM-D command list, CD5220 manual.
_ESC_ARGS = {
    **dict.fromkeys(b"@\x11\x12\x13", 0),
    **dict.fromkeys(b"t=R%?_*fc", 1),
    **dict.fromkeys(b"l", 2),
}
_US_ARGS = {
    **dict.fromkeys(b"\x01\x02\x03\x0a\x0dBU@", 0),
    **dict.fromkeys(b"XEr.,;Cv", 1),
    **dict.fromkeys(b"$#T:^", 2),
}
_CSI_ARGS = 1  # CD5220: ESC [ A/B/C/D/H/K/L
_WIDE_TAIL = "\0"


class SimLineDisplay(SimPanel):
    """A display of columns × rows half-width cells.

    Attributes:
        unknown: Commands that it does not know, as hex, newest last, at most 100.
        brightness: 1…4, as set by `US X` or `ESC *`.
    """

    def __init__(
        self,
        path: Path,
        columns: int = 20,
        rows: int = 4,
        *,
        encoding: str = "gb18030",
        on_change: Callable[[SimPanel], None] | None = None,
    ) -> None:
        super().__init__(path, columns, rows, on_change=on_change)
        self._encoding = encoding
        self._power_up()

    def lines(self) -> list[str]:
        """Return the visible text, one string a row."""
        return ["".join(row).replace(_WIDE_TAIL, "").rstrip() for row in self._cells]

    def _power_up(self) -> None:
        self.unknown: list[str] = []
        self.brightness = 4
        self._pending = b""
        self._string_row: int | None = None
        self._scroll_mode = "overwrite"
        self._clear()

    def _clear(self) -> None:
        self._cells = [[" "] * self.columns for _ in range(self.rows)]
        self._column = self._row = 0

    def _feed(self, data: bytes) -> None:
        buffer = self._pending + data
        position = 0
        while position < len(buffer):
            used = self._step(buffer[position : position + 64])
            if used == 0:
                break
            position += used
        self._pending = buffer[position:]

    def _step(self, head: bytes) -> int:
        """Interpret what stands at the beginning; return the bytes used, 0 when more must come first."""
        first = head[0]
        if self._string_row is not None and first not in (0x0C, 0x1B, 0x1F):
            return self._string_character(head)
        if first == 0x1B:
            return self._escape(head)
        if first == 0x1F:
            return self._unit_separator(head)
        if first < 0x20:
            return self._control(first)
        return self._character(head)

    def _control(self, byte: int) -> int:
        match byte:
            case 0x07:
                self.beeps += 1
            case 0x08:
                self._column = max(0, self._column - 1)
            case 0x09:
                self._advance(1)
            case 0x0A:
                self._row = (self._row + 1) % self.rows
            case 0x0B:
                self._column = self._row = 0
            case 0x0C:
                self._clear()
                self._string_row = None
            case 0x0D:
                self._column = 0
            case 0x18:
                self._cells[self._row] = [" "] * self.columns
                self._column = 0
            case _:
                self._note_unknown(bytes([byte]))
        return 1

    def _escape(self, head: bytes) -> int:
        if len(head) < 2:
            return 0
        command = head[1]
        if command == 0x51:  # ESC Q A/B/D: string mode of the CD5220
            return self._enter_string_mode(head)
        if command == 0x57:  # ESC W n m [x1 y1 x2 y2]: windows are accepted, not modelled
            return self._window(head)
        arguments = _CSI_ARGS if command == 0x5B else _ESC_ARGS.get(command)
        if arguments is None:
            self._note_unknown(head[:2])
            return 2
        if len(head) < 2 + arguments:
            return 0
        # While in string mode the CD5220 ignores other commands until CLR.
        if self._string_row is None:
            self._do_escape(command, head[2 : 2 + arguments])
        return 2 + arguments

    def _do_escape(self, command: int, arguments: bytes) -> None:
        match chr(command):
            case "@":
                self._clear()
                self.brightness = 4
                self._scroll_mode = "overwrite"
            case "l":
                self._move(arguments[0], arguments[1])
            case "*":
                self.brightness = arguments[0]
            case "\x11" | "\x12" | "\x13":
                self._scroll_mode = {0x11: "overwrite", 0x12: "vertical", 0x13: "horizontal"}[command]
            case "[":
                self._cd5220_cursor(chr(arguments[0]))
            case "t" | "=" | "_" | "R" | "%" | "?" | "f" | "c":
                pass  # code page, peripheral, cursor, fonts: no effect on the text

    def _cd5220_cursor(self, which: str) -> None:
        match which:
            case "A":
                self._row = max(0, self._row - 1)
            case "B":
                self._row = min(self.rows - 1, self._row + 1)
            case "C":
                self._column = min(self.columns - 1, self._column + 1)
            case "D":
                self._column = max(0, self._column - 1)
            case "H":
                self._column = self._row = 0
            case "L":
                self._column = 0
            case "K":
                self._column, self._row = self.columns - 1, self.rows - 1
            case _:
                self._note_unknown(f"\x1b[{which}".encode("latin-1"))

    def _enter_string_mode(self, head: bytes) -> int:
        if len(head) < 3:
            return 0
        row = {0x41: 0, 0x42: 1, 0x44: 0}.get(head[2])
        if row is None or row >= self.rows:
            self._note_unknown(head[:3])
        else:
            self._string_row = row
            self._row, self._column = row, 0
            self._cells[row] = [" "] * self.columns
        return 3

    def _string_character(self, head: bytes) -> int:
        if head[0] == 0x0D:
            self._column = 0  # shown; the mode itself stays until CLR
            return 1
        row = self._row
        used = self._character(head) if head[0] >= 0x20 else 1
        if used and self._row != row:
            self._row = row
        return used

    def _window(self, head: bytes) -> int:
        if len(head) < 4:
            return 0
        length = 8 if head[3] in (1, 0x31) else 4
        return length if len(head) >= length else 0

    def _unit_separator(self, head: bytes) -> int:
        if len(head) < 2:
            return 0
        command = head[1]
        arguments = _US_ARGS.get(command)
        if arguments is None:
            self._note_unknown(head[:2])
            return 2
        if len(head) < 2 + arguments:
            return 0
        if self._string_row is None:
            self._do_unit_separator(command, head[2 : 2 + arguments])
        return 2 + arguments

    def _do_unit_separator(self, command: int, arguments: bytes) -> None:
        match command:
            case 0x01 | 0x02 | 0x03:
                self._scroll_mode = {1: "overwrite", 2: "vertical", 3: "horizontal"}[command]
            case 0x0A:
                self._row = (self._row - 1) % self.rows
            case 0x0D:
                self._column = self.columns - 1
            case 0x24:
                self._move(arguments[0], arguments[1])
            case 0x42:
                self._column, self._row = 0, self.rows - 1
            case 0x58:
                self.brightness = arguments[0]
            case _:
                pass  # blink, reverse, annunciators, clock: no effect on the text

    def _move(self, x: int, y: int) -> None:
        """Go to 1-based column x, row y; out of range is ignored, as the devices do."""
        if 1 <= x <= self.columns and 1 <= y <= self.rows:
            self._column, self._row = x - 1, y - 1

    def _character(self, head: bytes) -> int:
        character, used = _decode(head, self._encoding)
        if used == 0:
            return 0
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self._column + width > self.columns:
            self._wrap()
        self._put(character, width)
        self._advance(width)
        return used

    def _put(self, character: str, width: int) -> None:
        row = self._cells[self._row]
        if row[self._column] == _WIDE_TAIL:
            row[self._column - 1] = " "  # half a Han character was overwritten: the other half goes too
        end = self._column + width
        if end < self.columns and row[end] == _WIDE_TAIL:
            row[end] = " "
        row[self._column : end] = [character, *[_WIDE_TAIL] * (width - 1)]

    def _advance(self, width: int) -> None:
        self._column += width
        if self._column >= self.columns:
            self._wrap()

    def _wrap(self) -> None:
        self._column = 0
        if self._row + 1 < self.rows:
            self._row += 1
        elif self._scroll_mode == "vertical":
            self._cells = [*self._cells[1:], [" "] * self.columns]
        else:
            self._row = 0

    def _note_unknown(self, data: bytes) -> None:
        self.unknown.append(data.hex(" "))
        del self.unknown[:-100]


def _decode(head: bytes, encoding: str) -> tuple[str, int]:
    """Return the first character and its length in bytes; ("", 0) when more must come first."""
    if head[0] < 0x80:
        return chr(head[0]), 1
    if encoding != "gb18030":
        return head[:1].decode(encoding, "replace"), 1
    if len(head) < 2:
        return "", 0
    length = 4 if 0x30 <= head[1] <= 0x39 else 2
    if len(head) < length:
        return "", 0
    try:
        return head[:length].decode("gb18030"), length
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}", 1
