"""A new request: deduplicated, judged under the lock of its sale, queued for review (D5, D9)."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backoffice import approving
from backoffice.ingest.context import Context
from backoffice.ingest.facts import GroupFacts
from backoffice.ingest.rows import Judged, insert_all
from backoffice.refunds import alarm, current_epoch, is_restoring, move
from backoffice.rules import Verdict, judge
from backoffice.states import WITHDRAWABLE, State
from backoffice.store.schema import EventRow, Message, Refund, Terminal
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.domain.refund import RefundRequest
from pos_agent.i18n.backoffice import text
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    MessageKind,
    RefundRequestMessage,
    RefundStateMessage,
)

_KNOWN: Final = select(Message).where(Message.refund_request_id.in_(bindparam("ids", expanding=True)))


def content_hash(content: msgspec.Struct) -> str:
    """Return the hash by which a repeat is told from a conflict; fields unknown to this version do not count."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def make_ack(
    session: Session,
    context: Context,
    terminal_id: str,
    *,
    request_id: str,
    kind: str,
    rev: int,
    status: AckStatus,
    detail: str = "",
) -> AppAckMessage:
    """Build the answer that is published after the commit."""
    return AppAckMessage(
        terminal_id=terminal_id,
        refund_request_id=request_id,
        kind=kind,
        rev=rev,
        status=status,
        epoch=current_epoch(session),
        at=context.now(),
        detail=detail,
    )


def ingest(
    session: Session, context: Context, group: Sequence[tuple[Terminal, RefundRequestMessage]]
) -> tuple[list[AppAckMessage], list[RefundStateMessage]]:
    """Store requests once and say so; a repeat is a duplicate, the same id with other content a conflict.

    The requests of a group share their statements, not their fate: each is judged after the one before.

    Args:
        session: Writing.
        context: Configuration and time.
        group: Requests with different ids.

    Returns:
        An ack for each request, and the states of the new ones, to be sent right after the commit. Their outbox rows
        are planned for later, should nobody send them now, or the sending fail.
    """
    if not group:
        return [], []
    epoch = current_epoch(session)
    known = _known(session, [message.request.refund_request_id for _, message in group])
    facts = GroupFacts(session, context, [(terminal, message.request) for terminal, message in group])
    acks, stored = [], []
    for terminal, message in group:
        status, detail, new = _judge(session, context, facts, terminal, message, known=known)
        if new is not None:
            stored.append(new)
        acks.append(
            AppAckMessage(
                terminal_id=terminal.terminal_id,
                refund_request_id=message.request.refund_request_id,
                kind=MessageKind.REFUND_REQUEST,
                rev=message.rev,
                status=status,
                epoch=epoch,
                at=context.now(),
                detail=detail,
            )
        )
    states = insert_all(session, context, stored, epoch)
    for each in stored:
        if each.message.request.approval is not None:
            approving.count(session, context, each.message)
        for early in known.get(each.message.request.refund_request_id, ()):
            apply_withdrawal(session, context, early)
    return acks, states


def _known(session: Session, request_ids: list[str]) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = {}
    for message in session.scalars(_KNOWN, {"ids": request_ids}):
        found.setdefault(message.refund_request_id, []).append(message)
    return found


def _judge(
    session: Session,
    context: Context,
    facts: GroupFacts,
    terminal: Terminal,
    message: RefundRequestMessage,
    *,
    known: dict[str, list[Message]],
) -> tuple[AckStatus, str, Judged | None]:
    request = message.request
    digest = content_hash(request)
    for earlier in known.get(request.refund_request_id, ()):
        if earlier.kind != MessageKind.REFUND_REQUEST.value:
            continue
        if earlier.content_hash == digest and earlier.terminal_id == terminal.terminal_id:
            return AckStatus.DUPLICATE, "", None
        _alarm_conflict(session, context, terminal, request, digest)
        return AckStatus.CONFLICT, "another request has this id", None
    problem = _problem(request, terminal)
    if problem:
        return AckStatus.MALFORMED, problem, None
    book = facts.book(terminal, request)
    person_id, _ = facts.maker(terminal, request.operator_no)
    verdict = judge(
        request,
        facts.of(terminal, request, book),
        review=context.config.review,
        profile=context.profile(book.acquirer_id) if book else None,
    )
    if facts.is_restoring:
        verdict = _without_final_word(verdict)
    facts.enter(request, verdict.state, person_id=person_id, book=book)
    new = Judged(
        terminal=terminal,
        message=message,
        digest=digest,
        person_id=person_id,
        verdict=verdict,
        book=book,
        is_restoring=facts.is_restoring,
        at=context.now(),
    )
    return AckStatus.STORED, "", new


def _without_final_word(verdict: Verdict) -> Verdict:
    """Hold what would be rejected: an older copy of the record cannot say that nothing moved (I9, trust.md 8)."""
    if verdict.state is not State.REJECTED:
        return verdict
    return Verdict(state=State.HELD, flags=tuple(sorted({*verdict.flags, verdict.code, "restored"})))


def _problem(request: RefundRequest, terminal: Terminal) -> str:
    """Return what makes a well-typed request unusable, empty if nothing does."""
    if request.terminal_id != terminal.terminal_id:
        return "terminal_id of the request is another's"
    if not is_refund_request_id(request.refund_request_id):
        return "refund_request_id has wrong check digits"
    if not 0 < request.amount_minor <= MAX_AMOUNT_MINOR:
        return "amount out of range"
    if request.created_at.tzinfo is None:
        return "created_at without zone"
    return ""


def _alarm_conflict(
    session: Session, context: Context, terminal: Terminal, request: RefundRequest, digest: str
) -> None:
    event_id = f"conflict-{request.refund_request_id}-{digest[:12]}"
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": terminal.terminal_id, "refund_request_id": request.refund_request_id}
        alarm(session, event_id, "id_conflict", now=context.now, data=data)


def apply_withdrawal(session: Session, context: Context, early: Message) -> None:
    """Apply a withdrawal that overtook its request, or that waited for the end of a restore."""
    if early.kind != MessageKind.REFUND_WITHDRAW.value or early.is_applied or is_restoring(session):
        return
    early.is_applied = True
    refund = session.get(Refund, early.refund_request_id)
    if refund is not None and early.terminal_id == refund.terminal_id and State(refund.state) in WITHDRAWABLE:
        move(
            session,
            refund,
            State.CANCELED,
            actor=f"till:{refund.terminal_id}",
            now=context.now,
            detail="withdrawal applied later",
            reason=text("reason.withdrawn", context.locale),
        )
