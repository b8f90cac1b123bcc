"""Where cells lie in a framebuffer: pure arithmetic between the picture as read and the memory as scanned out.

Rotation is the angle by which the picture is turned clockwise on the panel's own orientation.
"""

import msgspec

from drivers.fonts.cells import CELL_DOTS, HEIGHT_DOTS
from pos_agent.errors import ConfigValueError

#: A cell is twice as high as wide; it may be stretched by this much to fill the panel.
_MAX_STRETCH = 1.25
#: So much of the panel may stay empty if the dots then all become equally large.
_SNAP_LOSS = 0.1
_BITS = (16, 24, 32)


class Framebuffer(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel says about a framebuffer (linux/fb.h: xres, yres, bits_per_pixel, line_length, offsets).

    Attributes:
        stride_bytes: From one row to the next.
        start_bytes: Of the first visible dot: a panned console does not start at 0.
    """

    width: int
    height: int
    bits: int
    stride_bytes: int
    start_bytes: int = 0

    @property
    def dot_bytes(self) -> int:
        """Return the bytes of one dot."""
        return self.bits // 8

    @property
    def size_bytes(self) -> int:
        """Return the bytes from the start of memory behind the last visible row."""
        return self.start_bytes + self.height * self.stride_bytes


class Rect(msgspec.Struct, frozen=True):
    """Dots of the panel, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How cells fill a framebuffer; `lay_out` makes it. Lengths in dots of the picture as read."""

    framebuffer: Framebuffer
    rotate: int
    cell_width: int
    cell_height: int
    left: int
    top: int

    def rect(self, row: int, column: int, cells: int) -> Rect:
        """Return where `cells` cells from `column` on lie on the panel."""
        x, y = self.left + column * self.cell_width, self.top + row * self.cell_height
        width, height = cells * self.cell_width, self.cell_height
        panel = self.framebuffer
        match self.rotate:
            case 90:
                return Rect(panel.width - y - height, x, height, width)
            case 180:
                return Rect(panel.width - x - width, panel.height - y - height, width, height)
            case 270:
                return Rect(y, panel.height - x - width, height, width)
            case _:
                return Rect(x, y, width, height)


def parse_geometry(text: str) -> Framebuffer:
    """Read ``800x480x16`` (width × height × bits a dot): a plain file has no driver to ask.

    Raises:
        ConfigValueError: Not of that form, or no depth that we draw.
    """
    try:
        width, height, bits = (int(part) for part in text.split("x"))
    except ValueError:
        width = height = bits = 0
    if bits not in _BITS or not 0 < width <= 8192 or not 0 < height <= 8192:
        raise ConfigValueError(f"no geometry {text!r}", key="geometry", origin="config", hint="such as 800x480x16")
    return Framebuffer(width=width, height=height, bits=bits, stride_bytes=width * bits // 8)


def lay_out(framebuffer: Framebuffer, *, size: tuple[int, int], rotate: int) -> Layout:
    """Return the largest cells that fit, in the middle.

    Args:
        framebuffer: The panel.
        size: (columns, rows).
        rotate: 0, 90, 180 or 270.
    Raises:
        ValueError: The panel is too small for 8 × 16 dots a cell, or has a depth that we do not draw.
    """
    columns, rows = size
    if framebuffer.bits not in _BITS:
        raise ValueError(f"{framebuffer.bits} bits a dot; only 16, 24 and 32 are drawn")
    width, height = framebuffer.width, framebuffer.height
    if rotate in (90, 270):
        width, height = height, width
    across, down = width // columns, height // rows
    if across < CELL_DOTS or down < HEIGHT_DOTS:
        raise ValueError(f"{width}×{height} dots are too few for {columns}×{rows} cells of 8×16")
    cell_width = _snap(min(across, int(down / 2 * _MAX_STRETCH)), CELL_DOTS)
    cell_height = _snap(min(down, int(across * 2 * _MAX_STRETCH)), HEIGHT_DOTS)
    return Layout(
        framebuffer=framebuffer,
        rotate=rotate,
        cell_width=cell_width,
        cell_height=cell_height,
        left=(width - columns * cell_width) // 2,
        top=(height - rows * cell_height) // 2,
    )


def _snap(dots: int, source: int) -> int:
    """Return a whole multiple of the glyph's own dots if that is nearly as large."""
    whole = dots // source * source
    return whole if whole >= dots * (1 - _SNAP_LOSS) else dots
