"""The framebuffer display on a plain file: its dots against a rendering of the same screen by Pillow; changes only."""

import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFont

from drivers.display.framebuffer import FramebufferDisplay
from drivers.display.framebuffer_port import FramebufferPort
from drivers.display.geometry import Framebuffer, lay_out, parse_geometry
from drivers.links.opener import Opener
from pos_agent.domain.events import DeviceName
from pos_agent.domain.screen import Screen, cell_width, make_screen
from pos_agent.errors import ConfigValueError, FailureError, NoHardwareError, OfflineError
from tests.contract.conformance import rule
from tests.fakes.waiting import until

#: Debian's fonts-unifont: the outlines of the release that the bundled dots were copied from.
UNIFONT = "/usr/share/fonts/opentype/unifont/unifont.otf"
CONFIRM_ZH = ["退款  4 提交", "-" * 40, "", "        退款  ￥128.00  全额", "        壹佰贰拾捌元整", "", "",
              "  退到  微信 原支付账户", "  订单  .. 2089 0789 0   2026-11-20", "  原因  顾客不想要", "-" * 40,
              "确认=提交(一次)  清除=返回  取消=放弃"]  # fmt: skip
CONFIRM_EN = ["Refund  4 submit", "-" * 40, "", "        REFUND  CNY128.00  full", "", "", "",
              "  To      WeChat, the paying account", "  Order   .. 2089 0789 0   2026-11-20",
              "  Reason  Changed mind", "-" * 40, "OK=submit (once)  CLR=back  ESC=drop"]  # fmt: skip


class _Sheet:
    """Where the outcome of this file's rules is written."""

    sheet = "display-framebuffer"


@pytest.fixture(autouse=True)
def on_sheet() -> _Sheet:
    return _Sheet()


def _screen(*lines: str) -> Screen:
    return make_screen(list(lines), columns=40, rows=12)


