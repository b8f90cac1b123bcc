"""Rows 3 and 4: confirm → durable, commit → first slip byte; with the real journal, spooler and driver."""

import asyncio
import contextlib
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from drivers.escpos.build import build
from pos_agent.app.clock import SystemClock
from pos_agent.domain.config import PolicyConfig, PrinterConfig, PrintingConfig, TerminalConfig
from pos_agent.domain.events import Event, PrintJobEnded
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import Channel, Entry, OriginalReference, ReferenceKind, RefundRequest, RefundType
from pos_agent.journal.store import Journal
from pos_agent.printing.slips import SlipMaker
from pos_agent.printing.spooler import Spooler
from tests.bench.floors import WalFloor
from tests.unit.drivers.links_usb.fake_backend import FakeBackend

ROOT = Path(__file__).resolve().parents[2]


class TimedBackend(FakeBackend):
    """A USB backend that notes when the first byte of a job is accepted and swallows the rest at once."""

    def __init__(self) -> None:
        super().__init__()
        self.first_byte_s: float | None = None

    def bulk_write(self, dev_handle: Any, ep: int, intf: int, data: Any, timeout: int) -> int:
        if len(data) > 64 and self.first_byte_s is None:  # status questions are shorter than any slip
            self.first_byte_s = time.perf_counter()
        return len(data)


_backends: list[TimedBackend] = []


def backend() -> TimedBackend:
    """Return the one backend; named in POS_AGENT_USB_BACKEND."""
    if not _backends:
        _backends.append(TimedBackend())
    return _backends[0]


def make_request(number: int) -> RefundRequest:
    """Return a request as CONFIRM makes it."""
    return RefundRequest(
        refund_request_id=make_refund_request_id(number),
        terminal_id="t-bench-01",
        merchant_id="898310000000001",
        operator_no="01",
        created_at=datetime.now(UTC),  # noqa: TID251 - a benchmark has no clock to be given
        is_clock_trusted=True,
        boot_id="bench",
        entry=Entry.SCANNED,
        original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, f"26112{number:012d}"),
        reference_tail=f"{number:06d}"[-6:],
        channel=Channel.WECHAT,
        refund_type=RefundType.FULL,
        amount_minor=12_800,
        currency="CNY",
        reason_code="R07",
        policy_version="default-1",
        seq=0,
        sale_id=str(number),
        paid_minor=12_800,
    )


def slip_maker() -> SlipMaker:
    """Return a maker of two slips a request."""
    terminal = TerminalConfig(terminal_id="t-bench-01", merchant_id="898310000000001", merchant_name="Bench")
    return SlipMaker(terminal, PolicyConfig(), PrintingConfig(), {})


async def commit_times(folder: Path, count: int) -> list[tuple[float, float]]:
    """Return pairs: seconds from calling `commit_refund` (request, outbox, two slips, audit) to its return, and of the
    floor right behind it, so that both see the same disk.
    """
    floor = WalFloor(folder)
    journal = await Journal.open(folder, terminal_id="t-bench-01", boot_id="bench", clock=SystemClock())
    slips = slip_maker()
    times = []
    try:
        for number in range(count):
            request = make_request(number)
            documents = slips.request_slips(request)
            started = time.perf_counter()
            await journal.commit_refund(request, documents)
            commit_s = time.perf_counter() - started
            times.append((commit_s, floor.commit()))
    finally:
        floor.close()
        await journal.close()
    return times


async def first_byte_times(folder: Path, count: int) -> list[float]:
    """Return seconds from the return of the commit to the first byte of its first slip in the USB transfer."""
    os.environ["POS_AGENT_USB_BACKEND"] = "tests.bench.durability:backend"
    journal = await Journal.open(folder, terminal_id="t-bench-01", boot_id="bench", clock=SystemClock())
    ended: asyncio.Queue[Event] = asyncio.Queue()

    def sink(event: Event) -> None:
        if isinstance(event, PrintJobEnded):
            ended.put_nowait(event)

    config = PrinterConfig(usb="04b8:0e28", tier="sent")
    profile = _without_waiting(ROOT / "config" / "devices" / f"{config.profile}.toml", folder)
    printer = build(config, sink=sink, profile_path=profile, allow_backend_override=True)
    await printer.open()
    spooler = Spooler(journal, printer, clock=SystemClock(), sink=sink, expiry_s=3600)
    task = asyncio.create_task(spooler.run(), name="spooler")
    times = []
    try:
        for number in range(count):
            backend().first_byte_s = None
            request = make_request(number + 1_000_000)
            await journal.commit_refund(request, slip_maker().request_slips(request))
            committed = time.perf_counter()
            for _ in slip_maker().request_slips(request):
                await asyncio.wait_for(ended.get(), 10)
            assert backend().first_byte_s is not None
            times.append(max(0.0, (backend().first_byte_s or 0.0) - committed))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await printer.close()
        await journal.close()
        del os.environ["POS_AGENT_USB_BACKEND"]
    return times


def _without_waiting(profile: Path, folder: Path) -> Path:
    """Return the profile with a head and a knife so fast that a job is not waited for: the first byte is timed."""
    text = re.sub(r"(?m)^speed_mm_s = .*$", "speed_mm_s = 1000000", profile.read_text(encoding="utf-8"), count=1)
    fast = folder / profile.name
    fast.write_text(re.sub(r"(?m)^cut_s = .*$", "cut_s = 0.0", text, count=1), encoding="utf-8")
    return fast


class Durability(msgspec.Struct, frozen=True):
    """Seconds of rows 3 and 4."""

    commit_s: list[float]
    floor_s: list[float]
    first_byte_s: list[float]


def measure(folder: Path, *, commits: int, slips: int) -> Durability:
    """Measure both rows on fresh journals below `folder`."""
    (folder / "commits").mkdir()
    (folder / "slips").mkdir()
    pairs = asyncio.run(commit_times(folder / "commits", commits))
    return Durability(
        [commit for commit, _ in pairs],
        [floor for _, floor in pairs],
        asyncio.run(first_byte_times(folder / "slips", slips)),
    )
