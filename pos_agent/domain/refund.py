"""A refund request, the states it can be in, and whether money has moved (D5, D10, I4, I5, I9)."""

from datetime import datetime
from enum import StrEnum

import msgspec


class RefundState(StrEnum):
    """The one enumeration of refund states, on the wire, in the journal and on screens."""

    QUEUED = "queued"
    SENT = "sent"
    REVIEWING = "reviewing"
    NEED_INFO = "need_info"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXECUTING = "executing"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"
    COUPON_ISSUED = "coupon_issued"
    CLOSED = "closed"


#: States that never change again (I5).
FINAL_STATES = frozenset(
    {
        RefundState.REJECTED,
        RefundState.CANCELED,
        RefundState.SUCCEEDED,
        RefundState.FAILED,
        RefundState.COUPON_ISSUED,
        RefundState.CLOSED,
    }
)
#: Final states that prove that no money went to the customer.
NOT_MOVED_STATES = frozenset(
    {RefundState.REJECTED, RefundState.CANCELED, RefundState.FAILED, RefundState.COUPON_ISSUED}
)


class MoneyMoved(StrEnum):
    """Has money moved to the customer?"""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class Hold(StrEnum):
    """Why an EXECUTING refund waits; not final, the same refund number goes on later (D10)."""

    MERCHANT_BALANCE = "merchant_balance"
    RATE_LIMIT = "rate_limit"
    CHANNEL_DOWN = "channel_down"


class RefundType(StrEnum):
    """How much of the sale goes back, and in what form."""

    FULL = "full"
    PARTIAL = "partial"
    COUPON = "coupon"


class Entry(StrEnum):
    """How the number of the sale came in."""

    SCANNED = "scanned"
    KEYED = "keyed"


class ReferenceKind(StrEnum):
    """What the number that points to the original sale is."""

    MERCHANT_ORDER_NO = "merchant_order_no"
    CHANNEL_TRADE_NO = "channel_trade_no"
    #: HMAC-SHA256 (hex) of a number that might have been a payment code (D14); the number itself is never sent.
    ORDER_NO_HASH = "order_no_hash"


class Channel(StrEnum):
    """The payment channel of the original sale."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"
    ECNY = "ecny"
    CARD = "card"
    UNKNOWN = "unknown"


class OriginalReference(msgspec.Struct, frozen=True):
    """Points to the original sale."""

    kind: ReferenceKind
    value: str


class RefundLine(msgspec.Struct, frozen=True):
    """How much of one line of the sale goes back, minor units; `line_no` is the sale's own."""

    line_no: int
    amount_minor: int


class RemoteApproval(msgspec.Struct, frozen=True):
    """A claim of the till: a person approved through the back office, by QR code (ADR 0024).

    Attributes:
        person_id: Who, as the back office signed it.
        nonce: Of the question that was answered; spent with the request that carries it.
    """

    person_id: str
    nonce: str


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the cashier confirmed. Never changes after CONFIRM; `refund_request_id` is its only id (D5).

    Attributes:
        refund_request_id: 22 digits, see `pos_agent.domain.identifiers`.
        created_at: Terminal wall time, UTC; a claim, see `is_clock_trusted`.
        sale_id: The back office's id of the sale, from the look-up; None when entered without one.
        reference_tail: Last six characters of the number that was scanned or typed, for people.
        paid_minor: What the sale shows as paid (or what the cashier typed when unverified).
        seq: The terminal's own number of this submission, 1, 2, 3 … without gaps (restores, trust.md 8).
        supervisor_no: Operator number that authorised at the till; never equal to `operator_no` (I3).
        flags: Sorted facts for the reviewer: keyed, unverified, clock_untrusted, over_limit, after_hours …
        note: A numbered phrase's text or digits; never free text, never a payment code.
        audit_head: Hex head of the terminal's audit chain just before this request (I6).
        lines: Which lines of the sale, with amounts that add up to `amount_minor`; empty = by amount alone (I2).
        approval: In place of `supervisor_no`: who approved from elsewhere.
    """

    refund_request_id: str
    terminal_id: str
    merchant_id: str
    operator_no: str
    created_at: datetime
    is_clock_trusted: bool
    boot_id: str
    entry: Entry
    original_reference: OriginalReference
    reference_tail: str
    channel: Channel
    refund_type: RefundType
    amount_minor: int
    currency: str
    reason_code: str
    policy_version: str
    seq: int
    sale_id: str | None = None
    acquirer_id: str | None = None
    paid_minor: int | None = None
    supervisor_no: str | None = None
    note: str | None = None
    flags: tuple[str, ...] = ()
    is_training: bool = False
    previous_request_id: str | None = None
    audit_head: str = ""
    lines: tuple[RefundLine, ...] = ()
    approval: RemoteApproval | None = None


class RefundUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the back office says about a request; ordered by (epoch, seq), lower is ignored.

    Attributes:
        money_moved: The back office's own statement, true at `at`.
        reason: Why rejected, failed, held …: a sentence for people, in the shop's language.
        question: With NEED_INFO: what is asked.
        arrival: With SUCCEEDED: when and where the customer sees the money, for people.
    """

    refund_request_id: str
    state: RefundState
    epoch: int
    seq: int
    money_moved: MoneyMoved
    at: datetime
    reason: str | None = None
    hold: Hold | None = None
    question: str | None = None
    arrival: str | None = None
    refunded_total_minor: int | None = None
    refundable_minor: int | None = None

    @property
    def order(self) -> tuple[int, int]:
        """Return (epoch, seq), by which updates are ordered."""
        return self.epoch, self.seq


class MoneyTruth(msgspec.Struct, frozen=True):
    """What may be said to a cashier about money, and as of when (I9).

    Attributes:
        moved: NO, YES or UNKNOWN.
        as_of: For a NO that is true only while the link is up: the time it was stated. None = certain.
    """

    moved: MoneyMoved
    as_of: datetime | None = None


def money_truth(*, update: RefundUpdate | None, was_send_attempted: bool, is_back_office_present: bool) -> MoneyTruth:
    """Say whether money has moved, claiming nothing that is not certain (I9).

    Args:
        update: The newest statement of the back office; None before the first.
        was_send_attempted: Whether the attempt row is committed: the request may be anywhere from then on.
        is_back_office_present: Link up, and the back office's own presence says online.
    """
    if update is None:
        return MoneyTruth(MoneyMoved.UNKNOWN if was_send_attempted else MoneyMoved.NO)
    if update.state is RefundState.SUCCEEDED:
        return MoneyTruth(MoneyMoved.YES)
    if update.state in NOT_MOVED_STATES:
        return MoneyTruth(MoneyMoved.NO)
    if update.money_moved is MoneyMoved.NO and is_back_office_present and update.state is not RefundState.CLOSED:
        return MoneyTruth(MoneyMoved.NO, as_of=update.at)
    return MoneyTruth(MoneyMoved.UNKNOWN)
