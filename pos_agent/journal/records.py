"""What the journal gives back: plain records."""

from datetime import datetime
from enum import StrEnum

import msgspec

from pos_agent.domain.refund import MoneyMoved, RefundRequest, RefundState, RefundUpdate
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind


class RefundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the journal knows it.

    Attributes:
        update: Newest statement of the back office.
        was_send_attempted: An attempt row was committed before the first PUBLISH (I9).
        is_stored: The back office acknowledged it (已提交).
        is_held: A row of it is held (D8).
        withdraw_requested: 撤回 was asked for.
    """

    request: RefundRequest
    update: RefundUpdate | None
    was_send_attempted: bool
    is_stored: bool
    is_held: bool
    withdraw_requested: bool = False

    @property
    def state(self) -> RefundState:
        """Return the state to show."""
        if self.update is not None:
            return self.update.state
        return RefundState.SENT if self.was_send_attempted else RefundState.QUEUED


class OutboxStatus(StrEnum):
    """State of an outbox row."""

    QUEUED = "queued"
    SENT = "sent"
    HELD = "held"
    ACKED = "acked"


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must reach the back office.

    Attributes:
        leaf: `pos_agent.protocol.topics.Leaf` value.
        kind, rev: With refund_request_id the key that the ack names.
        payload: The message's JSON, not yet in its envelope.
        attempts: How often it was published.
        cause: With HELD: the refusal.
    """

    row_id: int
    refund_request_id: str
    kind: str
    rev: int
    leaf: str
    payload: bytes
    status: OutboxStatus
    attempts: int
    created_at: datetime
    cause: str = ""


class PrintJobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A print job.

    Attributes:
        data: Rendered bytes, None before the first rendering.
        profile_id: What rendered `data`.
        was_started: Bytes may have reached the printer before the daemon died: ends UNKNOWN at the next start (D13).
    """

    job_id: int
    refund_request_id: str
    kind: SlipKind
    copy_no: int
    document: SlipDocument
    created_at: datetime
    data: bytes | None
    profile_id: str
    was_started: bool
    outcome: PrintOutcome | None = None


class OperatorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An operator of this till; the PIN's hash never leaves the journal except to the PIN worker."""

    operator_no: str
    person_id: str
    name: str
    role: str
    pin_hash: str
    failures: int
    locked_s: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A refund before CONFIRM, for RESUME: one row in its own database; never a PIN or a payment code.

    Attributes:
        state: Name of the workflow state where it stopped.
        context: The machine's own JSON of what was entered.
    """

    operator_no: str
    saved_at: datetime
    saved_boottime_s: float
    boot_id: str
    state: str
    context: bytes


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of `Journal.purge` did.

    Attributes:
        requests: Removed with their rows.
        audit_lines: Removed from the beginning of the chain.
        last_seq: Where the next call goes on.
        is_done: Nothing more is old enough.
    """

    requests: int
    audit_lines: int
    last_seq: int
    is_done: bool


class MoneyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `pos-agent outbox list`."""

    refund_request_id: str
    created_at: datetime
    amount_minor: int
    state: RefundState
    status: OutboxStatus
    money: MoneyMoved
    attempts: int
    cause: str = ""
