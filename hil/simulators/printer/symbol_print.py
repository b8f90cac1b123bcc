"""`GS k` and `GS ( k`: arguments to pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PIL import Image

from hil.simulators.printer import graphics, symbols
from hil.simulators.printer.slip import PrintedCode


@dataclass
class SymbolSettings:
    """What `GS h`, `GS w`, `GS H` set.

    Attributes:
        readable: Human readable text: 0 none, 1 above, 2 below, 3 both.
    """

    height_dots: int = 162
    module_dots: int = 3
    readable: int = 0


@dataclass(frozen=True)
class LinearSymbol:
    """A drawn bar code."""

    code: PrintedCode
    picture: Image.Image


# Source: Epson ESC/POS reference, GS k: m = 0…6 ended by NUL, 65…73 counted.
_TEXT_SYMBOLS: Mapping[int, tuple[str, Callable[[str], tuple[str, str]]]] = {
    0: ("UPCA", symbols.upc_a),
    1: ("UPCE", symbols.upc_e),
    2: ("EAN13", symbols.ean13),
    3: ("EAN8", symbols.ean8),
    4: ("CODE39", symbols.code39),
    5: ("ITF", symbols.itf),
    6: ("CODABAR", symbols.codabar),
}


def linear_symbol(args: bytes, settings: SymbolSettings) -> LinearSymbol | str:
    """Draw the symbol of `GS k`, or say in a few words why the printer prints none."""
    kind = args[0] if args[0] <= 6 else args[0] - 65
    body = args[1:].rstrip(b"\0") if args[0] <= 6 else args[2:]
    try:
        if kind == 8:
            name, (modules, text) = "CODE128", symbols.code128(body)
        elif kind in _TEXT_SYMBOLS:
            name, encode = _TEXT_SYMBOLS[kind]
            modules, text = encode(body.decode("latin-1"))
        else:
            return f"bar code m={args[0]} not drawn"
    except symbols.UnprintableSymbolError as error:
        return str(error)
    picture = graphics.bars(modules, settings.module_dots, settings.height_dots)
    return LinearSymbol(PrintedCode(name, text), picture)


@dataclass
class TwoDimensionalStore:
    """The symbol storage of `GS ( k`, one for each kind of symbol (48 PDF417, 49 QR)."""

    module_dots: int = 3
    level: int = 48
    data: dict[int, bytes] = field(default_factory=dict)

    def execute(self, args: bytes) -> tuple[Image.Image | None, PrintedCode | None]:
        """Execute one function (cn fn …); return what is to be printed: picture, None = cannot be drawn, and code.

        Source: Epson ESC/POS reference, GS ( k: fn 67 size, 69 error correction, 80 store, 81 print.
        """
        kind, function = args[0], args[1]
        if function == 67 and kind == 49 and len(args) > 2:
            self.module_dots = min(16, max(1, args[2]))
        elif function == 69 and kind == 49 and len(args) > 2:
            self.level = args[2]
        elif function == 80:
            self.data[kind] = args[3:]
        elif function == 81 and kind in self.data:
            data = self.data[kind]
            text = data.decode("utf-8", "replace")
            if kind == 48:
                return None, PrintedCode("PDF417", text)
            return graphics.qr(data, self.module_dots, self.level), PrintedCode("QRCODE", text)
        return None, None
