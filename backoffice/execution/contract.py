"""What the executor needs of an acquirer's adapter (payments.md 2.8)."""

from enum import StrEnum
from typing import Protocol

import msgspec

from pos_agent.domain.refund import Hold


class Outcome(StrEnum):
    """What a call told us."""

    #: The call was taken; whether money moves is another question (D10).
    ACCEPTED = "accepted"
    #: Refused for `code`; nothing moved by this call.
    REFUSED = "refused"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"
    NOT_FOUND = "not_found"
    #: No answer, or none that can be read.
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True):
    """An acquirer's answer. `detail` is English, for engineers."""

    outcome: Outcome
    code: str = ""
    detail: str = ""


class RefundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One call to make; its attempt row is committed already."""

    refund_request_id: str
    acquirer_id: str
    refund_no: str
    attempt: int
    sale_ref: str
    amount_minor: int
    paid_minor: int
    currency: str


class Adapter(Protocol):
    """One acquirer. No method raises for what the network or the acquirer does: that is an answer."""

    async def refund(self, order: RefundOrder) -> Answer:
        """Ask for a refund: ACCEPTED, REFUSED or UNKNOWN."""

    async def query(self, refund_no: str) -> Answer:
        """Ask how a refund stands: PROCESSING, SUCCEEDED, FAILED, ABNORMAL, NOT_FOUND or UNKNOWN."""

    async def refunded_minor(self, sale_ref: str) -> int | None:
        """Return the acquirer's own total of a sale's refunds; None where it cannot be asked."""

    async def close(self) -> None:
        """Give up connections."""


#: Refusals that wait for something, then go on under the same number (D10; payments.md 2.1, 2.2).
HOLDS: dict[str, Hold] = {
    "NOT_ENOUGH": Hold.MERCHANT_BALANCE,
    "SELLER_BALANCE_NOT_ENOUGH": Hold.MERCHANT_BALANCE,
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": Hold.MERCHANT_BALANCE,
    "FREQUENCY_LIMITED": Hold.RATE_LIMIT,
    "CHANNEL_DOWN": Hold.CHANNEL_DOWN,
}
