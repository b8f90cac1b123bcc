"""A key is echoed within 5 ms whatever the printer does: stalled on any link, or hanging in its opening (D1)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.printer_rigs import SerialPrinterRig, SimPrinterRig, TcpPrinterRig, UsblpPrinterRig, UsbPrinterRig
from tests.rigs.key_echo import P99_S, echoing, hanging_open, stalled_printer


@pytest.mark.parametrize("make", [UsbPrinterRig, UsblpPrinterRig, SerialPrinterRig, TcpPrinterRig])
async def test_key_echo_beside_a_stalled_printer_is_as_quick_as_ever(
    make: Callable[[Path], SimPrinterRig], tmp_path: Path
) -> None:
    async with stalled_printer(make(tmp_path)), echoing(tmp_path) as echo:
        _, p99_s = await echo.best_round()
    assert p99_s <= P99_S, f"p99 {p99_s * 1000:.1f} ms"


async def test_key_echo_beside_a_hanging_open_is_as_quick_as_ever(tmp_path: Path) -> None:
    async with hanging_open(), echoing(tmp_path) as echo:
        _, p99_s = await echo.best_round()
    assert p99_s <= P99_S, f"p99 {p99_s * 1000:.1f} ms"
