"""up/sync: what a till has, compared with what we have; clones and restored cards are noticed here (trust.md 8)."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice import outbox
from backoffice.ingest.context import Context, Reply
from backoffice.refunds import alarm, announce, current_epoch
from backoffice.store.schema import EventRow, Refund, Terminal
from pos_agent.protocol.messages import SyncItem, SyncMessage, SyncReplyMessage
from pos_agent.protocol.topics import Leaf


def answer(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> list[Reply]:
    """Compare one page; what the till lacks goes into the outbox, what we lack is asked for.

    A page of an earlier boot or connection is a replay by the broker and changes nothing.
    """
    if not _take_connection(session, context, terminal, message):
        return []
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
        page=message.page,
        epoch=current_epoch(session),
        token=terminal.token,
        highest_seq=highest or 0,
        at=context.now(),
        wanted=tuple(wanted),
    )
    return [Reply(terminal.terminal_id, Leaf.DOWN_ACK, reply)]


def _take_connection(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> bool:
    """Return True if the page belongs to the newest connection; a new connection gets a new token."""
    if message.boot_id == terminal.sync_boot_id:
        if message.conn_seq < terminal.sync_conn_seq:
            return False
        if message.conn_seq == terminal.sync_conn_seq:
            return True
    else:
        boot = f"boot-{terminal.terminal_id}-{message.boot_id}"[:64]
        if session.get(EventRow, boot) is not None:
            return False
        session.add(EventRow(event_id=boot, terminal_id=terminal.terminal_id, name="boot", at=context.now(), data={}))
    _check_token(session, context, terminal, message)
    terminal.sync_boot_id, terminal.sync_conn_seq = message.boot_id, message.conn_seq
    terminal.token_previous, terminal.token = message.token or terminal.token, context.new_token()
    session.flush()
    return True


def _check_token(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> None:
    if not terminal.token or message.token in (terminal.token, terminal.token_previous):
        return
    name = "clone_suspected" if message.token else "token_lost"
    # A till without any token was enrolled anew or lost its card: told to people. One with an old token is a copy.
    terminal.is_suspect = terminal.is_suspect or bool(message.token)
    data = {"terminal_id": terminal.terminal_id, "boot_id": message.boot_id}
    alarm(session, f"{name}-{context.new_token()}"[:64], name, now=context.now, data=data)


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
