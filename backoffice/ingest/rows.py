"""The rows of new requests: one statement a table for a whole group."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import insert
from sqlalchemy.orm import Session

from backoffice import anchors, audit, outbox
from backoffice.ingest.context import Context
from backoffice.ingest.facts import SaleBook
from backoffice.refunds import stated_money
from backoffice.rules import Verdict
from backoffice.states import FINAL, wire_state
from backoffice.store.schema import AuditLine, Message, OutboxRow, Refund, Terminal
from pos_agent.domain.refund import RefundUpdate
from pos_agent.i18n.backoffice import text
from pos_agent.protocol.messages import MessageKind, RefundRequestMessage, RefundStateMessage

#: Executed on the connection, not the session: a group is written without an object for each row.
_INSERT_MESSAGE: Final = insert(Message)
_INSERT_REFUND: Final = insert(Refund)
_INSERT_AUDIT: Final = insert(AuditLine)
_INSERT_OUTBOX: Final = insert(OutboxRow)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A new request, and what was decided.

    Attributes:
        digest: Hash by which a repeat is told from a conflict.
        person_id: Its maker.
    """

    terminal: Terminal
    message: RefundRequestMessage
    digest: str
    person_id: str
    verdict: Verdict
    book: SaleBook | None
    is_restoring: bool
    at: datetime


def insert_all(session: Session, context: Context, judged: Sequence[Judged], epoch: int) -> list[RefundStateMessage]:
    """Write the rows of all new requests, one statement a table; returns what their tills are told."""
    if not judged:
        return []
    session.flush()
    states = [_state(context, each, epoch) for each in judged]
    connection = session.connection()
    connection.execute(_INSERT_MESSAGE, [_message_row(each) for each in judged])
    connection.execute(_INSERT_REFUND, [_refund_row(context, each) for each in judged])
    connection.execute(_INSERT_AUDIT, [_audit_row(each) for each in judged])
    connection.execute(_INSERT_OUTBOX, [outbox.row_of(state, epoch) for state in states])
    anchors.note_requests(session, context.now, [_anchor(each) for each in judged])
    return states


def _message_row(each: Judged) -> dict[str, Any]:
    return {
        "refund_request_id": each.message.request.refund_request_id,
        "kind": MessageKind.REFUND_REQUEST.value,
        "rev": each.message.rev,
        "terminal_id": each.terminal.terminal_id,
        "content_hash": each.digest,
        "body": msgspec.json.encode(each.message),
        "is_applied": True,
        "received_at": each.at,
    }


def _reason(context: Context, verdict: Verdict) -> str | None:
    return text(f"reason.{verdict.code}", context.locale, **verdict.parameters) if verdict.code else None


def _refund_row(context: Context, each: Judged) -> dict[str, Any]:
    request, verdict = each.message.request, each.verdict
    return {
        "refund_request_id": request.refund_request_id,
        "terminal_id": each.terminal.terminal_id,
        "merchant_id": each.terminal.merchant_id,
        "sale_id": each.book.sale_id if each.book else None,
        "state": verdict.state.value,
        "version": 1,
        "seq": 1,
        "amount_minor": request.amount_minor,
        "currency": request.currency,
        "operator_no": request.operator_no,
        "maker_person_id": each.person_id,
        "terminal_seq": request.seq,
        "body": request,
        "flags": list(verdict.flags),
        "created_at": request.created_at,
        "received_at": each.at,
        "updated_at": each.at,
        "finished_at": each.at if verdict.state in FINAL else None,
        "reason_text": _reason(context, verdict),
        "attempt": 0,
        "polls": 0,
    }


def _audit_row(each: Judged) -> dict[str, Any]:
    return audit.first_line(
        each.message.request.refund_request_id,
        actor=f"till:{each.terminal.terminal_id}",
        after=each.verdict.state.value,
        detail=each.verdict.code or ",".join(each.verdict.flags),
        at=each.at,
    )


def _anchor(each: Judged) -> anchors.Told:
    request = each.message.request
    return anchors.Told(
        terminal_id=each.terminal.terminal_id,
        head=request.audit_head,
        source=request.refund_request_id,
        seq=request.seq,
        at=each.at,
    )


def _state(context: Context, each: Judged, epoch: int) -> RefundStateMessage:
    state = each.verdict.state
    totals = each.book.sums() if each.book else None
    update = RefundUpdate(
        refund_request_id=each.message.request.refund_request_id,
        state=wire_state(state),
        epoch=epoch,
        seq=1,
        money_moved=stated_money(state, None, None, is_restoring=each.is_restoring),
        at=each.at,
        reason=_reason(context, each.verdict),
        refunded_total_minor=totals.refunded_minor if totals else None,
        refundable_minor=totals.left_minor if totals else None,
    )
    return RefundStateMessage(terminal_id=each.terminal.terminal_id, update=update)
