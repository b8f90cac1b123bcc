"""Scanner and displays over real ptys: what the terminal reads, loses, and sees when a cable is pulled."""

import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hil.simulators.display import SimLineDisplay, SimPanel, SimTerminal
from hil.simulators.scanner import PortUnpluggedError, SimScanner


@pytest_asyncio.fixture
async def scanner(tmp_path: Path) -> AsyncIterator[SimScanner]:
    device = SimScanner(tmp_path / "scanner")
    await device.start()
    yield device
    device.close()


@pytest_asyncio.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[SimTerminal]:
    device = SimTerminal(tmp_path / "operator", 40, 12)
    await device.start()
    yield device
    device.close()


def open_port(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


async def read_some(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        async with asyncio.timeout(5):
            await ready.wait()
    finally:
        loop.remove_reader(fd)
    return os.read(fd, 4096)


async def read_exactly(fd: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await read_some(fd)
    return data


async def test_scan_in_pieces_arrives_whole_and_unchanged(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    try:
        await scanner.send(bytes(range(256)), suffix=b"\r\n", chunks=[1, 7], gap_s=0)
        assert await read_exactly(fd, 258) == bytes(range(256)) + b"\r\n"
    finally:
        os.close(fd)


async def test_scan_longer_than_the_tty_buffer_waits_for_the_reader(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_exactly(fd, 200_001))
            group.create_task(scanner.send(b"7" * 200_000))
        assert reading.result() == b"7" * 200_000 + b"\r"
    finally:
        os.close(fd)


async def test_scan_while_nobody_listens_is_lost(scanner: SimScanner) -> None:
    await scanner.send(b"6901234567892")
    assert scanner.dropped_byte_count == 14
    fd = open_port(scanner.path)
    try:
        await scanner.send(b"NEW")
        assert await read_exactly(fd, 4) == b"NEW\r"
    finally:
        os.close(fd)


async def test_noise_has_no_byte_that_ends_a_frame(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    try:
        await scanner.noise(3000)
        assert set(await read_exactly(fd, 3000)).isdisjoint(b"\r\n\0\x03")
        await scanner.noise(b"\xff\r")
        assert await read_exactly(fd, 2) == b"\xff\r"
    finally:
        os.close(fd)


async def test_exclusive_lock_of_a_closed_user_is_forgotten(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    fcntl.ioctl(fd, termios.TIOCEXCL)
    await scanner.send(b"unread")
    os.close(fd)
    assert not scanner.is_open
    fd = open_port(scanner.path)
    try:
        assert fcntl.ioctl(fd, getattr(termios, "TIOCGEXCL", 0x80045440), b"\0" * 4) == b"\0" * 4
        with pytest.raises(BlockingIOError):
            os.read(fd, 100)
        assert termios.tcgetattr(fd)[3] & (termios.ECHO | termios.ICANON) == 0
    finally:
        os.close(fd)


async def test_unplug_hangs_up_and_plug_makes_a_new_port(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    assert str(scanner.path.readlink()).startswith("/dev/pts/")
    scanner.unplug()
    try:
        assert await read_some(fd) == b""
    except OSError as error:
        assert error.errno == errno.EIO
    assert not scanner.path.is_symlink()
    with pytest.raises(PortUnpluggedError):
        await scanner.send(b"1")
    scanner.plug()
    assert scanner.path.is_symlink()
    again = open_port(scanner.path)
    try:
        await scanner.send(b"back")
        assert await read_exactly(again, 5) == b"back\r"
    finally:
        os.close(again)
        os.close(fd)


async def test_unplug_while_a_send_waits_ends_the_send(scanner: SimScanner) -> None:
    fd = open_port(scanner.path)
    try:
        sending = asyncio.create_task(scanner.send(b"7" * 500_000))
        await read_some(fd)
        scanner.unplug()
        with pytest.raises(PortUnpluggedError):
            await sending
    finally:
        os.close(fd)


async def test_terminal_shows_wide_characters_once(terminal: SimTerminal) -> None:
    fd = open_port(terminal.path)
    try:
        os.write(fd, "\x1b[2J\x1b[1;1H扫码退款\x1b[2;3H￥12.00\x1b[7m已保存\x1b[0m\x07".encode())
        await terminal.wait_change(0, 5)
        assert terminal.lines()[:2] == ["扫码退款", "  ￥12.00已保存"]
        assert (terminal.reverse_cells(1), terminal.beeps) == ("已保存", 1)
        assert len(terminal.lines()) == 12
    finally:
        os.close(fd)


async def test_terminal_counts_visible_changes_only(terminal: SimTerminal) -> None:
    fd = open_port(terminal.path)
    seen: list[int] = []
    terminal.on_change = lambda panel: seen.append(panel.seq)
    try:
        os.write(fd, b"A")
        assert await terminal.wait_change(0, 5) == 1
        os.write(fd, b"\x1b[?25l")
        os.write(fd, b"B")
        assert await terminal.wait_change(1, 5) == 2
        assert await terminal.wait_change(2, 0.01) == 2
        assert terminal.cursor_is_hidden
        assert (seen, terminal.raw_count) == ([1, 2], 8)
        assert terminal.changed_at > 0
    finally:
        os.close(fd)


@pytest.mark.parametrize("kind", [SimTerminal, SimLineDisplay])
async def test_display_unplugged_forgets_and_comes_back_blank(kind: type[SimPanel], tmp_path: Path) -> None:
    display = kind(tmp_path / "display", 20, 4)
    await display.start()
    try:
        fd = open_port(display.path)
        os.write(fd, b"hello")
        await display.wait_change(0, 5)
        display.unplug()
        with pytest.raises(OSError, match="Input/output"):
            os.write(fd, b"x")
        os.close(fd)
        assert display.lines() == [""] * 4
        display.plug()
        fd = open_port(display.path)
        os.write(fd, b"again")
        await display.wait_change(2, 5)
        assert display.lines()[0] == "again"
        os.close(fd)
    finally:
        display.close()
