"""Tokens to paper: the printer's in-order commands. No time, no I/O; the engine feeds it and performs its effects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import Image

from hil.simulators.printer import graphics
from hil.simulators.printer.line import Line, Style, aligned, area_of, draw_character
from hil.simulators.printer.paper import Paper
from hil.simulators.printer.slip import PrintedCode
from hil.simulators.printer.symbol_print import SymbolSettings, TwoDimensionalStore, linear_symbol
from hil.simulators.printer.text import Character, TextDecoder
from hil.simulators.printer.tokens import Token, TokenKind


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that is not ink.

    Attributes:
        kind: `cut`, `feed`, `feed_to_cutter`, `drawer`, `beep`, `asb`; answered: `status`, `identify`, `process_id`.
        args: The command's arguments; for a cut b"full" or b"partial".
    """

    kind: str
    args: bytes = b""


class Interpreter:
    """Executes tokens on a `Paper`.

    Attributes:
        unknown: Commands that were not understood since the last cut, as hex.
    """

    def __init__(self, paper: Paper, *, is_kanji_default: bool, has_four_byte_kanji: bool) -> None:
        self.unknown: list[str] = []
        self._paper = paper
        self._is_kanji_default = is_kanji_default
        self._has_four_byte = has_four_byte_kanji
        self._effects: list[Effect] = []
        self._graphic: Image.Image | None = None
        self._reset()

    def execute(self, token: Token) -> list[Effect]:
        """Execute one token; return what is left for the engine to do, in order."""
        self._effects = []
        if token.kind is TokenKind.TEXT:
            self._print_text(token.data)
        else:
            for character in self._decoder.break_off():
                self._put(character)
            handler = _HANDLERS.get(token.name)
            if handler is None:
                self._note_unknown(token.data)
            else:
                handler(self, token.args)
        return self._effects

    @property
    def pending_text(self) -> str:
        """Return the text in the print buffer that no line feed has printed yet."""
        return self._line.text

    def _reset(self) -> None:
        self._style = Style()
        self._line = Line()
        self._symbols = SymbolSettings()
        self._store = TwoDimensionalStore()
        self._decoder = TextDecoder(is_kanji_mode=self._is_kanji_default, has_four_byte=self._has_four_byte)

    # Text

    def _print_text(self, data: bytes) -> None:
        for character in self._decoder.feed(data):
            self._put(character)

    def _put(self, character: Character) -> None:
        cell = draw_character(character, self._style)
        if self._line.width_dots + cell.width > area_of(self._style, self._paper.width_dots):
            self._line_feed()
        self._line.put(cell, character.text)

    def _line_feed(self) -> None:
        height = self._print_line()
        self._paper.feed(max(0, self._style.line_spacing_dots - height))

    def _print_line(self) -> int:
        """Print what waits, return its height in dots."""
        line, self._line = self._line, Line()
        self._paper.note_line(line.text)
        if line.is_empty:
            return 0
        strip = line.compose(self._paper.width_dots, self._style)
        self._paper.print_strip(strip)
        return strip.height

    def _flush(self) -> None:
        if not self._line.is_empty:
            self._line_feed()

    def _note_unknown(self, data: bytes) -> None:
        shown = data[:16].hex(" ").upper()
        self.unknown.append(shown)
        for text in f"‹{shown}›":
            self._put(Character(text, is_kanji=False))

    # Commands: paper

    def _feed_dots(self, args: bytes) -> None:
        printed = 0 if self._line.is_empty else self._print_line()
        self._paper.feed(max(0, args[0] - printed))

    def _feed_lines(self, args: bytes) -> None:
        for _ in range(args[0]):
            self._line_feed()

    def _cut(self, args: bytes) -> None:
        self._flush()
        mode = args[0]
        if mode >= 65:
            # Function B feeds to the knife first (65, 66), n more units after it.
            if mode in (65, 66):
                self._effects.append(Effect("feed_to_cutter"))
            self._effects.append(Effect("feed", args[1:2]))
        is_full = mode in (0, 48, 65, 97, 103)
        self._effects.append(Effect("cut", b"full" if is_full else b"partial"))

    def _old_cut(self, kind: bytes) -> None:
        self._flush()
        self._effects.append(Effect("cut", kind))

    # Commands: style

    def _print_mode(self, args: bytes) -> None:
        bits, style = args[0], self._style
        style.is_font_b = bool(bits & 0x01)
        style.is_bold = bool(bits & 0x08)
        style.ank_size = (2 if bits & 0x20 else 1, 2 if bits & 0x10 else 1)
        style.underline = 1 if bits & 0x80 else 0

    def _kanji_print_mode(self, args: bytes) -> None:
        bits = args[0]
        self._style.kanji_size = (2 if bits & 0x04 else 1, 2 if bits & 0x08 else 1)
        self._style.kanji_underline = 1 if bits & 0x80 else 0

    def _size(self, args: bytes) -> None:
        size = ((args[0] >> 4 & 7) + 1, (args[0] & 7) + 1)
        self._style.ank_size = self._style.kanji_size = size

    def _align(self, args: bytes) -> None:
        if self._line.is_empty and args[0] % 48 <= 2:
            self._style.align = args[0] % 48

    def _underline(self, args: bytes) -> None:
        if args[0] % 48 <= 2:
            self._style.underline = args[0] % 48

    def _set_tabs(self, args: bytes) -> None:
        self._style.tabs = tuple(args.rstrip(b"\0"))

    def _tab(self, _args: bytes) -> None:
        cell = 9 if self._style.is_font_b else 12
        stop = next((tab * cell for tab in self._style.tabs if tab * cell > self._line.width_dots), None)
        if stop is not None and stop < area_of(self._style, self._paper.width_dots):
            self._line.move_to(stop)

    def _move_relative(self, args: bytes) -> None:
        offset = int.from_bytes(args, "little", signed=True)
        self._line.move_to(self._line.width_dots + offset)

    # Commands: pictures and symbols

    def _print_block(self, picture: Image.Image) -> None:
        """Print something as high as it is, aligned in the print area."""
        width = self._paper.width_dots
        strip = Image.new("1", (width, picture.height), 1)
        area = area_of(self._style, width)
        strip.paste(picture, (self._style.margin_dots + aligned(picture.width, area, self._style.align), 0))
        self._paper.print_strip(strip)

    def _raster(self, args: bytes) -> None:
        mode, row_bytes, rows = args[0] % 48, args[1] | args[2] << 8, args[3] | args[4] << 8
        magnify = (2 if mode & 1 else 1, 2 if mode & 2 else 1)
        self._flush()
        self._print_block(graphics.raster(args[5:], row_bytes, rows, magnify))

    def _column_graphics(self, args: bytes) -> None:
        picture = graphics.columns(args[3:], args[0])
        if picture is None:
            self._note_unknown(b"\x1b*" + args[:3])
        else:
            self._line.put(picture)

    def _graphics(self, args: bytes) -> None:
        """Execute `GS ( L` / `GS 8 L`, from the m after the count: fn 112 stores a raster, fn 2 and 50 print it."""
        if len(args) >= 10 and args[1] == 112 and args[2] == 48:
            row_bytes = ((args[6] | args[7] << 8) + 7) // 8
            rows = args[8] | args[9] << 8
            if row_bytes * rows != len(args) - 10 or not {args[3], args[4]} <= {1, 2}:
                self._note_unknown(b"\x1d(L" + args[:10])  # outside the command's definition: nothing is stored
                return
            self._graphic = graphics.raster(args[10:], row_bytes, rows, (args[3], args[4]))
        elif len(args) >= 2 and args[1] in (2, 50):
            self._flush()
            if self._graphic is not None:
                self._print_block(self._graphic)
        else:
            self._note_unknown(b"\x1d(L" + args[:4])

    def _bar_code(self, args: bytes) -> None:
        self._flush()
        symbol = linear_symbol(args, self._symbols)
        if isinstance(symbol, str):
            self._note_problem(symbol)
            return
        if symbol.picture.width > area_of(self._style, self._paper.width_dots):
            # A symbol that does not fit is not printed at all (Epson ESC/POS reference, GS k).
            self._note_problem(f"{symbol.code.symbology} too wide")
            return
        self._human_readable(symbol.code, is_above=True)
        self._paper.note_code(symbol.code)
        self._print_block(symbol.picture)
        self._human_readable(symbol.code, is_above=False)

    def _human_readable(self, code: PrintedCode, *, is_above: bool) -> None:
        if self._symbols.readable & (1 if is_above else 2):
            for text in code.data:
                self._line.put(draw_character(Character(text, is_kanji=False), Style()), text)
            self._print_line()

    def _two_dimensional(self, args: bytes) -> None:
        if len(args) < 2 or args[0] not in (48, 49):
            self._note_unknown(b"\x1d(k" + args[:2])
            return
        picture, code = self._store.execute(args)
        if code is None:
            return
        self._flush()
        if picture is None or picture.width > area_of(self._style, self._paper.width_dots):
            self._note_problem(f"{code.symbology} {code.data}")
            return
        self._paper.note_code(code)
        self._print_block(picture)

    def _note_problem(self, text: str) -> None:
        self._paper.note_line(f"‹{text}›")
        self._print_block(graphics.unknown_mark(240))

    def _ask(self, kind: str, args: bytes) -> None:
        self._effects.append(Effect(kind, args))

    def _set(self, name: str, value: object) -> None:
        setattr(self._style, name, value)

    def _set_kanji(self, value: bool) -> None:
        self._decoder.is_kanji_mode = value

    def _set_code_page(self, args: bytes) -> None:
        self._decoder.code_page = args[0]

    def _set_symbol(self, name: str, value: int) -> None:
        setattr(self._symbols, name, value)

    def _drop_line(self) -> None:
        self._line = Line()

    def _move_absolute(self, args: bytes) -> None:
        self._line.move_to(int.from_bytes(args, "little"))

    def _parenthesis(self, letter: str, args: bytes) -> None:
        """Execute a counted command that we know, or accept it; the count itself is cut off here."""
        body = args[2:]
        match letter:
            case "k":
                self._two_dimensional(body)
            case "L":
                self._graphics(body)
            case "H":
                self._ask("process_id", body)
            case _:
                self._note_unknown(b"\x1d(" + letter.encode() + body[:4])


