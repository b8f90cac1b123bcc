"""The terminal's drivers on the simulated devices: both were written from the manuals, not from each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
import zxingcpp

from drivers.registry import DeviceSet, build_devices
from hil.simulators.display import SimLineDisplay, SimTerminal
from hil.simulators.keypad import SimKeypad
from hil.simulators.printer import SimPrinter
from hil.simulators.scanner import SimScanner
from pos_agent.devices.interfaces import Device
from pos_agent.domain.config import DevicesConfig, DisplayConfig, KeypadConfig, PrinterConfig, ScannerConfig
from pos_agent.domain.events import Event, KeyPressed, ScanRead
from pos_agent.domain.screen import make_screen
from pos_agent.domain.slip import Barcode, Cut, Feed, PrintOutcome, QrCode, SlipDocument, SlipKind, Text
from pos_agent.errors import DeviceError

CONFIG = Path(__file__).parents[3] / "config"
NUMBER = "9801234567890123456789"
SLIP = SlipDocument(
    kind=SlipKind.REQUEST_MERCHANT,
    blocks=(Text("退款申请 ￥12.00"), Barcode(NUMBER), Feed(1), QrCode("https://example.org/退款"), Cut()),
)


class Pluggable(Protocol):
    def unplug(self) -> None: ...
    def plug(self) -> None: ...


class Till:
    """All simulated devices, and the drivers configured for them."""

    def __init__(self, folder: Path) -> None:
        self.scanner = SimScanner(folder / "scanner")
        self.keypad = SimKeypad(folder / "keypad")
        self.operator = SimTerminal(folder / "operator", 40, 12)
        self.customer = SimLineDisplay(folder / "customer", 20, 2)
        self.printer = SimPrinter(folder / "usb", speed_factor=100)
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.devices = self._build("epson")

    def _build(self, customer_driver: str) -> DeviceSet:
        config = DevicesConfig(
            scanner=ScannerConfig(path=str(self.scanner.path)),
            printer=PrinterConfig(usb="04b8:0e28", tier="sent"),
            keypad=KeypadConfig(path=str(self.keypad.path)),
            operator_display=DisplayConfig(driver="ansi", path=str(self.operator.path)),
            customer_display=DisplayConfig(
                driver=customer_driver, path=str(self.customer.path), columns=20, rows=2, baud=115200
            ),
        )
        return build_devices(
            config, sink=self.events.put_nowait, find_data=lambda name: CONFIG / name, allow_backend_override=True
        )

    def use_customer_driver(self, driver: str) -> None:
        self.devices = self._build(driver)

    @property
    def simulators(self) -> tuple[SimScanner | SimKeypad | SimTerminal | SimLineDisplay | SimPrinter, ...]:
        return (self.scanner, self.keypad, self.operator, self.customer, self.printer)

    async def next_event(self) -> Event:
        async with asyncio.timeout(5):
            return await self.events.get()


@pytest_asyncio.fixture
async def till(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Till]:
    monkeypatch.setenv("POS_AGENT_USB_BACKEND", "hil.simulators.usb_backend:get_backend")
    monkeypatch.setenv("POS_AGENT_SIM_USB_SOCKET", str(tmp_path / "usb"))
    till = Till(tmp_path)
    for simulator in till.simulators:
        await simulator.start()
    yield till
    for device in till.devices:
        await device.close()
    for simulator in till.simulators:
        closing = simulator.close()
        if closing is not None:
            await closing


async def lost_and_found(device: Device, simulator: Pluggable) -> None:
    """Pull the cable, see the driver notice, put it back, open again."""
    simulator.unplug()
    async with asyncio.timeout(10):
        assert isinstance(await device.wait_lost(), DeviceError)
    await device.close()
    with pytest.raises(DeviceError):
        await device.open()
    simulator.plug()
    await device.open()


async def test_scanner_driver_reads_scans_before_and_after_a_replug(till: Till) -> None:
    driver = till.devices.scanner
    assert driver is not None
    await driver.open()
    await till.scanner.send(b"]E06901234567892", chunks=[3, 5])
    event = await till.next_event()
    assert isinstance(event, ScanRead)
    assert (event.scan_data_label, event.scan_data_type) == ("6901234567892", "]E0")
    await lost_and_found(driver, till.scanner)
    await till.scanner.send(NUMBER.encode())
    event = await till.next_event()
    assert isinstance(event, ScanRead)
    assert event.scan_data_label == NUMBER


async def test_keypad_driver_reads_every_key_of_the_shipped_map(till: Till) -> None:
    driver = till.devices.keypad
    assert driver is not None
    await driver.open()
    pressed = ["1", "DOT", "00", "CLEAR", "CANCEL", "FN", "NEXT", "F1", "ENTER"]
    await till.keypad.press(pressed, gap_ms=40)
    expected = ["1", "DOT", "0", "0", "CLEAR", "CANCEL", "FN", "NEXT", "F1", "ENTER"]
    assert [await key_of(till.next_event) for _ in expected] == expected
    await lost_and_found(driver, till.keypad)
    await till.keypad.press(["7"])
    assert await key_of(till.next_event) == "7"


async def key_of(next_event: Callable[[], Awaitable[Event]]) -> str:
    event = await next_event()
    assert isinstance(event, KeyPressed)
    return str(event.key)


async def test_operator_display_shows_the_screen_again_after_a_replug(till: Till) -> None:
    driver = till.devices.operator_display
    assert driver is not None
    await driver.open()
    driver.show(make_screen(["扫码退款 REFUND", "￥12.00  钱没动"], columns=40, rows=12))
    assert await shows(till.operator, ["扫码退款 REFUND", "￥12.00  钱没动"])
    await lost_and_found(driver, till.operator)
    assert await shows(till.operator, ["扫码退款 REFUND", "￥12.00  钱没动"])


@pytest.mark.parametrize("dialect", ["epson", "cd5220"])
async def test_customer_display_understands_the_drivers_dialect(till: Till, dialect: str) -> None:
    till.use_customer_driver(dialect)
    driver = till.devices.customer_display
    assert driver is not None
    await driver.open()
    driver.show(make_screen(["退款 REFUND", "12.00"], columns=20, rows=2))
    assert await shows(till.customer, ["退款 REFUND", "12.00"])
    driver.show(make_screen(["退款 REFUND", "8.00"], columns=20, rows=2))
    assert await shows(till.customer, ["退款 REFUND", "8.00"])
    assert till.customer.unknown == []


async def shows(display: SimTerminal | SimLineDisplay, lines: list[str]) -> bool:
    seq = -1
    async with asyncio.timeout(5):
        while display.lines()[: len(lines)] != lines:
            seq = await display.wait_change(max(seq, display.seq), 5)
    return True


async def test_printer_driver_prints_a_slip_that_a_decoder_reads(till: Till) -> None:
    driver = till.devices.printer
    assert driver is not None
    await driver.open()
    report = await driver.print_job(driver.render(SLIP), on_paused=lambda code: None)
    assert report.outcome is PrintOutcome.SENT
    (slip,) = await till.printer.wait_slips(1, 5)
    assert slip.lines[0] == "退款申请 ￥12.00"
    assert slip.unknown == ()
    read = {code.text for code in zxingcpp.read_barcodes(slip.image.convert("L"))}
    assert read == {NUMBER, "https://example.org/退款"} == {code.data for code in slip.codes}
    counters = till.printer.counters
    assert (counters.resets, counters.set_configurations) == (0, 0)
    await lost_and_found(driver, till.printer)
    await driver.print_job(driver.render(SLIP), on_paused=lambda code: None)
    assert len(await till.printer.wait_slips(2, 5)) == 2


async def test_printer_driver_pauses_at_paper_end_and_loses_no_byte(till: Till) -> None:
    driver = till.devices.printer
    assert driver is not None
    await driver.open()
    till.printer.set_fault("paper_end", after_mm=5)
    paused = asyncio.Event()
    data = driver.render(SLIP)
    printing = asyncio.create_task(driver.print_job(data, on_paused=lambda code: paused.set()))
    async with asyncio.timeout(10):
        await paused.wait()
    assert till.printer.slips == []
    till.printer.refill()
    async with asyncio.timeout(10):
        report = await printing
    assert report.was_interrupted
    assert report.accepted_bytes == len(data) == till.printer.accepted_byte_count
    (slip,) = await till.printer.wait_slips(1, 5)
    assert slip.codes[0].data == NUMBER
