"""One-bit pictures and the bar code drawn as one. Pure.

Bytes of a row go left to right, the most significant bit first, 1 = black: the order that ``GS v 0`` takes.
"""

import msgspec

# Widths of bars and gaps of the 106 Code 128 symbols, then the stop pattern.
# Source: ISO/IEC 15417:2007, table 1 (values 0 … 105) and the stop pattern of section 4.3.3.
_TABLE = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222 "
    "123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321 "
    "232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121 "
    "313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 "
    "111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111 "
    "111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113 "
    "114311 411113 411311 113141 114131 311141 411131 211412 211214 211232 2331112"
)
_PATTERNS = tuple(_TABLE.split())
_START_C, _STOP = 105, 106
#: Modules of white on either side. Source: ISO/IEC 15417:2007, section 4.3.3 (quiet zone 10X).
QUIET_MODULES = 10


class Bitmap(msgspec.Struct, frozen=True):
    """A picture: `width_bytes` × 8 dots wide, `len(rows) // width_bytes` high."""

    width_bytes: int
    rows: bytes

    @property
    def height(self) -> int:
        """Return the rows of dots."""
        return len(self.rows) // self.width_bytes


def code128_c_modules(digits: str) -> str:
    """Return the modules of a Code 128 symbol in set C, "1" = bar, without quiet zones.

    Raises:
        ValueError: Not an even number of ASCII digits.
    """
    if not digits or len(digits) % 2 or not (digits.isascii() and digits.isdigit()):
        raise ValueError("Code 128 set C takes an even number of digits")
    values = [int(digits[index : index + 2]) for index in range(0, len(digits), 2)]
    check = (_START_C + sum(place * value for place, value in enumerate(values, 1))) % 103
    modules = ""
    for symbol in (_START_C, *values, check, _STOP):
        for place, width in enumerate(_PATTERNS[symbol]):
            modules += ("0" if place % 2 else "1") * int(width)
    return modules


def draw_modules(modules: str, *, module_dots: int, height_dots: int, width_dots: int) -> Bitmap:
    """Draw one row of modules `height_dots` high, centred with its quiet zones.

    Raises:
        ValueError: Wider than the paper.
    """
    dots = "".join(module * module_dots for module in modules)
    if len(dots) + 2 * QUIET_MODULES * module_dots > width_dots:
        raise ValueError(f"{len(dots)} dots and quiet zones are wider than the paper's {width_dots}")
    row = dots.center(width_dots, "0").ljust(width_dots, "0")
    return Bitmap(width_dots // 8, int(row, 2).to_bytes(width_dots // 8, "big") * height_dots)
