from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from pos_agent.app import housekeeping
from pos_agent.app.housekeeping import Housekeeping
from pos_agent.domain.events import Event, StorageChanged
from pos_agent.domain.refund import RefundState
from pos_agent.journal._reserve import Reserve
from pos_agent.journal.store import Journal
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, TERMINAL_ID, make_request, make_update


class Clock(ManualClock):
    """Trusted or not."""

    trusted = True

    def is_trusted(self) -> bool:
        return self.trusted


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest_asyncio.fixture
async def journal(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Journal]:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    monkeypatch.setattr(housekeeping, "_PAUSE_S", 0.0)
    opened = await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="b", clock=clock)
    yield opened
    await opened.close()


def keeper(journal: Journal, clock: Clock, told: list[Event], *, retention_days: int = 730) -> Housekeeping:
    return Housekeeping(
        journal,
        clock=clock,
        sink=told.append,
        is_idle=lambda: True,
        retention_days=retention_days,
        sign=lambda statement: "signature",
    )


async def closed_refund(journal: Journal) -> None:
    key = (await journal.commit_refund(make_request(1), [])).refund_request_id
    ack = AppAckMessage(
        terminal_id=TERMINAL_ID,
        refund_request_id=key,
        kind="refund.request",
        rev=1,
        status=AckStatus.STORED,
        at=START,
        epoch=1,
    )
    await journal.record_ack(ack)
    await journal.apply_update(make_update(key, RefundState.SUCCEEDED, seq=2), [])


async def test_disk_trouble_is_told_once_and_its_end_too(
    journal: Journal, clock: Clock, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = keeper(journal, clock, told)
    await keeping.look()
    monkeypatch.setattr(Reserve, "free_bytes", lambda _: 0)
    await keeping.look()
    await keeping.look()
    monkeypatch.undo()
    await keeping.look()
    assert told == [StorageChanged("E-DISK1"), StorageChanged("")]


async def test_day_of_work_lets_old_requests_go(journal: Journal, clock: Clock, told: list[Event]) -> None:
    await closed_refund(journal)
    clock.wall = START + timedelta(days=731)
    await keeper(journal, clock, told).work()
    assert await journal.newest_refunds(1) == []
    await journal.audit_verify(lambda statement, signature: signature == "signature")


@pytest.mark.parametrize(
    ("trusted", "retention_days", "age_days"), [(False, 730, 731), (True, 0, 9000), (True, 730, 729)]
)
async def test_nothing_goes_by_an_untrusted_clock_without_retention_or_too_early(
    journal: Journal, clock: Clock, told: list[Event], trusted: bool, retention_days: int, age_days: int
) -> None:
    await closed_refund(journal)
    clock.wall, clock.trusted = START + timedelta(days=age_days), trusted
    await keeper(journal, clock, told, retention_days=retention_days).work()
    assert len(await journal.newest_refunds(1)) == 1
