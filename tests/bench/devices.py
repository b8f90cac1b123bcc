"""Rows 15 to 19: what hardware cannot do to the till, by the rigs that the tests use (issue 4, Numbers)."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from tests.bench.measure import Measured
from tests.contract.printer_rigs import (
    SerialPrinterRig,
    SimPrinterRig,
    TcpPrinterRig,
    UsblpPrinterRig,
    UsbPrinterRig,
    XonXoffPrinterRig,
)
from tests.contract.scanner_rigs import AckNakRig, GrowRig, PlainRig, SsiRig
from tests.rigs import key_echo, printer_links, scanner_load
from tests.rigs.replug import seconds_to_open

_T = TypeVar("_T")
_PRINTERS: tuple[type[SimPrinterRig], ...] = (
    UsbPrinterRig,
    UsblpPrinterRig,
    SerialPrinterRig,
    XonXoffPrinterRig,
    TcpPrinterRig,
)
_SCANNERS = (PlainRig, AckNakRig, SsiRig, GrowRig)
_NUDGED_S, _TIMED_S = 0.5, 2.5


def rows(folder: Path, *, link_runs: int, scan_s: float, reopens: int) -> list[Measured]:
    """Return the rows.

    Args:
        folder: Holds the nodes of the simulators; short.
        link_runs: Seeded runs a link.
        scan_s: How long each scanner family is scanned with, all of them at once.
        reopens: How often each printer link is plugged in, with a uevent and without.
    """
    return [
        _printer_links(folder, link_runs),
        _scanner_link(folder, link_runs),
        _scans(folder, scan_s),
        *(_reopened(folder, reopens, is_nudged=is_nudged) for is_nudged in (True, False)),
        _echo(folder),
    ]


def _run(folder: Path, work: Callable[[Path], Coroutine[Any, Any, _T]]) -> _T:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return asyncio.run(work(Path(name)))


def _printer_links(folder: Path, count: int) -> Measured:
    wrong: list[str] = []
    for name in printer_links.LINKS:
        with tempfile.TemporaryDirectory(dir=folder) as place, mock.patch.dict(os.environ):
            os.environ.update(printer_links.simulated_usb(Path(place)))
            wrong += asyncio.run(printer_links.wrong_runs(name, Path(place), count))
    links = len(printer_links.LINKS)
    return _losses(15, f"printer links: runs that lost bytes, {links} links", wrong, count * links)


def _scanner_link(folder: Path, count: int) -> Measured:
    wrong = _run(folder, lambda place: scanner_load.wrong_runs(place, range(count)))
    return _losses(16, "serial scanner link: runs that lost bytes", wrong, count)


def _losses(number: int, what: str, wrong: list[str], count: int) -> Measured:
    for line in wrong:
        print(line)
    return Measured(
        number=number,
        what=what,
        figure=f"{len(wrong)} of {count} seeded runs",
        floor="stalls, short writes, pulled cables",
        ratio=None,
        budget="0",
        is_within=not wrong,
    )


def _scans(folder: Path, duration_s: float) -> Measured:
    async def work(place: Path) -> list[scanner_load.RateRun]:
        rigs = []
        for family in _SCANNERS:
            (place / family.__name__).mkdir()
            rigs.append(family(place / family.__name__))
        return await asyncio.gather(*(scanner_load.scan_at_rate(rig, duration_s) for rig in rigs))

    runs = _run(folder, work)
    scanned, read = sum(run.scanned for run in runs), sum(run.read for run in runs)
    errors = sum(run.error_count for run in runs)
    rate = min(run.scanned / run.duration_s for run in runs)
    return Measured(
        number=17,
        what=f"scans read, {len(runs)} families at once",
        figure=f"{read} of {scanned}, {errors} garbled, {rate:.1f}/s each, {duration_s:.0f} s",
        floor="-",
        ratio=None,
        budget=f"all, {scanner_load.SCANS_A_SECOND}/s",
        is_within=read == scanned and not errors and rate >= scanner_load.SCANS_A_SECOND * 0.95,
    )


def _reopened(folder: Path, count: int, *, is_nudged: bool) -> Measured:
    times = [
        _run(folder, lambda place, make=make: seconds_to_open(make(place), is_nudged=is_nudged))  # type: ignore[misc]
        for make in _PRINTERS
        for _ in range(count)
    ]
    budget_s = _NUDGED_S if is_nudged else _TIMED_S
    return Measured(
        number=18,
        what=f"plugged in -> in use, {'with' if is_nudged else 'without'} uevent",
        figure=f"slowest {max(times):.2f} s, n={len(times)}",
        floor="-",
        ratio=None,
        budget=f"<= {budget_s} s",
        is_within=max(times) <= budget_s,
    )


def _echo(folder: Path) -> Measured:
    async def alone(place: Path) -> tuple[float, float]:
        async with key_echo.echoing(place) as echo:
            return await echo.best_round()

    async def beside_stall(place: Path) -> tuple[float, float]:
        async with key_echo.stalled_printer(UsbPrinterRig(place)), key_echo.echoing(place) as echo:
            return await echo.best_round()

    async def beside_hang(place: Path) -> tuple[float, float]:
        async with key_echo.hanging_open(), key_echo.echoing(place) as echo:
            return await echo.best_round()

    floor, stall, hang = (_run(folder, work) for work in (alone, beside_stall, beside_hang))
    worst_p50 = max(stall[0], hang[0])
    return Measured(
        number=19,
        what="key echo: printer stalled; open hangs",
        figure="; ".join(f"p50 {p50 * 1e3:.2f}, p99 {p99 * 1e3:.2f} ms" for p50, p99 in (stall, hang)),
        floor=f"neither: p50 {floor[0] * 1e3:.2f}, p99 {floor[1] * 1e3:.2f} ms",
        ratio=worst_p50 / floor[0],
        budget="p99 <= 5 ms",
        is_within=max(stall[1], hang[1]) <= key_echo.P99_S,
    )
