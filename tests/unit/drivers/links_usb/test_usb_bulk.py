"""The link: one thread a printer, everything else awaits."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from drivers.links.usb_backend import VARIABLE
from drivers.links.usb_bulk import UsbBulkLink
from drivers.links.usb_device import UsbAddress
from pos_agent.errors import ConfigValueError, NoHardwareError, OfflineError
from tests.unit.drivers.links_usb import fake_backend
from tests.unit.drivers.links_usb.fake_backend import PRODUCT_ID, VENDOR_ID, FakeBackend

POLL_S = 0.02
_TARGET = "tests.unit.drivers.links_usb.fake_backend:current"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBackend]:
    made = FakeBackend()
    fake_backend.CURRENT.append(made)
    monkeypatch.setenv(VARIABLE, _TARGET)
    yield made
    fake_backend.CURRENT.clear()


class Idle:
    """Collects what idle polls report."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[tuple[int | None, bytes]] = asyncio.Queue()

    def __call__(self, port_status: int | None, data: bytes) -> None:
        self.seen.put_nowait((port_status, data))


@pytest.fixture
def idle() -> Idle:
    return Idle()


def make_link(idle: Idle, *, poll_s: float = POLL_S) -> UsbBulkLink:
    return UsbBulkLink(UsbAddress(VENDOR_ID, PRODUCT_ID), on_idle=idle, allow_backend_override=True, idle_poll_s=poll_s)


@pytest.fixture
async def link(backend: FakeBackend, idle: Idle) -> AsyncIterator[UsbBulkLink]:
    made = make_link(idle)
    await made.open()
    yield made
    await made.close()


async def test_link_write_returns_the_accepted_count(link: UsbBulkLink, backend: FakeBackend) -> None:
    backend.write_script.append(2)
    assert await link.write(b"abcd") == 2
    assert await link.write(b"cd") == 2
    assert bytes(backend.received) == b"abcd"


async def test_link_idle_reports_status_and_bytes_once(link: UsbBulkLink, backend: FakeBackend, idle: Idle) -> None:
    assert await asyncio.wait_for(idle.seen.get(), 2) == (0x18, b"")
    backend.port_status = 0x38
    assert await asyncio.wait_for(idle.seen.get(), 2) == (0x38, b"")
    backend.replies.append(b"\x10\x00\x00\x00")
    assert await asyncio.wait_for(idle.seen.get(), 2) == (0x38, b"\x10\x00\x00\x00")
    assert idle.seen.empty()


async def test_link_unplugged_while_idle_is_lost_and_refuses_calls(link: UsbBulkLink, backend: FakeBackend) -> None:
    backend.is_present = False
    assert isinstance(await asyncio.wait_for(link.wait_lost(), 2), OfflineError)
    assert not link.is_open
    with pytest.raises(OfflineError):
        await link.write(b"x")


async def test_link_unplugged_inside_a_write_raises_and_is_lost(link: UsbBulkLink, backend: FakeBackend) -> None:
    backend.write_script.append(OSError(errno.ENODEV, ""))
    with pytest.raises(OfflineError):
        await link.write(b"x")
    assert isinstance(await link.wait_lost(), OfflineError)


async def test_link_replugged_opens_again(link: UsbBulkLink, backend: FakeBackend) -> None:
    backend.is_present = False
    await asyncio.wait_for(link.wait_lost(), 2)
    with pytest.raises(NoHardwareError):
        await link.open()
    backend.is_present = True
    await link.open()
    assert await link.write(b"again") == 5


async def test_link_closed_leaves_no_thread_and_closes_twice(backend: FakeBackend, idle: Idle) -> None:
    link = make_link(idle, poll_s=60)
    await link.open()
    assert [thread.name for thread in threading.enumerate()].count("usb-printer") == 1
    await link.close()
    await link.close()
    assert "usb-printer" not in [thread.name for thread in threading.enumerate()]
    assert not backend.is_handle_open


async def test_link_job_is_taken_at_once_while_the_worker_idles(backend: FakeBackend, idle: Idle) -> None:
    link = make_link(idle, poll_s=60)
    await link.open()
    try:
        assert await asyncio.wait_for(link.write(b"now"), 2) == 3
    finally:
        await link.close()


async def test_link_call_cancelled_leaves_the_link_usable(link: UsbBulkLink) -> None:
    task = asyncio.create_task(link.write(b"first"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await link.write(b"second") == 6


async def test_link_not_open_is_offline(idle: Idle, backend: FakeBackend) -> None:
    link = make_link(idle)
    with pytest.raises(OfflineError):
        await link.port_status()
    assert isinstance(await link.wait_lost(), OfflineError)


def test_backend_override_in_production_is_refused(backend: FakeBackend, idle: Idle) -> None:
    with pytest.raises(ConfigValueError, match="production"):
        UsbBulkLink(UsbAddress(VENDOR_ID, PRODUCT_ID), on_idle=idle, allow_backend_override=False)


async def test_backend_override_unknown_is_a_config_error(idle: Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no.such.module:function")
    link = make_link(idle)
    with pytest.raises(ConfigValueError, match="no such backend"):
        await link.open()
