"""The V4L2 source on a stand-in for linuxpy's capture (no camera here); real pixel-format numbers."""

import itertools
import sys
from collections.abc import Iterator
from io import BytesIO
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from linuxpy.video import device as linuxpy_device
from linuxpy.video import raw
from PIL import Image

from drivers.camera.frames import UnknownPixelFormatError
from drivers.camera.sources import FolderSource, V4l2Source, make_source


class Camera:
    """What a driver does: it takes any request and answers with what it can."""

    def __init__(self, formats: dict[str, int], picture: bytes = b"") -> None:
        self.formats = formats
        self.picture = picture
        self.asked: list[str] = []
        self.is_streaming = False
        self._format = next(iter(formats))
        self.taken = itertools.count(1)

    # -- linuxpy.video.device.VideoCapture
    def set_format(self, width: int, height: int, pixel_format: str) -> None:
        self.asked.append(pixel_format)
        if pixel_format in self.formats:
            self._format = pixel_format

    def get_format(self) -> Any:
        number = raw.v4l2_fourcc(*self._format)
        stride = self.formats[self._format]
        return SimpleNamespace(width=2, height=2, pixel_format=number, bytes_per_line=stride)

    def set_fps(self, fps: float) -> None:
        raise OSError("this camera has one rate")

    def open(self) -> None:
        self.is_streaming = True

    def close(self) -> None:
        self.is_streaming = False

    def __iter__(self) -> Iterator[Any]:
        while True:
            data = self.picture or bytes([next(self.taken)]) * 12
            yield SimpleNamespace(format=self.get_format(), width=2, height=2, data=data)


def source_of(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> V4l2Source:
    module = ModuleType("linuxpy.video.device")
    device = SimpleNamespace(open=lambda: None, close=lambda: None)
    module.Device = lambda *_, **__: device  # type: ignore[attr-defined]
    module.VideoCapture = lambda *_, **__: camera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", module)
    return V4l2Source("/dev/video0", width=2, height=2, fps=10)


def test_camera_that_has_no_grey_is_read_in_the_next_format_with_its_line_padding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera = Camera({"H264": 0, "YUYV": 6}, picture=b"\x01\xff\x02\xff\0\0\x03\xff\x04\xff\0\0")
    source = source_of(camera, monkeypatch)
    source.open()
    frame = source.take()
    source.close()
    assert camera.asked == ["GREY", "YUYV"]
    assert frame is not None
    assert frame.dots == b"\x01\x02\x03\x04"
    assert not camera.is_streaming


def test_camera_that_has_only_jpeg_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made = BytesIO()
    Image.new("L", (16, 8), 200).save(made, "JPEG")
    source = source_of(Camera({"MJPG": 0}, picture=made.getvalue()), monkeypatch)
    source.open()
    frame = source.take()
    assert frame is not None
    assert (frame.width, frame.height, set(frame.dots)) == (16, 8, {200})


def test_camera_damaged_jpeg_is_one_lost_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(Camera({"MJPG": 0}, picture=b"\xff\xd8\xff\xe0garbage"), monkeypatch)
    source.open()
    with pytest.raises(UnknownPixelFormatError):
        source.take()


def test_camera_that_delivers_nothing_readable_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(Camera({"H264": 0}), monkeypatch)
    with pytest.raises(OSError, match="none of GREY, YUYV, MJPG, only H264"):
        source.open()


def test_camera_after_a_pause_old_pictures_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two buffers were filled before the pause: the third picture is the first that is new."""
    source = source_of(Camera({"GREY": 2}), monkeypatch)
    source.open()
    first, second = source.take(), source.take()
    assert first is not None
    assert second is not None
    assert (first.dots[0], second.dots[0]) == (3, 4)


def test_folder_stands_for_a_camera_and_a_node_is_one(tmp_path: Any) -> None:
    assert isinstance(make_source(str(tmp_path), width=2, height=2, fps=10), FolderSource)
    assert isinstance(make_source("/dev/video0", width=2, height=2, fps=10), V4l2Source)


def test_linuxpy_has_what_the_source_asks_of_it() -> None:
    """The stand-in above is only as good as this list."""
    for name in ("set_format", "get_format", "set_fps", "open", "close", "__iter__"):
        assert callable(getattr(linuxpy_device.VideoCapture, name))
    assert {"width", "height", "pixel_format", "bytes_per_line"} <= set(linuxpy_device.Format._fields)
    assert {"width", "height", "format", "data"} <= set(dir(linuxpy_device.Frame))
    assert int(linuxpy_device.PixelFormat.GREY) == raw.v4l2_fourcc(*"GREY")
