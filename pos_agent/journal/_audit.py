"""The audit chain (I6): each line's head covers the line and the head before it."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from pos_agent.errors import JournalCorruptError
from pos_agent.journal import _codec

#: Head before the first line.
GENESIS: Final = "0" * 64
_CHECKPOINT: Final = "audit_checkpoint"


def line_head(previous: str, line: tuple[int, str, str, str, str]) -> str:
    """Return the hex head of a line: SHA-256 over the previous head and the line as a JSON array."""
    return sha256(previous.encode() + b"\n" + msgspec.json.encode(line)).hexdigest()


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return (number of the last line, its head)."""
    row = connection.execute("SELECT line, head FROM audit ORDER BY line DESC LIMIT 1").fetchone()
    return (0, GENESIS) if row is None else (row[0], row[1])


def append(
    connection: sqlite3.Connection,
    at: datetime | str,
    event: str,
    actor: str,
    data: Mapping[str, str],
    *,
    end: tuple[int, str] | None = None,
) -> str:
    """Append a line; return the new head. Must run inside the transaction of the fact that it tells.

    Args:
        connection: In a transaction.
        at: When, or its text.
        event: What happened.
        actor: Who did it.
        data: More of it.
        end: What `head` returned a moment ago, if it is known.
    """
    last, previous = end or head(connection)
    text = msgspec.json.encode(dict(sorted(data.items()))).decode()
    line = (last + 1, _codec.time_text(at), event, actor, text)
    new = line_head(previous, line)
    connection.execute("INSERT INTO audit (line, at, event, actor, data, head) VALUES (?,?,?,?,?,?)", (*line, new))
    return new


def verify(connection: sqlite3.Connection, *, after: int = 0, start: str = GENESIS) -> tuple[int, str]:
    """Check all lines behind line `after`, whose head is `start`; return (lines, head).

    Raises:
        JournalCorruptError: Names the first line that differs.
    """
    last, previous = after, start
    for row in connection.execute(
        "SELECT line, at, event, actor, data, head FROM audit WHERE line > ? ORDER BY line", (after,)
    ):
        if row[0] != last + 1 or line_head(previous, row[:5]) != row[5]:
            raise JournalCorruptError(f"audit chain differs at line {last + 1}")
        last, previous = row[0], row[5]
    return last, previous


def verify_since_checkpoint(connection: sqlite3.Connection) -> tuple[int, str]:
    """Check what was written since the last successful start (trust.md 21); see `verify`."""
    number, _, mark = _codec.meta(connection, _CHECKPOINT, f"0:{GENESIS}").partition(":")
    return verify(connection, after=int(number), start=mark)


def set_checkpoint(connection: sqlite3.Connection, lines: int, mark: str) -> None:
    """Remember up to where the chain was checked."""
    _codec.set_meta(connection, _CHECKPOINT, f"{lines}:{mark}")


def verify_all(connection: sqlite3.Connection) -> tuple[int, str]:
    """Check the whole chain, and that every request still reads as it did at CONFIRM; return (lines, head).

    Raises:
        JournalCorruptError: Names the first line, or the first request, that differs.
    """
    found = verify(connection)
    rows = connection.execute(
        "SELECT audit.line, audit.data, refunds.request FROM audit LEFT JOIN refunds"
        " ON refunds.refund_request_id = json_extract(audit.data, '$.refund_request_id')"
        " WHERE audit.event = 'refund.committed' ORDER BY audit.line"
    )
    for line, data, request in rows:
        facts = msgspec.json.decode(data, type=dict[str, str])
        content = request.encode() if isinstance(request, str) else request
        if content is None or sha256(content).hexdigest() != facts["sha256"]:
            raise JournalCorruptError(f"request {facts['refund_request_id']} differs from audit line {line}")
    return found


def heads(connection: sqlite3.Connection) -> list[str]:
    """Return the head of every line, the first line first."""
    return [row[0] for row in connection.execute("SELECT head FROM audit ORDER BY line")]
