"""D13 at every byte, for every tier: real spooler, supervisor and driver in virtual time on a printer that fails there.

`test_byte_offsets` runs a part of this with the real journal, link and threads; here time costs nothing, so that each
fault is tried before each byte of a slip and of the question behind it, while the printer takes and while it prints.
"""

import asyncio
import dataclasses
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from drivers.escpos.printer import EscposPrinter
from drivers.escpos.profile import Profile, Tier, parse_profile
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.events import DeviceStatusChanged, Event, PrintJobEnded, PrintJobPaused
from pos_agent.domain.slip import PrintOutcome, SlipDocument
from pos_agent.journal.records import PrintJobRecord
from pos_agent.printing.slips import mark_copy
from pos_agent.printing.spooler import Spooler
from tests.fakes.clocks import ManualClock
from tests.fakes.durability_ladder import Fault, LadderPrinter, Point, Where, points
from tests.fakes.durability_part import PORTIONS, portion
from tests.fakes.journal import FakePrintJobs
from tests.fakes.slip_samples import AT, maker, request
from tests.fakes.virtual_time import VirtualTimeLoop

_PROFILE = Path(__file__).parents[2] / "config" / "devices" / "generic-80mm.toml"
_WAIT_S = 3600
#: What a printer of each tier answers.
_ANSWERS = {
    Tier.SENT: frozenset[str](),
    Tier.SENT_CLEAN: frozenset({"asb"}),
    Tier.PROCESSED: frozenset({"asb", "paper"}),
    Tier.CONFIRMED: frozenset({"asb", "paper", "id"}),
}
_QUESTION_BYTES = {Tier.PROCESSED: 3, Tier.CONFIRMED: 11}


def profile_of(tier: Tier) -> Profile:
    profile = parse_profile(_PROFILE.read_text("utf-8"), profile_id="generic-80mm")
    answers = _ANSWERS[tier]
    return msgspec.structs.replace(
        profile,
        tier=tier,
        has_asb="asb" in answers,
        has_transmit_status="paper" in answers,
        has_process_id="id" in answers,
    )


DOCUMENT = maker().request_slips(request(seq=0))[1]


@dataclasses.dataclass
class Result:
    """What one point left behind."""

    jobs: Sequence[PrintJobRecord]
    paper: bytes
    told: list[str]
    has_tripped: bool


class Till:
    """Spooler, supervisor and driver on one failing printer, for one slip."""

    def __init__(self, tier: Tier, point: Point) -> None:
        self.told: list[str] = []
        self.jobs = FakePrintJobs()
        self.link = LadderPrinter(_ANSWERS[tier])
        self.point = point
        self.ended = asyncio.Event()
        self.printer = EscposPrinter(profile_of(tier), self.link, sink=self.take)
        self.clock = ManualClock(AT)

    def take(self, event: Event) -> None:
        """Be the cashier: read the screen, then put paper in, close the cover or plug the cable in."""
        match event:
            case PrintJobPaused(code=code) | DeviceStatusChanged(code=code) if code:
                self.told.append(code)
                self.link.mend()
            case PrintJobEnded():
                self.ended.set()

    async def run(self) -> Result:
        supervisor = DeviceSupervisor([self.printer], sink=self.take)
        spooler = Spooler(self.jobs, self.printer, clock=self.clock, sink=self.take, expiry_s=_WAIT_S)
        tasks = [asyncio.create_task(part.run(), name="part") for part in (supervisor, spooler)]
        while not self.printer.status.is_online:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
        self.told.clear()
        self.link.arm(self.point)
        self.jobs.add(DOCUMENT, self.clock.wall)
        async with asyncio.timeout(_WAIT_S):
            while None in self.jobs.outcomes():
                self.ended.clear()
                await self.ended.wait()
        told = list(self.told)
        self.link.mend()
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return Result(list(self.jobs.jobs.values()), bytes(self.link.paper), told, bool(self.link.trips))


def render(document: SlipDocument) -> bytes:
    return EscposPrinter(profile_of(Tier.SENT), LadderPrinter(frozenset()), sink=lambda _: None).render(document)


ORIGINAL, COPY = render(DOCUMENT), render(mark_copy(DOCUMENT, 1))


def untrue(tier: Tier, point: Point, result: Result) -> str:
    """Compare what was claimed with what is on paper; return what was wrong, empty if nothing."""
    if not result.has_tripped:
        return "the fault was not there"
    outcomes = [(job.copy_no, job.outcome) for job in result.jobs]
    if len(outcomes) == 1:
        return _untrue_claim(tier, point, result)
    claims = [PrintOutcome(one.value) for one in Tier if one.rank <= tier.rank]
    if outcomes not in [[(0, PrintOutcome.UNKNOWN), (1, claim)] for claim in claims]:
        return f"ended {outcomes}"
    if point.fault is Fault.STALL:
        return "a pause without a stop made a copy"
    if not result.told:
        return "nobody was told"
    if result.paper.count(COPY) != 1 or not result.paper.endswith(COPY):
        return "no whole copy, or more than one"
    return "" if ORIGINAL.startswith(result.paper[: -len(COPY)]) else "something else is on paper"


def _untrue_claim(tier: Tier, point: Point, result: Result) -> str:
    outcome = result.jobs[0].outcome
    if outcome is None or outcome not in {PrintOutcome(one.value) for one in Tier if one.rank <= tier.rank}:
        return f"ended {outcome}"
    is_untouched = point.where is Where.TAKING and not point.offset
    if point.fault is not Fault.STALL and not is_untouched:
        return f"claimed {outcome} although it was stopped inside"
    return "" if result.paper == ORIGINAL else "claimed, and not on paper as one original"


def all_points(tier: Tier) -> list[Point]:
    """Return the points of a job and the question behind it."""
    return list(points(len(ORIGINAL), _QUESTION_BYTES.get(tier, 0)))


def untrue_points(tier: Tier, chosen: Iterable[Point]) -> list[str]:
    async def run(point: Point) -> Result:
        return await Till(tier, point).run()

    found = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        for point in chosen:
            if wrong := untrue(tier, point, runner.run(run(point))):
                found.append(f"{point}: {wrong}")
    return found


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("tier", Tier)
def test_d13_fault_at_a_part_of_the_bytes_ends_in_a_true_state(tier: Tier, capsys: pytest.CaptureFixture[str]) -> None:
    everything = all_points(tier)
    ends = [one for group in _by_fault(everything) for one in (group[0], group[-1])]
    turn = int(time.time() // (PORTIONS * 86_400)) % 4
    chosen = [*ends, *portion(everything)[turn::4]]
    assert not untrue_points(tier, chosen)[:5]
    with capsys.disabled():
        print(f"\nproof ladder, {tier}: {len(chosen)} of {len(everything)} points")


def _by_fault(everything: list[Point]) -> list[list[Point]]:
    return [list(group) for _, group in groupby(everything, key=lambda point: (point.fault, point.where))]


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("tier", Tier)
def test_d13_fault_at_every_byte_ends_in_a_true_state(tier: Tier, capsys: pytest.CaptureFixture[str]) -> None:
    everything = all_points(tier)
    assert not untrue_points(tier, everything)[:5]
    with capsys.disabled():
        print(f"\nproof ladder, {tier}: {len(everything)} points")


def test_driver_that_takes_any_answer_for_a_proof_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof's own proof."""
    monkeypatch.setattr("drivers.escpos.job.Job._note", lambda *_: None)
    assert untrue_points(Tier.CONFIRMED, [Point(Fault.COVER_OPEN, Where.PRINTING, 200)])
