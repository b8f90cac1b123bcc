"""D13 at every byte of a slip: the real spooler, driver, link and journal, and a printer that fails just there."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from drivers.escpos.printer import EscposPrinter
from drivers.escpos.profile import parse_profile
from drivers.links.usb_backend import VARIABLE
from drivers.links.usb_bulk import UsbBulkLink
from drivers.links.usb_device import UsbAddress
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.events import DeviceStatusChanged, Event, PrintJobEnded, PrintJobPaused
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.journal.records import PrintJobRecord
from pos_agent.journal.store import Journal
from pos_agent.printing.slips import mark_copy
from pos_agent.printing.spooler import Spooler
from tests.fakes.clocks import ManualClock
from tests.fakes.durability_part import portion
from tests.fakes.durability_printer import FailingPrinter, Fault
from tests.fakes.slip_samples import AT, maker, request
from tests.unit.drivers.links_usb import fake_backend
from tests.unit.drivers.links_usb.fake_backend import PRODUCT_ID, VENDOR_ID

_PROFILE = Path(__file__).parents[2] / "config" / "devices" / "generic-80mm.toml"
_BACKEND = "tests.unit.drivers.links_usb.fake_backend:current"
_MEMORY = Path("/dev/shm")
_WAIT_S = 10
Point = tuple[Fault, int]


class Till:
    """Journal, spooler and driver on one failing printer; one refund a point."""

    def __init__(self, journal: Journal, printer: EscposPrinter, backend: FailingPrinter) -> None:
        self.journal, self.printer, self.backend = journal, printer, backend
        self.told: list[str] = []
        self.ended = asyncio.Event()
        self.number = 0

    def take(self, event: Event) -> None:
        """Be the cashier: read the screen, then put paper in, close the cover or plug the cable in."""
        match event:
            case PrintJobPaused(code=code) | DeviceStatusChanged(code=code) if code:
                self.told.append(code)
                self.backend.mend()
            case PrintJobEnded():
                self.backend.mend()
                self.ended.set()

    async def judge(self, fault: Fault, offset: int) -> str:
        """Print one slip on a printer that fails at `offset`; return what was wrong, empty if nothing."""
        self.number += 1
        made = request(refund_request_id=make_refund_request_id(self.number), seq=0)
        document = maker().request_slips(made)[1]
        self.told.clear()
        self.backend.paper.clear()
        self.backend.received.clear()
        self.backend.arm(fault, offset)
        trips = self.backend.trips
        await self.journal.commit_refund(made, [document])
        await self._finished()
        if self.backend.trips != trips + 1 or self.backend.is_down:
            return "the fault was not there, or was never told"
        return _untrue(document, await self.journal.slips(made.refund_request_id), self, offset)

    async def _finished(self) -> None:
        async with asyncio.timeout(_WAIT_S):
            while await self.journal.unfinished_print_jobs():
                self.ended.clear()
                if await self.journal.unfinished_print_jobs():
                    await self.ended.wait()


def _untrue(document: SlipDocument, jobs: Sequence[PrintJobRecord], till: Till, offset: int) -> str:
    """Compare what the journal claims with what is on paper."""
    original, paper = till.printer.render(document), bytes(till.backend.paper)
    copy = till.printer.render(mark_copy(document, 1))
    outcomes = [(job.copy_no, job.outcome) for job in jobs]
    if outcomes == [(0, PrintOutcome.SENT)]:
        if offset:
            return "claimed clean although it was stopped inside"
        return "" if paper == original else "claimed, and not on paper as one original"
    if outcomes != [(0, PrintOutcome.UNKNOWN), (1, PrintOutcome.SENT)]:
        return f"ended {outcomes}"
    if paper.count(copy) != 1 or not paper.endswith(copy):
        return "no whole copy, or more than one"
    if paper[: -len(copy)] != original[: len(paper) - len(copy)]:
        return "something else is on paper"
    if not till.told:
        return "nobody was told"
    return "" if len(till.backend.received) <= len(original) + len(copy) else "flooded"


@asynccontextmanager
async def running() -> AsyncIterator[Till]:
    """Run supervisor and spooler."""
    backend = FailingPrinter()
    fake_backend.CURRENT.append(backend)
    clock = ManualClock(AT)
    lines = _PROFILE.read_text("utf-8").replace("speed_mm_s = 80 ", "speed_mm_s = 800000 ")
    profile = parse_profile(lines.replace("cut_s = 0.5", "cut_s = 0.001"), profile_id="generic-80mm")
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        journal = await Journal.open(Path(folder), terminal_id="t-demo-01", boot_id="b", clock=clock)
        tills: list[Till] = []

        def sink(event: Event) -> None:
            tills[0].take(event)

        def on_idle(port_status: int | None, data: bytes) -> None:
            tills[0].printer.take_idle(port_status, data)

        link = UsbBulkLink(
            UsbAddress(VENDOR_ID, PRODUCT_ID), on_idle=on_idle, allow_backend_override=True, idle_poll_s=0.005
        )
        tills.append(Till(journal, EscposPrinter(profile, link, sink=sink, watch_s=0.002), backend))
        supervisor = DeviceSupervisor([tills[0].printer], sink=sink, retry_s=0.005)
        spooler = Spooler(journal, tills[0].printer, clock=clock, sink=sink, expiry_s=3600)
        tasks = [asyncio.create_task(part.run(), name="part") for part in (supervisor, spooler)]
        try:
            yield tills[0]
        finally:
            for task in reversed(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await journal.close()
            fake_backend.CURRENT.clear()


def every_point() -> list[Point]:
    """Return each fault before each byte of the slip, and behind its last one; a fault's points stand together."""
    profile = parse_profile(_PROFILE.read_text("utf-8"), profile_id="generic-80mm")
    document = maker().request_slips(request(seq=0))[1]
    assert document.kind is SlipKind.REQUEST_CUSTOMER
    size = len(EscposPrinter(profile, _no_link(), sink=lambda _: None).render(document))
    return [(fault, offset) for fault in Fault for offset in range(size + 1)]


