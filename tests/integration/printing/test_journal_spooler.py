"""The spooler on the real journal: one transaction commits request and slips, and that wakes the printing (D6)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.journal.store import Journal
from pos_agent.printing.spooler import PrintJobs, Spooler
from tests.fakes.clocks import ManualClock
from tests.fakes.slip_samples import AT, REQUEST_ID, maker, request
from tests.integration.printing.rig import Till, running


@asynccontextmanager
async def spooling(journal: Journal, till: Till) -> AsyncIterator[None]:
    """Print what the journal keeps, until nothing waits."""
    jobs: PrintJobs = journal
    spooler = Spooler(jobs, till.printer, clock=ManualClock(AT), sink=lambda _: None, expiry_s=3600)
    task = asyncio.create_task(spooler.run(), name="spooler-on-journal")
    try:
        yield
        async with asyncio.timeout(15):
            while await journal.unfinished_print_jobs():  # noqa: ASYNC110 - the journal tells of new jobs only
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_slip_cut_off_by_a_power_cut_is_followed_by_one_marked_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    clock = ManualClock(AT)
    folder = tmp_path / "journal"
    journal = await Journal.open(folder, terminal_id="t-demo-01", boot_id="b", clock=clock)
    await journal.commit_refund(request(seq=0), maker().request_slips(request(seq=0))[1:])
    job = await journal.next_print_job(with_results=False)
    assert job is not None
    await journal.record_job_started(job.job_id)
    await journal.close()

    async with running(tmp_path, monkeypatch) as till:
        for _ in range(2):
            journal = await Journal.open(folder, terminal_id="t-demo-01", boot_id="c", clock=clock)
            async with spooling(journal, till):
                await till.sim.wait_slips(1, 15)
            records = await journal.slips(REQUEST_ID)
            await journal.close()
        assert [(record.copy_no, record.outcome) for record in records] == [
            (0, PrintOutcome.UNKNOWN),
            (1, PrintOutcome.CONFIRMED),
        ]
        (slip,) = till.sim.slips
        assert slip.text.count("重打印凭证 DUPLICATED COPY 1") == 2


async def test_committed_refund_prints_both_slips_once_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    clock = ManualClock(AT)
    folder = tmp_path / "journal"
    async with running(tmp_path, monkeypatch) as till:
        for is_first in (True, False):
            journal = await Journal.open(folder, terminal_id="t-demo-01", boot_id="b", clock=clock)
            async with spooling(journal, till):
                if is_first:
                    slips = maker().request_slips(request(seq=0))
                    await journal.commit_refund(request(seq=0), slips)
                    await till.sim.wait_slips(2, 15)
            records = await journal.slips(REQUEST_ID)
            await journal.close()
        assert [(record.kind, record.outcome) for record in records] == [
            (SlipKind.REQUEST_MERCHANT, PrintOutcome.CONFIRMED),
            (SlipKind.REQUEST_CUSTOMER, PrintOutcome.CONFIRMED),
        ]
        assert len(till.sim.slips) == 2
