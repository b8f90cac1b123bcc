"""Unmodified pyusb against the simulated printer, over its socket, from another thread as in the terminal."""

import asyncio
import errno
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import usb.core
import usb.util

from hil.simulators.printer import PrinterSpec, SimPrinter
from hil.simulators.usb_backend import SocketBackend, get_backend

FAST = 100.0
ROOT = Path(__file__).parents[3]


@pytest_asyncio.fixture
async def printer(tmp_path: Path) -> AsyncIterator[SimPrinter]:
    device = SimPrinter(tmp_path / "usb", speed_factor=FAST)
    await device.start()
    yield device
    await device.close()


class Host:
    """What a driver does, one call at a time in a worker thread."""

    def __init__(self, printer: SimPrinter, path: Path) -> None:
        self.printer = printer
        self.backend = SocketBackend(str(path))
        self.device: Any = None

    async def find(self) -> Any:
        return await asyncio.to_thread(usb.core.find, backend=self.backend)

    async def open(self) -> None:
        self.device = await self.find()
        assert self.device is not None
        await self.run(lambda device: device.detach_kernel_driver(0))
        await self.run(lambda device: usb.util.claim_interface(device, 0))

    async def run(self, action: Callable[[Any], Any]) -> Any:
        return await asyncio.to_thread(action, self.device)

    async def write(self, data: bytes, timeout_ms: int = 1000) -> int:
        count = await self.run(lambda device: device.write(0x01, data, timeout_ms))
        return int(count)

    async def read(self, length: int = 64, timeout_ms: int = 1000) -> bytes:
        return bytes(await self.run(lambda device: device.read(0x82, length, timeout_ms)))

    async def close(self) -> None:
        if self.device is not None:
            await self.run(usb.util.dispose_resources)


@pytest_asyncio.fixture
async def host(printer: SimPrinter, tmp_path: Path) -> AsyncIterator[Host]:
    driver = Host(printer, tmp_path / "usb")
    await driver.open()
    yield driver
    await driver.close()
    await asyncio.get_running_loop().shutdown_default_executor()


async def fails(action: Any) -> int:
    with pytest.raises(usb.core.USBError) as caught:
        await action
    return int(caught.value.errno)


async def test_descriptors_are_those_of_a_printer_class_device(host: Host) -> None:
    device = host.device
    assert (device.idVendor, device.idProduct) == (0x04B8, 0x0E28)
    interface = await host.run(lambda device: device[0][(0, 0)])
    assert (interface.bInterfaceClass, interface.bInterfaceSubClass) == (7, 1)
    endpoints = {endpoint.bEndpointAddress: endpoint.wMaxPacketSize for endpoint in interface}
    assert endpoints == {0x01: 64, 0x82: 64}
    names = await host.run(lambda device: (device.manufacturer, device.product, device.serial_number))
    assert names == ("EPSON", "TM-T20III", "X4SIM000001")


async def test_job_comes_out_as_a_slip(host: Host, printer: SimPrinter) -> None:
    job = b"\x1b@\x1c&" + "退款申请\n".encode("gb18030") + b"\x1c.No. 1\n\x1dVB\x00"
    assert await host.write(job) == len(job)
    (slip,) = await printer.wait_slips(1, 5)
    assert (slip.lines, slip.cut, slip.raw_byte_count, slip.unknown) == (["退款申请", "No. 1"], "partial", len(job), ())
    assert slip.png.startswith(b"\x89PNG")


async def test_device_id_and_port_status_come_over_the_control_pipe(host: Host, printer: SimPrinter) -> None:
    raw = bytes(await host.run(lambda device: device.ctrl_transfer(0xA1, 0, 0, 0, 1024, 500)))
    assert raw[:2] == len(raw).to_bytes(2, "big")
    assert b"MDL:TM-T20III;" in raw
    assert bytes(await host.run(lambda device: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 500))) == b"\x18"
    printer.set_fault("paper_end")
    assert bytes(await host.run(lambda device: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 500))) == b"\x30"
    printer.refill()
    printer.set_fault("cover_open")
    assert bytes(await host.run(lambda device: device.ctrl_transfer(0xA1, 1, 0, 0, 1, 500))) == b"\x10"