def _no_link() -> UsbBulkLink:
    address = UsbAddress(VENDOR_ID, PRODUCT_ID)
    return UsbBulkLink(address, on_idle=lambda *_: None, allow_backend_override=True)


async def untrue_points(points: Iterable[Point]) -> list[str]:
    found = []
    async with running() as till:
        for fault, offset in points:
            if wrong := await till.judge(fault, offset):
                found.append(f"{fault.value} at byte {offset}: {wrong}")
    return found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    monkeypatch.setenv(VARIABLE, _BACKEND)
    monkeypatch.setattr("drivers.escpos.printer.READY_POLL_S", 0.005)
    monkeypatch.setattr("pos_agent.printing.spooler.REFUSED_PAUSE_S", 0.005)
    yield


@pytest.mark.usefixtures("once")
async def test_d13_fault_at_a_sixteenth_of_the_bytes_of_a_slip_ends_in_a_true_state(
    capsys: pytest.CaptureFixture[str],
) -> None:
    everything = every_point()
    points = [*((fault, 0) for fault in Fault), *portion(everything)]
    assert not (await untrue_points(points))[:5]
    assert {fault for fault, _ in points} == set(Fault)
    with capsys.disabled():
        print(f"\nbyte offsets: {len(points)} of {len(everything)} points")


@pytest.mark.parametrize("fault", Fault)
async def test_spooler_that_sends_again_without_a_mark_is_found_out(
    monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """The proof's own proof: a planted fault of trust.md 20."""
    monkeypatch.setattr("pos_agent.printing.spooler.mark_copy", lambda document, number: document)
    assert await untrue_points([(fault, 200)])


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("once")
async def test_d13_fault_at_every_byte_of_a_slip_ends_in_a_true_state(capsys: pytest.CaptureFixture[str]) -> None:
    points = every_point()
    assert not (await untrue_points(points))[:5]
    with capsys.disabled():
        print(f"\nbyte offsets: {len(points)} points")
