"""What the back office decides about a request by itself (payments.md 7). Pure: facts in, verdict out.

Every rule that a till applies is decided again here (trust.md 11): what only the till knows is a claim.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backoffice.config import AcquirerConfig, ReviewConfig
from backoffice.ledger import Sums
from backoffice.states import FINAL, RESERVING, SETTLED, State
from pos_agent.domain.money import format_amount
from pos_agent.domain.refund import RefundLine, RefundRequest

#: Flag of a request whose approval by QR code holds (`backoffice.approvals`).
APPROVED_BY_CODE = "approved_by_code"
#: F8: a refund this soon after the sale by the same till is worth a look.
FAST_REFUND = timedelta(minutes=3)


class SoldLine(msgspec.Struct, frozen=True):
    """One line of a sale, as far as sums need it; minor units."""

    line_no: int
    paid_minor: int
    refunded_minor: int = 0


class SaleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules know of the sale."""

    paid_at: datetime
    currency: str
    acquirer_id: str
    terminal_id: str
    is_training: bool
    is_frozen: bool
    sums: Sums
    lines: tuple[SoldLine, ...] = ()


class EarlierRefund(msgspec.Struct, frozen=True, kw_only=True):
    """Another request on the same sale."""

    refund_request_id: str
    state: State
    amount_minor: int
    finished_at: datetime | None
    lines: tuple[RefundLine, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything else that the rules look at.

    Attributes:
        merchant_id: Of the terminal, as enrolled.
        requests_last_hour: By the same person, this one not counted.
        approval: What became of its claim to an approval by QR code (`backoffice.approvals`); empty if it has none.
    """

    now: datetime
    merchant_id: str
    is_terminal_denied: bool = False
    is_terminal_suspect: bool = False
    is_operator_known: bool = True
    requests_last_hour: int = 0
    approval: str = ""
    sale: SaleFacts | None = None
    earlier: Sequence[EarlierRefund] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Where the request starts.

    Attributes:
        state: REVIEWING, HELD or REJECTED.
        code: With REJECTED: the hard rule; i18n key ``reason.<code>``.
        parameters: For the sentence.
        flags: For the reviewer.
    """

    state: State
    code: str = ""
    parameters: dict[str, str] = {}
    flags: tuple[str, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """A hard rule that forbids a refund of this sale."""

    code: str
    parameters: dict[str, str] = {}


def refuse_sale(sale: SaleFacts, profile: AcquirerConfig | None, now: datetime) -> Refusal | None:
    """Say why nothing of a sale may be refunded through the acquirer; None if it may (F9, F15, cases 33, 42)."""
    if sale.is_training:
        return Refusal("training")
    if profile is not None and profile.terminated_on:
        return Refusal("terminated", {"date": profile.terminated_on})
    if profile is None or profile.adapter == "none":
        return Refusal("no_online_refund")
    if now - sale.paid_at > timedelta(days=profile.window_days):
        return Refusal("past_window", {"days": str(profile.window_days)})
    return None


def refuse_amount(sale: SaleFacts, amount_minor: int, currency: str) -> Refusal | None:
    """Say why this amount may not go back; None if it may (F2). `sale.sums` is without this request's own part."""
    if currency != sale.currency:
        return Refusal("currency")
    if amount_minor > sale.sums.left_minor:
        return Refusal("over_refundable", {"left": format_amount(sale.sums.left_minor)})
    return None


def refuse_lines(request: RefundRequest, sold: Sequence[SoldLine], earlier: Sequence[EarlierRefund]) -> Refusal | None:
    """Say why the lines of a request may not go back; None if they may, or none are named (I2)."""
    if not request.lines:
        return None
    left = {line.line_no: line.paid_minor - line.refunded_minor for line in sold}
    for other in earlier:
        if other.state in RESERVING or other.state in SETTLED:
            for line in other.lines:
                left[line.line_no] = left.get(line.line_no, 0) - line.amount_minor
    total = sum(line.amount_minor for line in request.lines)
    numbers = {line.line_no for line in request.lines}
    is_plain = len(numbers) == len(request.lines) and all(line.amount_minor > 0 for line in request.lines)
    if total != request.amount_minor or not is_plain or not numbers <= {line.line_no for line in sold}:
        return Refusal("lines")
    for line in request.lines:
        if line.amount_minor > left[line.line_no]:
            rest = format_amount(max(0, left[line.line_no]))
            return Refusal("line_over", {"line": str(line.line_no), "left": rest})
    return None


def judge(request: RefundRequest, facts: Facts, *, review: ReviewConfig, profile: AcquirerConfig | None) -> Verdict:
    """Decide where a new request starts.

    Args:
        request: What the till sent.
        facts: Read under the lock of the sale.
        review: Limits.
        profile: Of the sale's acquirer, None if not configured.
    """
    if request.merchant_id != facts.merchant_id:
        return Verdict(state=State.REJECTED, code="merchant")
    if request.is_training:
        return Verdict(state=State.REJECTED, code="training")
    if facts.sale is not None and not facts.sale.is_frozen:
        refusal = (
            refuse_sale(facts.sale, profile, facts.now)
            or refuse_amount(facts.sale, request.amount_minor, request.currency)
            or refuse_lines(request, facts.sale.lines, facts.earlier)
        )
        if refusal is not None:
            return Verdict(state=State.REJECTED, code=refusal.code, parameters=refusal.parameters)
    holding = _holding_flags(request, facts, review)
    flags = sorted({*request.flags, *holding, *_telling_flags(request, facts, review)})
    return Verdict(state=State.HELD if holding else State.REVIEWING, flags=tuple(flags))


def _holding_flags(request: RefundRequest, facts: Facts, review: ReviewConfig) -> list[str]:
    """Return the flags that hold a request until another person releases it."""
    flags = []
    if is_suspected_duplicate(request, facts.earlier, facts.now, review.duplicate_hours):
        flags.append("duplicate")
    if facts.requests_last_hour >= review.max_requests_per_hour:
        flags.append("velocity")
    if facts.is_terminal_suspect:
        flags.append("clone_suspected")
    if facts.is_terminal_denied:
        flags.append("denied_terminal")
    if facts.sale is not None and facts.sale.is_frozen:
        flags.append("refunded_elsewhere")
    if facts.approval not in ("", APPROVED_BY_CODE):
        flags.append(facts.approval)
    return flags


def _telling_flags(request: RefundRequest, facts: Facts, review: ReviewConfig) -> list[str]:
    """Return the flags that only inform the reviewer."""
    flags = []
    if request.entry == "keyed":
        flags.append("keyed")
    if not request.is_clock_trusted:
        flags.append("clock_untrusted")
    if not facts.is_operator_known:
        flags.append("operator_unmapped")
    if request.supervisor_no:
        flags.append("supervisor")
    if facts.approval == APPROVED_BY_CODE:
        flags.append(APPROVED_BY_CODE)
    if request.amount_minor >= review.finance_from_minor:
        flags.append("finance")
    if facts.sale is None:
        flags.append("no_sale")
        return flags
    if abs(facts.now - facts.sale.paid_at) < FAST_REFUND:
        flags.append("fast")
    if facts.sale.terminal_id and facts.sale.terminal_id != request.terminal_id:
        flags.append("other_terminal")
    return flags


def is_suspected_duplicate(
    request: RefundRequest, earlier: Sequence[EarlierRefund], now: datetime, window_hours: int
) -> bool:
    """Return True if the same amount or a same line of the sale is under way, or was settled within the window (F17).

    A rejected, failed or withdrawn one does not count: it moved nothing, and asking again is right (case 28).
    """
    since = now - timedelta(hours=window_hours)
    named = {line.line_no for line in request.lines}
    for other in earlier:
        has_same_line = bool(named & {line.line_no for line in other.lines})
        if other.amount_minor != request.amount_minor and not has_same_line:
            continue
        if other.state not in FINAL:
            return True
        if other.state in SETTLED and other.finished_at is not None and other.finished_at >= since:
            return True
    return False


_LEVELS = ("approver", "finance", "manager")


def levels_needed(amount_minor: int, review: ReviewConfig, *, is_raised: bool = False) -> tuple[str, ...]:
    """Return the roles that must approve, in order, each a different person (payments.md 9b).

    Args:
        amount_minor: Of the request.
        review: From which amounts on.
        is_raised: A suspicion asks for the next level (F4, F6, F7); a shop of one person has none.
    """
    levels = ["approver"]
    if amount_minor >= review.finance_from_minor:
        levels.append("finance")
    if amount_minor >= review.management_from_minor:
        levels.append("manager")
    if is_raised and review.dual_control == "on" and len(levels) < len(_LEVELS):
        levels.append(_LEVELS[len(levels)])
    return tuple(levels)


#: A role may do what a lower one may.
RANKS = {"viewer": 0, "approver": 1, "finance": 2, "manager": 3}


def has_rank(role: str, needed: str) -> bool:
    """Return True if `role` is at least `needed`."""
    return RANKS.get(role, 0) >= RANKS[needed]
