"""How soon a printer that was plugged in is in use: 0.5 s with the kernel's nudge, 2.5 s without (field.md 13)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.printer_rigs import (
    ClonePrinterRig,
    SerialPrinterRig,
    SimPrinterRig,
    TcpPrinterRig,
    UsblpPrinterRig,
    UsbPrinterRig,
)
from tests.rigs.replug import seconds_to_open

_LINKS = [UsbPrinterRig, ClonePrinterRig, UsblpPrinterRig, SerialPrinterRig, TcpPrinterRig]


@pytest.mark.parametrize("make", _LINKS)
async def test_printer_with_a_uevent_is_in_use_within_half_a_second(
    make: Callable[[Path], SimPrinterRig], tmp_path: Path
) -> None:
    assert await seconds_to_open(make(tmp_path), is_nudged=True) <= 0.5


@pytest.mark.parametrize("make", _LINKS)
async def test_printer_without_a_uevent_is_in_use_within_two_and_a_half_seconds(
    make: Callable[[Path], SimPrinterRig], tmp_path: Path
) -> None:
    assert await seconds_to_open(make(tmp_path), is_nudged=False) <= 2.5
