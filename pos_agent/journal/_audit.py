"""The audit chain (I6): each line's head covers the line and the head before it."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final

import msgspec

from pos_agent.errors import JournalCorruptError
from pos_agent.journal import _codec

#: Head before the first line.
GENESIS: Final = "0" * 64
_CHECKPOINT: Final = "audit_checkpoint"
_BASE: Final = "audit_base"


def line_head(previous: str, line: tuple[int, str, str, str, str]) -> str:
    """Return the hex head of a line: SHA-256 over the previous head and the line as a JSON array."""
    return sha256(previous.encode() + b"\n" + msgspec.json.encode(line)).hexdigest()


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return (number of the last line, its head)."""
    row = connection.execute("SELECT line, head FROM audit ORDER BY line DESC LIMIT 1").fetchone()
    return base(connection) if row is None else (row[0], row[1])


def base(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return (line, head) of the newest line that was purged: where the kept chain starts."""
    line, _, mark = _codec.meta(connection, _BASE, f"0:{GENESIS}").partition(":")
    return int(line), mark


def set_base(connection: sqlite3.Connection, line: int, mark: str) -> None:
    """Let the kept chain start behind a line; a checkpoint that went with the purged lines moves along."""
    _codec.set_meta(connection, _BASE, f"{line}:{mark}")
    if int(_codec.meta(connection, _CHECKPOINT, "0:").partition(":")[0]) < line:
        set_checkpoint(connection, line, mark)


def base_statement(terminal_id: str, line: int, mark: str) -> bytes:
    """Return the bytes that the device key signs when lines are purged (trust.md 21)."""
    return f"pos-agent audit base\n{terminal_id}\n{line}\n{mark}".encode()


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


def verify_all(
    connection: sqlite3.Connection, check_signature: Callable[[bytes, str], bool] | None = None
) -> tuple[int, str]:
    """Check the whole kept chain, and that every request still reads as it did at CONFIRM; return (last line, head).

    Args:
        connection: Of the journal.
        check_signature: Tells whether a signature over a statement is the device's; None = not checked.
    Raises:
        JournalCorruptError: Names the first line, or the first request, that differs.
    """
    line, mark = base(connection)
    found = verify(connection, after=line, start=mark)
    purged = _check_base(connection, line, mark, check_signature)
    rows = connection.execute(
        "SELECT audit.line, audit.data, refunds.request FROM audit LEFT JOIN refunds"
        " ON refunds.refund_request_id = json_extract(audit.data, '$.refund_request_id')"
        " WHERE audit.event = 'refund.committed' ORDER BY audit.line"
    )
    for number, data, request in rows:
        facts = msgspec.json.decode(data, type=dict[str, str])
        content = request.encode() if isinstance(request, str) else request
        if content is None and _is_within(int(facts["seq"]), purged):
            continue
        if content is None or sha256(content).hexdigest() != facts["sha256"]:
            raise JournalCorruptError(f"request {facts['refund_request_id']} differs from audit line {number}")
    return found


def _check_base(
    connection: sqlite3.Connection, line: int, mark: str, check_signature: Callable[[bytes, str], bool] | None
) -> list[tuple[int, int]]:
    """Check that the chain itself names its base; return the ranges of purged requests."""
    terminal_id = _codec.meta(connection, "terminal_id")
    ranges: list[tuple[int, int]] = []
    is_named = line == 0
    for (data,) in connection.execute("SELECT data FROM audit WHERE event = 'journal.purged' ORDER BY line"):
        facts = msgspec.json.decode(data, type=dict[str, str])
        for part in filter(None, facts["seqs"].split(",")):
            first, _, last = part.partition("-")
            ranges.append((int(first), int(last or first)))
        if (facts["base_line"], facts["base_head"]) != (str(line), mark):
            continue
        is_named = True
        signature = facts.get("signature", "")
        statement = base_statement(terminal_id, line, mark)
        if signature and check_signature is not None and not check_signature(statement, signature):
            raise JournalCorruptError(f"the signature of the purge up to audit line {line} is not this terminal's")
    if not is_named:
        raise JournalCorruptError(f"audit lines up to {line} are missing and no line of the chain says why")
    return ranges


def _is_within(number: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= number <= last for first, last in ranges)


def heads(connection: sqlite3.Connection) -> list[str]:
    """Return the head of every line, the first line first; empty for purged lines, except the last of them."""
    line, mark = base(connection)
    kept = [row[0] for row in connection.execute("SELECT head FROM audit ORDER BY line")]
    return [*([""] * (line - 1)), *([mark] if line else []), *kept]
