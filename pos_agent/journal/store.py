"""The journal's public face: async methods over one writer thread; every change is one transaction (D6).

Contract for callers (the SQL stands in private siblings):

* A method that returns has committed with `synchronous=FULL`; a method that raises has changed nothing.
* The order of calls is the order of commits; calls that wait for the disk together share one commit.
* After a commit, waiters on `outbox_changed` and `print_jobs_changed` are woken.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from pos_agent.domain.clock import Clock
from pos_agent.domain.refund import RefundRequest, RefundUpdate
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.journal import (
    _audit,
    _backoffice,
    _jobs,
    _opening,
    _outbox,
    _people,
    _refunds,
    _shifts,
    _storage,
)
from pos_agent.journal._people import PoweredOnTime
from pos_agent.journal._upkeep import Upkeep
from pos_agent.journal._writer import Mode, Writer
from pos_agent.journal.records import (
    Draft,
    MoneyRow,
    OperatorRecord,
    OutboxRow,
    PrintJobRecord,
    RefundRecord,
)
from pos_agent.protocol.control import OutboxCounts
from pos_agent.protocol.messages import AppAckMessage, SyncItem, SyncReplyMessage

_T = TypeVar("_T")
_P = ParamSpec("_P")
SlipFinisher = Callable[[RefundRequest, Sequence[SlipDocument]], Sequence[SlipDocument]]
_Sql = Callable[Concatenate[sqlite3.Connection, _P], _T]


class Signal:
    """Wakes waiters after a commit; a set while nobody waits is remembered once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake all waiters."""
        self._event.set()

    async def wait(self) -> None:
        """Return at the next `set` since the last return of `wait`."""
        await self._event.wait()
        self._event.clear()


class Journal:
    """The journal of one terminal; made by `open`.

    Attributes:
        outbox_changed: Set after a commit that added or released an outbox row.
        print_jobs_changed: Set after a commit that added a print job.
        storage_troubled: Set when the disk refused a write, or damage was found.
        upkeep: Free space, retention, deferred checks.
        finish_slips: Completes the slips of a request with what is known only in its transaction; pure, and it runs on
            the journal's thread.
    """

    outbox_changed: Signal
    print_jobs_changed: Signal

    def __init__(self, folder: Path, *, clock: Clock, boot_id: str, lock: int) -> None:
        self.outbox_changed = Signal()
        self.print_jobs_changed = Signal()
        self.finish_slips: SlipFinisher = lambda _request, slips: slips
        self._clock = clock
        self._boot_id = boot_id
        self._lock = lock
        self.storage_troubled = Signal()
        self._writer = Writer(self.storage_troubled)
        self.upkeep = Upkeep(self._writer, folder, clock)

    @classmethod
    async def open(
        cls, folder: Path, *, terminal_id: str, boot_id: str, clock: Clock, is_owner: bool = True
    ) -> "Journal":
        """Open or create the journal, migrate it, end jobs that were started before a crash as UNKNOWN.

        Args:
            folder: Private folder of the journal.
            terminal_id: Whose journal it is; another one's is refused.
            boot_id: Changes whenever `clock.boottime_s` starts again.
            clock: Where times come from.
            is_owner: False for a short-lived command beside the daemon: recovers nothing, takes no lock.
        Raises:
            JournalCorruptError: Damaged; set aside under a new name, nothing recreated over unsent requests.
            JournalFullError: Cannot be written.
            JournalError: The folder is on tmpfs, overlay or ramfs and `POS_AGENT_ALLOW_VOLATILE` is not set (I8),
                or another process owns the journal.
        """
        _storage.make_folder(folder)
        _storage.refuse_volatile(folder)
        journal = cls(folder, clock=clock, boot_id=boot_id, lock=_storage.lock(folder) if is_owner else -1)
        opener = _opening.opener(
            folder, terminal_id=terminal_id, is_owner=is_owner, at=clock.now(), now=journal._powered_on()
        )
        try:
            await journal._writer.start(opener)
        except BaseException:
            journal._unlock()
            raise
        return journal

    async def close(self) -> None:
        """Finish the queue, checkpoint, stop the thread."""
        await self._writer.stop()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def ping(self) -> None:
        """Return when the writer thread answers; for the watchdog (field.md 7)."""
        await self._writer.run(lambda _: None, Mode.NOTHING)

    async def _read(self, sql: "_Sql[_P, _T]", *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._writer.run(lambda databases: sql(databases.journal, *args, **kwargs), Mode.READ)

    async def _write(self, sql: "_Sql[_P, _T]", *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await self._writer.run(lambda databases: sql(databases.journal, *args, **kwargs), Mode.WRITE)

    async def _write_then(
        self, wakes: tuple[Signal, ...], sql: "_Sql[_P, _T]", *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        return await self._writer.run(lambda databases: sql(databases.journal, *args, **kwargs), Mode.WRITE, wakes)

    def _powered_on(self) -> PoweredOnTime:
        return PoweredOnTime(self._boot_id, self._clock.boottime_s())

    # -- requests ---------------------------------------------------------------------------------------------

    async def commit_refund(self, request: RefundRequest, slips: Sequence[SlipDocument]) -> RefundRequest:
        """Commit request, outbox row, print jobs, audit line; drop the draft (D6).

        Args:
            request: With ``seq=0`` and ``audit_head=""``: both are assigned in the transaction.
            slips: Each becomes one print job.
        Returns:
            The request as committed. The same id with the same content again returns the committed one.
        Raises:
            DuplicateRequestError: The same id with another content.
            JournalFullError: Nothing was kept.
        """
        wakes = (self.outbox_changed, self.print_jobs_changed)
        return await self._write_then(wakes, _refunds.commit, request, slips, self.finish_slips)

    async def request_withdraw(self, refund_request_id: str, operator_no: str) -> None:
        """Queue 撤回 (refund.withdraw) for a request that is not final; again = no-op."""
        at = self._clock.now()
        await self._write_then((self.outbox_changed,), _refunds.withdraw, refund_request_id, operator_no, at)

    async def answer_question(self, refund_request_id: str, text: str, operator_no: str) -> None:
        """Queue the answer to NEED_INFO (refund.answer)."""
        at = self._clock.now()
        await self._write_then((self.outbox_changed,), _refunds.answer, refund_request_id, text, operator_no, at)

    async def refund(self, refund_request_id: str) -> RefundRecord | None:
        """Return one request."""
        return await self._read(_refunds.find, refund_request_id)

    async def newest_refunds(self, limit: int, offset: int = 0) -> list[RefundRecord]:
        """Return requests, newest first."""
        return await self._read(_refunds.newest, limit, offset)

    async def refunds_by_tail(self, digits: str) -> list[RefundRecord]:
        """Return requests whose id ends with `digits` (6 or more), newest first."""
        return await self._read(_refunds.by_tail, digits)

    async def refunds_by_reference(self, value: str) -> list[RefundRecord]:
        """Return requests whose original reference has exactly this value (the "hit in the local journal" of D14)."""
        return await self._read(_refunds.by_reference, value)

    # -- outbox -----------------------------------------------------------------------------------------------

    async def outbox_due(self, limit: int, after: int = 0) -> list[OutboxRow]:
        """Return QUEUED and SENT rows with a row id above `after`, in order of creation."""
        return await self._read(_outbox.due, limit, after)

    async def record_attempt(self, row_ids: Sequence[int]) -> None:
        """Mark rows SENT and count the attempt; committed before the first PUBLISH (I9)."""
        await self._write(_outbox.attempt, row_ids)

    async def record_ack(self, ack: AppAckMessage) -> OutboxRow | None:
        """Apply an application ack: clear on stored/duplicate, hold on a refusal (D7, D8).

        Returns:
            The row with its new status; None when no open row has this key (late, repeated or foreign ack).
        """
        return await self._write(_outbox.ack, ack, self._clock.now())

    async def outbox_counts(self) -> OutboxCounts:
        """Return counts of open rows."""
        return await self._read(_outbox.counts)

    async def outbox_rows(self) -> list[OutboxRow]:
        """Return all rows that are not acked."""
        return await self._read(_outbox.open_rows)

    async def money_rows(self, *, with_acked: bool, limit: int = -1) -> list[MoneyRow]:
        """Return one row a request for `pos-agent outbox list`; "money" claims nothing beyond I9 with the link down.

        Args:
            with_acked: Also those that the back office has acknowledged.
            limit: At most so many, the oldest first; below 0 = all.
        """
        return await self._read(_refunds.money, with_acked=with_acked, limit=limit)

    async def release_held(self, *, refund_request_id: str | None = None) -> int:
        """Offer held rows again (new epoch, new version, or by hand); return how many."""
        return await self._write_then((self.outbox_changed,), _outbox.release, refund_request_id)

    async def note_version(self, version: str) -> int:
        """Offer held rows again if another build wrote here last (D8); return how many."""
        return await self._write_then((self.outbox_changed,), _outbox.note_version, version)

    # -- back office ------------------------------------------------------------------------------------------

    async def sync_items(self) -> list[SyncItem]:
        """Return all non-final requests with the last (epoch, seq) known."""
        return await self._read(_backoffice.sync_items)

    async def sync_head(self) -> tuple[int, str, int]:
        """Return (last_seq, token, epoch)."""
        return await self._read(_backoffice.sync_head)

    async def record_sync_reply(self, reply: SyncReplyMessage) -> None:
        """Keep token and epoch, queue wanted requests again, audit a journal that went back, release held rows."""
        await self._write_then((self.outbox_changed,), _backoffice.record_sync_reply, reply, self._clock.now())

    async def apply_update(self, update: RefundUpdate, slips: Sequence[SlipDocument]) -> bool:
        """Commit a state with its slips, in one transaction.

        Returns:
            False if it was old, repeated, of an unknown request, or against a final state (audited when it
            contradicts one): nothing printed.
        """
        return await self._write_then((self.print_jobs_changed,), _backoffice.apply, update, slips, self._clock.now())

    # -- print jobs -------------------------------------------------------------------------------------------

    async def next_print_job(self, *, with_results: bool) -> PrintJobRecord | None:
        """Return the oldest unfinished job; RESULT and REJECT slips only if `with_results`, request slips first."""
        return await self._read(_jobs.next_open, with_results=with_results)

    async def unfinished_print_jobs(self) -> int:
        """Return how many jobs are not finished."""
        return await self._read(_jobs.count_open)

    async def record_job_rendered(self, job_id: int, data: bytes, profile_id: str) -> None:
        """Keep the rendered bytes with the job (D12)."""
        await self._write(_jobs.rendered, job_id, data, profile_id)

    async def record_job_started(self, job_id: int) -> None:
        """Commit that bytes may reach the printer from now on."""
        await self._write(_jobs.set_started, job_id, is_started=True)

    async def record_job_not_started(self, job_id: int) -> None:
        """Take back `record_job_started`: the link proved that no byte was accepted."""
        await self._write(_jobs.set_started, job_id, is_started=False)

    async def record_job_ended(self, job_id: int, outcome: PrintOutcome, *, copy: SlipDocument | None = None) -> None:
        """End a job; `copy` is queued as a new job in the same transaction."""
        await self._write_then((self.print_jobs_changed,), _jobs.end, job_id, outcome, copy, self._clock.now())

    async def add_print_job(self, document: SlipDocument) -> int:
        """Queue a copy, policy or shift slip; return the job id."""
        return await self._write_then((self.print_jobs_changed,), _jobs.add, document, self._clock.now())

    async def slips(self, refund_request_id: str) -> list[PrintJobRecord]:
        """Return all print jobs of a request, oldest first."""
        return await self._read(_jobs.of_request, refund_request_id)

    async def next_copy_no(self, refund_request_id: str, kind: SlipKind) -> int:
        """Return the next free copy number, 1 for the first copy."""
        return await self._read(_jobs.next_copy_no, refund_request_id, kind)

    # -- operators and drafts ---------------------------------------------------------------------------------

    async def operator(self, operator_no: str) -> OperatorRecord | None:
        """Return one operator, with the lock-out that remains in powered-on time."""
        now = self._powered_on()
        if await self._read(_people.needs_rewrite, operator_no, now):
            await self._write(_people.rewrite_locks, now)
        return await self._read(_people.find, operator_no, now)

    async def operators(self) -> list[OperatorRecord]:
        """Return all operators."""
        return await self._read(_people.all_operators, self._powered_on())

    async def put_operator(self, *, operator_no: str, person_id: str, name: str, role: str, pin_hash: str) -> None:
        """Add or replace an operator."""
        await self._write(
            _people.put, operator_no=operator_no, person_id=person_id, name=name, role=role, pin_hash=pin_hash
        )

    async def record_pin_failure(self, operator_no: str) -> OperatorRecord:
        """Count a failure, committed before the PIN is compared (D22); the fifth locks for 15 powered-on minutes."""
        return await self._write(_people.fail, operator_no, self._powered_on())

    async def record_pin_success(self, operator_no: str) -> None:
        """Forget the failures."""
        await self._write(_people.succeed, operator_no)

    async def save_draft(self, draft: Draft) -> None:
        """Keep the one draft (own database file)."""
        await self._writer.run(lambda db: _people.save_draft(db.journal, db.draft, draft), Mode.DRAFT)

    async def load_draft(self) -> Draft | None:
        """Return the draft; None if a refund was committed since it was saved."""
        return await self._writer.run(lambda db: _people.load_draft(db.journal, db.draft), Mode.DRAFT)

    async def drop_draft(self, cause: str) -> None:
        """Delete the draft and audit why."""
        if await self._writer.run(lambda db: _people.delete_draft(db.journal, db.draft), Mode.DRAFT):
            await self.audit("draft.dropped", "agent", {"cause": cause})

    # -- audit ------------------------------------------------------------------------------------------------

    async def audit(self, event: str, actor: str, data: Mapping[str, str]) -> str:
        """Append a line to the hash chain (I6); return the new head."""
        return await self._write(_audit.append, self._clock.now(), event, actor, data)

    async def audit_verify(self, check_signature: Callable[[bytes, str], bool] | None = None) -> tuple[int, str]:
        """Check the whole chain and every request against it; return (lines, head).

        Args:
            check_signature: Whether a signature over a statement is this terminal's; None = purges are not checked.
        Raises:
            JournalCorruptError: Names the first line or request that differs.
        """
        return await self._read(_audit.verify_all, check_signature)

    async def audit_head(self) -> tuple[int, str]:
        """Return (number of the last audit line, its head)."""
        return await self._read(_audit.head)

    async def audit_heads(self) -> list[str]:
        """Return the head of every audit line, for a comparison with what the back office has seen."""
        return await self._read(_audit.heads)

    async def close_shift(self, operator_no: str, make_slip: Callable[[ShiftFacts], SlipDocument]) -> ShiftFacts:
        """Close a shift: count since the last one, write the audit line and queue the slip, in one transaction.

        Args:
            operator_no: Who closes it.
            make_slip: Makes the slip of the facts; pure, it runs on the journal's thread.
        """
        at = self._clock.now()
        return await self._write_then((self.print_jobs_changed,), _shifts.close, operator_no, make_slip, at)
