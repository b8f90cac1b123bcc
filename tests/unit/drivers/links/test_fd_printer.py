"""Printers behind a descriptor: honest counts, hang-ups, and nothing that blocks the event loop."""

import asyncio
import errno
import os
import select
import struct
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from drivers.links.fd_printer import NodePrinterLink, PrinterNode
from drivers.links.opener import Opener
from drivers.links.serial_printer import SerialPrinterPort
from drivers.links.usb_device import UsbAddress
from drivers.links.usb_printer import UsbPrinterLink
from drivers.links.usblp_port import UsblpPort, find_usblp, read_identity
from pos_agent.errors import DeviceTimeoutError, NoHardwareError, OfflineError
from tests.fakes.hanging_port import Hanging
from tests.fakes.waiting import until


class Node:
    """A pty as a printer's node."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        path.symlink_to(os.ttyname(self.slave))

    def unplug(self) -> None:
        if self.master >= 0:
            self.path.unlink()
            os.close(self.master)
            os.close(self.slave)
            self.master = -1

    def is_writable(self) -> bool:
        poll = select.poll()
        poll.register(self.slave, select.POLLOUT)
        return bool(poll.poll(0))

    def received(self) -> bytes:
        data = b""
        with suppress(BlockingIOError):
            while chunk := os.read(self.master, 65_536):
                data += chunk
        return data


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path / "lp0")
    yield made
    made.unplug()


class Heard(list[tuple[int | None, bytes]]):
    """What the link handed over."""

    def take(self, status: int | None, data: bytes) -> None:
        self.append((status, data))


def usblp(node: Node, heard: Heard, **options: Any) -> NodePrinterLink:
    return NodePrinterLink(UsblpPort(str(node.path)), opener=Opener(), on_idle=heard.take, **options)


async def test_absent_node_costs_no_thread(tmp_path: Path) -> None:
    link = NodePrinterLink(UsblpPort(str(tmp_path / "none")), opener=Opener(), on_idle=lambda *_: None)
    before = threading.active_count()
    with pytest.raises(NoHardwareError):
        await link.open()
    assert threading.active_count() == before
    assert not link.is_open


async def test_bytes_go_out_and_answers_come_back(node: Node) -> None:
    link = usblp(node, Heard())
    await link.open()
    assert await link.write(b"slip") == 4
    assert node.received() == b"slip"
    os.write(node.master, b"\x12")
    assert await link.read(1000) == b"\x12"
    assert await link.read(1) == b""
    await link.close()


async def test_held_line_takes_nothing_within_the_time_out_and_goes_on(node: Node) -> None:
    link = usblp(node, Heard())
    await link.open()
    termios.tcflow(node.slave, termios.TCOOFF)
    assert link.unsent_bytes == 1
    started_s = asyncio.get_running_loop().time()
    assert await link.write(b"slip") == 0
    assert 0.2 < asyncio.get_running_loop().time() - started_s < 2
    writing = asyncio.create_task(link.write(b"slip"))
    await asyncio.sleep(0)
    termios.tcflow(node.slave, termios.TCOON)
    assert await writing == 4
    assert link.unsent_bytes == 0
    await link.close()


async def test_node_that_vanishes_is_told_to_everybody_who_waits(node: Node) -> None:
    link = usblp(node, Heard())
    await link.open()
    lost = asyncio.create_task(link.wait_lost())
    reading = asyncio.create_task(link.read(5000))
    await asyncio.sleep(0)
    node.unplug()
    assert isinstance(await asyncio.wait_for(lost, 5), OfflineError)
    with pytest.raises(OfflineError):
        await reading
    with pytest.raises(OfflineError):
        await link.write(b"x")
    await link.close()
    assert not link.is_open


async def test_node_that_vanishes_inside_a_held_write_ends_the_write(node: Node) -> None:
    link = usblp(node, Heard())
    await link.open()
    termios.tcflow(node.slave, termios.TCOOFF)
    writing = asyncio.create_task(link.write(b"slip"))
    await asyncio.sleep(0)
    node.unplug()
    with pytest.raises(OfflineError):
        await asyncio.wait_for(writing, 5)
    await link.close()


async def test_what_nobody_reads_is_handed_over(node: Node) -> None:
    heard = Heard()
    link = usblp(node, heard)
    await link.open()
    os.write(node.master, b"\x10\0\0\0")
    await until(lambda: heard)
    assert heard == [(None, b"\x10\0\0\0")]
    await link.close()


async def test_status_byte_comes_from_the_kernel_and_changes_are_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = [0x18]

    def ioctl(fd: int, request: int, argument: bytes) -> bytes:
        if request == 0x060B:
            return struct.pack("i", statuses[-1])
        assert request == 0x84005001, "LPIOC_GET_DEVICE_ID(1024)"
        return b"\x00\x1cMFG:EPSON;MDL:TM-T20III;SN:1" + bytes(900)

    monkeypatch.setattr("drivers.links.usblp_port.fcntl.ioctl", ioctl)
    heard = Heard()
    link = usblp(node, heard, idle_poll_s=0.01)
    await link.open()
    assert link.identity == "MFG:EPSON;MDL:TM-T20III;SN", "all that is known of a node that sysfs does not list"
    assert await link.port_status() == 0x18
    heard.clear()  # the idle poll may have told of 0x18 before it was asked for
    statuses.append(0x38)
    await until(lambda: heard)
    assert heard[0] == (0x38, b"")
    await link.close()


async def test_node_without_status_is_not_asked_for_ever(node: Node) -> None:
    link = usblp(node, Heard())
    await link.open()
    assert await link.port_status() is None
    await link.close()


async def test_open_hangs_ends_at_its_deadline_and_the_port_is_quarantined(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """field.md 14."""
    monkeypatch.setattr("drivers.links.node.OPEN_TIMEOUT_S", 0.05)
    port, opener = Hanging(node.slave, opens=False, closes=True), Opener()
    checked: PrinterNode = port
    link = NodePrinterLink(checked, opener=opener, on_idle=lambda *_: None)
    with pytest.raises(DeviceTimeoutError):
        await link.open()
    assert opener.stuck_ports == {"hanging"}
    with pytest.raises(DeviceTimeoutError):
        await link.open()
    port.is_let_go.set()
    await until(lambda: not opener.stuck_ports and threading.active_count() == 1)


async def test_close_hangs_returns_at_its_deadline(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """field.md 14."""
    monkeypatch.setattr("drivers.links.node.CLOSE_TIMEOUT_S", 0.05)
    port = Hanging(node.slave, opens=True, closes=False)
    link = NodePrinterLink(port, opener=Opener(), on_idle=lambda *_: None)
    await link.open()
    async with asyncio.timeout(2):
        await link.close()
    assert not link.is_open
    port.is_let_go.set()
    await until(lambda: threading.active_count() == 1)


async def test_dsr_low_holds_every_byte(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [0]

    def ioctl(fd: int, request: int, argument: bytes) -> bytes:
        if request == termios.TIOCMGET:
            return struct.pack("I", lines[-1])
        return bytes(4)

    link = NodePrinterLink(
        SerialPrinterPort(str(node.path), baud=9600, flow="dsrdtr"), opener=Opener(), on_idle=lambda *_: None
    )
    await link.open()
    monkeypatch.setattr("drivers.links.serial_printer.fcntl.ioctl", ioctl)
    assert await link.write(b"slip") == 0
    assert node.received() == b""
    lines.append(termios.TIOCM_DSR)
    assert await link.write(b"slip") == 4
    monkeypatch.undo()
    await link.close()


async def test_xoff_holds_and_xon_frees(node: Node) -> None:
    link = NodePrinterLink(
        SerialPrinterPort(str(node.path), baud=9600, flow="xonxoff"), opener=Opener(), on_idle=lambda *_: None
    )
    await link.open()
    os.write(node.master, b"\x13")
    await until(lambda: not node.is_writable())
    assert await link.write(b"slip") == 0
    os.write(node.master, b"\x11")
    assert await link.write(b"slip") == 4
    assert node.received() == b"slip"
    assert await link.read(1) == b"", "XON and XOFF are the line's, not the printer's words"
    await link.close()


def test_node_of_usblp_is_found_by_id_and_serial_number(tmp_path: Path) -> None:
    for name, product, serial in (("lp0", "0202", "A"), ("lp1", "0e28", "B"), ("lp2", "0e28", "C")):
        device = tmp_path / "devices" / name
        (device / "1-1:1.0").mkdir(parents=True)
        for file, text in (("idVendor", "04b8"), ("idProduct", product), ("serial", serial)):
            (device / file).write_text(text + "\n")
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / "device").symlink_to(device / "1-1:1.0")
    sysfs, dev = tmp_path / "class", Path("/dev")
    assert find_usblp(UsbAddress(0x04B8, 0x0E28), sysfs=sysfs, dev=dev) == "/dev/usb/lp1"
    assert find_usblp(UsbAddress(0x04B8, 0x0E28, "C"), sysfs=sysfs, dev=dev) == "/dev/usb/lp2"
    assert find_usblp(UsbAddress(0x04B8, 0x9999), sysfs=sysfs, dev=dev) == ""
    assert find_usblp(UsbAddress(0x04B8, 0x0E28), sysfs=tmp_path / "none") == ""


def test_node_of_usblp_has_the_key_that_libusb_gives_the_same_printer(tmp_path: Path) -> None:
    device = tmp_path / "devices" / "1-1.2"
    (device / "1-1.2:1.0").mkdir(parents=True)
    facts = {"idVendor": "04b8", "idProduct": "0e28", "bcdDevice": "0100", "serial": "X4SIM000001", "devpath": "1.2"}
    for file, text in facts.items():
        (device / file).write_text(text + "\n")
    (tmp_path / "class" / "lp0").mkdir(parents=True)
    (tmp_path / "class" / "lp0" / "device").symlink_to(device / "1-1.2:1.0")
    said = "MFG:EPSON;CMD:ESC/POS;MDL:TM-T20III;CLS:PRINTER;STATUS:BUSY;"

    key = read_identity("/dev/usb/lp0", said, sysfs=tmp_path / "class")

    assert key == "04b8:0e28:0100:X4SIM000001:MFG:EPSON;MDL:TM-T20III:1.2", "what changes by itself is no part of it"
    assert read_identity("/dev/usb/lp7", "", sysfs=tmp_path / "class") == ""


async def test_usb_printer_prefers_the_bound_node_and_chooses_anew(node: Node) -> None:
    class Bulk:
        is_open, identity, unsent_bytes, opened = False, "bulk", 0, 0

        async def open(self) -> None:
            Bulk.opened += 1

        async def close(self) -> None:
            pass

    nodes = [""]
    bulk: Any = Bulk()
    link = UsbPrinterLink(UsbAddress(1, 2), bulk, opener=Opener(), on_idle=lambda *_: None, find=lambda _: nodes[-1])
    await link.open()
    assert (Bulk.opened, link.identity) == (1, "bulk")
    nodes.append(str(node.path))
    await link.open()
    assert await link.write(b"slip") == 4
    assert (Bulk.opened, link.identity) == (1, "")
    await link.close()


async def test_write_error_other_than_full_is_a_loss(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    link = usblp(node, Heard())
    await link.open()

    def fail(fd: int, data: bytes) -> int:
        raise OSError(errno.ENODEV, "gone")

    monkeypatch.setattr("drivers.links.fd_printer.os.write", fail)
    with pytest.raises(OfflineError):
        await link.write(b"x")
    monkeypatch.undo()
    assert not link.is_open
    await link.close()
