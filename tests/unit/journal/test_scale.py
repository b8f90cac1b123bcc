"""A long history costs start and commit nothing: counted in steps of SQLite's machine, not timed."""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pos_agent.journal import _schema
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.journal_filler import fill
from tests.fakes.samples import make_request, make_slip
from tests.unit.journal.conftest import open_journal

pytestmark = pytest.mark.slow

#: Both are more than any answer may hold: what still grows between them grows with history.
FEW, MANY = 1_500, 6_000
_GRAIN = 2


class Steps:
    """Counts the instructions of every connection that the journal opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        connect = _schema.connect

        def counted(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.set_progress_handler(self._count, _GRAIN)
            return connection

        monkeypatch.setattr(_schema, "connect", counted)
        monkeypatch.setattr("pos_agent.journal._opening._ALWAYS_CHECKED_BYTES", 0)

    def _count(self) -> int:
        self.count += _GRAIN
        return 0

    async def of(self, work: Callable[[], Awaitable[object]]) -> int:
        before = self.count
        await work()
        return self.count - before


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


async def filled(folder: Path, clock: ManualClock, requests: int, *, is_open: bool = False) -> Path:
    journal = await open_journal(folder, clock)
    await journal.commit_refund(make_request(1), [])
    await journal.close()
    fill(folder, requests, is_open=is_open)
    return folder


async def one_session(journal: Journal) -> None:
    """What the menu, the uplink and a refund ask of the journal."""
    await journal.newest_refunds(50)
    await journal.outbox_counts()
    await journal.note_version("2")
    await journal.sync_items()
    await journal.outbox_due(16)
    await journal.next_print_job(with_results=True)
    await journal.money_rows(with_acked=False)
    await journal.refunds_by_tail("004242")
    await journal.commit_refund(make_request(9_000_001), [make_slip("9")])
    await journal.upkeep.purge(before=make_request().created_at)


async def steps_of(folder: Path, clock: ManualClock, steps: Steps) -> tuple[int, int]:
    before = steps.count
    journal = await open_journal(folder, clock)
    start = steps.count - before
    try:
        return start, await steps.of(lambda: one_session(journal))
    finally:
        await journal.close()


async def test_start_and_commit_with_a_long_history_take_the_same_steps(
    tmp_path: Path, clock: ManualClock, steps: Steps
) -> None:
    few = await steps_of(await filled(tmp_path / "few", clock, FEW), clock, steps)
    many = await steps_of(await filled(tmp_path / "many", clock, MANY), clock, steps)
    assert few[0] > 0
    assert few[1] > 0
    assert many[0] <= few[0] * 1.05
    assert many[1] <= few[1] * 1.05


@pytest.mark.slow
async def test_outbox_of_100000_rows_is_counted_from_its_index(tmp_path: Path, clock: ManualClock) -> None:
    folder = await filled(tmp_path / "open", clock, 100_000, is_open=True)
    journal = await open_journal(folder, clock)
    try:
        counts = await journal.outbox_counts()
        assert (counts.queued, counts.sent, counts.held) == (1, 99_999, 0)
        assert [row.row_id for row in await journal.outbox_due(16)] == list(range(1, 17))
        assert len(await journal.money_rows(with_acked=False, limit=200)) == 200
        committed = await journal.commit_refund(make_request(9_000_001), [])
        assert committed.seq == 100_001
        assert (await journal.outbox_counts()).queued == 2
    finally:
        await journal.close()
