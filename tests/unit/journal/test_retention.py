"""What is old and closed leaves; what is not, never does; the chain that remains still verifies (trust.md 21)."""

import sqlite3
from base64 import b64encode
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import PrintOutcome
from pos_agent.errors import JournalCorruptError
from pos_agent.journal.records import Purged
from pos_agent.journal.store import Journal
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, TERMINAL_ID, make_request, make_slip, make_update
from tests.unit.journal.conftest import open_journal

LATER = START + timedelta(days=800)


async def acknowledge(journal: Journal, refund_request_id: str) -> None:
    await journal.record_ack(
        AppAckMessage(
            terminal_id=TERMINAL_ID,
            refund_request_id=refund_request_id,
            kind="refund.request",
            rev=1,
            status=AckStatus.STORED,
            at=START,
            epoch=1,
        )
    )


async def close_refund(journal: Journal, number: int) -> str:
    """Commit a request and bring it to its end."""
    request = await journal.commit_refund(make_request(number), [make_slip(make_request(number).refund_request_id)])
    key = request.refund_request_id
    await acknowledge(journal, key)
    await journal.apply_update(make_update(key, RefundState.SUCCEEDED, seq=2), [])
    job = await journal.next_print_job(with_results=True)
    assert job is not None
    await journal.record_job_ended(job.job_id, PrintOutcome.CONFIRMED)
    return key


async def purge_all(journal: Journal, clock: ManualClock) -> list[Purged]:
    clock.wall = LATER + timedelta(days=1)
    steps = [await journal.upkeep.purge(before=LATER, sign=sign)]
    while not steps[-1].is_done:
        steps.append(await journal.upkeep.purge(before=LATER, sign=sign))
    return steps


def sign(statement: bytes) -> str:
    return b64encode(sha256(b"key" + statement).digest()).decode()


def is_ours(statement: bytes, signature: str) -> bool:
    return signature == sign(statement)


async def test_closed_requests_leave_in_bounded_steps_and_the_chain_verifies(
    journal: Journal, clock: ManualClock
) -> None:
    for number in range(1, 131):
        await close_refund(journal, number)
    lines, _ = await journal.audit_head()
    steps = await purge_all(journal, clock)
    assert max(step.requests for step in steps) <= 100
    assert sum(step.requests for step in steps) == 130
    assert sum(step.audit_lines for step in steps) == lines
    assert await journal.newest_refunds(10) == []
    end, head = await journal.audit_verify(is_ours)
    assert end == lines + len([step for step in steps if step.requests or step.audit_lines])
    assert (await journal.audit_heads())[-1] == head
    assert (await journal.commit_refund(make_request(500), [])).seq == 131
    await journal.audit_verify(is_ours)


@pytest.mark.parametrize("missing", ["ack", "final", "print"])
async def test_request_that_is_not_at_its_end_never_leaves(journal: Journal, clock: ManualClock, missing: str) -> None:
    await close_refund(journal, 1)
    request = await journal.commit_refund(make_request(2), [])
    key = request.refund_request_id
    if missing != "ack":
        await acknowledge(journal, key)
    if missing != "final":
        await journal.apply_update(make_update(key, RefundState.SUCCEEDED, seq=2), [])
    if missing == "print":
        await journal.add_print_job(make_slip(key))
    await close_refund(journal, 3) if missing != "print" else None
    steps = await purge_all(journal, clock)
    assert sum(step.requests for step in steps) == (1 if missing == "print" else 2)
    kept = await journal.newest_refunds(10)
    assert [record.request.refund_request_id for record in kept] == [key]
    await journal.audit_verify(is_ours)


async def test_young_requests_stay(journal: Journal, clock: ManualClock) -> None:
    await close_refund(journal, 1)
    purged = await journal.upkeep.purge(before=START - timedelta(days=1))
    assert (purged.requests, purged.audit_lines, purged.is_done) == (0, 0, True)
    assert len(await journal.newest_refunds(10)) == 1


async def test_i6_lines_cut_off_without_a_word_are_named(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    for number in range(1, 4):
        await close_refund(journal, number)
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        head = connection.execute("SELECT head FROM audit WHERE line = 2").fetchone()[0]
        connection.execute("DELETE FROM audit WHERE line <= 2")
        connection.execute("INSERT INTO meta VALUES ('audit_base', ?)", (f"2:{head}",))
        connection.commit()
    journal = await open_journal(tmp_path, clock)
    with pytest.raises(JournalCorruptError, match="no line of the chain says why"):
        await journal.audit_verify()
    await journal.close()


async def test_i6_request_that_vanished_is_named_although_others_were_purged(
    tmp_path: Path, clock: ManualClock
) -> None:
    journal = await open_journal(tmp_path, clock)
    await close_refund(journal, 1)
    clock.advance(86_400 * 400)
    await journal.upkeep.purge(before=clock.now() - timedelta(days=1))
    key = (await journal.commit_refund(make_request(2), [])).refund_request_id
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("DELETE FROM refunds WHERE refund_request_id = ?", (key,))
        connection.commit()
    journal = await open_journal(tmp_path, clock)
    with pytest.raises(JournalCorruptError, match=key):
        await journal.audit_verify()
    await journal.close()


async def test_i6_purge_signed_by_another_key_is_named(journal: Journal, clock: ManualClock) -> None:
    await close_refund(journal, 1)
    await purge_all(journal, clock)
    with pytest.raises(JournalCorruptError, match="signature"):
        await journal.audit_verify(lambda statement, signature: False)


async def test_chain_that_does_not_verify_is_not_cut(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    await close_refund(journal, 1)
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("UPDATE audit SET actor = '02' WHERE line = 2")
        connection.commit()
    journal = await open_journal(tmp_path, clock)
    clock.wall = LATER + timedelta(days=1)
    with pytest.raises(JournalCorruptError, match="line 2"):
        await journal.upkeep.purge(before=LATER)
    assert len(await journal.newest_refunds(10)) == 1
    await journal.close()


async def test_room_of_what_left_is_given_back_in_steps(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    for number in range(1, 60):
        await close_refund(journal, number)
    await journal.close()
    before = (tmp_path / "journal.db").stat().st_size
    journal = await open_journal(tmp_path, clock)
    await purge_all(journal, clock)
    while await journal.upkeep.give_back():
        pass
    await journal.close()
    assert (tmp_path / "journal.db").stat().st_size < before / 2


async def test_unfinished_page_check_makes_way_and_damage_is_told(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pos_agent.journal._opening._ALWAYS_CHECKED_BYTES", 0)
    journal = await open_journal(tmp_path, clock)
    for number in range(1, 60):
        await journal.commit_refund(make_request(number), [make_slip("x" * 3000)])
    await journal.close()
    content = bytearray((tmp_path / "journal.db").read_bytes())
    content[4096 * 40 : 4096 * 44] = b"\xa5" * (4096 * 4)
    (tmp_path / "journal.db").write_bytes(content)
    (tmp_path / "journal.db-wal").write_bytes(b"\0" * 32)
    journal = await open_journal(tmp_path, clock)
    with pytest.raises(JournalCorruptError, match="quick_check"):
        await journal.upkeep.check_pages()
    assert await journal.upkeep.storage_code() == "E-JOURNAL"
    await journal.close()
    with pytest.raises(JournalCorruptError, match="set aside"):
        await open_journal(tmp_path, clock)
