"""Bar codes as modules: own encoders, so that no printer driver's bug is shared. Pure.

A symbol is a string of 1 (bar) and 0 (space), one character a module; wide elements are three narrow ones.
Source: ISO/IEC 15417 (Code 128), 15420 (EAN/UPC), 16388 (Code 39), 16390 (ITF), EN 798 (Codabar).
"""


def _table(text: str) -> list[str]:
    return text.split()


_CODE128 = _table("""
    212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 113222
    123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 212123 212321
    232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 113123 113321 133121
    313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224
    111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 241112 134111
    111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 412121 111143 111341 131141 114113
    114311 411113 411311 113141 114131 311141 411131 211412 211214 211232
""")
_CODE128_STOP = "2331112"
_START_A, _START_B, _START_C = 103, 104, 105
_CODE39_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%*"
_CODE39 = _table("""
    000110100 100100001 001100001 101100000 000110001 100110000 001110000 000100101 100100100 001100100 100001001
    001001001 101001000 000011001 100011000 001011000 000001101 100001100 001001100 000011100 100000011 001000011
    101000010 000010011 100010010 001010010 000000111 100000110 001000110 000010110 110000001 011000001 111000000
    010010001 110010000 011010000 010000101 110000100 011000100 010101000 010100010 010001010 000101010
    010010100
""")
_ITF = _table("00110 10001 01001 11000 00101 10100 01100 00011 10010 01010")
_CODABAR = dict(
    zip(
        "0123456789-$:/.+ABCD",
        _table(
            "0000011 0000110 0001001 1100000 0010010 1000010 0100001 0100100 0110000 1001000 "
            "0001100 0011000 1000101 1010001 1010100 0010101 0011010 0101001 0001011 0001110"
        ),
        strict=True,
    )
)
_EAN_L = _table("0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011")
_EAN_R = [code.translate(str.maketrans("01", "10")) for code in _EAN_L]
_EAN_G = [code[::-1] for code in _EAN_R]
_EAN13_PARITY = _table("LLLLLL LLGLGG LLGGLG LLGGGL LGLLGG LGGLLG LGGGLL LGLGLG LGLGGL LGGLGL")
_UPCE_PARITY = _table("GGGLLL GGLGLL GGLLGL GGLLLG GLGGLL GLLGGL GLLLGG GLGLGL GLGLLG GLLGLG")


class UnprintableSymbolError(ValueError):
    """The printer would print nothing: wrong characters or a wrong length."""


def code128(data: bytes) -> tuple[str, str]:
    """Return modules and text of an Epson Code 128 argument (`{A`, `{B`, `{C` choose the set, `{{` is a brace).

    In set C every byte is one value 0…99. Source: Epson ESC/POS reference, `GS k` m = 73.
    """
    if len(data) < 2 or data[:1] != b"{" or data[1:2] not in (b"A", b"B", b"C"):
        raise UnprintableSymbolError("Code 128 must begin with a code set")
    values: list[int] = []
    text: list[str] = []
    current = ""
    position = 0
    while position < len(data):
        byte = data[position]
        if byte == 0x7B:
            escape = data[position + 1 : position + 2].decode("latin-1")
            position += 2
            current = _code128_escape(escape, current, values, text)
            continue
        values.append(_code128_value(byte, current))
        text.append(f"{byte:02d}" if current == "C" else chr(byte))
        position += 1
    check = (values[0] + sum(weight * value for weight, value in enumerate(values[1:], 1))) % 103
    widths = "".join(_CODE128[value] for value in (*values, check)) + _CODE128_STOP
    return _bars(widths), "".join(text)


def _code128_escape(escape: str, current: str, values: list[int], text: list[str]) -> str:
    sets = {"A": (_START_A, 101), "B": (_START_B, 100), "C": (_START_C, 99)}
    if escape in sets:
        start, switch = sets[escape]
        if current != escape:
            values.append(start if not values else switch)
        return escape
    functions = {"1": 102, "2": 97, "3": 96, "4": 101 if current == "A" else 100}
    if escape in functions and (current != "C" or escape == "1"):
        values.append(functions[escape])
        return current
    if escape == "{" and current == "B":
        values.append(0x7B - 32)
        text.append("{")
        return current
    raise UnprintableSymbolError(f"Code 128: {{{escape} in set {current}")


def _code128_value(byte: int, current: str) -> int:
    if current == "C" and byte <= 99:
        return byte
    if current == "B" and 32 <= byte <= 127:
        return byte - 32
    if current == "A" and byte <= 95:
        return byte - 32 if byte >= 32 else byte + 64
    raise UnprintableSymbolError(f"Code 128: byte {byte} in set {current}")


