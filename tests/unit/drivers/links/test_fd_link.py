"""A link on a real pty: bytes both ways, short writes, hang-up without a spinning loop, hanging ports."""

import asyncio
import errno
import os
import threading
import tty
from collections.abc import Iterator

import pytest

from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from pos_agent.errors import ClaimedError, DeviceTimeoutError, FailureError, NoHardwareError, OfflineError
from tests.fakes.waiting import until


def _ignore(_: bytes) -> None:
    """Take nothing."""


class PtyPort:
    """The slave of a pty, as a port."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self._path = os.ttyname(slave)
        os.close(slave)
        self.error: OSError | None = None
        self.gate: threading.Event | None = None
        self.released: list[int] = []

    @property
    def path(self) -> str:
        return self._path

    def acquire(self) -> int:
        if self.gate is not None:
            self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def release(self, fd: int) -> None:
        self.released.append(fd)
        os.close(fd)

    def hang_up(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def port() -> Iterator[PtyPort]:
    port = PtyPort()
    yield port
    port.hang_up()


async def test_link_bytes_go_both_ways(port: PtyPort) -> None:
    received = bytearray()
    link = FdLink("scanner", port, opener=Opener(), on_bytes=received.extend)
    await link.open()
    os.write(port.master, b"6901\r")
    link.write(b"\x16T\r")

    await until(lambda: received == b"6901\r")
    assert os.read(port.master, 64) == b"\x16T\r"
    await link.close()
    assert len(port.released) == 1


async def test_link_hang_up_is_reported_once_and_leaves_the_loop(port: PtyPort) -> None:
    chunks: list[bytes] = []
    link = FdLink("scanner", port, opener=Opener(), on_bytes=chunks.append)
    await link.open()
    port.hang_up()

    async with asyncio.timeout(5):
        error = await link.wait_lost()
    assert isinstance(error, OfflineError)
    assert not link.is_open

    reads = 0
    read_now = link.read_now

    def count() -> None:
        nonlocal reads
        reads += 1
        read_now()

    link.read_now = count  # type: ignore[method-assign]
    for _ in range(100):
        await asyncio.sleep(0)
    assert (reads, chunks) == (0, [])
    link.write(b"into the void")
    await link.close()


async def test_link_short_write_is_finished_later_and_said(port: PtyPort) -> None:
    drained: list[bool] = []
    link = FdLink("display", port, opener=Opener(), on_bytes=_ignore, on_drained=lambda: drained.append(True))
    await link.open()
    data = bytes(range(256)) * 200
    link.write(data)
    assert link.is_pending

    os.set_blocking(port.master, False)
    received = bytearray()

    def take() -> bool:
        try:
            received.extend(os.read(port.master, 65_536))
        except BlockingIOError:
            return False
        return len(received) == len(data)

    await until(take)
    await until(lambda: drained == [True])
    await until(lambda: not link.is_pending)
    assert received == data
    await link.close()


async def test_link_reader_that_takes_nothing_bounds_the_buffer(port: PtyPort) -> None:
    link = FdLink("display", port, opener=Opener(), on_bytes=_ignore)
    await link.open()
    for _ in range(100):
        link.write(b"x" * 10_000)

    assert len(link._unsent) <= 65_536
    await link.close()


async def test_link_missing_node_is_no_hardware_without_a_thread(port: PtyPort) -> None:
    port._path = "/dev/pts/does-not-exist"
    port.gate = threading.Event()  # acquiring would hang

    with pytest.raises(NoHardwareError, match="does-not-exist"):
        await FdLink("scanner", port, opener=Opener(), on_bytes=_ignore).open()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(16, "busy"), ClaimedError),
        (OSError(11, "locked"), ClaimedError),
        (OSError(6, "no such device"), NoHardwareError),
        (PermissionError(13, "denied"), FailureError),
        (OSError(22, "invalid"), FailureError),
    ],
)
async def test_link_open_error_says_what_to_do(port: PtyPort, error: OSError, expected: type[Exception]) -> None:
    port.error = error
    with pytest.raises(expected):
        await FdLink("scanner", port, opener=Opener(), on_bytes=_ignore).open()


async def test_link_open_hangs_times_out_and_the_late_descriptor_is_closed(
    port: PtyPort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.links.node.OPEN_TIMEOUT_S", 0.3)
    port.gate = threading.Event()
    link = FdLink("scanner", port, opener=Opener(), on_bytes=_ignore)

    with pytest.raises(DeviceTimeoutError):
        await link.open()
    port.gate.set()

    await until(lambda: len(port.released) == 1)
    await until(lambda: threading.active_count() == 1)


async def test_link_close_hangs_returns_in_time(port: PtyPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.links.node.CLOSE_TIMEOUT_S", 0.3)
    gate = threading.Event()
    release = port.release

    def hang(fd: int) -> None:
        gate.wait(10)
        release(fd)

    port.release = hang  # type: ignore[method-assign]
    link = FdLink("scanner", port, opener=Opener(), on_bytes=_ignore)
    await link.open()

    async with asyncio.timeout(1):
        await link.close()
    assert port.released == []
    with pytest.raises(DeviceTimeoutError, match="earlier attempt"):
        await link.open()

    gate.set()
    await until(lambda: len(port.released) == 1)
    await until(lambda: threading.active_count() == 1)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV])
async def test_link_read_error_is_a_loss(port: PtyPort, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    link = FdLink("keypad", port, opener=Opener(), on_bytes=_ignore)
    await link.open()

    def fail(*_: int) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("drivers.links.fd_link.os.read", fail)
    os.write(port.master, b"x")
    async with asyncio.timeout(5):
        error = await link.wait_lost()
    monkeypatch.undo()
    await link.close()

    assert os.strerror(number) in str(error)


async def test_link_write_error_is_a_loss(port: PtyPort, monkeypatch: pytest.MonkeyPatch) -> None:
    link = FdLink("display", port, opener=Opener(), on_bytes=_ignore)
    await link.open()

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("drivers.links.fd_link.os.write", fail)
    link.write(b"x")
    monkeypatch.undo()
    async with asyncio.timeout(5):
        assert isinstance(await link.wait_lost(), OfflineError)
    await link.close()


async def test_link_wait_lost_before_open_is_a_misuse(port: PtyPort) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await FdLink("display", port, opener=Opener(), on_bytes=_ignore).wait_lost()
