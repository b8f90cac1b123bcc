"""SQL of what the back office says: states of requests, sync replies (D7, D10, trust.md 8)."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pos_agent.domain.refund import FINAL_STATES, RefundState, RefundUpdate
from pos_agent.domain.slip import SlipDocument
from pos_agent.journal import _audit, _codec, _jobs, _outbox
from pos_agent.protocol.messages import SyncItem, SyncReplyMessage

#: After a restore of the back office, rows of this age are offered again (trust.md 8).
_OFFER_AGAIN: Final = timedelta(days=90)
_ACTOR: Final = "back_office"


def apply(connection: sqlite3.Connection, update: RefundUpdate, slips: Sequence[SlipDocument], at: datetime) -> bool:
    """Commit a state with its slips; see `Journal.apply_update`."""
    row = connection.execute(
        "SELECT state, epoch, state_seq, is_final FROM refunds WHERE refund_request_id = ?",
        (update.refund_request_id,),
    ).fetchone()
    if row is None or update.order <= (row[1], row[2]):
        return False
    if row[3]:
        if row[0] != update.state:
            _audit.append(connection, at, "refund.contradicted", _ACTOR, _facts(update, before=row[0]))
        return False
    connection.execute(
        "UPDATE refunds SET state = ?, epoch = ?, state_seq = ?, latest = ?, is_final = ? WHERE refund_request_id = ?",
        (
            str(update.state),
            update.epoch,
            update.seq,
            _codec.encode(update),
            update.state in FINAL_STATES,
            update.refund_request_id,
        ),
    )
    _jobs.add_all(connection, slips, at)
    _audit.append(connection, at, "refund.state", _ACTOR, _facts(update, before=row[0]))
    return True


def _facts(update: RefundUpdate, *, before: str) -> dict[str, str]:
    return {
        "refund_request_id": update.refund_request_id,
        "before": before,
        "after": update.state,
        "epoch": str(update.epoch),
        "seq": str(update.seq),
        "money_moved": update.money_moved,
    }


def sync_items(connection: sqlite3.Connection) -> list[SyncItem]:
    """Return all non-final requests, oldest first."""
    rows = connection.execute(
        "SELECT refund_request_id, state, epoch, state_seq, was_send_attempted FROM refunds"
        " WHERE is_final = 0 ORDER BY seq"
    )
    return [
        SyncItem(
            refund_request_id=row[0],
            state=RefundState(row[1]) if row[1] else (RefundState.SENT if row[4] else RefundState.QUEUED),
            epoch=row[2],
            seq=row[3],
        )
        for row in rows
    ]


def sync_head(connection: sqlite3.Connection) -> tuple[int, str, int]:
    """Return (last_seq, token, epoch)."""
    return (
        int(_codec.meta(connection, "last_seq", "0")),
        _codec.meta(connection, "sync_token"),
        int(_codec.meta(connection, "epoch", "0")),
    )


def record_sync_reply(connection: sqlite3.Connection, reply: SyncReplyMessage, at: datetime) -> None:
    """Keep what a sync reply says; see `Journal.record_sync_reply`."""
    last_seq, _, epoch = sync_head(connection)
    if reply.epoch < epoch:
        return  # a replay from before a restore
    _codec.set_meta(connection, "sync_token", reply.token)
    if reply.epoch > epoch:
        _codec.set_meta(connection, "epoch", str(reply.epoch))
        offered = _offer_again(connection, at) if epoch else 0  # 0: the first contact, nothing was restored
        facts = {"before": str(epoch), "after": str(reply.epoch), "offered_again": str(offered)}
        _audit.append(connection, at, "sync.epoch", _ACTOR, facts)
    if reply.highest_seq > last_seq:
        # This journal went back in time: a number is never used twice (field.md 5).
        _codec.set_meta(connection, "last_seq", str(reply.highest_seq))
        facts = {"own": str(last_seq), "back_office": str(reply.highest_seq)}
        _audit.append(connection, at, "journal.went_back", _ACTOR, facts)
    _queue_wanted(connection, reply.wanted)


def _offer_again(connection: sqlite3.Connection, at: datetime) -> int:
    released = _outbox.release(connection, None)
    return (
        released
        + connection.execute(
            "UPDATE outbox SET status = 'queued' WHERE status = 'acked' AND created_at >= ?",
            (_codec.time_text(at - _OFFER_AGAIN),),
        ).rowcount
    )


def _queue_wanted(connection: sqlite3.Connection, wanted: Sequence[str]) -> None:
    ids = [(refund_request_id,) for refund_request_id in wanted]
    connection.executemany("UPDATE outbox SET status = 'queued' WHERE refund_request_id = ? AND status = 'acked'", ids)
    connection.executemany("UPDATE refunds SET is_stored = 0 WHERE refund_request_id = ?", ids)
