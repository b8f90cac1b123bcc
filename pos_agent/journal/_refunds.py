"""SQL of requests: commit, withdraw, answer, find."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

from pos_agent.domain.identifiers import tail
from pos_agent.domain.refund import RefundRequest, RefundUpdate, money_truth
from pos_agent.domain.slip import SlipDocument
from pos_agent.errors import DuplicateRequestError, JournalError
from pos_agent.journal import _audit, _codec, _jobs, _outbox
from pos_agent.journal.records import MoneyRow, RefundRecord
from pos_agent.protocol import codec
from pos_agent.protocol.messages import (
    MessageKind,
    RefundAnswerMessage,
    RefundRequestMessage,
    RefundWithdrawMessage,
)
from pos_agent.protocol.topics import Leaf

_SELECT: Final = """SELECT request, latest, was_send_attempted, is_stored, withdraw_requested, EXISTS (
  SELECT 1 FROM outbox WHERE outbox.refund_request_id = refunds.refund_request_id AND outbox.status = 'held')
  FROM refunds """

_OPEN: Final = """WHERE refund_request_id IN (
  SELECT refund_request_id FROM outbox INDEXED BY outbox_open WHERE status IN ('queued', 'sent')
  UNION SELECT refund_request_id FROM outbox INDEXED BY outbox_held WHERE status = 'held') """
#: Everything that a commit must know, in one statement: each costs as much as the row that it reads.
_BEFORE: Final = """SELECT (SELECT request FROM refunds WHERE refund_request_id = ?),
  (SELECT value FROM meta WHERE key = 'last_seq'), (SELECT value FROM meta WHERE key = 'draft_generation')"""


def commit(
    connection: sqlite3.Connection,
    request: RefundRequest,
    slips: Sequence[SlipDocument],
    finish_slips: Callable[[RefundRequest, Sequence[SlipDocument]], Sequence[SlipDocument]],
) -> RefundRequest:
    """Write everything that CONFIRM means; see `Journal.commit_refund`."""
    stands, last_seq, generation = connection.execute(_BEFORE, (request.refund_request_id,)).fetchone()
    if stands is not None:
        return _same_or_raise(_codec.decode(stands, RefundRequest), request)
    seq = int(last_seq or 0) + 1
    end = _audit.head(connection)
    committed = msgspec.structs.replace(request, seq=seq, audit_head=end[1])
    data = _codec.encode(committed)
    at = _codec.time_text(committed.created_at)
    connection.execute(
        "INSERT INTO refunds (seq, refund_request_id, reference, tail, amount_minor, created_at, request)"
        " VALUES (?,?,?,?,?,?,?)",
        (
            seq,
            committed.refund_request_id,
            committed.original_reference.value,
            tail(committed.refund_request_id),
            committed.amount_minor,
            at,
            data,
        ),
    )
    # The draft of this request is void from this commit on, even if its own file is never touched again.
    _codec.set_two(connection, ("last_seq", str(seq)), ("draft_generation", str(int(generation or 0) + 1)))
    message = RefundRequestMessage(terminal_id=committed.terminal_id, request=committed)
    _outbox.add(
        connection,
        refund_request_id=committed.refund_request_id,
        kind=MessageKind.REFUND_REQUEST,
        rev=message.rev,
        leaf=Leaf.UP_REFUND,
        payload=codec.encode(message),
        at=at,
    )
    _jobs.add_all(connection, finish_slips(committed, slips), at)
    _audit.append(connection, at, "refund.committed", committed.operator_no, _facts(committed, data), end=end)
    return committed


def _facts(request: RefundRequest, data: bytes) -> dict[str, str]:
    return {
        "refund_request_id": request.refund_request_id,
        "seq": str(request.seq),
        "amount_minor": str(request.amount_minor),
        "currency": request.currency,
        "supervisor_no": request.supervisor_no or "",
        "sha256": sha256(data).hexdigest(),
    }


def _same_or_raise(stands: RefundRequest, request: RefundRequest) -> RefundRequest:
    if msgspec.structs.replace(request, seq=stands.seq, audit_head=stands.audit_head) == stands:
        return stands
    raise DuplicateRequestError(f"refund_request_id={request.refund_request_id} stands with another content")


def draft_generation(connection: sqlite3.Connection) -> int:
    """Return the number that a draft must carry to be valid."""
    return int(_codec.meta(connection, "draft_generation", "0"))


def withdraw(connection: sqlite3.Connection, refund_request_id: str, operator_no: str, at: datetime) -> None:
    """Queue refund.withdraw once."""
    record = _open_request(connection, refund_request_id)
    if record is None or record.withdraw_requested:
        return
    message = RefundWithdrawMessage(
        terminal_id=record.request.terminal_id,
        refund_request_id=refund_request_id,
        rev=1,
        operator_no=operator_no,
        at=at,
    )
    connection.execute("UPDATE refunds SET withdraw_requested = 1 WHERE refund_request_id = ?", (refund_request_id,))
    _outbox.add(
        connection,
        refund_request_id=refund_request_id,
        kind=MessageKind.REFUND_WITHDRAW,
        rev=1,
        leaf=Leaf.UP_REFUND,
        payload=codec.encode(message),
        at=at,
    )
    _audit.append(connection, at, "refund.withdraw", operator_no, {"refund_request_id": refund_request_id})


def answer(connection: sqlite3.Connection, refund_request_id: str, text: str, operator_no: str, at: datetime) -> None:
    """Queue refund.answer with the next rev."""
    record = _open_request(connection, refund_request_id)
    if record is None:
        return
    rev = _outbox.next_rev(connection, refund_request_id, MessageKind.REFUND_ANSWER)
    message = RefundAnswerMessage(
        terminal_id=record.request.terminal_id,
        refund_request_id=refund_request_id,
        rev=rev,
        text=text,
        operator_no=operator_no,
        at=at,
    )
    _outbox.add(
        connection,
        refund_request_id=refund_request_id,
        kind=MessageKind.REFUND_ANSWER,
        rev=rev,
        leaf=Leaf.UP_REFUND,
        payload=codec.encode(message),
        at=at,
    )
    _audit.append(
        connection, at, "refund.answer", operator_no, {"refund_request_id": refund_request_id, "rev": str(rev)}
    )


def _open_request(connection: sqlite3.Connection, refund_request_id: str) -> RefundRecord | None:
    """Return the request if it is not final; JournalError if it does not exist."""
    row = connection.execute(_SELECT + "WHERE refund_request_id = ? AND is_final = 0", (refund_request_id,)).fetchone()
    if row is not None:
        return _record(row)
    if find(connection, refund_request_id) is None:
        raise JournalError(f"no request refund_request_id={refund_request_id}")
    return None


def _record(row: Any) -> RefundRecord:
    update = None if row[1] is None else _codec.decode(row[1], RefundUpdate)
    return RefundRecord(
        request=_codec.decode(row[0], RefundRequest),
        update=update,
        was_send_attempted=bool(row[2]),
        is_stored=bool(row[3]) or update is not None,
        withdraw_requested=bool(row[4]),
        is_held=bool(row[5]),
    )


def find(connection: sqlite3.Connection, refund_request_id: str) -> RefundRecord | None:
    """Return one request."""
    row = connection.execute(_SELECT + "WHERE refund_request_id = ?", (refund_request_id,)).fetchone()
    return None if row is None else _record(row)


def newest(connection: sqlite3.Connection, limit: int, offset: int) -> list[RefundRecord]:
    """Return requests, newest first."""
    rows = connection.execute(_SELECT + "ORDER BY seq DESC LIMIT ? OFFSET ?", (limit, offset))
    return [_record(row) for row in rows]


def by_tail(connection: sqlite3.Connection, digits: str) -> list[RefundRecord]:
    """Return requests whose id ends with 6 or more digits, newest first."""
    rows = connection.execute(_SELECT + "WHERE tail = ? ORDER BY seq DESC", (tail(digits),))
    return [record for record in map(_record, rows) if record.request.refund_request_id.endswith(digits)]


def by_reference(connection: sqlite3.Connection, value: str) -> list[RefundRecord]:
    """Return requests with this original reference, newest first."""
    return [_record(row) for row in connection.execute(_SELECT + "WHERE reference = ? ORDER BY seq DESC", (value,))]


def money(connection: sqlite3.Connection, *, with_acked: bool, limit: int) -> list[MoneyRow]:
    """Return one row a request; see `Journal.money_rows`.

    Without the acknowledged ones it starts at the open rows, so that history costs nothing.
    """
    where = "" if with_acked else _OPEN
    rows = connection.execute(_SELECT + where + "ORDER BY seq LIMIT ?", (limit,)).fetchall()
    return [_money_row(connection, _record(values)) for values in rows]


def _money_row(connection: sqlite3.Connection, record: RefundRecord) -> MoneyRow:
    request = record.request
    row = _outbox.worst(connection, request.refund_request_id)
    truth = money_truth(
        update=record.update, was_send_attempted=record.was_send_attempted, is_back_office_present=False
    )
    return MoneyRow(
        refund_request_id=request.refund_request_id,
        created_at=request.created_at,
        amount_minor=request.amount_minor,
        state=record.state,
        status=row.status,
        money=truth.moved,
        attempts=row.attempts,
        cause=row.cause,
    )
