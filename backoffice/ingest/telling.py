"""Acks of states, questions for states, events and presence."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from backoffice.ingest.context import Context, Reply
from backoffice.refunds import alarm, current_epoch, lock_refund, move, update_of
from backoffice.states import State
from backoffice.store.restore_tables import Restore
from backoffice.store.schema import EventRow, OutboxRow, Refund, Terminal
from pos_agent.protocol.messages import (
    CLEARING_STATUSES,
    AckStatus,
    PresenceMessage,
    RefundStateMessage,
    RefundStatusMessage,
    StateAckMessage,
    TerminalEventMessage,
    UpMessage,
)
from pos_agent.protocol.topics import Leaf

#: A till that cannot take a state has said its last word on it too; sent again it would be refused again.
_ANSWERED = CLEARING_STATUSES | {AckStatus.CONFLICT}
#: Not written more often: pages show minutes, and two workers would wait for each other's row of a busy till.
_SEEN_EVERY: Final = timedelta(seconds=5)
_LOCK_ROWS: Final = (
    select(OutboxRow.refund_request_id, OutboxRow.terminal_id, OutboxRow.epoch, OutboxRow.seq)
    .where(OutboxRow.refund_request_id.in_(bindparam("ids", expanding=True)))
    .order_by(OutboxRow.refund_request_id)
    .with_for_update()
)
_CLEAR: Final = delete(OutboxRow).where(OutboxRow.refund_request_id.in_(bindparam("ids", expanding=True)))


def acknowledge_all(session: Session, context: Context, acks: Sequence[tuple[Terminal, UpMessage]]) -> None:
    """Clear the outbox rows whose states tills have committed: two statements for all; see `acknowledge`."""
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for terminal, message in acks:
        if isinstance(message, StateAckMessage):
            key = (message.refund_request_id, terminal.terminal_id)
            newest[key] = max(newest.get(key, (0, 0)), (message.epoch, message.seq))
        _note_seen(context, terminal)
    connection = session.connection()
    # Locked before they are looked at: a newer state may be about to replace the one that is acknowledged.
    rows = connection.execute(_LOCK_ROWS, {"ids": [request_id for request_id, _ in newest]})
    told = [row[0] for row in rows if newest.get((row[0], row[1]), (-1, -1)) >= (row[2], row[3])]
    if told:
        connection.execute(_CLEAR, {"ids": told})


def _note_seen(context: Context, terminal: Terminal) -> None:
    now = context.now()
    if terminal.last_seen_at is None or now - terminal.last_seen_at >= _SEEN_EVERY:
        terminal.last_seen_at = now


def acknowledge(session: Session, context: Context, terminal: Terminal, message: StateAckMessage) -> None:
    """Clear an outbox row whose state the till has committed; an ack of an older state clears nothing (D7)."""
    if message.status is AckStatus.CONFLICT:
        _hold_contradicted(session, context, terminal, message)
    if message.status in _ANSWERED:
        session.flush()
        acknowledge_all(session, context, [(terminal, message)])


def _hold_contradicted(session: Session, context: Context, terminal: Terminal, message: StateAckMessage) -> None:
    """Hold a request of which its till knows an end that we do not: a decision that a restore has lost (I5)."""
    refund = lock_refund(session, message.refund_request_id)
    if refund is None or refund.terminal_id != terminal.terminal_id or "till_knows_end" in refund.flags:
        return
    if message.epoch != current_epoch(session) or session.get(Restore, message.epoch) is None:
        return
    refund.flags = sorted({*refund.flags, "till_knows_end"})
    actor = f"till:{terminal.terminal_id}"
    if State(refund.state) in (State.REVIEWING, State.NEED_INFO, State.APPROVED):
        move(session, refund, State.HELD, actor=actor, now=context.now, detail="the till knows an end of it")
    event_id = f"till-end-{refund.refund_request_id}-{message.epoch}"
    data = {"terminal_id": terminal.terminal_id, "state": refund.state}
    alarm(session, event_id, "till_knows_end", now=context.now, refund=refund, data=data)


def status(session: Session, context: Context, terminal: Terminal, message: RefundStatusMessage) -> list[Reply]:
    """Answer with the newest state, true now; nothing for a request that is not this till's."""
    refund = session.get(Refund, message.refund_request_id)
    if refund is None or refund.terminal_id != terminal.terminal_id:
        return []
    update = update_of(session, refund, context.now())
    state = RefundStateMessage(terminal_id=terminal.terminal_id, update=update)
    return [Reply(terminal.terminal_id, Leaf.DOWN_REFUND, state)]


def keep_event(session: Session, terminal: Terminal, message: TerminalEventMessage) -> None:
    """Keep an event of a till once."""
    event_id = f"{terminal.terminal_id}:{message.event_id}"[:64]
    if session.get(EventRow, event_id) is not None:
        return
    session.add(
        EventRow(
            event_id=event_id,
            terminal_id=terminal.terminal_id,
            refund_request_id=message.refund_request_id[:22],
            name=message.name[:40],
            data=dict(message.data),
            at=message.at,
        )
    )
    session.flush()


def note_presence(session: Session, context: Context, terminal: Terminal, message: PresenceMessage) -> None:
    """Note that a till came or went; a will of an earlier connection is late news and ignored."""
    is_same_boot = message.boot_id == terminal.boot_id
    if is_same_boot and message.conn_seq < terminal.conn_seq:
        return
    if not message.is_online and not is_same_boot:
        return
    terminal.boot_id, terminal.conn_seq = message.boot_id, message.conn_seq
    terminal.is_online = message.is_online
    terminal.agent_version = message.agent_version[:40]
    terminal.last_seen_at = context.now()
    session.flush()
