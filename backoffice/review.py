"""What people decide: each decision names the version and the sums it was made on, and is checked under the lock (D9).

Maker, approvers and closers of a case are pairwise different persons (I3).
"""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.coupon_book import settle
from backoffice.history import suspicions
from backoffice.ingest.context import Context
from backoffice.ingest.facts import sale_facts
from backoffice.ledger import Sums, lock_sale, sums
from backoffice.line_sums import refuse_request_lines
from backoffice.refunds import bind_sale, is_restoring, lock_refund, move, request_of, touch
from backoffice.rules import has_rank, levels_needed, refuse_amount, refuse_sale
from backoffice.states import State
from backoffice.store.schema import Decision, Operator, Refund, Sale
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.refund import RefundType
from pos_agent.i18n.backoffice import text

#: Kinds of `Decision` that count as approvals.
APPROVE = "approve"
#: Flag of a request whose end a restore has lost, and its till has told on paper.
TILL_KNOWS_END = "till_knows_end"
KINDS = ("approve", "reject", "need_info", "release", "retry")


class DecisionError(Exception):
    """A decision that cannot be taken. `code` is the i18n key ``error.<code>``; `status` the HTTP status."""

    def __init__(self, code: str, status: int = 409, detail: str = "") -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.status = status
        self.detail = detail


class StaleError(DecisionError):
    """The request or its sale changed since the page was shown."""

    def __init__(self, seen: str, now: str) -> None:
        super().__init__("version", 409, f"seen={seen} now={now}")
        self.seen = seen
        self.now = now


class Actor(msgspec.Struct, frozen=True):
    """Who decides."""

    person_id: str
    login: str
    role: str

    @property
    def name(self) -> str:
        """Return how audit lines name this person."""
        return f"person:{self.person_id}"


