"""What an acquirer's answer does to a refund (D10, D11, I4, I5)."""

from datetime import timedelta

from sqlalchemy.orm import Session

from backoffice.execution.contract import HOLDS, Answer, Outcome, RefundOrder
from backoffice.execution.steps import ACTOR, sale_of, start_attempt
from backoffice.ingest.context import Context
from backoffice.refunds import lock_refund, move, open_case
from backoffice.states import AT_ACQUIRER, FINAL, State
from backoffice.store.schema import Attempt, Refund
from pos_agent.domain.refund import Hold
from pos_agent.i18n.backoffice import text


def record_call(session: Session, context: Context, order: RefundOrder, answer: Answer) -> None:
    """Record what the call of an attempt said."""
    refund = lock_refund(session, order.refund_request_id)
    attempt = session.get(Attempt, (order.refund_request_id, order.attempt))
    if refund is None or attempt is None:
        return
    attempt.outcome, attempt.ended_at = answer.outcome.value, context.now()
    attempt.detail = f"{answer.code} {answer.detail}".strip()[:300]
    if State(refund.state) not in AT_ACQUIRER or refund.attempt != order.attempt:
        contradict(session, context, refund, answer)
        return
    hold = HOLDS.get(answer.code) if answer.outcome is Outcome.REFUSED else None
    if answer.outcome is Outcome.ACCEPTED:
        _plan_query(context, refund)
    elif hold is not None and State(refund.state) is State.EXECUTING:
        _hold(session, context, refund, hold, answer)
    else:
        # A refusal that we cannot place is believed only when a query says the same.
        _to_unknown(session, context, refund, f"call {answer.outcome} {answer.code}".strip())
        refund.next_at = context.now() + timedelta(seconds=_first_query_s(context, answer))


def _first_query_s(context: Context, answer: Answer) -> float:
    return 0.0 if answer.outcome is Outcome.REFUSED else context.config.execution.poll_s


def _hold(session: Session, context: Context, refund: Refund, hold: Hold, answer: Answer) -> None:
    reason = text(f"reason.{hold.value}", context.locale)
    move(session, refund, State.EXECUTING, actor=ACTOR, now=context.now, detail=answer.code, reason=reason, hold=hold)
    refund.next_at = context.now() + timedelta(seconds=context.config.execution.hold_retry_s)


def _to_unknown(session: Session, context: Context, refund: Refund, detail: str) -> None:
    if State(refund.state) is State.EXECUTING:
        reason = text("reason.unknown", context.locale)
        move(session, refund, State.UNKNOWN, actor=ACTOR, now=context.now, detail=detail, reason=reason)


def _plan_query(context: Context, refund: Refund) -> None:
    """Plan the next query, each later than the last (payments.md 2.1)."""
    timing = context.config.execution
    wait_s = min(timing.poll_s * 2 ** min(refund.polls, 16), timing.poll_max_s)
    refund.polls += 1
    refund.next_at = context.now() + timedelta(seconds=wait_s)


def record_query(session: Session, context: Context, request_id: str, answer: Answer) -> RefundOrder | None:
    """Record the answer to a query; returns a call to make when the same number may be sent again (D11)."""
    refund = lock_refund(session, request_id)
    if refund is None:
        return None
    refund.asked_at = context.now()
    if State(refund.state) not in AT_ACQUIRER:
        contradict(session, context, refund, answer)
        return None
    match answer.outcome:
        case Outcome.SUCCEEDED:
            arrival = text("arrival.original_path", context.locale)
            move(session, refund, State.SUCCEEDED, actor=ACTOR, now=context.now, detail="query", arrival=arrival)
        case Outcome.FAILED:
            reason = text("reason.failed", context.locale, code=answer.code or "CLOSED")
            move(session, refund, State.FAILED, actor=ACTOR, now=context.now, detail=answer.code, reason=reason)
        case Outcome.ABNORMAL:
            reason = text("reason.abnormal", context.locale)
            move(session, refund, State.ABNORMAL, actor=ACTOR, now=context.now, detail=answer.code, reason=reason)
            refund.next_at = None
            open_case(session, refund, kind="abnormal", detail=answer.code or "abnormal", now=context.now)
        case Outcome.NOT_FOUND:
            return _not_found(session, context, refund)
        case _:
            _plan_query(context, refund)
            _give_up_when_old(session, context, refund)
    return None


def _not_found(session: Session, context: Context, refund: Refund) -> RefundOrder | None:
    """Allow the same number again only when the first call cannot be in flight any more, and cannot count twice."""
    sale = sale_of(session, refund)
    profile = context.profile(sale.acquirer_id) if sale else None
    attempt = session.get(Attempt, (refund.refund_request_id, refund.attempt))
    if sale is None or profile is None or attempt is None:
        _to_manual(session, context, refund, "no profile")
        return None
    _to_unknown(session, context, refund, "not found")
    settled_at = attempt.started_at + timedelta(seconds=profile.settle_s)
    if context.now() < settled_at:
        _plan_query(context, refund)
        refund.next_at = min(refund.next_at or settled_at, settled_at)
        return None
    if not profile.idempotent_by_number:
        _to_manual(session, context, refund, "not found, numbers not idempotent")
        return None
    return start_attempt(session, context, refund, sale)


def _give_up_when_old(session: Session, context: Context, refund: Refund) -> None:
    sale = sale_of(session, refund)
    profile = context.profile(sale.acquirer_id) if sale else None
    if profile is None or refund.unknown_since is None:
        return
    if context.now() - refund.unknown_since >= timedelta(days=profile.manual_after_days):
        _to_manual(session, context, refund, f"unknown for {profile.manual_after_days:g} days")


def _to_manual(session: Session, context: Context, refund: Refund, detail: str) -> None:
    _to_unknown(session, context, refund, detail)
    reason = text("reason.unknown", context.locale)
    move(session, refund, State.MANUAL, actor=ACTOR, now=context.now, detail=detail, reason=reason)
    refund.next_at = None
    open_case(session, refund, kind="unknown", detail=detail, now=context.now)


def contradict(session: Session, context: Context, refund: Refund, answer: Answer) -> None:
    """Never change a final state, never drop the answer: open a case and freeze the sale (D10)."""
    state = State(refund.state)
    said_yes = answer.outcome is Outcome.SUCCEEDED
    said_no = answer.outcome in (Outcome.FAILED, Outcome.ABNORMAL)
    if state in FINAL and ((said_yes and state is not State.SUCCEEDED) or (said_no and state is State.SUCCEEDED)):
        detail = f"state={state} answer={answer.outcome} {answer.code}".strip()
        open_case(session, refund, kind="contradiction", detail=detail, now=context.now, is_freezing=True)
