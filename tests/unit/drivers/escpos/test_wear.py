"""Paper and wear: counted from the jobs, forecast for the technician."""

import msgspec
import pytest

from drivers.escpos.profile import Life, Profile
from drivers.escpos.timing import Usage, measure
from drivers.escpos.wear import Forecast, Wear, forecast
from tests.unit.drivers.escpos.rig import FAST, JOB, PAPER_OUT, READY, Bench

SLIP = Usage(paper_mm=150.0, cuts=1)


def test_job_is_measured_in_paper_and_cuts() -> None:
    profile = Profile(name="80 mm", speed_mm_s=100, cut_s=0.5)
    usage = measure(b"\x1b@" + b"line\n" * 8 + b"\x1dVB\x00", profile)
    assert usage == Usage(paper_mm=8 * 30 / 8 + 15, cuts=1)
    assert usage.duration_s(profile) == pytest.approx(0.45 + 0.5)


def test_forecast_tells_slips_left_and_wear() -> None:
    wear = Wear()
    for _ in range(100):
        wear = wear.after_slip(SLIP, 1.5)
    life = Life(roll_mm=50_000, head_km=0.1, cuts=1000)
    assert forecast(wear, life, is_near_end=None) == Forecast(
        paper_mm=35_000, slips=233, head_percent=15, knife_percent=10
    )
    assert wear.print_s == 150
    changed = wear.after_roll_change()
    assert (changed.roll_mm, changed.total_mm, changed.cuts) == (0, 15_000, 100)


@pytest.mark.parametrize(
    ("used_mm", "is_near_end", "paper_mm"),
    [(1_000, True, 2_000), (49_500, False, 2_000), (49_500, None, 500), (60_000, None, 0)],
)
def test_sensor_knows_better_than_the_count(used_mm: float, is_near_end: bool | None, paper_mm: float) -> None:
    assert forecast(Wear(roll_mm=used_mm), Life(), is_near_end=is_near_end).paper_mm == paper_mm


def test_nothing_is_forecast_from_nothing() -> None:
    assert forecast(Wear(), Life(), is_near_end=None) == Forecast(
        paper_mm=50_000, slips=None, head_percent=None, knife_percent=None
    )


async def test_printer_counts_its_slips_and_begins_anew_with_a_new_roll() -> None:
    bench = Bench(msgspec.structs.replace(FAST, dots_per_mm=10))
    await bench.printer.open()
    for _ in range(2):
        await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert (bench.printer.wear.roll_slips, bench.printer.counters["PaperFedMm"]) == (2, 240)
    bench.printer.take_idle(PAPER_OUT, b"")
    bench.printer.take_idle(READY, b"")
    await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert (bench.printer.wear.roll_slips, bench.printer.wear.roll_mm) == (1, 120)
    assert bench.printer.counters["PaperFedMm"] == 360
    await bench.printer.close()