def _display(path: Path, geometry: str, *, rotate: int = 0) -> FramebufferDisplay:
    width, height, bits = (int(part) for part in geometry.split("x"))
    path.write_bytes(b"\x55" * (width * height * bits // 8))  # what a console left there
    return FramebufferDisplay(
        DeviceName.OPERATOR_DISPLAY,
        port=FramebufferPort(str(path), geometry=geometry),
        size=(40, 12),
        opener=Opener(),
        rotate=rotate,
    )


async def _shown(path: Path, geometry: str, lines: list[str], *, rotate: int = 0) -> Image.Image:
    """Return what the panel shows, as a person who turned the panel sees it."""
    display = _display(path, geometry, rotate=rotate)
    await display.open()
    display.show(_screen(*lines))
    await display.close()
    width, height, bits = (int(part) for part in geometry.split("x"))
    data = path.read_bytes()
    panel = Image.new("L", (width, height))
    panel.putdata(data[:: bits // 8])
    assert set(data) <= {0, 255}
    return panel.rotate(rotate, expand=True)  # Pillow turns anticlockwise: it turns the picture back


def _by_pillow(lines: list[str], *, cell: tuple[int, int], picture: tuple[int, int]) -> Image.Image:
    """Draw the screen as Pillow would: the same font, 8 × 16 dots a cell, each made larger by a whole number."""
    font = ImageFont.truetype(UNIFONT, 16)
    small = Image.new("1", (320, 192))
    draw = ImageDraw.Draw(small)
    draw.fontmode = "1"
    for row, line in enumerate(lines):
        column = 0
        for character in line:
            draw.text((column * 8, row * 16 + 14), character, fill=1, font=font, anchor="ls")
            column += cell_width(character)
    large = small.resize((40 * cell[0], 12 * cell[1]), Image.Resampling.NEAREST).convert("L")
    canvas = Image.new("L", picture)
    canvas.paste(large, ((picture[0] - large.width) // 2, (picture[1] - large.height) // 2))
    return canvas


@pytest.mark.parametrize("lines", [CONFIRM_ZH, CONFIRM_EN], ids=["zh-CN", "en"])
@pytest.mark.parametrize(
    ("geometry", "cell"),
    [
        ("640x400x16", (16, 32)),
        ("1024x600x32", (24, 48)),
        ("1280x800x24", (32, 64)),
        ("320x192x16", (8, 16)),
    ],
)
@rule("field.md 1", "Chinese and English screens are dot by dot what Pillow draws of the same font")
async def test_framebuffer_shows_what_pillow_draws(
    lines: list[str], geometry: str, cell: tuple[int, int], tmp_path: Path
) -> None:
    """field.md 1: the words compared with a rendering by Pillow, not with our own."""
    shown = await _shown(tmp_path / "fb0", geometry, lines)
    assert shown.tobytes() == _by_pillow(lines, cell=cell, picture=shown.size).tobytes()


@pytest.mark.parametrize("rotate", [90, 180, 270])
@pytest.mark.parametrize("bits", [16, 32])
@rule("field.md 1", "Rotated by 90, 180 or 270 degrees it is the same picture")
async def test_framebuffer_rotated_is_the_same_picture_turned(rotate: int, bits: int, tmp_path: Path) -> None:
    panel = f"400x640x{bits}" if rotate in (90, 270) else f"640x400x{bits}"
    shown = await _shown(tmp_path / "fb0", panel, CONFIRM_ZH, rotate=rotate)
    assert shown.size == (640, 400)
    assert shown.tobytes() == _by_pillow(CONFIRM_ZH, cell=(16, 32), picture=(640, 400)).tobytes()


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@rule("field.md 12", "The first change goes out at once; only changed cells are written")
async def test_framebuffer_one_digit_more_changes_that_cell_only(rotate: int, tmp_path: Path) -> None:
    geometry = "800x800x16"
    before = await _shown(tmp_path / "fb0", geometry, ["", "Amount: 3_"], rotate=rotate)
    display = _display(tmp_path / "fb0", geometry, rotate=rotate)
    written: list[int] = []

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        written.append(len(data))
        return real(fd, data, offset)

    real = os.pwrite
    await display.open()
    display.show(_screen("", "Amount: 3_"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.pwrite", pwrite)
        display.show(_screen("", "Amount: 35_"))
        display.show(_screen("", "Amount: 35_"))
    await display.close()
    cell = lay_out(parse_geometry(geometry), size=(40, 12), rotate=rotate)

    assert sum(written) == 2 * cell.cell_width * cell.cell_height * 2  # two cells of 16 bits a dot
    assert display.counters["ScreenShownCount"] == 2
    assert before.getbbox() is not None


@pytest_asyncio.fixture
async def display(tmp_path: Path) -> AsyncIterator[FramebufferDisplay]:
    display = _display(tmp_path / "fb0", "640x480x16")
    await display.open()
    yield display
    await display.close()


async def test_framebuffer_opening_blacks_out_what_the_console_left(
    display: FramebufferDisplay, tmp_path: Path
) -> None:
    assert set((tmp_path / "fb0").read_bytes()) == {0}
    assert display.size == (40, 12)


@rule("field.md 1", "fb0 that goes is a device state, noticed without polling")
async def test_framebuffer_pulled_away_is_lost_without_being_asked(display: FramebufferDisplay, tmp_path: Path) -> None:
    (tmp_path / "fb0").unlink()
    error = await display.wait_lost()
    assert isinstance(error, OfflineError)
    display.show(_screen("退款"))  # never raises
    await display.close()
    with pytest.raises(NoHardwareError):
        await display.open()


@rule("field.md 1", "fb0 that comes late is opened and drawn")
async def test_framebuffer_that_comes_late_is_opened_and_drawn(tmp_path: Path) -> None:
    display = _display(tmp_path / "fb0", "640x480x16")
    (tmp_path / "fb0").unlink()
    display.show(_screen("退款"))
    with pytest.raises(NoHardwareError):
        await display.open()
    (tmp_path / "fb0").write_bytes(bytes(640 * 480 * 2))
    await display.open()
    await display.close()
    assert 255 in (tmp_path / "fb0").read_bytes()


async def test_framebuffer_write_that_fails_is_a_lost_device(
    display: FramebufferDisplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> int:
        raise OSError(19, "No such device")

    monkeypatch.setattr("os.pwrite", gone)
    display.show(_screen("退款"))
    assert isinstance(await display.wait_lost(), OfflineError)


@rule("field.md 1", "Another mode set under us is noticed before the next change")
async def test_framebuffer_with_another_mode_is_lost_and_fits_the_new_one(
    display: FramebufferDisplay, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = display._port
    changed = Framebuffer(width=320, height=240, bits=32, stride_bytes=1280)
    monkeypatch.setattr(port, "ask", lambda _fd: changed)
    display.show(_screen("退款"))
    error = await display.wait_lost()
    assert "another geometry" in str(error)


async def test_framebuffer_held_by_another_agent_is_claimed(display: FramebufferDisplay, tmp_path: Path) -> None:
    other = FramebufferDisplay(
        DeviceName.OPERATOR_DISPLAY,
        port=FramebufferPort(str(tmp_path / "fb0"), geometry="640x480x16"),
        size=(40, 12),
        opener=Opener(),
    )
    with pytest.raises(Exception, match="another process holds it"):
        await other.open()


@pytest.mark.parametrize(("geometry", "cause"), [("300x192x16", "too few"), ("640x100x32", "too few")])
async def test_framebuffer_too_small_says_so(geometry: str, cause: str, tmp_path: Path) -> None:
    display = _display(tmp_path / "fb0", geometry)
    with pytest.raises(FailureError, match=cause):
        await display.open()
    await until(lambda: display._fd < 0)


class _Kernel:
    """Answers the ioctls of a vc4 framebuffer: RGB565, a stride wider than the picture, panned by 10 rows."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, object]] = []
        self.console_mode = 0

    def ioctl(self, _fd: int, request: int, argument: Any = 0) -> Any:
        self.calls.append((request, argument if isinstance(argument, int) else None))
        if request == 0x4600:
            return struct.pack("=7I", 640, 480, 640, 1000, 0, 10, 16) + bytes(132)
        if request == 0x4602:
            return struct.pack("=16sQIIIIHHHxxI", b"vc4", 0, 0, 0, 0, 0, 0, 0, 0, 1312) + bytes(28)
        if request == 0x4B3A:
            self.console_mode = argument
        return 0


@rule("field.md 2", "Geometry, stride and panning from the ioctls; KD_GRAPHICS while open, KD_TEXT given back")
async def test_framebuffer_node_says_its_geometry_and_takes_the_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """field.md 2: KD_GRAPHICS keeps kernel text, cursor and blanking away; KD_TEXT is given back."""
    kernel = _Kernel()
    path, console = tmp_path / "fb0", tmp_path / "tty1"
    path.write_bytes(bytes(1312 * 490))
    console.touch()
    monkeypatch.setattr("fcntl.ioctl", kernel.ioctl)
    monkeypatch.setattr("stat.S_ISREG", lambda _mode: False)
    port = FramebufferPort(str(path), console=str(console))
    display = FramebufferDisplay(DeviceName.OPERATOR_DISPLAY, port=port, size=(40, 12), opener=Opener())
    await display.open()
    assert kernel.console_mode == 1
    assert (0x4611, 0) in kernel.calls  # unblanked
    display.show(_screen("退款"))
    await display.close()

    assert kernel.console_mode == 0
    data = path.read_bytes()
    assert not any(data[: 10 * 1312])  # above what is scanned out
    ink = [offset for offset, byte in enumerate(data) if byte]
    # 640 × 480 holds cells of 16 × 40: no margin, "退款" at the upper left.
    assert min(ink) // 1312 - 10 in range(5)
    assert max(offset % 1312 for offset in ink) < 4 * 16 * 2


@rule("field.md 2", "Without the right to the console the menu is drawn all the same, and it is said")
async def test_framebuffer_console_that_may_not_be_taken_is_said_and_the_menu_is_drawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fb0"
    path.write_bytes(bytes(640 * 480 * 2))
    port = FramebufferPort(str(path), console=str(tmp_path / "tty1"), geometry="640x480x16")
    display = FramebufferDisplay(DeviceName.OPERATOR_DISPLAY, port=port, size=(40, 12), opener=Opener())
    await display.open()
    display.show(_screen("退款"))
    await display.close()
    assert any(path.read_bytes())
    assert "kernel text may cover the menu" in caplog.text


@pytest.mark.parametrize("text", ["", "800x480", "800x480x8", "0x480x16", "ax480x16", "800x480x16x2"])
def test_geometry_of_a_plain_file_that_is_none_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigValueError):
        parse_geometry(text)


@pytest.mark.parametrize(
    ("panel", "cell"),
    [
        ("800x480x16", (20, 40)),  # the 5- and 7-inch DSI panels: fills the screen, 2.5 times the font
        ("1920x1080x32", (48, 90)),
        ("1280x800x16", (32, 64)),  # 4.2 times would be uneven: 4 times, in the middle
        ("1920x480x32", (24, 40)),  # a bar panel: cells are stretched by a quarter at most
        ("480x320x16", (12, 26)),
    ],
)
def test_layout_fills_the_panel_with_cells_of_even_dots(panel: str, cell: tuple[int, int]) -> None:
    layout = lay_out(parse_geometry(panel), size=(40, 12), rotate=0)
    assert (layout.cell_width, layout.cell_height) == cell
