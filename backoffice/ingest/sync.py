"""up/sync: what a till has, compared with what we have; clones and restored cards are noticed here (trust.md 8)."""

from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice import anchors, outbox, restoring
from backoffice.ingest.context import Context, Reply
from backoffice.refunds import alarm, announce, current_epoch
from backoffice.store.schema import EventRow, Refund, Terminal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    SyncItem,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf


def answer(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> list[Reply]:
    """Compare one page; what the till lacks goes into the outbox, what we lack is asked for.

    A page of an earlier boot or connection is a replay by the broker and changes nothing. A page with an old token is
    a copy of a card: it is refused, and stops submitting; it gets no token and takes no connection from the other one.
    """
    if not _is_newer(session, terminal, message):
        return []
    if _is_copy(terminal, message):
        return [_refuse_copy(session, context, terminal, message)]
    _take_connection(session, context, terminal, message)
    anchors.note_sync(session, context.now, message)
    restoring.hear(session, context.now, terminal, message)
    outbox.hurry(session, context.now, terminal.terminal_id)
    wanted = []
    for item in message.items:
        refund = session.get(Refund, item.refund_request_id)
        if refund is None or refund.terminal_id != terminal.terminal_id:
            wanted.append(item.refund_request_id)
        else:
            _compare(session, context, refund, item)
    highest = session.scalar(select(func.max(Refund.terminal_seq)).where(Refund.terminal_id == terminal.terminal_id))
    _watch_sequence(session, context, terminal, message, highest or 0)
    reply = SyncReplyMessage(
        terminal_id=terminal.terminal_id,
        boot_id=message.boot_id,
        conn_seq=message.conn_seq,
        nonce=message.nonce,
        page=message.page,
        epoch=current_epoch(session),
        token=terminal.token,
        highest_seq=highest or 0,
        at=context.now(),
        wanted=tuple(wanted),
    )
    return [Reply(terminal.terminal_id, Leaf.DOWN_ACK, reply)]


def _is_same_connection(terminal: Terminal, message: SyncMessage) -> bool:
    return (message.boot_id, message.conn_seq) == (terminal.sync_boot_id, terminal.sync_conn_seq)


def _is_newer(session: Session, terminal: Terminal, message: SyncMessage) -> bool:
    """Return True if the page belongs to the newest connection or to one after it."""
    if message.boot_id == terminal.sync_boot_id:
        return message.conn_seq >= terminal.sync_conn_seq
    return session.get(EventRow, _boot_event(terminal, message)) is None


def _boot_event(terminal: Terminal, message: SyncMessage) -> str:
    return f"boot-{terminal.terminal_id}-{message.boot_id}"[:64]


def _is_copy(terminal: Terminal, message: SyncMessage) -> bool:
    """Return True for a token that is neither the newest nor the one before, whose reply may have been lost.

    A till without any token was enrolled anew or lost its card: people are told, it is not stopped.
    """
    if not terminal.token or not message.token or _is_same_connection(terminal, message):
        return False
    return message.token not in (terminal.token, terminal.token_previous)


def _refuse_copy(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> Reply:
    """Stop the copy, alarm once a boot, and hold the requests of both: nobody knows which card is the shop's."""
    terminal.is_suspect = True
    event_id = f"clone-{sha256(f'{terminal.terminal_id} {message.boot_id}'.encode()).hexdigest()[:32]}"
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": terminal.terminal_id, "boot_id": message.boot_id}
        alarm(session, event_id, "clone_suspected", now=context.now, data=data)
    session.flush()
    refusal = AppAckMessage(
        terminal_id=terminal.terminal_id,
        refund_request_id="",
        kind="sync",
        rev=1,
        status=AckStatus.CONFLICT,
        epoch=current_epoch(session),
        at=context.now(),
        detail="old token: this journal is a copy or an older card",
        boot_id=message.boot_id,
        conn_seq=message.conn_seq,
    )
    return Reply(terminal.terminal_id, Leaf.DOWN_ACK, refusal)


def _take_connection(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> None:
    """Give a new connection a new token; its further pages change nothing."""
    if _is_same_connection(terminal, message):
        return
    if message.boot_id != terminal.sync_boot_id:
        boot = _boot_event(terminal, message)
        session.add(EventRow(event_id=boot, terminal_id=terminal.terminal_id, name="boot", at=context.now(), data={}))
    if terminal.token and not message.token:
        data = {"terminal_id": terminal.terminal_id, "boot_id": message.boot_id}
        alarm(session, f"token_lost-{context.new_token()}"[:64], "token_lost", now=context.now, data=data)
    terminal.sync_boot_id, terminal.sync_conn_seq = message.boot_id, message.conn_seq
    terminal.token_previous, terminal.token = message.token or terminal.token, context.new_token()
    session.flush()


def _compare(session: Session, context: Context, refund: Refund, item: SyncItem) -> None:
    ours, theirs = (current_epoch(session), refund.seq), (item.epoch, item.seq)
    if theirs < ours:
        announce(session, refund, context.now())
    elif theirs > ours:
        event_id = f"restored-{refund.refund_request_id}-{item.epoch}-{item.seq}"
        if session.get(EventRow, event_id) is None:
            data = {"ours": str(ours), "theirs": str(theirs)}
            alarm(session, event_id, "back_office_went_back", now=context.now, refund=refund, data=data)


def _watch_sequence(session: Session, context: Context, terminal: Terminal, message: SyncMessage, highest: int) -> None:
    """Alarm once a boot when the till has forgotten submissions that we have: its journal went back in time (I8)."""
    terminal.last_seq = max(terminal.last_seq, message.last_seq)
    if message.last_seq >= highest:
        return
    event_id = f"seq-{terminal.terminal_id}-{message.boot_id}"[:64]
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": terminal.terminal_id, "theirs": str(message.last_seq), "ours": str(highest)}
        alarm(session, event_id, "terminal_went_back", now=context.now, data=data)
