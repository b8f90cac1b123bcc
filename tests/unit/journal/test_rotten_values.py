"""Values that no build wrote, in pages that SQLite finds sound: named, never a start that hangs."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pos_agent.errors import JournalCorruptError
from pos_agent.journal.records import Draft
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.unit.journal.conftest import open_journal


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


async def test_journal_with_a_rotten_checkpoint_refuses_to_open(tmp_path: Path, clock: ManualClock) -> None:
    await (await open_journal(tmp_path, clock)).close()
    change(tmp_path / "journal.db", "UPDATE meta SET value = 'rotten:x' WHERE key = 'audit_checkpoint'")
    async with asyncio.timeout(5):
        with pytest.raises(JournalCorruptError, match="nobody wrote"):
            await open_journal(tmp_path, clock)


async def test_draft_of_another_build_is_no_draft_and_can_be_dropped(journal: Journal, tmp_path: Path) -> None:
    draft = Draft(
        operator_no="01",
        saved_at=ManualClock().now(),
        saved_boottime_s=1.0,
        boot_id="boot-1",
        state="SALE",
        context=b"{}",
    )
    await journal.save_draft(draft)
    body = msgspec.json.encode({"another": "build"}).decode()
    change(tmp_path / "journal" / "draft.db", f"UPDATE draft SET content = '{body}'")
    assert await journal.load_draft() is None
    await journal.drop_draft("stale")