async def test_full_buffer_takes_a_part_and_then_nothing(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("busy")
    accepted = await host.write(b"A" * 8000, 50)
    # 4096 bytes of buffer, and one 64-byte packet in the endpoint
    assert accepted == 4096 + 64
    assert await fails(host.write(b"B", 50)) == errno.ETIMEDOUT
    assert printer.counters.short_writes == 2
    printer.clear_fault("busy")
    rest = await host.write(b"A" * (8000 - accepted) + b"\n")
    assert rest == 8000 - accepted + 1
    await printer.wait_idle(5)
    assert "".join(printer.current_lines()) == "A" * 8000


async def test_write_timeout_is_pyusbs_timeout_error(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("nak")
    with pytest.raises(usb.core.USBTimeoutError):
        await host.write(b"A", 20)


async def test_read_without_an_answer_times_out(host: Host) -> None:
    assert await fails(host.read(64, 20)) == errno.ETIMEDOUT


async def test_answer_longer_than_the_buffer_overflows(host: Host) -> None:
    await host.write(b"\x1da\xff")
    assert await fails(host.read(2, 500)) == errno.EOVERFLOW


async def test_kernel_driver_and_second_process_keep_the_interface(
    host: Host, printer: SimPrinter, tmp_path: Path
) -> None:
    other = Host(printer, tmp_path / "usb")
    other.device = await other.find()
    assert await fails(other.run(lambda device: usb.util.claim_interface(device, 0))) == errno.EBUSY
    await host.close()
    await other.run(lambda device: device.attach_kernel_driver(0))
    assert await other.run(lambda device: device.is_kernel_driver_active(0))
    assert await fails(other.run(lambda device: usb.util.claim_interface(device, 0))) == errno.EBUSY
    await other.run(lambda device: device.detach_kernel_driver(0))
    await other.run(lambda device: usb.util.claim_interface(device, 0))
    await other.close()


async def test_claim_is_released_when_the_process_dies(host: Host, printer: SimPrinter, tmp_path: Path) -> None:
    assert printer.is_claimed
    await host.close()
    again = Host(printer, tmp_path / "usb")
    again.device = await again.find()
    await again.run(lambda device: usb.util.claim_interface(device, 0))
    await again.close()


async def test_unplug_kills_open_handles_and_replug_is_a_new_address(host: Host, printer: SimPrinter) -> None:
    before = printer.address
    reading = asyncio.create_task(host.read(64, 5000))
    await asyncio.wait({reading}, timeout=0.1)
    assert not reading.done()
    printer.unplug()
    assert await fails(reading) == errno.ENODEV
    assert await fails(host.write(b"x", 100)) == errno.ENODEV
    assert await host.find() is None
    printer.plug()
    found = await host.find()
    assert found.address == printer.address != before
    assert await fails(host.write(b"x", 100)) == errno.ENODEV


async def test_unplugged_printer_with_power_prints_what_it_has(host: Host, printer: SimPrinter) -> None:
    await host.write(b"kept\n\x1dVB\x00")
    printer.unplug()
    (slip,) = await printer.wait_slips(1, 5)
    assert slip.lines == ["kept"]


async def test_power_cycle_loses_the_buffer(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("busy")
    await host.write(b"lost\n\x1dVB\x00")
    await printer.power_cycle()
    printer.clear_fault("busy")
    await host.close()
    await host.open()
    await host.write(b"new\n\x1dVB\x00")
    (slip,) = await printer.wait_slips(1, 5)
    assert slip.lines == ["new"]


async def test_power_cut_leaves_the_bus_empty_until_power_is_back(host: Host, printer: SimPrinter) -> None:
    printer.power_off()
    printer.plug()
    assert await host.find() is None
    await printer.power_on()
    assert (await host.find()).address == printer.address


async def test_client_that_dies_in_an_endless_write_lets_the_interface_go(
    host: Host, printer: SimPrinter, tmp_path: Path
) -> None:
    printer.set_fault("nak")
    program = (
        "import usb.core, usb.util, sys; from hil.simulators.usb_backend import SocketBackend;"
        "d = usb.core.find(backend=SocketBackend(sys.argv[1])); usb.util.claim_interface(d, 0);"
        "print('claimed', flush=True); d.write(1, b'x', 0)"
    )
    await host.run(lambda device: usb.util.release_interface(device, 0))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "usb"), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"claimed\n"
    assert printer.is_claimed
    child.kill()
    await child.wait()
    async with asyncio.timeout(5):
        while True:
            try:
                await host.run(lambda device: usb.util.claim_interface(device, 0))
            except usb.core.USBError as error:
                assert error.errno == errno.EBUSY
            else:
                break
    child.stdout.feed_eof()


async def test_torn_paper_is_a_slip_without_a_cut(host: Host, printer: SimPrinter) -> None:
    assert printer.tear() is None
    await host.write(b"loose end\n")
    await printer.wait_idle(5)
    slip = printer.tear()
    assert slip is not None
    assert (slip.lines, slip.cut, slip.id) == (["loose end"], "none", 1)


async def test_drawer_pulse_is_counted_on_the_slip(host: Host, printer: SimPrinter) -> None:
    await host.write(b"\x1bp\x00\x19\xfaopen\n\x1dVB\x00")
    (slip,) = await printer.wait_slips(1, 5)
    assert (slip.drawer_kicks, printer.drawer_kicks) == (1, 1)


async def test_bad_habits_of_a_driver_are_counted(host: Host, printer: SimPrinter) -> None:
    await host.run(lambda device: device.set_configuration(1))
    await host.run(lambda device: device.reset())
    assert (printer.counters.set_configurations, printer.counters.resets) == (1, 1)


async def test_soft_reset_empties_the_buffer(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("busy")
    await host.write(b"gone\n")
    await host.run(lambda device: device.ctrl_transfer(0x21, 2, 0, 0, None, 500))
    assert printer.buffered_byte_count == 0


async def test_wrong_requests_get_libusbs_errors(host: Host, printer: SimPrinter, tmp_path: Path) -> None:
    assert await fails(host.run(lambda device: device.ctrl_transfer(0xC0, 0x55, 0, 0, 8, 500))) == errno.EPIPE
    assert await fails(host.run(lambda device: device.detach_kernel_driver(0))) == errno.ENOENT
    other = Host(printer, tmp_path / "usb")
    other.device = await other.find()
    printer.set_fault("claimed")
    assert await fails(other.run(lambda device: usb.util.claim_interface(device, 0))) == errno.EBUSY
    await other.close()


async def test_fatal_error_ends_with_a_power_cycle(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("fatal")
    assert printer.condition.is_offline
    await printer.power_cycle()
    assert not printer.condition.is_offline


async def test_unknown_fault_is_refused(printer: SimPrinter) -> None:
    with pytest.raises(KeyError):
        printer.set_fault("on_fire")
    printer.clear_fault("paper_end")


async def test_stall_lasts_until_the_halt_is_cleared(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("stall")
    assert await fails(host.write(b"x")) == errno.EPIPE
    await host.run(lambda device: device.clear_halt(0x01))
    assert await host.write(b"x") == 1
    assert printer.counters.clear_halts == 1


async def test_open_hangs_until_cleared_and_access_is_refused(host: Host, printer: SimPrinter, tmp_path: Path) -> None:
    other = Host(printer, tmp_path / "usb")
    other.device = await other.find()
    printer.set_fault("open_hangs")
    opening = asyncio.create_task(other.run(lambda device: device.is_kernel_driver_active(0)))
    done, _ = await asyncio.wait({opening}, timeout=0.1)
    assert not done
    printer.set_fault("access")
    printer.clear_fault("open_hangs")
    assert await fails(opening) == errno.EACCES


async def test_real_time_status_is_answered_while_nothing_is_executed(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("busy")
    await host.write(b"text\x1dr\x01\x10\x04\x01")
    assert await host.read() == b"\x12"
    assert await fails(host.read(64, 30)) == errno.ETIMEDOUT
    printer.clear_fault("busy")
    assert await host.read() == b"\x00"


async def test_process_id_is_answered_when_printed_and_waits_for_paper(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("paper_end", after_mm=2)
    await host.write(b"one\ntwo\nthree\n\x1d(H\x06\x00\x30\x30AB12")
    assert await fails(host.read(64, 50)) == errno.ETIMEDOUT
    assert printer.condition.is_paper_end
    assert printer.current_lines() == ["one"]
    printer.refill()
    assert await host.read() == b"\x37\x22AB12\x00"
    assert printer.current_lines() == ["one", "two", "three"]


async def test_automatic_status_comes_at_once_and_on_each_change(host: Host, printer: SimPrinter) -> None:
    await host.write(b"\x1da\xff")
    assert await host.read() == b"\x10\x00\x00\x00"
    printer.set_fault("cover_open")
    assert await host.read() == b"\x38\x00\x00\x00"
    printer.clear_fault("cover_open")
    assert await host.read() == b"\x10\x00\x00\x00"
    printer.set_fault("paper_end")
    assert await host.read() == b"\x18\x00\x0f\x00"


async def test_cutter_jam_stops_at_the_cut_until_cleared(host: Host, printer: SimPrinter) -> None:
    await host.write(b"\x1da\xff")
    await host.read()
    printer.set_fault("cutter_jam")
    await host.write(b"slip\n\x1dVB\x00")
    assert await host.read() == b"\x18\x08\x00\x00"
    assert printer.slips == []
    printer.clear_fault("cutter_jam")
    (slip,) = await printer.wait_slips(1, 5)
    assert slip.lines == ["slip"]


async def test_garbage_half_and_no_answers(host: Host, printer: SimPrinter) -> None:
    printer.set_fault("half_frame")
    await host.write(b"\x1da\xff")
    assert len(await host.read()) == 2
    printer.clear_fault("half_frame")
    printer.set_fault("garbage")
    await host.write(b"\x1da\xff")
    assert await host.read() != b"\x10\x00\x00\x00"
    printer.clear_fault("garbage")
    printer.set_fault("silent")
    await host.write(b"\x10\x04\x01")
    assert await fails(host.read(64, 30)) == errno.ETIMEDOUT


async def test_identity_is_told_in_order(host: Host) -> None:
    await host.write(b"\x1dIC\x1dIB")
    answer = await host.read()
    while len(answer) < len(b"_TM-T20III\0_EPSON\0"):
        answer += await host.read()
    assert answer == b"_TM-T20III\0_EPSON\0"


async def test_missing_bench_is_an_empty_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POS_AGENT_SIM_USB_SOCKET", str(tmp_path / "nothing"))
    assert usb.core.find(backend=get_backend()) is None


async def test_bench_gone_while_open_is_no_device(host: Host, printer: SimPrinter) -> None:
    await printer.close()
    assert await fails(host.write(b"x")) == errno.ENODEV
    assert await host.find() is None


async def test_printing_takes_the_time_of_the_paper(tmp_path: Path) -> None:
    spec = PrinterSpec(speed_mm_s=100, cut_s=0)
    printer = SimPrinter(tmp_path / "usb", spec=spec)
    await printer.start()
    driver = Host(printer, tmp_path / "usb")
    await driver.open()
    loop = asyncio.get_running_loop()
    started = loop.time()
    # 160 rows of raster = 20 mm = 0.2 s at 100 mm/s, through a 4 KiB buffer
    job = b"\x1dv0\x00" + (72).to_bytes(2, "little") + (160).to_bytes(2, "little") + b"\xaa" * 72 * 160
    assert await driver.write(job, 0) == len(job)
    # All but what fits into the buffer has been printed when the last byte is taken.
    assert loop.time() - started >= 0.2 * (1 - (4096 + 256 + 64) / len(job)) - 0.02
    await printer.wait_idle(5)
    assert loop.time() - started >= 0.19
    await driver.close()
    await printer.close()
    await loop.shutdown_default_executor()
