"""Rasters, column graphics and two-dimensional symbols as one-bit pictures."""

import qrcode  # type: ignore[import-untyped]
import qrcode.exceptions  # type: ignore[import-untyped]
import qrcode.util  # type: ignore[import-untyped]
from PIL import Image, ImageDraw

_QR_LEVELS = {48: 1, 49: 0, 50: 3, 51: 2}  # GS ( k fn 69: L M Q H in the numbers of the QR standard


def raster(data: bytes, row_bytes: int, rows: int, magnify: tuple[int, int]) -> Image.Image:
    """Return a picture of row-wise bits, 1 = black, most significant bit left (`GS v 0`, `GS ( L` fn 112)."""
    if not row_bytes or not rows:
        return Image.new("1", (1, 1), 1)
    picture = Image.frombytes("1", (row_bytes * 8, rows), bytes(byte ^ 0xFF for byte in data[: row_bytes * rows]))
    if magnify == (1, 1):
        return picture
    return picture.resize((picture.width * magnify[0], picture.height * magnify[1]), Image.Resampling.NEAREST)


def columns(data: bytes, mode: int) -> Image.Image | None:
    """Return a picture of column-wise bits, most significant bit on top (`ESC *`), None for an unknown mode.

    Source: Epson ESC/POS reference, `ESC *`: m = 0, 1 eight dots high; 32, 33 twenty-four; even = single density.
    """
    if mode not in (0, 1, 32, 33):
        return None
    column_bytes = 3 if mode >= 32 else 1
    count = len(data) // column_bytes
    picture = Image.new("1", (max(1, count), column_bytes * 8), 1)
    for index in range(count):
        bits = int.from_bytes(data[index * column_bytes : (index + 1) * column_bytes], "big")
        for y in range(column_bytes * 8):
            if bits >> (column_bytes * 8 - 1 - y) & 1:
                picture.putpixel((index, y), 0)
    return picture.resize(
        (picture.width * (1 if mode in (1, 33) else 2), picture.height * (1 if mode >= 32 else 3)),
        Image.Resampling.NEAREST,
    )


def bars(modules: str, module_dots: int, height: int) -> Image.Image:
    """Return the picture of a linear symbol."""
    row = Image.new("1", (len(modules), 1), 1)
    row.putdata([0 if module == "1" else 1 for module in modules])
    return row.resize((len(modules) * module_dots, height), Image.Resampling.NEAREST)


def qr(data: bytes, module_dots: int, level: int) -> Image.Image | None:
    """Return the picture of a QR code without quiet zone, None when the data is too long.

    Args:
        data: Bytes as stored; byte mode, as printers without a mode switch do.
        module_dots: Size of a module.
        level: 48…51 = L M Q H.
    """
    code = qrcode.QRCode(error_correction=_QR_LEVELS.get(level, 1), border=0, box_size=1)
    code.add_data(qrcode.util.QRData(data, mode=qrcode.util.MODE_8BIT_BYTE))
    try:
        code.make(fit=True)
    except (qrcode.exceptions.DataOverflowError, ValueError):
        return None
    matrix = code.get_matrix()
    picture = Image.new("1", (len(matrix), len(matrix)), 1)
    picture.putdata([0 if module else 1 for row in matrix for module in row])
    size = len(matrix) * module_dots
    return picture.resize((size, size), Image.Resampling.NEAREST)


def unknown_mark(width: int) -> Image.Image:
    """Return a framed box: something stands here that the simulator cannot draw."""
    picture = Image.new("1", (width, 24), 1)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width - 1, 23), outline=0, width=2)
    draw.line((0, 0, width - 1, 23), fill=0, width=2)
    return picture
