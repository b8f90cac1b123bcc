"""A process that uses the real journal and notes, behind each call, what was promised: the traced one.

``python -m tests.durability.writer FOLDER MARKS REFUNDS [OFF]``: OFF plants the fault of ``synchronous=OFF``.
"""

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.journal import _schema
from pos_agent.journal.records import Draft
from pos_agent.journal.store import Journal
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import START, TERMINAL_ID, make_request, make_slip, make_update

#: Pages until SQLite folds the WAL back: small, so that a short trace holds many checkpoints.
CHECKPOINT_PAGES = 24


class Marks:
    """Promises, each written when its call has returned."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR)
        self._size = 0

    def note(self, what: str, **facts: object) -> None:
        line = json.dumps({"what": what, **facts}).encode() + b"\n"
        self._size += os.pwrite(self._fd, line, self._size)


def plant(*, is_off: bool) -> None:
    """Open every database with frequent checkpoints, and unsafe if asked."""
    connect = _schema.connect

    def connected(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if is_off:
            connection.execute("PRAGMA synchronous = OFF")
        return connection

    _schema.connect = connected


async def one_refund(journal: Journal, marks: Marks, number: int) -> None:
    request = make_request(number)
    key = request.refund_request_id
    slips = [make_slip(key), make_slip(key, SlipKind.REQUEST_CUSTOMER)]
    marks.note("begun", id=key)
    await journal.save_draft(
        Draft(operator_no="01", saved_at=START, saved_boottime_s=1, boot_id="b", state="SALE", context=b"{}")
    )
    await journal.commit_refund(request, slips)
    marks.note("committed", id=key, amount_minor=request.amount_minor)
    (row,) = [row for row in await journal.outbox_due(100) if row.refund_request_id == key]
    await journal.record_attempt([row.row_id])
    marks.note("attempted", id=key)
    await journal.record_ack(
        AppAckMessage(
            terminal_id=TERMINAL_ID,
            refund_request_id=key,
            kind=row.kind,
            rev=row.rev,
            status=AckStatus.STORED,
            at=START,
            epoch=1,
        )
    )
    marks.note("stored", id=key)
    await print_one(journal, marks, key)
    await journal.apply_update(make_update(key, RefundState.SUCCEEDED, seq=2), [make_slip(key, SlipKind.RESULT)])
    marks.note("succeeded", id=key)


async def print_one(journal: Journal, marks: Marks, key: str) -> None:
    """Print the first slip; the second one is left begun on every other refund."""
    first, second = await journal.slips(key)
    await journal.record_job_rendered(first.job_id, b"\x1b@" * 900, "p/1")
    await journal.record_job_started(first.job_id)
    marks.note("started", id=key, job=first.job_id)
    await journal.record_job_ended(first.job_id, PrintOutcome.SENT_CLEAN)
    marks.note("ended", id=key, job=first.job_id, outcome=PrintOutcome.SENT_CLEAN)
    await journal.record_job_started(second.job_id)
    marks.note("started", id=key, job=second.job_id)


async def main(folder: Path, marks: Marks, refunds: int) -> None:
    journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="boot-1", clock=ManualClock())
    for number in range(1, refunds + 1):
        await one_refund(journal, marks, number)
    await journal.close()
    marks.note("closed")


if __name__ == "__main__":
    plant(is_off="OFF" in sys.argv)
    asyncio.run(main(Path(sys.argv[1]), Marks(Path(sys.argv[2])), int(sys.argv[3])))
