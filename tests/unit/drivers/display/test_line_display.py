"""The display driver: first change at once, changed cells only, merging while output is pending."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.display.ansi import AnsiDialect
from drivers.display.line_display import CellDisplay
from drivers.display.serial_vfd import EpsonDialect
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from drivers.links.tty_port import TtyPort
from pos_agent.domain.events import DeviceName
from pos_agent.domain.screen import Screen, make_screen
from tests.contract.rigs import Pty
from tests.fakes.waiting import until


def _screen(*lines: str) -> Screen:
    return make_screen(list(lines), columns=40, rows=12)


@pytest_asyncio.fixture
async def pty(tmp_path: Path) -> AsyncIterator[Pty]:
    pty = Pty(tmp_path / "display")
    pty.plug()
    yield pty
    pty.unplug()


@pytest_asyncio.fixture
async def display(pty: Pty) -> AsyncIterator[CellDisplay]:
    display = CellDisplay(
        DeviceName.OPERATOR_DISPLAY, port=TtyPort(str(pty.path)), dialect=AnsiDialect, size=(40, 12), opener=Opener()
    )
    await display.open()
    pty.read_all()
    yield display
    await display.close()


async def test_display_first_change_goes_out_inside_the_call(display: CellDisplay, pty: Pty) -> None:
    display.show(_screen("Amount: 3_"))

    assert b"Amount: 3_" in pty.read_all()


async def test_display_one_digit_more_writes_that_cell_only(display: CellDisplay, pty: Pty) -> None:
    display.show(_screen("Amount: 3_"))
    pty.read_all()
    display.show(_screen("Amount: 35_"))

    assert pty.read_all() == b"\x1b[1;10H5_"


async def test_display_same_screen_writes_nothing(display: CellDisplay, pty: Pty) -> None:
    display.show(_screen("退款"))
    pty.read_all()
    display.show(_screen("退款"))

    assert pty.read_all() == b""
    assert display.counters["ScreenShownCount"] == 1


async def test_display_opening_draws_everything(pty: Pty) -> None:
    display = CellDisplay(
        DeviceName.OPERATOR_DISPLAY, port=TtyPort(str(pty.path)), dialect=AnsiDialect, size=(40, 12), opener=Opener()
    )
    display.show(_screen("退款"))
    await display.open()
    drawn = pty.read_all()
    await display.close()

    assert drawn.startswith(AnsiDialect().opening())
    assert drawn.count(b"H") == 12


async def test_display_beep_is_bel(display: CellDisplay, pty: Pty) -> None:
    display.beep()

    assert pty.read_all() == b"\a"


async def test_display_nobody_reads_screens_merge_into_the_newest(display: CellDisplay, pty: Pty) -> None:
    number = 0
    while not display._link.is_pending:
        display.show(_screen(*[f"{number:040d}"] * 12))
        number += 1
    for later in range(1000):
        display.show(_screen("last", str(later)))
    assert display.counters["ScreenMergedCount"] == 999

    received = bytearray()

    def take() -> bool:
        received.extend(pty.read_all())
        return b"\x1b[2;1H999" in received

    await until(take)
    assert b"998" not in received[received.rfind(b"last") :]


async def test_display_slow_line_is_paced_by_its_backlog(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    display = CellDisplay(
        DeviceName.CUSTOMER_DISPLAY,
        port=SerialPort(str(pty.path), baud=9600),
        dialect=lambda: EpsonDialect(encoding="ascii"),
        size=(20, 2),
        opener=Opener(),
        baud=9600,
    )
    await display.open()
    backlog = [48]  # bytes: 50 ms at 9600 baud
    monkeypatch.setattr(type(display._link), "kernel_backlog_bytes", property(lambda _: backlog[0]))
    display.show(make_screen(["1"], columns=20, rows=2))
    display.show(make_screen(["2"], columns=20, rows=2))
    display.show(make_screen(["3"], columns=20, rows=2))
    first = pty.read_all()
    backlog[0] = 0
    received = bytearray()

    def take() -> bool:
        received.extend(pty.read_all())
        return b"3" in received

    await until(take)
    await display.close()

    assert b"1" in first
    assert b"2" not in first + received


async def test_display_closing_shows_the_cursor_again(pty: Pty) -> None:
    display = CellDisplay(
        DeviceName.OPERATOR_DISPLAY, port=TtyPort(str(pty.path)), dialect=AnsiDialect, size=(40, 12), opener=Opener()
    )
    await display.open()
    held = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)  # keeps the pty alive after the display's close
    await display.close()
    left = pty.read_all()
    os.close(held)

    assert left.endswith(b"\x1b[?7h\x1b[?25h")
