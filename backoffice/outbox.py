"""The back office's own outbox: the newest state of a request, sent until its till has committed it (D7)."""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.store.schema import OutboxRow
from pos_agent.protocol.codec import encode
from pos_agent.protocol.messages import RefundStateMessage

#: Pause after the first sending without an ack; doubles up to the cap. The same as the tills' own (D7).
FIRST_PAUSE_S = 10.0
LONGEST_PAUSE_S = 300.0
BATCH = 64
#: Executed on the connection: one statement for all rows, without an object for each.
_PLAN: Final = (
    update(OutboxRow)
    .where(OutboxRow.refund_request_id == bindparam("id"))
    .values(attempts=OutboxRow.attempts + 1, next_at=bindparam("later"))
)
_HURRY: Final = (
    update(OutboxRow).where(OutboxRow.refund_request_id == bindparam("id")).values(attempts=0, next_at=bindparam("at"))
)


class DownRow(msgspec.Struct, frozen=True):
    """One state to be signed and published."""

    refund_request_id: str
    terminal_id: str
    payload: bytes


def row_of(message: RefundStateMessage, epoch: int) -> dict[str, Any]:
    """Return the row of a new request's first state, as columns for a bulk insert.

    It counts as sent once: who stores it sends it right after the commit. Should that fail, or we die in between, it is
    sent when its time has come or at the next connection (`hurry`).
    """
    update = message.update
    return {
        "refund_request_id": update.refund_request_id,
        "terminal_id": message.terminal_id,
        "epoch": epoch,
        "seq": update.seq,
        "payload": encode(message),
        "attempts": 1,
        "next_at": update.at + _pause(0),
        "created_at": update.at,
    }


def take_due(session: Session, now: Now) -> list[DownRow]:
    """Return rows whose time has come, each planned again for later.

    Rows that another transaction holds are left for the next time: whoever waits for nobody is in no deadlock.
    """
    at = now()
    rows = session.execute(
        select(OutboxRow.refund_request_id, OutboxRow.terminal_id, OutboxRow.payload, OutboxRow.attempts)
        .where(OutboxRow.next_at <= at)
        .order_by(OutboxRow.next_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if rows:
        plans = [{"id": row.refund_request_id, "later": at + _pause(row.attempts)} for row in rows]
        session.connection().execute(_PLAN, plans)
    return [DownRow(row.refund_request_id, row.terminal_id, row.payload) for row in rows]


def _pause(attempts: int) -> timedelta:
    return timedelta(seconds=min(FIRST_PAUSE_S * 2 ** min(attempts, 8), LONGEST_PAUSE_S))


def next_due_s(session: Session, now: Now) -> float | None:
    """Return seconds until the next row is due, None if there is none."""
    first = session.scalars(select(OutboxRow.next_at).order_by(OutboxRow.next_at).limit(1)).first()
    return None if first is None else max(0.0, (first - now()).total_seconds())


def hurry(session: Session, now: Now, terminal_id: str | None = None) -> None:
    """Make the rows of a till (or of all) due now: it is back, or we are."""
    wanted = select(OutboxRow.refund_request_id).with_for_update(skip_locked=True)
    if terminal_id is not None:
        wanted = wanted.where(OutboxRow.terminal_id == terminal_id)
    # A row that another transaction holds is being sent, stated anew or acknowledged by it: wait for none.
    plans = [{"id": request_id, "at": now()} for request_id in session.scalars(wanted)]
    if plans:
        session.connection().execute(_HURRY, plans)
