from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def allow_volatile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")


async def open_journal(folder: Path, clock: ManualClock, boot_id: str = "boot-1") -> Journal:
    return await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id=boot_id, clock=clock)


@pytest_asyncio.fixture
async def journal(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    opened = await open_journal(tmp_path / "journal", clock)
    yield opened
    await opened.close()