class Shown(msgspec.Struct, frozen=True):
    """What the page showed: the request's version and the sale's sums (zeros without a sale)."""

    version: int
    paid_minor: int = 0
    refunded_minor: int = 0
    reserved_minor: int = 0

    def __str__(self) -> str:
        """Return it for people and logs."""
        return f"v{self.version} {self.paid_minor}/{self.refunded_minor}/{self.reserved_minor}"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it arrives from a page or a script."""

    kind: str
    shown: Shown
    reason: str = ""


def shown_now(session: Session, refund: Refund) -> Shown:
    """Return what a page shows now."""
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    totals = sums(session, sale) if sale else Sums(0, 0, 0, 0)
    return Shown(refund.version, totals.paid_minor, totals.refunded_minor, totals.reserved_minor)


def decide(session: Session, context: Context, actor: Actor, request_id: str, command: Command) -> Refund:
    """Take a decision.

    Raises:
        StaleError: Another version or other sums than shown: nothing was changed.
        DecisionError: Not allowed for this person, or not in this state.
    """
    refund = lock_refund(session, request_id)
    if refund is None:
        raise DecisionError("not_found", 404)
    if is_restoring(session):
        raise DecisionError("restoring")
    now = shown_now(session, refund)
    if command.shown != now:
        raise StaleError(str(command.shown), str(now))
    match command.kind:
        case "approve":
            _approve(session, context, actor, refund, command)
        case "reject":
            _reject(session, context, actor, refund, command)
        case "need_info":
            _ask(session, context, actor, refund, command)
        case "release":
            _release(session, context, actor, refund, command)
        case "retry":
            _retry(session, context, actor, refund, command)
        case _:
            raise DecisionError("not_now", 422, f"kind={command.kind}")
    return refund


def bind(session: Session, request_id: str) -> bool:
    """Look again for the sale of a request that came before its sale was imported; True if it has one now (F1).

    Done when the request is opened, so that the page shows the sums that a decision names.
    """
    refund = lock_refund(session, request_id)
    return refund is not None and bind_sale(session, refund) is not None


def _record(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    session.add(
        Decision(
            refund_request_id=refund.refund_request_id,
            person_id=actor.person_id,
            kind=command.kind,
            version=command.shown.version,
            sums=msgspec.to_builtins(command.shown),
            reason=command.reason,
            at=context.now(),
        )
    )
    session.flush()


def _require(actor: Actor, role: str) -> None:
    if not has_rank(actor.role, role):
        raise DecisionError("role", 403)


def _require_state(refund: Refund, *states: State) -> None:
    if State(refund.state) not in states:
        raise DecisionError("not_now", 409, f"state={refund.state}")


def is_maker(session: Session, refund: Refund, person_id: str) -> bool:
    """Return True for who asked: the person at the time, and whoever the operator number was said to be later (I3)."""
    if person_id == refund.maker_person_id:
        return True
    operator = session.get(Operator, (refund.merchant_id, refund.operator_no))
    return operator is not None and operator.person_id == person_id


def _require_other_person(session: Session, context: Context, actor: Actor, refund: Refund) -> None:
    """Refuse the maker (F13, I3), except in a one-person shop up to its cap."""
    if not is_maker(session, refund, actor.person_id):
        return
    review = context.config.review
    if review.dual_control == "off" and refund.amount_minor <= review.self_approval_limit_minor:
        refund.flags = sorted({*refund.flags, "no_dual_control"})
        return
    raise DecisionError("self_approval", 403)


def approvers(session: Session, request_id: str) -> list[str]:
    """Return the persons who approved so far, in order."""
    return list(
        session.scalars(
            select(Decision.person_id)
            .where(Decision.refund_request_id == request_id, Decision.kind == APPROVE)
            .order_by(Decision.decision_id)
        )
    )


def levels_of(session: Session, context: Context, refund: Refund) -> tuple[str, ...]:
    """Return the roles that must approve a request, as of now: its amount, and what speaks against it."""
    is_raised = any(each.raises_level for each in suspicions(session, context, refund))
    return levels_needed(refund.amount_minor, context.config.review, is_raised=is_raised)


def _approve(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    _require_state(refund, State.REVIEWING)
    given = approvers(session, refund.refund_request_id)
    levels = levels_of(session, context, refund)
    _require(actor, levels[min(len(given), len(levels) - 1)])
    _require_other_person(session, context, actor, refund)
    if actor.person_id in given:
        raise DecisionError("same_approver", 403)
    _check_sale(session, context, refund)
    _record(session, context, actor, refund, command)
    if len(given) + 1 < len(levels):
        detail = f"approval {len(given) + 1} of {len(levels)}"
        touch(session, refund, actor=actor.name, before=refund.state, detail=detail, now=context.now)
    elif request_of(refund).refund_type is RefundType.COUPON:
        code = settle(session, context, refund, approver_id=actor.person_id, actor=actor.name)
        arrival = text("arrival.coupon", context.locale, code=grouped(code))
        move(session, refund, State.COUPON_ISSUED, actor=actor.name, now=context.now, arrival=arrival, reason=arrival)
    else:
        move(session, refund, State.APPROVED, actor=actor.name, now=context.now, detail="approved")


def _check_sale(session: Session, context: Context, refund: Refund) -> None:
    """Check the remainder again, under the lock (D9)."""
    sale = lock_sale(session, refund.sale_id) if refund.sale_id else None
    if sale is None:
        raise DecisionError("no_sale")
    if sale.is_frozen:
        raise DecisionError("frozen")
    facts = sale_facts(session, sale, without=refund.refund_request_id)
    profile = context.profile(sale.acquirer_id)
    refusal = (
        refuse_sale(facts, profile, context.now())
        or refuse_amount(facts, refund.amount_minor, refund.currency)
        or refuse_request_lines(session, refund, request_of(refund))
    )
    if refusal is not None:
        raise DecisionError(refusal.code)


def _reject(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    _require_state(refund, State.HELD, State.REVIEWING, State.NEED_INFO)
    _require(actor, "approver")
    _require_other_person(session, context, actor, refund)
    reason = command.reason.strip()
    if not reason:
        raise DecisionError("reason_required", 422)
    _record(session, context, actor, refund, command)
    move(session, refund, State.REJECTED, actor=actor.name, now=context.now, detail="rejected", reason=reason[:200])


def _ask(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    _require_state(refund, State.REVIEWING)
    _require(actor, "approver")
    _require_other_person(session, context, actor, refund)
    question = command.reason.strip()
    if not question:
        raise DecisionError("reason_required", 422)
    _record(session, context, actor, refund, command)
    move(session, refund, State.NEED_INFO, actor=actor.name, now=context.now, question=question[:80], detail="asked")


def _release(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    """Let a held request go on to review: never by its maker (F17).

    Not one of which its till knows an end: the customer's slip says that nothing comes, and would be made untrue (I9).
    """
    _require_state(refund, State.HELD)
    if TILL_KNOWS_END in refund.flags:
        raise DecisionError("till_knows_end")
    _require(actor, "approver")
    if is_maker(session, refund, actor.person_id):
        raise DecisionError("self_approval", 403)
    _record(session, context, actor, refund, command)
    move(session, refund, State.REVIEWING, actor=actor.name, now=context.now, detail="released")


def _retry(session: Session, context: Context, actor: Actor, refund: Refund, command: Command) -> None:
    """Try a held execution now, under the same number: the merchant's balance was topped up (case 31)."""
    _require_state(refund, State.EXECUTING)
    _require(actor, "approver")
    if refund.hold is None:
        raise DecisionError("not_now")
    _record(session, context, actor, refund, command)
    refund.next_at = context.now()
    session.flush()
