"""I8 against the storage: the journal's own writes and flushes, replayed with everything unflushed dropped or torn."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import PrintOutcome
from pos_agent.errors import JournalError
from pos_agent.journal.records import PrintJobRecord, RefundRecord
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.durability_part import portion
from tests.fakes.durability_trace import STRACE, Disk, Step, parse, strace_command
from tests.fakes.samples import TERMINAL_ID

pytestmark = pytest.mark.skipif(STRACE is None, reason="needs Debian's strace")
MARKS = "marks"
REFUNDS = 12
TORN = 2
#: What is left by a cut is judged in memory: only the traced process needs a disk.
_MEMORY = Path("/dev/shm")
Mark = dict[str, str]


def trace(folder: Path, *planted: str, refunds: int = REFUNDS) -> list[Step]:
    """Run the writer under strace; return its steps on the journal's files, its promises among them."""
    journal, output = folder / "journal", folder / "strace.txt"
    journal.mkdir(mode=0o700)
    # -B: Python moves the bytecode that it writes into place, and a rename is no part of this model.
    command = [sys.executable, "-B", "-m", "tests.durability.writer", str(journal), str(journal / MARKS), str(refunds)]
    subprocess.run([*strace_command(output), *command, *planted], check=True, timeout=50, cwd=Path(__file__).parents[2])
    steps = parse(output.read_text("ascii").splitlines(), journal)
    assert sum(step.what == "flush" for step in steps) > 0
    return steps


def cuts(steps: Sequence[Step], points: Sequence[int]) -> Iterator[tuple[str, dict[str, bytes], list[Mark]]]:
    """Return (name, files, promises made before) of what may be left by a cut behind each of the steps `points`."""
    wanted, disk, marks = set(points), Disk(), list[Mark]()
    for number, step in enumerate(steps):
        if step.name == MARKS:
            marks.append(json.loads(step.data))
            continue
        if step.name.endswith("-shm"):
            continue  # an index in memory: rebuilt from the log, never trusted after a cut
        disk.do(step)
        if number in wanted:
            for variant, image in disk.images(torn=TORN, chance=random.Random(number)):
                yield f"step {number} {step.what} {step.name}, {variant}", image, list(marks)


async def judge(folder: Path, image: dict[str, bytes], marks: Sequence[Mark]) -> str:
    """Open what is left; return what is wrong with it, empty if nothing is."""
    for old in folder.iterdir():
        old.unlink()
    for name, content in image.items():
        (folder / name).write_bytes(content)
    try:
        journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="boot-2", clock=ManualClock())
    except JournalError as error:
        return f"does not open: {error}"
    try:
        await journal.audit_verify()
        return await _half_written(journal) or await _broken_promise(journal, marks)
    except JournalError as error:
        return str(error)
    finally:
        await journal.close()


async def _half_written(journal: Journal) -> str:
    """Return which request is there in part only (D6)."""
    records = await journal.newest_refunds(1000)
    if [record.request.seq for record in records] != list(range(len(records), 0, -1)):
        return "a number is missing"
    money = {row.refund_request_id for row in await journal.money_rows(with_acked=True)}
    for record in records:
        key = record.request.refund_request_id
        jobs = await journal.slips(key)
        if len(jobs) != 2 + (record.update is not None) or key not in money:
            return f"{key} is half: {len(jobs)} slips"
        if any(job.was_started and job.outcome is None for job in jobs):
            return f"{key}: a slip that was begun would be printed again without a mark"
    return ""


async def _broken_promise(journal: Journal, marks: Sequence[Mark]) -> str:
    begun = {mark["id"] for mark in marks if mark["what"] == "begun"}
    for record in await journal.newest_refunds(1000):
        if record.request.refund_request_id not in begun:
            return "a request that nobody made"
    for mark in marks:
        if mark["what"] in ("begun", "closed"):
            continue
        kept = await journal.refund(mark["id"])
        if kept is None or not _is_kept(mark, kept, await journal.slips(mark["id"])):
            return f"promised and lost: {mark}"
    return ""


def _is_kept(mark: Mark, record: RefundRecord, jobs: Sequence[PrintJobRecord]) -> bool:
    by_id = {job.job_id: job for job in jobs}
    match mark["what"]:
        case "committed":
            return record.request.amount_minor == int(mark["amount_minor"])
        case "attempted":
            return record.was_send_attempted
        case "stored":
            return record.is_stored
        case "succeeded":
            return record.state is RefundState.SUCCEEDED
        case "started":
            return by_id[int(mark["job"])].outcome in (PrintOutcome.UNKNOWN, PrintOutcome.SENT_CLEAN)
        case _:
            return by_id[int(mark["job"])].outcome is PrintOutcome(mark["outcome"])


async def broken(steps: Sequence[Step], points: Sequence[int]) -> tuple[int, list[str]]:
    """Try every cut; return (how many, the broken ones)."""
    tried, found = 0, list[str]()
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        for name, image, marks in cuts(steps, points):
            tried += 1
            if wrong := await judge(Path(folder), image, marks):
                found.append(f"{name}: {wrong}")
    return tried, found


def crash_points(steps: Sequence[Step]) -> list[int]:
    return [n for n, step in enumerate(steps) if step.name != MARKS and not step.name.endswith("-shm")]


@pytest.fixture(autouse=True)
def allow_volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")


async def test_i8_write_trace_cut_at_a_sixteenth_of_its_steps_loses_and_halves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = trace(tmp_path)
    points = portion(crash_points(steps))
    tried, found = await broken(steps, points)
    assert not found, found[:3]
    assert tried > len(points)
    with capsys.disabled():
        print(f"\nwrite trace: {len(points)} of {len(crash_points(steps))} crash points, {tried} images")


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
async def test_i8_write_trace_cut_at_every_step_loses_and_halves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = trace(tmp_path)
    points = crash_points(steps)
    tried, found = await broken(steps, points)
    assert not found, found[:3]
    assert tried > 2 * len(points)
    with capsys.disabled():
        print(f"\nwrite trace: {len(points)} crash points, {tried} images")


async def test_write_trace_of_a_journal_that_does_not_flush_is_found_out(tmp_path: Path) -> None:
    """The proof's own proof: the planted fault of `synchronous=OFF` loses what was promised (trust.md 20)."""
    steps = trace(tmp_path, "OFF", refunds=3)
    points = crash_points(steps)
    _, found = await broken(steps, points[len(points) // 2 :: 8])
    assert any("promised and lost" in wrong or "does not open" in wrong for wrong in found)
