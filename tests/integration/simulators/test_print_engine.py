"""Buffer, mechanics and habits of the printer without its USB plug."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from hil.simulators.printer.bell import Bell
from hil.simulators.printer.engine import PrintEngine
from hil.simulators.printer.slip import Slip
from hil.simulators.printer.spec import PrinterSpec


class Bench:
    def __init__(self, spec: PrinterSpec) -> None:
        self.bell = Bell()
        self.slips: list[Slip] = []
        self.engine = PrintEngine(spec, bell=self.bell, on_slip=self.slips.append, speed_factor=200, seed=1)

    def offer_all(self, data: bytes) -> int:
        """Offer 64-byte packets until one is refused; return the bytes taken."""
        taken = 0
        while taken < len(data) and self.engine.offer(data[taken : taken + 64]):
            taken = min(len(data), taken + 64)
        return taken

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                await self.bell.wait()


@asynccontextmanager
async def running(spec: PrinterSpec) -> AsyncIterator[Bench]:
    bench = Bench(spec)
    task = asyncio.create_task(bench.engine.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def default() -> AbstractAsyncContextManager[Bench]:
    return running(PrinterSpec())


@pytest.mark.parametrize(("size", "taken"), [(45, 64), (4096, 4160), (65536, 65600)])
async def test_buffer_full_refuses_the_packet_after_the_one_in_the_endpoint(size: int, taken: int) -> None:
    bench = Bench(PrinterSpec(buffer_bytes=size))
    assert bench.offer_all(b"A" * 100_000) == taken


async def test_45_byte_buffer_prints_a_long_job_whole() -> None:
    async with running(PrinterSpec(buffer_bytes=45)) as bench:
        job = b"".join(b"line %d\n" % number for number in range(60)) + b"\x1dVB\x00"
        sent = 0
        while sent < len(job):
            await bench.until(lambda: bench.engine.has_room)
            sent += bench.offer_all(job[sent:])
        await bench.until(lambda: bool(bench.slips))
        assert bench.slips[0].lines == [f"line {number}" for number in range(60)]
        assert bench.engine.accepted_byte_count == len(job)


async def test_busy_rule_with_offline_refuses_everything_while_the_cover_is_open() -> None:
    for is_strict, taken in ((True, 0), (False, 5)):
        bench = Bench(PrinterSpec(nak_when_offline=is_strict))
        bench.engine.condition.is_cover_open = True
        bench.engine.changed()
        assert bench.offer_all(b"hello") == taken


async def test_near_end_is_reported_before_paper_end_and_only_when_watched() -> None:
    spec = PrinterSpec(roll_mm=30, near_end_mm=20)
    async with running(spec) as bench:
        bench.offer_all(b"\x1da\x08" + b"line\n" * 12)
        await bench.until(lambda: bench.engine.condition.is_paper_end)
        # on enabling, at near end, at the end: 30 mm = 8 lines of 3.75 mm
        assert bytes(bench.engine.replies).hex(" ", 4) == "10000000 10000300 18000f00"
        assert bench.engine.paper.lines == ["line"] * 8
    async with running(spec) as bench:
        bench.offer_all(b"\x1da\x04" + b"line\n" * 12)
        await bench.until(lambda: bench.engine.condition.is_paper_end)
        assert bytes(bench.engine.replies) == b"\x10\x00\x00\x00"


async def test_clear_buffer_command_drops_what_is_not_printed() -> None:
    async with default() as bench:
        bench.engine.faults.add("busy")
        bench.offer_all(b"dropped\n")
        bench.offer_all(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08")
        bench.engine.faults.discard("busy")
        bench.offer_all(b"kept\n\x1dVB\x00")
        await bench.until(lambda: bool(bench.slips))
        assert bench.slips[0].lines == ["kept"]


async def test_clone_answers_nothing_and_prints_all_the_same() -> None:
    async with running(PrinterSpec(answers=frozenset())) as bench:
        bench.offer_all(b"\x10\x04\x01\x1da\xff\x1dr\x01\x1dIC\x1d(H\x06\x00\x30\x30ABCDok\n\x1dVB\x00")
        await bench.until(lambda: bool(bench.slips))
        assert (bench.slips[0].lines, bytes(bench.engine.replies)) == (["ok"], b"")


async def test_cut_without_feed_keeps_the_last_lines_for_the_next_slip() -> None:
    async with default() as bench:
        bench.offer_all(b"one\ntwo\nthree\nfour\nfive\nsix\n\x1dV\x00")
        await bench.until(lambda: bool(bench.slips))
        # 15 mm between head and knife = 120 dots = 4 lines
        assert bench.slips[0].lines == ["one", "two"]
        assert bench.engine.paper.lines == ["three", "four", "five", "six"]


async def test_recover_command_retries_the_cut_once_the_knife_is_free() -> None:
    async with default() as bench:
        bench.engine.faults.add("cutter_jam")
        bench.offer_all(b"slip\n\x1dVB\x00")
        await bench.until(lambda: bench.engine.condition.has_cutter_error)
        bench.offer_all(b"\x10\x05\x01")
        assert bench.engine.condition.has_cutter_error
        bench.engine.faults.discard("cutter_jam")
        bench.offer_all(b"\x10\x05\x01")
        await bench.until(lambda: bool(bench.slips))
        assert bench.slips[0].lines == ["slip"]


async def test_real_time_pulse_opens_the_drawer_while_busy() -> None:
    async with default() as bench:
        bench.engine.faults.add("busy")
        bench.offer_all(b"text\x10\x14\x01\x00\x02")
        assert bench.engine.drawer_kicks == 1
