"""How much a scanner link takes: 20 scans a second, and seeded stalls, short writes and unplugs, without a loss."""

from pathlib import Path

import pytest

from tests.contract.conformance import rule
from tests.contract.scanner_rigs import AckNakRig, GrowRig, PlainRig, SsiRig, WireScannerRig
from tests.rigs.scanner_load import SCANS_A_SECOND, scan_at_rate, wrong_runs

_FAMILIES = (PlainRig, AckNakRig, SsiRig, GrowRig)


async def _check_rate(rig: WireScannerRig, duration_s: float, *, least: float) -> None:
    """Scan, and check that nothing is lost; `least` of the rate must be kept, which a busy machine may not do."""
    run = await scan_at_rate(rig, duration_s)
    assert (run.read, run.error_count) == (run.scanned, 0)
    assert run.scanned >= SCANS_A_SECOND * duration_s * least


@rule("devices.md 10", "20 scans a second without loss")
@pytest.mark.parametrize("family", _FAMILIES, ids=lambda rig: rig.__name__)
async def test_scanner_twenty_scans_a_second_are_all_read(tmp_path: Path, family: type[WireScannerRig]) -> None:
    await _check_rate(family(tmp_path), 1.5 if family is not PlainRig else 5.0, least=0.5)


@pytest.mark.exhaustive
@pytest.mark.timeout(700)
@pytest.mark.parametrize("family", _FAMILIES, ids=lambda rig: rig.__name__)
async def test_scanner_twenty_scans_a_second_for_ten_minutes_are_all_read(
    tmp_path: Path, family: type[WireScannerRig]
) -> None:
    await _check_rate(family(tmp_path), 600.0, least=0.9)


@rule("devices.md 10", "No byte is lost in seeded runs of stalls, short writes and unplugs", sheet="scanner-plain")
async def test_serial_link_sixty_seeded_runs_lose_no_byte(tmp_path: Path) -> None:
    assert await wrong_runs(tmp_path, range(60)) == []


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
async def test_serial_link_thousand_seeded_runs_lose_no_byte(tmp_path: Path) -> None:
    assert await wrong_runs(tmp_path, range(1000)) == []
