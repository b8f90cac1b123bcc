"""SQL of the shift: counts and sums by state since the last one, and the audit line that closes it (I6)."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from pos_agent.domain.refund import RefundRequest, RefundState
from pos_agent.domain.shift import ShiftFacts, StateSum
from pos_agent.domain.slip import SlipDocument
from pos_agent.journal import _audit, _codec, _jobs, _outbox

_CLOSED = "shift.closed"


def close(
    connection: sqlite3.Connection, operator_no: str, make_slip: Callable[[ShiftFacts], SlipDocument], at: datetime
) -> ShiftFacts:
    """Close a shift; see `Journal.close_shift`."""
    since_text = _codec.meta(connection, "shift_closed_at")
    first_seq = int(_codec.meta(connection, "shift_last_seq", "0")) + 1
    last_seq = int(_codec.meta(connection, "last_seq", "0"))
    sums = _sums(connection, first_seq)
    data = {"first_seq": str(first_seq), "last_seq": str(last_seq)}
    data |= {f"{each.state}.{each.currency}": f"{each.count}:{each.amount_minor}" for each in sums}
    _audit.append(connection, at, _CLOSED, operator_no, data)
    lines, head = _audit.head(connection)
    waiting = _outbox.counts(connection)
    facts = ShiftFacts(
        operator_no=operator_no,
        at=at,
        since=_codec.time_value(since_text) if since_text else None,
        first_seq=first_seq if last_seq >= first_seq else 0,
        last_seq=last_seq if last_seq >= first_seq else 0,
        sums=sums,
        unsent=waiting.queued + waiting.sent + waiting.held,
        unprinted=_jobs.count_open(connection),
        audit_lines=lines,
        audit_head=head,
    )
    _codec.set_meta(connection, "shift_closed_at", _codec.time_text(at))
    _codec.set_meta(connection, "shift_last_seq", str(last_seq))
    _jobs.add(connection, make_slip(facts), at)
    return facts


def _sums(connection: sqlite3.Connection, first_seq: int) -> tuple[StateSum, ...]:
    counts: Counter[tuple[RefundState, str]] = Counter()
    amounts: Counter[tuple[RefundState, str]] = Counter()
    rows = connection.execute(
        "SELECT request, state, was_send_attempted FROM refunds WHERE seq >= ? ORDER BY seq", (first_seq,)
    )
    for data, state, was_send_attempted in rows:
        request = _codec.decode(data, RefundRequest)
        unheard = RefundState.SENT if was_send_attempted else RefundState.QUEUED
        key = (RefundState(state) if state else unheard, request.currency)
        counts[key] += 1
        amounts[key] += request.amount_minor
    return tuple(StateSum(*key, count, amounts[key]) for key, count in sorted(counts.items()))