Handler = Callable[[Interpreter, bytes], None]


def _flag(name: str) -> Handler:
    return lambda printer, args: printer._set(name, bool(args[0] & 1))


def _word(name: str) -> Handler:
    return lambda printer, args: printer._set(name, int.from_bytes(args, "little"))


def _nothing(_printer: Interpreter, _args: bytes) -> None:
    """Accept a command that does not change what a person sees here."""


_HANDLERS: Mapping[str, Handler] = {
    "LF": lambda printer, _: printer._line_feed(),
    "CR": _nothing,
    "FF": lambda printer, _: printer._flush(),
    "CAN": lambda printer, _: printer._drop_line(),
    "HT": Interpreter._tab,
    "ESC @": lambda printer, _: printer._reset(),
    "ESC !": Interpreter._print_mode,
    "ESC -": Interpreter._underline,
    "ESC E": _flag("is_bold"),
    "ESC G": _flag("is_bold"),
    "ESC M": _flag("is_font_b"),
    "ESC  ": lambda printer, args: printer._set("right_space_dots", args[0]),
    "ESC 2": lambda printer, _: printer._set("line_spacing_dots", 30),
    "ESC 3": lambda printer, args: printer._set("line_spacing_dots", args[0]),
    "ESC J": Interpreter._feed_dots,
    "ESC d": Interpreter._feed_lines,
    "ESC a": Interpreter._align,
    "ESC t": Interpreter._set_code_page,
    "ESC D": Interpreter._set_tabs,
    "ESC $": Interpreter._move_absolute,
    "ESC \\": Interpreter._move_relative,
    "ESC *": Interpreter._column_graphics,
    "ESC i": lambda printer, _: printer._old_cut(b"full"),
    "ESC m": lambda printer, _: printer._old_cut(b"partial"),
    "ESC p": lambda printer, args: printer._ask("drawer", args),
    "ESC B": lambda printer, args: printer._ask("beep", args),
    "ESC (": lambda printer, args: printer._ask("beep", args) if args[:1] == b"A" else None,
    **dict.fromkeys(
        ("ESC %", "ESC &", "ESC =", "ESC ?", "ESC R", "ESC S", "ESC L", "ESC FF", "ESC T", "ESC U", "ESC V", "ESC W"),
        _nothing,
    ),
    **dict.fromkeys(("ESC c", "ESC r", "ESC {", "ESC <", "ESC e", "ESC K", "ESC u", "ESC A"), _nothing),
    "GS !": Interpreter._size,
    "GS B": _flag("is_reverse"),
    "GS L": _word("margin_dots"),
    "GS W": _word("area_dots"),
    "GS V": Interpreter._cut,
    "GS v 0": Interpreter._raster,
    "GS 8 L": lambda printer, args: printer._graphics(args[4:]),
    "GS k": Interpreter._bar_code,
    "GS h": lambda printer, args: printer._set_symbol("height_dots", max(1, args[0])),
    "GS w": lambda printer, args: printer._set_symbol("module_dots", min(6, max(1, args[0]))),
    "GS H": lambda printer, args: printer._set_symbol("readable", args[0] % 48 & 3),
    "GS a": lambda printer, args: printer._ask("asb", args),
    "GS r": lambda printer, args: printer._ask("status", args),
    "GS I": lambda printer, args: printer._ask("identify", args),
    "GS ( k": lambda printer, args: printer._parenthesis("k", args),
    "GS ( L": lambda printer, args: printer._parenthesis("L", args),
    "GS ( H": lambda printer, args: printer._parenthesis("H", args),
    **dict.fromkeys(("GS f", "GS b", "GS P", "GS T", "GS j", "GS E"), _nothing),
    "FS &": lambda printer, _: printer._set_kanji(True),
    "FS .": lambda printer, _: printer._set_kanji(False),
    "FS !": Interpreter._kanji_print_mode,
    "FS W": lambda printer, args: printer._set("kanji_size", (2, 2) if args[0] & 1 else (1, 1)),
    "FS -": lambda printer, args: printer._set("kanji_underline", args[0] % 48),
    **dict.fromkeys(("FS C", "FS S", "FS 2", "FS ?", "FS ( A"), _nothing),
    # Executed on arrival; what stands in the stream has had its effect already.
    **dict.fromkeys(("DLE EOT", "DLE ENQ", "DLE DC4"), _nothing),
}
