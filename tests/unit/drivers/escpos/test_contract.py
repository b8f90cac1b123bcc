"""The device contracts, kept by the whole printer: driver, link, unmodified pyusb, a USB printer in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.contract.rig import PrinterRig, until
from drivers.escpos.build import build
from drivers.links.usb_backend import VARIABLE
from pos_agent.domain.config import PrinterConfig
from tests.contract.test_device import *  # noqa: F403 - the same suite that every device runs
from tests.contract.test_printer import *  # noqa: F403 - the same suite that every printer runs
from tests.unit.drivers.links_usb import fake_backend
from tests.unit.drivers.links_usb.fake_backend import PRODUCT_ID, VENDOR_ID, FakeBackend

PROFILE = Path(__file__).parents[4] / "config" / "devices" / "generic-80mm.toml"


class UsbPrinterRig(PrinterRig):
    """An `EscposPrinter` on a backend in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = FakeBackend()
        self.backend.is_present = False
        self.device = build(
            PrinterConfig(usb=f"{VENDOR_ID:04x}:{PRODUCT_ID:04x}"),
            sink=self.events.append,
            profile_path=PROFILE,
            allow_backend_override=True,
        )

    def plug(self) -> None:
        self.backend.is_present = True

    def unplug(self) -> None:
        self.backend.is_present = False

    async def see_printed_once(self, data: bytes) -> None:
        await until(lambda: bytes(self.backend.received).count(data) == 1)

    def end_paper_after(self, count: int) -> None:
        self.backend.paper_bytes = count

    async def refill(self) -> None:
        self.backend.paper_bytes, self.backend.port_status = None, 0x18


@pytest.fixture
async def printer_rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UsbPrinterRig]:
    monkeypatch.setenv(VARIABLE, "tests.unit.drivers.links_usb.fake_backend:current")
    monkeypatch.setattr("drivers.links.usb_bulk.IDLE_POLL_S", 0.01)
    rig = UsbPrinterRig()
    fake_backend.CURRENT.append(rig.backend)
    yield rig
    await rig.device.close()
    fake_backend.CURRENT.clear()


@pytest.fixture
def device_rig(printer_rig: UsbPrinterRig) -> UsbPrinterRig:
    return printer_rig
