"""Serial, terminal and event ports on ptys and FIFOs."""

import errno
import fcntl
import os
import struct
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.links.evdev_port import EvdevPort
from drivers.links.serial_port import SerialPort
from drivers.links.tty_port import TtyPort


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    yield master, path
    os.close(slave)
    os.close(master)


def test_serial_port_is_raw_nonblocking_and_at_its_baud(pty: tuple[int, str]) -> None:
    port = SerialPort(pty[1], baud=115_200)
    fd = port.acquire()
    try:
        attributes = termios.tcgetattr(fd)
        assert attributes[4] == attributes[5] == termios.B115200
        assert attributes[2] & termios.CSIZE == termios.CS8
        assert not attributes[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert not attributes[0] & (termios.ICRNL | termios.IXON | termios.ISTRIP)
        assert not attributes[1] & termios.OPOST
        with pytest.raises(BlockingIOError):
            os.read(fd, 1)
    finally:
        port.release(fd)


def test_serial_port_second_agent_is_locked_out_until_release(pty: tuple[int, str]) -> None:
    first = SerialPort(pty[1], baud=9600)
    fd = first.acquire()
    with pytest.raises(OSError, match=r"lock|busy|Busy"):
        SerialPort(pty[1], baud=9600).acquire()
    first.release(fd)

    again = SerialPort(pty[1], baud=9600)
    again.release(again.acquire())


def test_serial_port_other_programs_are_locked_out_by_the_kernel(pty: tuple[int, str]) -> None:
    port = SerialPort(pty[1], baud=9600)
    fd = port.acquire()
    try:
        # TIOCGEXCL says whether TIOCEXCL is in force; an open would tell only an ordinary user.
        # Source: asm-generic/ioctls.h
        is_exclusive = struct.unpack("i", fcntl.ioctl(fd, 0x80045440, b"\0\0\0\0"))[0]
    finally:
        port.release(fd)
    assert is_exclusive


def test_serial_port_what_came_before_is_flushed(pty: tuple[int, str]) -> None:
    os.write(pty[0], b"stale scan\r\n")
    port = SerialPort(pty[1], baud=9600)
    fd = port.acquire()
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 64)
    finally:
        port.release(fd)


def test_serial_port_descriptor_is_not_inherited(pty: tuple[int, str]) -> None:
    port = SerialPort(pty[1], baud=9600)
    fd = port.acquire()
    try:
        assert not os.get_inheritable(fd)
    finally:
        port.release(fd)


def test_serial_port_release_after_hang_up_is_quiet() -> None:
    master, slave = os.openpty()
    port = SerialPort(os.ttyname(slave), baud=9600)
    fd = port.acquire()
    os.close(slave)
    os.close(master)

    port.release(fd)


def test_tty_port_is_silent_and_puts_settings_back(pty: tuple[int, str]) -> None:
    watcher = os.open(pty[1], os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(watcher)
    port = TtyPort(pty[1])
    fd = port.acquire()
    silent = termios.tcgetattr(watcher)
    port.release(fd)
    after = termios.tcgetattr(watcher)
    os.close(watcher)

    assert before[3] & termios.ECHO
    assert not silent[3] & termios.ECHO
    assert not silent[1] & termios.OPOST
    assert after[3] & termios.ECHO
    assert not port.is_kernel_console


def test_tty_port_second_agent_is_refused(pty: tuple[int, str]) -> None:
    port = TtyPort(pty[1])
    fd = port.acquire()
    try:
        with pytest.raises(BlockingIOError):
            TtyPort(pty[1]).acquire()
    finally:
        port.release(fd)


def test_tty_port_plain_file_is_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(OSError, match="Inappropriate") as caught:
        TtyPort(str(path)).acquire()
    assert caught.value.errno == errno.ENOTTY


def test_evdev_port_fifo_without_writer_is_not_plugged_in(tmp_path: Path) -> None:
    path = tmp_path / "keypad"
    os.mkfifo(path)

    with pytest.raises(OSError, match="No such device") as caught:
        EvdevPort(str(path)).acquire()
    assert caught.value.errno == errno.ENODEV


def test_evdev_port_fifo_drops_keys_pressed_before(tmp_path: Path) -> None:
    path = tmp_path / "keypad"
    os.mkfifo(path)
    both = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(both, bytes(24))
    port = EvdevPort(str(path))
    fd = port.acquire()
    try:
        with pytest.raises(BlockingIOError):
            os.read(fd, 24)
    finally:
        port.release(fd)
        os.close(both)


def test_evdev_port_character_device_without_evdev_ioctls_is_used_ungrabbed(pty: tuple[int, str]) -> None:
    port = EvdevPort(pty[1])
    fd = port.acquire()
    port.release(fd)


class FakeKernel:
    """Answers the ioctls of an event node, on a pty that stands for it."""

    def __init__(self, *, keys_down_for: int = 0, grab_error: int = 0) -> None:
        self.calls: list[int] = []
        self._keys_down_for = keys_down_for
        self._grab_error = grab_error

    def ioctl(self, _: int, request: int, argument: int | bytes = 0) -> int | bytes:
        self.calls.append(request)
        if request == 0x80604518:  # EVIOCGKEY(96)
            self._keys_down_for -= 1
            return b"\x01" + bytes(95) if self._keys_down_for >= 0 else bytes(96)
        if request == 0x40044590 and self._grab_error:  # EVIOCGRAB
            raise OSError(self._grab_error, os.strerror(self._grab_error))
        return 0


# Source of the request numbers: linux/input.h expanded by a C compiler on amd64
def test_evdev_port_node_is_grabbed_when_keys_are_up_and_numlock_lit(
    pty: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slave = os.open(pty[1], os.O_RDWR | os.O_NOCTTY)
    tty.setraw(slave)
    kernel = FakeKernel(keys_down_for=2)
    monkeypatch.setattr("drivers.links.evdev_port.fcntl.ioctl", kernel.ioctl)

    port = EvdevPort(pty[1])
    fd = port.acquire()
    monkeypatch.undo()
    port.release(fd)

    assert kernel.calls == [0x80604518] * 3 + [0x40044590, 0x400445A0]
    led = os.read(pty[0], 1024)
    os.close(slave)
    assert [event[2:] for event in struct.iter_unpack("@llHHi", led)] == [(0x11, 0, 1), (0, 0, 0)]


def test_evdev_port_node_grabbed_by_another_is_busy(pty: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.links.evdev_port.fcntl.ioctl", FakeKernel(grab_error=errno.EBUSY).ioctl)

    with pytest.raises(OSError, match="busy") as caught:
        EvdevPort(pty[1]).acquire()
    assert caught.value.errno == errno.EBUSY


def test_ports_import_pyserial_only_when_a_serial_port_opens() -> None:
    code = "import sys, drivers.links.serial_port, drivers.scanner.serial_scanner; print('serial' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
