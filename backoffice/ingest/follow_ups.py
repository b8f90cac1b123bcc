"""Withdrawals and answers: they may arrive before their request, after it is over, or twice."""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.ingest.context import Context
from backoffice.ingest.requests import content_hash, make_ack
from backoffice.refunds import announce, is_restoring, lock_refund, move
from backoffice.states import WITHDRAWABLE, State
from backoffice.store.schema import Message, Refund, Terminal
from pos_agent.i18n.backoffice import text
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    MessageKind,
    RefundAnswerMessage,
    RefundWithdrawMessage,
)

FollowUp = RefundAnswerMessage | RefundWithdrawMessage
#: Longest answer that is kept; phrases and digits are shorter.
MAX_ANSWER = 120


def ingest(session: Session, context: Context, terminal: Terminal, message: FollowUp) -> AppAckMessage:
    """Store a follow-up once, apply it if its request can still take it, and acknowledge."""
    kind = MessageKind.REFUND_ANSWER if isinstance(message, RefundAnswerMessage) else MessageKind.REFUND_WITHDRAW
    status = _store(session, context, terminal, message, kind)
    return make_ack(
        session,
        context,
        terminal.terminal_id,
        request_id=message.refund_request_id,
        kind=kind,
        rev=message.rev,
        status=status,
    )


def _store(session: Session, context: Context, terminal: Terminal, message: FollowUp, kind: MessageKind) -> AckStatus:
    digest = content_hash(message)
    known = session.scalars(
        select(Message).where(
            Message.refund_request_id == message.refund_request_id,
            Message.kind == kind.value,
            Message.rev == message.rev,
        )
    ).one_or_none()
    if known is not None:
        is_same = known.content_hash == digest and known.terminal_id == terminal.terminal_id
        return AckStatus.DUPLICATE if is_same else AckStatus.CONFLICT
    refund = lock_refund(session, message.refund_request_id)
    if refund is not None and refund.terminal_id != terminal.terminal_id:
        return AckStatus.CONFLICT
    # A withdrawal is a final word, and until a restore is done nobody knows whether the refund was paid (I9).
    is_waiting = kind is MessageKind.REFUND_WITHDRAW and is_restoring(session)
    session.add(
        Message(
            refund_request_id=message.refund_request_id,
            kind=kind.value,
            rev=message.rev,
            terminal_id=terminal.terminal_id,
            content_hash=digest,
            body=msgspec.json.encode(message),
            is_applied=refund is not None and not is_waiting,
            received_at=context.now(),
        )
    )
    session.flush()
    if refund is not None and not is_waiting:
        _apply(session, context, refund, message)
    return AckStatus.STORED


def _apply(session: Session, context: Context, refund: Refund, message: FollowUp) -> None:
    actor = f"till:{refund.terminal_id}:{message.operator_no}"
    state = State(refund.state)
    if isinstance(message, RefundWithdrawMessage) and state in WITHDRAWABLE:
        reason = text("reason.withdrawn", context.locale)
        move(session, refund, State.CANCELED, actor=actor, now=context.now, detail="withdrawn", reason=reason)
    elif isinstance(message, RefundAnswerMessage) and state is State.NEED_INFO:
        answers = [*refund.body.get("answers", []), message.text[:MAX_ANSWER]]
        refund.body = {**refund.body, "answers": answers}
        move(session, refund, State.REVIEWING, actor=actor, now=context.now, detail="answered")
    else:
        # Too late: the till is told again where its request stands.
        announce(session, refund, context.now())
