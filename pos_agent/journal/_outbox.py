"""SQL of the outbox (D7, D8)."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pos_agent.journal import _audit, _codec
from pos_agent.journal.records import OutboxRow, OutboxStatus
from pos_agent.protocol.control import OutboxCounts
from pos_agent.protocol.messages import CLEARING_STATUSES, AppAckMessage, MessageKind

_SELECT: Final = (
    "SELECT row_id, refund_request_id, kind, rev, leaf, payload, status, attempts, created_at, cause FROM outbox "
)


def _row(values: Any) -> OutboxRow:
    return OutboxRow(
        row_id=values[0],
        refund_request_id=values[1],
        kind=values[2],
        rev=values[3],
        leaf=values[4],
        payload=values[5],
        status=OutboxStatus(values[6]),
        attempts=values[7],
        created_at=_codec.time_value(values[8]),
        cause=values[9],
    )


def add(
    connection: sqlite3.Connection,
    *,
    refund_request_id: str,
    kind: str,
    rev: int,
    leaf: str,
    payload: bytes,
    at: datetime | str,
) -> None:
    """Queue a message."""
    connection.execute(
        "INSERT INTO outbox (refund_request_id, kind, rev, leaf, payload, created_at) VALUES (?,?,?,?,?,?)",
        (refund_request_id, str(kind), rev, str(leaf), payload, _codec.time_text(at)),
    )


def next_rev(connection: sqlite3.Connection, refund_request_id: str, kind: str) -> int:
    """Return the next free rev of a kind."""
    row = connection.execute(
        "SELECT COALESCE(MAX(rev), 0) + 1 FROM outbox WHERE refund_request_id = ? AND kind = ?",
        (refund_request_id, str(kind)),
    ).fetchone()
    return int(row[0])


def due(connection: sqlite3.Connection, limit: int, after: int) -> list[OutboxRow]:
    """Return open rows behind row `after`, oldest first."""
    rows = connection.execute(
        _SELECT + "WHERE status IN ('queued', 'sent') AND row_id > ? ORDER BY row_id LIMIT ?", (after, limit)
    )
    return [_row(values) for values in rows]


def attempt(connection: sqlite3.Connection, row_ids: Sequence[int]) -> None:
    """Count an attempt of each row, and on its request that it may be anywhere from now on (I9)."""
    ids = [(row_id,) for row_id in row_ids]
    connection.executemany(
        "UPDATE outbox SET status = 'sent', attempts = attempts + 1 WHERE row_id = ? AND status IN ('queued', 'sent')",
        ids,
    )
    connection.executemany(
        "UPDATE refunds SET was_send_attempted = 1 WHERE was_send_attempted = 0 AND refund_request_id ="
        " (SELECT refund_request_id FROM outbox WHERE row_id = ? AND kind = 'refund.request')",
        ids,
    )


def ack(connection: sqlite3.Connection, message: AppAckMessage, at: datetime) -> OutboxRow | None:
    """Apply an application ack; see `Journal.record_ack`."""
    if message.epoch < int(_codec.meta(connection, "epoch", "0")):
        return None  # said by a database that was replaced since; a replay must not clear a row offered again
    key = (message.refund_request_id, message.kind, message.rev)
    values = connection.execute(
        _SELECT + "WHERE refund_request_id = ? AND kind = ? AND rev = ? AND status <> 'acked'", key
    ).fetchone()
    if values is None:
        return None
    if message.status in CLEARING_STATUSES:
        _clear(connection, values[0], message)
    elif values[6] != OutboxStatus.HELD:
        _hold(connection, values[0], message, at)
    return _row(connection.execute(_SELECT + "WHERE row_id = ?", (values[0],)).fetchone())


def _clear(connection: sqlite3.Connection, row_id: int, message: AppAckMessage) -> None:
    connection.execute("UPDATE outbox SET status = 'acked', cause = '' WHERE row_id = ?", (row_id,))
    if message.kind == MessageKind.REFUND_REQUEST:
        connection.execute("UPDATE refunds SET is_stored = 1 WHERE refund_request_id = ?", (message.refund_request_id,))


def _hold(connection: sqlite3.Connection, row_id: int, message: AppAckMessage, at: datetime) -> None:
    cause = f"{message.status}: {message.detail}" if message.detail else str(message.status)
    connection.execute("UPDATE outbox SET status = 'held', cause = ? WHERE row_id = ?", (cause[:500], row_id))
    facts = {
        "refund_request_id": message.refund_request_id,
        "kind": message.kind,
        "rev": str(message.rev),
        "status": message.status,
    }
    _audit.append(connection, at, "outbox.held", "back_office", facts)


def counts(connection: sqlite3.Connection) -> OutboxCounts:
    """Return counts of open rows."""
    queued, sent, held = connection.execute(
        "SELECT TOTAL(status = 'queued'), TOTAL(status = 'sent'),"
        " (SELECT COUNT(*) FROM outbox INDEXED BY outbox_held WHERE status = 'held')"
        " FROM outbox INDEXED BY outbox_open WHERE status IN ('queued', 'sent')"
    ).fetchone()
    return OutboxCounts(queued=int(queued), sent=int(sent), held=int(held))


def open_rows(connection: sqlite3.Connection) -> list[OutboxRow]:
    """Return all rows that are not acked."""
    return [_row(values) for values in connection.execute(_SELECT + "WHERE status <> 'acked' ORDER BY row_id")]


def worst(connection: sqlite3.Connection, refund_request_id: str) -> OutboxRow:
    """Return the row of a request that is farthest from done."""
    order = "CASE status WHEN 'held' THEN 0 WHEN 'queued' THEN 1 WHEN 'sent' THEN 2 ELSE 3 END, row_id"
    values = connection.execute(
        f"{_SELECT} WHERE refund_request_id = ? ORDER BY {order} LIMIT 1",
        (refund_request_id,),
    ).fetchone()
    return _row(values)


def release(connection: sqlite3.Connection, refund_request_id: str | None) -> int:
    """Queue held rows again; return how many."""
    if refund_request_id is None:
        return connection.execute("UPDATE outbox SET status = 'queued' WHERE status = 'held'").rowcount
    return connection.execute(
        "UPDATE outbox SET status = 'queued' WHERE status = 'held' AND refund_request_id = ?", (refund_request_id,)
    ).rowcount


def note_version(connection: sqlite3.Connection, version: str) -> int:
    """Remember the build; a new one may be understood where the old one was refused."""
    if _codec.meta(connection, "agent_version") == version:
        return 0
    _codec.set_meta(connection, "agent_version", version)
    return release(connection, None)
