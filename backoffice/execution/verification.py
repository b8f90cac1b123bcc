"""Asks the acquirer about every refund after a restore; calls nothing (trust.md 8, D11)."""

from datetime import timedelta

import msgspec
from sqlalchemy.orm import Session

from backoffice import restoring
from backoffice.execution import answers
from backoffice.execution.contract import Answer, Outcome
from backoffice.execution.steps import ACTOR
from backoffice.ingest.context import Context
from backoffice.refunds import current_epoch, is_restoring, lock_refund, move
from backoffice.states import AT_ACQUIRER, FINAL, State
from backoffice.store.restore_tables import Restore
from backoffice.store.schema import Attempt, Refund, Sale
from pos_agent.domain.identifiers import refund_no
from pos_agent.i18n.backoffice import text

BATCH = 16


class Question(msgspec.Struct, frozen=True):
    """A refund to ask about, and the numbers it can have: one for each acquirer that may have been called."""

    refund_request_id: str
    numbers: tuple[tuple[str, str], ...]


def questions(session: Session, context: Context) -> list[Question] | None:
    """Return what to ask next; None when no restore is open."""
    if not is_restoring(session):
        return None
    return [Question(refund.refund_request_id, _numbers(session, context, refund)) for refund in _next(session)]


def _next(session: Session) -> list[Refund]:
    return restoring.unchecked(session, BATCH)


def _numbers(session: Session, context: Context, refund: Refund) -> tuple[tuple[str, str], ...]:
    """Return (acquirer, refund number): the sale's own, or all when the sale is not in the copy."""
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    profiles = context.config.acquirers
    names = [sale.acquirer_id] if sale else sorted(profiles)
    return tuple(
        (name, refund_no(profiles[name].refund_no_prefix, refund.refund_request_id))
        for name in names
        if name in profiles
    )


def record(session: Session, context: Context, question: Question, acquirer_id: str, answer: Answer) -> bool:
    """Record an answer; False if the refund must be asked about again later.

    ``not_found`` is believed only the profile's settle time after the restore: a call of the process that died may
    still be on its way.
    """
    refund = lock_refund(session, question.refund_request_id)
    if refund is None or answer.outcome is Outcome.UNKNOWN:
        return False
    if answer.outcome is Outcome.NOT_FOUND:
        if not _is_settled(session, context, acquirer_id):
            return False
    elif State(refund.state) in FINAL | {State.MANUAL, State.ABNORMAL}:
        answers.contradict(session, context, refund, answer)
    else:
        _catch_up(session, context, refund, dict(question.numbers)[acquirer_id], answer)
    restoring.note_check(session, context.now, refund.refund_request_id, answer.outcome.value)
    return True


def _is_settled(session: Session, context: Context, acquirer_id: str) -> bool:
    restore = session.get(Restore, current_epoch(session))
    profile = context.profile(acquirer_id)
    if restore is None or profile is None:
        return True
    return context.now() >= restore.started_at + timedelta(seconds=profile.settle_s)


def _catch_up(session: Session, context: Context, refund: Refund, number: str, answer: Answer) -> None:
    """Bring a refund to where the acquirer says it is; one that our copy never called gets the lost attempt back."""
    if State(refund.state) not in AT_ACQUIRER:
        refund.refund_no, refund.attempt = number, refund.attempt + 1
        session.add(
            Attempt(
                refund_request_id=refund.refund_request_id,
                number=refund.attempt,
                refund_no=number,
                started_at=context.now(),
                ended_at=context.now(),
                outcome="restored",
                detail="called before the restore",
            )
        )
        reason = text("reason.unknown", context.locale)
        move(
            session,
            refund,
            State.UNKNOWN,
            actor=ACTOR,
            now=context.now,
            detail="called before the restore",
            reason=reason,
        )
    answers.record_query(session, context, refund.refund_request_id, answer)


def note_no_acquirer(session: Session, context: Context, request_id: str) -> None:
    """Note a refund for which nobody can be asked: it was never executed online."""
    restoring.note_check(session, context.now, request_id, "no_acquirer")
