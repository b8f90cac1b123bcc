"""up/sync: what a till has, compared with what we have; clones and restored cards are noticed here (trust.md 8)."""

from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice import anchors, outbox, restoring
from backoffice.ingest import tokens
from backoffice.ingest.context import Context, Reply
from backoffice.ingest.tokens import Decision, Heights, Shown, TokenBook, Verdict
from backoffice.refunds import alarm, announce, current_epoch
from backoffice.store.schema import EventRow, Refund, Terminal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    SyncChallengeMessage,
    SyncItem,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf

#: Longest token that is told apart; ours have 48 characters.
_MAX_TOKEN = 64
_ID = Refund.refund_request_id


def answer(session: Session, context: Context, terminal: Terminal, message: SyncMessage) -> list[Reply]:
    """Compare one page; what the till lacks goes into the outbox, what we lack is asked for.

    Nothing but a challenge follows from a page that may be a replay by the broker. A copy of a card is refused, and
    stops submitting; it takes nothing from the other one.
    """
    terminal = _locked(session, terminal)
    highest = session.scalar(select(func.max(Refund.terminal_seq)).where(Refund.terminal_id == terminal.terminal_id))
    known = Heights(highest or 0, anchors.longest(session, terminal.terminal_id))
    decision = tokens.decide(_book(terminal), _shown(message), known=known, fresh=context.new_token)
    _keep_book(session, terminal, decision.book)
    match decision.verdict:
        case Verdict.CHALLENGED:
            return [_challenge(context, message, decision.challenge)]
        case Verdict.COPY:
            return [_refuse_copy(session, context, terminal, message)]
        case Verdict.EMPTY:
            _alarm_empty(session, context, message)
        case Verdict.ACCEPTED:
            pass
    return [_compare_page(session, context, terminal, message, decision, highest=highest or 0)]


def _locked(session: Session, terminal: Terminal) -> Terminal:
    """Read the till's row again under its lock: another worker may have just answered its other page."""
    statement = select(Terminal).where(Terminal.terminal_id == terminal.terminal_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def _book(terminal: Terminal) -> TokenBook:
    return TokenBook(terminal.token_confirmed, terminal.token_seed, terminal.token_earlier_seed)


def _keep_book(session: Session, terminal: Terminal, book: TokenBook) -> None:
    terminal.token_confirmed, terminal.token_seed = book.confirmed, book.seed
    terminal.token_earlier_seed = book.earlier_seed
    session.flush()


def _shown(message: SyncMessage) -> Shown:
    return Shown(
        token=message.token[:_MAX_TOKEN],
        question=f"{message.boot_id} {message.conn_seq} {message.nonce}",
        challenge=message.challenge,
        heights=Heights(message.last_seq, message.audit_lines),
    )


def _challenge(context: Context, message: SyncMessage, challenge: str) -> Reply:
    reply = SyncChallengeMessage(
        terminal_id=message.terminal_id, nonce=message.nonce, challenge=challenge, at=context.now()
    )
    return Reply(message.terminal_id, Leaf.DOWN_ACK, reply)


def _compare_page(
    session: Session,
    context: Context,
    terminal: Terminal,
    message: SyncMessage,
    decision: Decision,
    *,
    highest: int,
) -> Reply:
    anchors.note_sync(session, context.now, message, floor=decision.floor.lines)
    restoring.hear(session, context.now, terminal, message)
    outbox.hurry(session, context.now, terminal.terminal_id)
    wanted = []
    ids = [item.refund_request_id for item in message.items]
    known = {each.refund_request_id: each for each in session.scalars(select(Refund).where(_ID.in_(ids)))}
    for item in message.items:
        refund = known.get(item.refund_request_id)
        if refund is None or refund.terminal_id != terminal.terminal_id:
            wanted.append(item.refund_request_id)
        else:
            _compare(session, context, refund, item)
    _watch_sequence(session, context, terminal, message, decision.floor.seq)
    reply = SyncReplyMessage(
        terminal_id=terminal.terminal_id,
        boot_id=message.boot_id,
        conn_seq=message.conn_seq,
        nonce=message.nonce,
        page=message.page,
        epoch=current_epoch(session),
        token=decision.token,
        highest_seq=highest,
        at=context.now(),
        wanted=tuple(wanted),
    )
    return Reply(terminal.terminal_id, Leaf.DOWN_ACK, reply)


def _alarm_empty(session: Session, context: Context, message: SyncMessage) -> None:
    """Tell people of a till that has lost its tokens: a new card, or a journal that was made anew."""
    data = {"terminal_id": message.terminal_id, "boot_id": message.boot_id}
    alarm(session, f"token_lost-{context.new_token()}"[:64], "token_lost", now=context.now, data=data)


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
        nonce=message.nonce,
    )
    return Reply(terminal.terminal_id, Leaf.DOWN_ACK, refusal)


def _compare(session: Session, context: Context, refund: Refund, item: SyncItem) -> None:
    ours, theirs = (current_epoch(session), refund.seq), (item.epoch, item.seq)
    if theirs < ours:
        announce(session, refund, context.now())
    elif theirs > ours:
        event_id = f"restored-{refund.refund_request_id}-{item.epoch}-{item.seq}"
        if session.get(EventRow, event_id) is None:
            data = {"ours": str(ours), "theirs": str(theirs)}
            alarm(session, event_id, "back_office_went_back", now=context.now, refund=refund, data=data)


def _watch_sequence(session: Session, context: Context, terminal: Terminal, message: SyncMessage, floor: int) -> None:
    """Alarm once a boot when the till has forgotten submissions that we have: its journal went back in time (I8).

    `floor` is what it is proved to have submitted when the page was signed: pages are slower than requests at times.
    """
    terminal.last_seq = max(terminal.last_seq, message.last_seq)
    if message.last_seq >= floor:
        return
    event_id = f"seq-{terminal.terminal_id}-{message.boot_id}"[:64]
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": terminal.terminal_id, "theirs": str(message.last_seq), "ours": str(floor)}
        alarm(session, event_id, "terminal_went_back", now=context.now, data=data)
