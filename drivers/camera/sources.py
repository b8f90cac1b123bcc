"""Where pictures come from: a V4L2 device, or a folder that stands for one (tests, the bench).

Imported in the camera's own process only: linuxpy and Pillow never reach the daemon's memory.
"""

import contextlib
import errno
import os
import time
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol

from drivers.camera.frames import GreyFrame, UnknownPixelFormatError, from_pixels

_PICTURES: Final = (".png", ".jpg", ".jpeg", ".pgm")
#: A picture of a folder is "in front of the camera" for this many frames: 1-D codes need two equal reads.
_FRAMES_A_PICTURE: Final = 2
#: Formats asked for, the cheapest to read first; the driver may answer with another.
_WANTED: Final = ("GREY", "YUYV", "MJPG")
_JPEG: Final = frozenset({"MJPG", "MJPEG", "JPEG"})
#: Driver-side buffers: what they hold after a pause is old.
_BUFFERS: Final = 2


class Source(Protocol):
    """Gives one picture at a time."""

    def open(self) -> None:
        """Begin.

        Raises:
            OSError: As the system says it.
        """

    def take(self) -> GreyFrame | None:
        """Return the newest picture, or None if there is none.

        Raises:
            OSError: The camera has gone.
        """

    def close(self) -> None:
        """End."""


def make_source(path: str, *, width: int, height: int, fps: float) -> Source:
    """Return the source for a path: a folder, or a device node."""
    if Path(path).is_dir():
        return FolderSource(Path(path))
    return V4l2Source(path, width=width, height=height, fps=fps)


class FolderSource:
    """Pictures in the order in which they were put into the folder; what was there before is not looked at.

    Write a picture under a name that begins with a dot, then rename it: a half-written one would be read as it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest: tuple[int, str] = (-1, "")
        self._shown: GreyFrame | None = None
        self._left = 0

    def open(self) -> None:
        """Note what is there."""
        found = self._list()
        self._newest = found[-1] if found else (-1, "")

    def take(self) -> GreyFrame | None:
        """Return the picture that is shown now."""
        found = self._list()  # also where a folder that has gone is noticed
        if self._left > 0:
            self._left -= 1
            return self._shown
        following = next((entry for entry in found if entry > self._newest), None)
        if following is None:
            self._shown = None
            return None
        self._newest = following
        self._shown = _grey(Path(self._folder / following[1]).read_bytes())
        self._left = _FRAMES_A_PICTURE - 1
        return self._shown

    def close(self) -> None:
        """Forget the last picture."""
        self._shown = None

    def _list(self) -> list[tuple[int, str]]:
        with os.scandir(self._folder) as entries:
            return sorted(
                (entry.stat().st_mtime_ns, entry.name)
                for entry in entries
                if entry.name.endswith(_PICTURES) and not entry.name.startswith(".")
            )


class V4l2Source:
    """A USB camera (UVC) or a capture device, through linuxpy, streaming into mapped buffers."""

    def __init__(self, path: str, *, width: int, height: int, fps: float) -> None:
        self._path = path
        self._size = (width, height)
        self._fps = fps
        self._device: Any = None
        self._capture: Any = None
        self._frames: Any = None
        self._stride = 0
        self._taken_at_s = float("-inf")

    def open(self) -> None:
        """Claim the camera, choose a format that can be read, start the stream."""
        from linuxpy.video.device import Device, VideoCapture  # noqa: PLC0415 - an optional package

        self._device = Device(os.path.realpath(self._path), blocking=True)
        self._device.open()
        self._capture = VideoCapture(self._device, size=_BUFFERS)
        self._stride = self._choose_format()
        with contextlib.suppress(OSError):  # some cameras have one rate only
            self._capture.set_fps(self._fps)
        self._capture.open()
        self._frames = iter(self._capture)

    def take(self) -> GreyFrame | None:
        """Wait for the next picture; after a pause, for the first that is new."""
        if time.monotonic() - self._taken_at_s > 2 / self._fps:
            for _ in range(_BUFFERS):
                next(self._frames)
        frame = next(self._frames)
        self._taken_at_s = time.monotonic()
        name = _four_characters(frame.format.pixel_format)
        if name in _JPEG:
            return _grey(bytes(frame.data))
        return from_pixels(name, frame.width, frame.height, self._stride, bytes(frame.data))

    def close(self) -> None:
        """Stop the stream and let the camera go."""
        if self._capture is not None:
            self._capture.close()
        if self._device is not None:
            self._device.close()

    def _choose_format(self) -> int:
        """Ask for the formats in turn; return the bytes a line of what the driver settled on, 0 = no padding."""
        names = []
        for wanted in _WANTED:
            self._capture.set_format(*self._size, wanted)
            got = self._capture.get_format()
            name = _four_characters(got.pixel_format)
            if name in _JPEG:
                return 0
            try:
                from_pixels(name, got.width, 1, 0, bytes(got.width * 2))
            except UnknownPixelFormatError:
                names.append(name)
                continue
            return int(got.bytes_per_line)
        raise OSError(errno.ENOTSUP, f"the camera delivers none of {', '.join(_WANTED)}, only {', '.join(names)}")


def _four_characters(pixel_format: int) -> str:
    """Return the name of a V4L2 pixel format: its number is four characters, the first lowest."""
    return (int(pixel_format) & 0x7FFF_FFFF).to_bytes(4, "little").decode("ascii", "replace").rstrip()


def _grey(data: bytes) -> GreyFrame:
    """Return a compressed picture as grey dots.

    Raises:
        UnknownPixelFormatError: It cannot be read.
    """
    from PIL import Image  # noqa: PLC0415 - an optional package

    try:
        with Image.open(BytesIO(data)) as picture:
            grey = picture.convert("L")
    except (OSError, SyntaxError, ValueError) as error:  # a damaged frame of a bad cable is not the camera's end
        raise UnknownPixelFormatError("not a picture") from error
    return GreyFrame(grey.width, grey.height, grey.tobytes())
