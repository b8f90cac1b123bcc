"""Pictures as the decoders want them: one byte a dot, grey. Pure.

Source of the pixel formats: Linux Documentation/userspace-api/media/v4l/pixfmt-*.rst (GREY; YUYV: Y0 U Y1 V, so every
second byte is luma; NV12, YU12, YV12: a whole plane of luma comes first).
"""

from typing import Final

import msgspec

#: Formats that begin with, or are, a plane of luma.
_PLANAR: Final = frozenset({"GREY", "NV12", "NV21", "YU12", "YV12"})
#: Formats with luma in every second byte, from byte 0 or from byte 1.
_PACKED: Final = {"YUYV": 0, "YVYU": 0, "UYVY": 1, "VYUY": 1}
_SAMPLES: Final = 1024
#: A dot differs when it is lighter or darker by more than this, of 255: above the noise of a cheap sensor.
_DIFFERENCE: Final = 24
#: Part of the samples that must differ before the picture counts as changed: a code held at arm's length is larger.
_CHANGED_PART: Final = 0.01


class GreyFrame(msgspec.Struct, frozen=True):
    """A picture, `width` × `height` bytes, rows from the top; `repr` hides the dots (they may show a payment code)."""

    width: int
    height: int
    dots: bytes

    def __repr__(self) -> str:
        """Show the size only."""
        return f"GreyFrame({self.width}x{self.height})"


class UnknownPixelFormatError(ValueError):
    """A camera delivers a format that cannot be read here."""


def from_pixels(pixel_format: str, width: int, height: int, stride: int, data: bytes) -> GreyFrame:
    """Return the luma of a raw frame.

    Args:
        pixel_format: Four characters, as V4L2 names it.
        width: Dots a line.
        height: Lines.
        stride: Bytes from one line to the next; 0 = no padding.
        data: The frame.
    Raises:
        UnknownPixelFormatError: The format is not one of these, or the frame is too short for its size.
    """
    if pixel_format in _PLANAR:
        step, first = 1, 0
    elif pixel_format in _PACKED:
        step, first = 2, _PACKED[pixel_format]
    else:
        raise UnknownPixelFormatError(f"pixel format {pixel_format!r}")
    line_bytes = width * step
    stride = max(stride, line_bytes)
    if len(data) < stride * (height - 1) + line_bytes:
        raise UnknownPixelFormatError(f"{len(data)} bytes are no frame of {width}x{height} {pixel_format}")
    if stride == line_bytes:
        return GreyFrame(width, height, data[first : line_bytes * height : step])
    lines = (data[row * stride + first : row * stride + line_bytes : step] for row in range(height))
    return GreyFrame(width, height, b"".join(lines))


def samples(frame: GreyFrame) -> bytes:
    """Return some dots of the picture, spread over it, for `has_changed`."""
    step = max(1, len(frame.dots) // _SAMPLES)
    # An odd step wanders over the columns instead of reading the same few of every line.
    return frame.dots[:: step | 1]


def has_changed(before: bytes, now: bytes) -> bool:
    """Return whether two pictures, by their `samples`, differ by more than noise."""
    if len(before) != len(now):
        return True
    differing = sum(abs(one - other) > _DIFFERENCE for one, other in zip(before, now, strict=True))
    return differing > len(now) * _CHANGED_PART
