"""An in-memory journal with the methods that the workflow calls: same contract, no disk."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from pos_agent.domain.refund import RefundRequest, RefundUpdate
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind
from pos_agent.errors import JournalError
from pos_agent.journal.records import Draft, MoneyRow, OperatorRecord, OutboxStatus, PrintJobRecord, RefundRecord
from pos_agent.journal.store import Journal
from pos_agent.protocol.control import OutboxCounts


class FakeWorkflowJournal(Journal):
    """Keeps everything in lists.

    Attributes:
        commits: Every committed request.
        calls: Names of calls, in order.
        failure: Raised by the next `commit_refund`.
    """

    def __init__(self) -> None:
        self.records: list[RefundRecord] = []
        self.commits: list[RefundRequest] = []
        self.jobs: list[PrintJobRecord] = []
        self.people: dict[str, OperatorRecord] = {}
        self.draft: Draft | None = None
        self.audits: list[tuple[str, str]] = []
        self.withdrawn: list[str] = []
        self.answers: list[tuple[str, str]] = []
        self.dropped: list[str] = []
        self.references_asked: list[str] = []
        self.failure: JournalError | None = None

    def add_operator(self, number: str, role: str = "cashier") -> None:
        """Add an operator."""
        self.people[number] = OperatorRecord(
            operator_no=number,
            person_id=f"p{number}",
            name=number,
            role=role,
            pin_hash="",
            failures=0,
            locked_s=0,
        )

    def change(self, number: str, **fields: object) -> None:
        """Replace fields of a record."""
        self.records = [
            msgspec.structs.replace(record, **fields) if record.request.refund_request_id == number else record
            for record in self.records
        ]

    async def commit_refund(self, request: RefundRequest, slips: Sequence[SlipDocument]) -> RefundRequest:
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        kept = msgspec.structs.replace(request, seq=len(self.commits) + 1)
        self.commits.append(kept)
        record = RefundRecord(request=kept, update=None, was_send_attempted=False, is_stored=False, is_held=False)
        self.records.insert(0, record)
        for slip in slips:
            await self.add_print_job(slip)
        self.draft = None
        return kept

    async def request_withdraw(self, refund_request_id: str, operator_no: str) -> None:
        self.withdrawn.append(refund_request_id)
        self.change(refund_request_id, withdraw_requested=True)

    async def answer_question(self, refund_request_id: str, text: str, operator_no: str) -> None:
        self.answers.append((refund_request_id, text))

    async def refund(self, refund_request_id: str) -> RefundRecord | None:
        return next((r for r in self.records if r.request.refund_request_id == refund_request_id), None)

    async def newest_refunds(self, limit: int, offset: int = 0) -> list[RefundRecord]:
        return self.records[offset : offset + limit]

    async def refunds_by_tail(self, digits: str) -> list[RefundRecord]:
        return [record for record in self.records if record.request.refund_request_id.endswith(digits)]

    async def refunds_by_reference(self, value: str) -> list[RefundRecord]:
        self.references_asked.append(value)
        return [record for record in self.records if record.request.original_reference.value == value]

    async def outbox_counts(self) -> OutboxCounts:
        queued = sum(not r.is_stored and not r.was_send_attempted and r.update is None for r in self.records)
        sent = sum(not r.is_stored and r.was_send_attempted and r.update is None for r in self.records)
        return OutboxCounts(queued=queued, sent=sent, held=sum(r.is_held for r in self.records))

    async def money_rows(self, *, with_acked: bool, limit: int = -1) -> list[MoneyRow]:
        from pos_agent.domain.refund import MoneyMoved

        return [
            MoneyRow(
                refund_request_id=record.request.refund_request_id,
                created_at=record.request.created_at,
                amount_minor=record.request.amount_minor,
                state=record.state,
                status=OutboxStatus.QUEUED,
                money=MoneyMoved.UNKNOWN,
                attempts=0,
            )
            for record in self.records
            if with_acked or not record.is_stored
        ][: None if limit < 0 else limit]

    async def apply_update(self, update: RefundUpdate, slips: Sequence[SlipDocument] = ()) -> bool:
        self.change(update.refund_request_id, update=update, is_stored=True)
        for slip in slips:
            await self.add_print_job(slip)
        return True

    async def close_shift(self, operator_no: str, make_slip: Callable[[ShiftFacts], SlipDocument]) -> ShiftFacts:
        facts = ShiftFacts(
            operator_no=operator_no,
            at=datetime(2026, 11, 23, tzinfo=UTC),
            since=None,
            first_seq=0,
            last_seq=0,
            sums=(),
            unsent=0,
            unprinted=0,
            audit_lines=1,
            audit_head="head",
        )
        await self.add_print_job(make_slip(facts))
        return facts

    async def add_print_job(self, document: SlipDocument) -> int:
        self.jobs.append(
            PrintJobRecord(
                job_id=len(self.jobs) + 1,
                refund_request_id=document.refund_request_id,
                kind=document.kind,
                copy_no=document.copy_no,
                document=document,
                created_at=datetime(2026, 11, 23, tzinfo=UTC),
                data=None,
                profile_id="",
                was_started=False,
            )
        )
        return len(self.jobs)

    def end_jobs(self, outcome: PrintOutcome) -> None:
        """End all jobs that wait."""
        self.jobs = [job if job.outcome else msgspec.structs.replace(job, outcome=outcome) for job in self.jobs]

    async def slips(self, refund_request_id: str) -> list[PrintJobRecord]:
        return [job for job in self.jobs if job.refund_request_id == refund_request_id]

    async def next_copy_no(self, refund_request_id: str, kind: SlipKind) -> int:
        jobs = await self.slips(refund_request_id)
        return 1 + max((job.copy_no for job in jobs if job.kind is kind), default=0)

    async def operators(self) -> list[OperatorRecord]:
        return list(self.people.values())

    async def operator(self, operator_no: str) -> OperatorRecord | None:
        return self.people.get(operator_no)

    async def save_draft(self, draft: Draft) -> None:
        self.draft = draft

    async def load_draft(self) -> Draft | None:
        return self.draft

    async def drop_draft(self, cause: str) -> None:
        self.draft = None
        self.dropped.append(cause)

    async def audit(self, event: str, actor: str, data: Mapping[str, str]) -> str:
        self.audits.append((event, actor))
        return "00"
