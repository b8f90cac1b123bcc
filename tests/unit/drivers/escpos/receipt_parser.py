"""A small independent reader of ESC/POS jobs: text as the paper shows it, and every command by name.

Written from the Epson ESC/POS Command Reference, sharing nothing with the encoder. An unknown command is a failure.
"""

from dataclasses import dataclass, field

_FIXED = {
    b"\x1bt": ("code_page", 3),
    b"\x1ba": ("align", 3),
    b"\x1bE": ("bold", 3),
    b"\x1bd": ("feed", 3),
    b"\x1d!": ("size", 3),
    b"\x1c!": ("han_size", 3),
    b"\x1dH": ("hri", 3),
    b"\x1dw": ("module", 3),
    b"\x1dh": ("bar_height", 3),
}


@dataclass
class Receipt:
    """What a job says."""

    lines: list[str] = field(default_factory=list)
    commands: list[tuple[str, bytes]] = field(default_factory=list)

    def named(self, name: str) -> list[bytes]:
        return [argument for found, argument in self.commands if found == name]


def parse(data: bytes, *, code_page: str = "ascii") -> Receipt:
    receipt, at, line, is_han = Receipt(), 0, "", False
    while at < len(data):
        head = data[at : at + 2]
        if data[at] == 0x0A:
            receipt.lines.append(line)
            line, at = "", at + 1
        elif head in (b"\x1b@", b"\x1c&", b"\x1c."):
            is_han = head == b"\x1c&"
            name = {b"\x1b@": "initialize", b"\x1c&": "han_on", b"\x1c.": "han_off"}[head]
            receipt.commands.append((name, b""))
            at += 2
        elif head in _FIXED:
            name, length = _FIXED[head]
            receipt.commands.append((name, data[at + 2 : at + length]))
            at += length
        elif head[:1] in (b"\x1b", b"\x1c", b"\x1d"):
            assert not line, "a command in the middle of a line"
            name, argument, at = _long(data, at)
            receipt.commands.append((name, argument))
        elif is_han:
            line += data[at : at + 2].decode("gb18030")
            at += 2
        else:
            assert data[at] >= 0x20, f"control byte {data[at]:#x} at {at}"
            line += data[at : at + 1].decode(code_page)
            at += 1
    assert not line, "the job ends inside a line"
    assert not is_han, "the job ends in Han mode"
    return receipt


def _long(data: bytes, at: int) -> tuple[str, bytes, int]:
    if data[at : at + 3] == b"\x1dV\x42":
        return "feed_and_cut", data[at + 3 : at + 4], at + 4
    if data[at : at + 2] == b"\x1dV":
        return "cut", data[at + 2 : at + 3], at + 3
    if data[at : at + 3] == b"\x1dk\x49":
        end = at + 4 + data[at + 3]
        return "code128", data[at + 4 : end], end
    if data[at : at + 3] == b"\x1d(k":
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "little")
        return "qr", data[at + 5 : end], end
    if data[at : at + 4] == b"\x1dv0\x00":
        width, height = (int.from_bytes(data[at + place : at + place + 2], "little") for place in (4, 6))
        end = at + 8 + width * height
        assert end <= len(data), "raster shorter than it says"
        return "raster", data[at + 4 : end], end
    raise AssertionError(f"unknown command {data[at : at + 4]!r} at {at}")


def raster_rows(argument: bytes) -> list[str]:
    """Return the rows of one raster as "0" and "1"."""
    width = int.from_bytes(argument[:2], "little")
    rows = argument[4:]
    return ["".join(f"{byte:08b}" for byte in rows[start : start + width]) for start in range(0, len(rows), width)]
