"""The journal's public face: async methods over one writer thread; every change is one transaction (D6).

Contract for callers (the SQL stands in private siblings):

* A method that returns has committed with `synchronous=FULL`; a method that raises has changed nothing.
* The order of calls is the order of commits.
* After a commit, waiters on `outbox_changed` and `print_jobs_changed` are woken.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pos_agent.domain.clock import Clock
from pos_agent.domain.refund import RefundRequest, RefundUpdate
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
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


class Signal:
    """Wakes waiters after a commit; a set while nobody waits is remembered once."""

    def set(self) -> None:
        """Wake all waiters."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Return at the next `set` since the last return of `wait`."""
        raise NotImplementedError


class Journal:
    """The journal of one terminal.

    Attributes:
        outbox_changed: Set after a commit that added or released an outbox row.
        print_jobs_changed: Set after a commit that added a print job.
    """

    outbox_changed: Signal
    print_jobs_changed: Signal

    @classmethod
    async def open(cls, folder: Path, *, terminal_id: str, boot_id: str, clock: Clock) -> "Journal":
        """Open or create the journal, migrate it, end jobs that were started before a crash as UNKNOWN.

        Raises:
            JournalCorruptError: Damaged; set aside under a new name, nothing recreated over unsent requests.
            JournalFullError: Cannot be written.
            JournalError: The folder is on tmpfs, overlay or ramfs and `POS_AGENT_ALLOW_VOLATILE` is not set (I8).
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Finish the queue, checkpoint, stop the thread."""

    async def ping(self) -> None:
        """Return when the writer thread answers; for the watchdog (field.md 7)."""

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
        raise NotImplementedError

    async def request_withdraw(self, refund_request_id: str, operator_no: str) -> None:
        """Queue 撤回 (refund.withdraw) for a request that is not final; again = no-op."""

    async def answer_question(self, refund_request_id: str, text: str, operator_no: str) -> None:
        """Queue the answer to NEED_INFO (refund.answer)."""

    async def refund(self, refund_request_id: str) -> RefundRecord | None:
        """Return one request."""
        raise NotImplementedError

    async def newest_refunds(self, limit: int, offset: int = 0) -> list[RefundRecord]:
        """Return requests, newest first."""
        raise NotImplementedError

    async def refunds_by_tail(self, digits: str) -> list[RefundRecord]:
        """Return requests whose id ends with `digits` (6 or more), newest first."""
        raise NotImplementedError

    async def refunds_by_reference(self, value: str) -> list[RefundRecord]:
        """Return requests whose original reference has exactly this value (the "hit in the local journal" of D14)."""
        raise NotImplementedError

    # -- outbox -----------------------------------------------------------------------------------------------

    async def outbox_due(self, limit: int) -> list[OutboxRow]:
        """Return QUEUED and SENT rows in order of creation."""
        raise NotImplementedError

    async def record_attempt(self, row_ids: Sequence[int]) -> None:
        """Mark rows SENT and count the attempt; committed before the first PUBLISH (I9)."""

    async def record_ack(self, ack: AppAckMessage) -> OutboxRow | None:
        """Apply an application ack: clear on stored/duplicate, hold on a refusal (D7, D8).

        Returns:
            The row with its new status; None when no open row has this key (late, repeated or foreign ack).
        """
        raise NotImplementedError

    async def outbox_counts(self) -> OutboxCounts:
        """Return counts of open rows."""
        raise NotImplementedError

    async def outbox_rows(self) -> list[OutboxRow]:
        """Return all rows that are not acked."""
        raise NotImplementedError

    async def money_rows(self, *, with_acked: bool) -> list[MoneyRow]:
        """Return one row a request for `pos-agent outbox list`; "money" claims nothing beyond I9 with the link down."""
        raise NotImplementedError

    async def release_held(self, *, refund_request_id: str | None = None) -> int:
        """Offer held rows again (new epoch, new version, or by hand); return how many."""
        raise NotImplementedError

    # -- back office ------------------------------------------------------------------------------------------

    async def sync_items(self) -> list[SyncItem]:
        """Return all non-final requests with the last (epoch, seq) known."""
        raise NotImplementedError

    async def sync_head(self) -> tuple[int, str, int]:
        """Return (last_seq, token, epoch)."""
        raise NotImplementedError

    async def record_sync_reply(self, reply: SyncReplyMessage) -> None:
        """Keep token and epoch, queue wanted requests again, audit a journal that went back, release held rows."""

    async def apply_update(self, update: RefundUpdate, slips: Sequence[SlipDocument]) -> bool:
        """Commit a state with its slips, in one transaction.

        Returns:
            False if it was old, repeated, of an unknown request, or against a final state (audited when it
            contradicts one): nothing printed.
        """
        raise NotImplementedError

    # -- print jobs -------------------------------------------------------------------------------------------

    async def next_print_job(self, *, with_results: bool) -> PrintJobRecord | None:
        """Return the oldest unfinished job; RESULT and REJECT slips only if `with_results`, request slips first."""
        raise NotImplementedError

    async def unfinished_print_jobs(self) -> int:
        """Return how many jobs are not finished."""
        raise NotImplementedError

    async def record_job_rendered(self, job_id: int, data: bytes, profile_id: str) -> None:
        """Keep the rendered bytes with the job (D12)."""

    async def record_job_started(self, job_id: int) -> None:
        """Commit that bytes may reach the printer from now on."""

    async def record_job_not_started(self, job_id: int) -> None:
        """Take back `record_job_started`: the link proved that no byte was accepted."""

    async def record_job_ended(self, job_id: int, outcome: PrintOutcome, *, copy: SlipDocument | None = None) -> None:
        """End a job; `copy` is queued as a new job in the same transaction."""

    async def add_print_job(self, document: SlipDocument) -> int:
        """Queue a copy, policy or shift slip; return the job id."""
        raise NotImplementedError

    async def slips(self, refund_request_id: str) -> list[PrintJobRecord]:
        """Return all print jobs of a request, oldest first."""
        raise NotImplementedError

    async def next_copy_no(self, refund_request_id: str, kind: SlipKind) -> int:
        """Return the next free copy number, 1 for the first copy."""
        raise NotImplementedError

    # -- operators and drafts ---------------------------------------------------------------------------------

    async def operator(self, operator_no: str) -> OperatorRecord | None:
        """Return one operator, with the lock-out that remains in powered-on time."""
        raise NotImplementedError

    async def operators(self) -> list[OperatorRecord]:
        """Return all operators."""
        raise NotImplementedError

    async def put_operator(self, *, operator_no: str, person_id: str, name: str, role: str, pin_hash: str) -> None:
        """Add or replace an operator."""

    async def record_pin_failure(self, operator_no: str) -> OperatorRecord:
        """Count a failure, committed before the PIN is compared (D22); the fifth locks for 15 powered-on minutes."""
        raise NotImplementedError

    async def record_pin_success(self, operator_no: str) -> None:
        """Forget the failures."""

    async def save_draft(self, draft: Draft) -> None:
        """Keep the one draft (own database file)."""

    async def load_draft(self) -> Draft | None:
        """Return the draft."""
        raise NotImplementedError

    async def drop_draft(self, cause: str) -> None:
        """Delete the draft and audit why."""

    # -- audit and statistics ---------------------------------------------------------------------------------

    async def audit(self, event: str, actor: str, data: Mapping[str, str]) -> str:
        """Append a line to the hash chain (I6); return the new head."""
        raise NotImplementedError

    async def audit_verify(self) -> tuple[int, str]:
        """Check the whole chain; return (lines, head).

        Raises:
            JournalCorruptError: Names the first line that differs.
        """
        raise NotImplementedError

    async def add_statistics(self, counts: Mapping[str, int]) -> None:
        """Add to statistics by UnifiedPOS name; written at most every 10 min by the caller."""

    async def statistics(self) -> dict[str, int]:
        """Return statistics."""
        raise NotImplementedError

    async def last_wall_time(self) -> datetime | None:
        """Return the newest time in the journal, for the start clock (D19)."""
        raise NotImplementedError