def ean13(digits: str) -> tuple[str, str]:
    """Return modules and the 13 digits; 12 get their check digit, a wrong 13th is replaced as printers do."""
    digits = _checked(digits, 12)
    parity = _EAN13_PARITY[int(digits[0])]
    left = "".join((_EAN_L if side == "L" else _EAN_G)[int(d)] for d, side in zip(digits[1:7], parity, strict=True))
    return f"101{left}01010{''.join(_EAN_R[int(d)] for d in digits[7:])}101", digits


def ean8(digits: str) -> tuple[str, str]:
    """Return modules and the 8 digits."""
    digits = _checked(digits, 7)
    left, right = digits[:4], digits[4:]
    return (
        f"101{''.join(_EAN_L[int(d)] for d in left)}01010{''.join(_EAN_R[int(d)] for d in right)}101",
        digits,
    )


def upc_a(digits: str) -> tuple[str, str]:
    """Return modules and the 12 digits."""
    digits = _checked(digits, 11)
    return ean13("0" + digits)[0], digits


def upc_e(digits: str) -> tuple[str, str]:
    """Return modules and the 8 digits of a UPC-E, given as 6, 7 or 8 digits or as the UPC-A of 11 or 12."""
    if not digits.isdecimal() or len(digits) not in (6, 7, 8, 11, 12):
        raise UnprintableSymbolError("UPC-E: 6, 7, 8, 11 or 12 digits")
    six = _zero_suppressed(digits) if len(digits) >= 11 else digits[:6] if len(digits) == 6 else digits[1:7]
    check = int(_checked("0" + _zero_expanded(six), 11)[-1])
    parity = _UPCE_PARITY[check]
    body = "".join((_EAN_L if side == "L" else _EAN_G)[int(d)] for d, side in zip(six, parity, strict=True))
    return f"101{body}010101", f"0{six}{check}"


def _zero_expanded(six: str) -> str:
    last = six[5]
    if last in "012":
        return six[:2] + last + "0000" + six[2:5]
    if last == "3":
        return six[:3] + "00000" + six[3:5]
    if last == "4":
        return six[:4] + "00000" + six[4]
    return six[:5] + "0000" + last


def _zero_suppressed(digits: str) -> str:
    body = digits[1:11]
    candidates = (
        body[:2] + body[7:10] + body[2],
        body[:3] + body[8:10] + "3",
        body[:4] + body[9] + "4",
        body[:5] + body[9],
    )
    for six in candidates:
        if digits[0] == "0" and _zero_expanded(six) == body:
            return six
    raise UnprintableSymbolError("UPC-E: number cannot be shortened")


def _checked(digits: str, length: int) -> str:
    if not digits.isdecimal() or len(digits) not in (length, length + 1):
        raise UnprintableSymbolError(f"{length} or {length + 1} digits")
    body = digits[:length]
    total = sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def code39(text: str) -> tuple[str, str]:
    """Return modules and text; the start and stop characters are added."""
    text = text.strip("*")
    try:
        patterns = [_CODE39[_CODE39_CHARACTERS.index(character)] for character in f"*{text}*"]
    except ValueError as error:
        raise UnprintableSymbolError("Code 39: character") from error
    return "0".join(_bars(_wide(pattern)) for pattern in patterns), text


def itf(digits: str) -> tuple[str, str]:
    """Return modules and digits; an odd count cannot be printed."""
    if not digits.isdecimal() or len(digits) % 2:
        raise UnprintableSymbolError("ITF: an even number of digits")
    pairs = zip(digits[::2], digits[1::2], strict=True)
    middle = "".join(
        bar + space for left, right in pairs for bar, space in zip(_ITF[int(left)], _ITF[int(right)], strict=True)
    )
    return _bars(_wide("0000" + middle + "100")), digits


def codabar(text: str) -> tuple[str, str]:
    """Return modules and text with its start and stop letters."""
    text = text.upper()
    if len(text) < 3 or text[0] not in "ABCD" or text[-1] not in "ABCD":
        raise UnprintableSymbolError("Codabar: start and stop letter")
    if any(character not in "0123456789-$:/.+" for character in text[1:-1]):
        raise UnprintableSymbolError("Codabar: character")
    return "0".join(_bars(_wide(_CODABAR[character])) for character in text), text


def _bars(widths: str) -> str:
    return "".join(("0" if index % 2 else "1") * int(width) for index, width in enumerate(widths))


def _wide(pattern: str) -> str:
    return pattern.replace("1", "3").replace("0", "1")
