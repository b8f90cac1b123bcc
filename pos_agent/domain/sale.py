"""The original sale as the back office knows it; the only source of what can be refunded (F1, F2)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from pos_agent.domain.refund import Channel, RefundState


class SaleLine(msgspec.Struct, frozen=True):
    """One line of goods. `gtin` may be empty; sums are minor units for the whole line."""

    line_no: int
    name: str
    quantity: int
    paid_minor: int
    refunded_minor: int = 0
    gtin: str = ""


class Sale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sale, read under no lock: a picture for the cashier; the back office decides again (trust.md 11).

    Attributes:
        paid_minor: What the customer paid.
        refunded_minor: Succeeded refunds.
        reserved_minor: Requests under way (I2).
        refundable_minor: paid - refunded - reserved.
        is_coupon_offered: Whether a coupon settlement may be offered for this sale.
        earlier_amount_minor: An unfinished or recent request on this sale (F17), shown to the cashier.
    """

    sale_id: str
    order_no: str
    channel: Channel
    acquirer_id: str
    acquirer_name: str
    paid_at: datetime
    paid_minor: int
    refunded_minor: int
    reserved_minor: int
    refundable_minor: int
    currency: str = "CNY"
    channel_trade_no: str = ""
    account_mask: str = ""
    store: str = ""
    is_coupon_offered: bool = False
    is_training: bool = False
    earlier_amount_minor: int | None = None
    earlier_state: RefundState | None = None
    lines: tuple[SaleLine, ...] = ()


class LookUpOutcome(StrEnum):
    """How a look-up ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    #: The sale exists but may not be refunded; `detail` says why in words for the cashier.
    REFUSED = "refused"
    #: No answer within the time-out, or no network.
    NO_ANSWER = "no_answer"


class LookUpResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a look-up.

    Attributes:
        lookup_id: Echoes the question; an answer to another question is dropped.
        code: With REFUSED: stable code such as ``past_window``, ``nothing_left``; i18n key ``refused.<code>``.
        parameters: Values for the sentence, such as {"days": "365"}.
    """

    lookup_id: str
    outcome: LookUpOutcome
    sale: Sale | None = None
    code: str = ""
    parameters: dict[str, str] = {}
