"""After the database went back to an older copy: a new epoch, and everything that may have happened since is asked
again (trust.md 8).

Until that is done nothing is executed, decided or called unpaid. What was lost comes back from two sides: tills offer
the rows of the last 90 days again when they see the new epoch, and the acquirer is asked about every refund number,
which is a pure function of the request's id (D5).
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.ingest.context import Context
from backoffice.ingest.requests import apply_withdrawal
from backoffice.refunds import announce, current_epoch, is_restoring, set_epoch
from backoffice.states import FINAL, State
from backoffice.store.restore_tables import Restore, RestoreCheck, RestoreTill
from backoffice.store.schema import EventRow, Lease, Message, OutboxRow, Refund, Terminal, WebSession
from pos_agent.protocol.messages import MessageKind, SyncMessage

_log = logging.getLogger(__name__)
#: Tills offer rows of this age again; older ones are taken as settled (trust.md 8).
WINDOW_DAYS = 90
#: Tills that were not seen for longer than this before the copy was made are not waited for.
_FORGOTTEN = timedelta(days=30)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a restore is.

    Attributes:
        unchecked: Refunds that the acquirer has not been asked about with an answer that can be believed.
        silent_tills: Enrolled tills that were not heard since, or whose requests are not complete here.
    """

    epoch: int
    is_done: bool
    started_at: datetime | None = None
    finished_at: datetime | None = None
    finished_by: str = ""
    unchecked: int = 0
    silent_tills: tuple[str, ...] = ()


def begin(session: Session, now: Now, *, lost_epoch: int = 0) -> int:
    """Start a new epoch on an older copy of the database; returns the epoch.

    Args:
        session: Writing.
        now: Clock.
        lost_epoch: Epoch of the database that was replaced; 0 = it cannot be read.
    """
    at = now()
    before = current_epoch(session)
    # The tens of seconds keep two restores of one copy apart even when the database between them is gone.
    epoch = max(before, lost_epoch, int(at.timestamp()) // 10) + 1
    set_epoch(session, epoch, is_restoring=True)
    session.add(Restore(epoch=epoch, from_epoch=before, started_at=at, window_days=WINDOW_DAYS))
    # Tokens of the copy are older than what tills were given since: the next one of each till is believed once.
    session.execute(
        update(Terminal).values(token_confirmed=None, token_seed="", token_earlier_seed="", is_online=False)
    )
    session.execute(delete(Lease))
    session.execute(delete(WebSession))
    data = {"from_epoch": str(before), "epoch": str(epoch)}
    session.add(EventRow(event_id=f"restore-{epoch}", name="restored", is_alarm=True, data=data, at=at))
    session.execute(delete(OutboxRow))
    _announce_all(session, at)
    _log.warning("restored from_epoch=%d epoch=%d", before, epoch)
    return epoch


def _announce_all(session: Session, at: datetime) -> None:
    """Tell tills every open request anew: order is (epoch, seq), so this outranks whatever they heard before."""
    open_states = [state.value for state in State if state not in FINAL]
    for refund in session.scalars(select(Refund).where(Refund.state.in_(open_states))):
        announce(session, refund, at)


def hear(session: Session, now: Now, terminal: Terminal, message: SyncMessage) -> None:
    """Note that a till that knows of the restore has compared its journal with us."""
    if not is_restoring(session):
        return
    epoch = current_epoch(session)
    row = session.get(RestoreTill, (epoch, terminal.terminal_id))
    if row is None:
        row = RestoreTill(epoch=epoch, terminal_id=terminal.terminal_id, last_seq=0, heard_at=now())
        session.add(row)
    row.last_seq, row.heard_at = max(row.last_seq, message.last_seq), now()
    session.flush()


def unchecked(session: Session, limit: int) -> list[Refund]:
    """Return refunds of the window, and open ones of any age, that the acquirer has not been asked about."""
    return list(session.scalars(select(Refund).where(*_to_check(session)).order_by(Refund.received_at).limit(limit)))


def _to_check(session: Session) -> tuple[ColumnElement[bool], ...]:
    epoch = current_epoch(session)
    restore = session.get(Restore, epoch)
    since = (restore.started_at if restore else datetime.max) - timedelta(days=WINDOW_DAYS)
    checked = select(RestoreCheck.refund_request_id).where(RestoreCheck.epoch == epoch)
    is_open = Refund.state.not_in([state.value for state in FINAL])
    return ((Refund.created_at >= since) | is_open, Refund.refund_request_id.not_in(checked))


def note_check(session: Session, now: Now, request_id: str, outcome: str) -> None:
    """Keep what the acquirer said; from now on this refund is as true as before the restore."""
    key = (current_epoch(session), request_id)
    if session.get(RestoreCheck, key) is None:
        session.add(RestoreCheck(epoch=key[0], refund_request_id=request_id, outcome=outcome, at=now()))
        session.flush()


def progress(session: Session) -> Progress:
    """Say how far the newest restore is; done if there was none."""
    epoch = current_epoch(session)
    restore = session.get(Restore, epoch)
    if restore is None or not is_restoring(session):
        return Progress(
            epoch=epoch,
            is_done=True,
            started_at=restore.started_at if restore else None,
            finished_at=restore.finished_at if restore else None,
            finished_by=restore.finished_by if restore else "",
        )
    count = session.scalar(select(func.count()).select_from(Refund).where(*_to_check(session)))
    return Progress(
        epoch=epoch,
        is_done=False,
        started_at=restore.started_at,
        unchecked=count or 0,
        silent_tills=tuple(_silent_tills(session, restore)),
    )


def _silent_tills(session: Session, restore: Restore) -> Sequence[str]:
    """Return tills that may know what we lack.

    Not heard at all; gaps in their submission numbers; or a state of ours not answered, by which a till would tell
    that it knows another end.
    """
    heard = {
        row.terminal_id: row.last_seq
        for row in session.scalars(select(RestoreTill).where(RestoreTill.epoch == restore.epoch))
    }
    unanswered = set(session.scalars(select(OutboxRow.terminal_id).distinct()))
    since = restore.started_at - _FORGOTTEN
    silent = []
    for terminal in session.scalars(select(Terminal).where(Terminal.is_denied.is_(False))):
        last_seq = heard.get(terminal.terminal_id)
        if last_seq is None:
            was_used = terminal.last_seen_at is not None and terminal.last_seen_at >= since
            if was_used:
                silent.append(terminal.terminal_id)
        elif _stored(session, terminal.terminal_id, last_seq) < last_seq or terminal.terminal_id in unanswered:
            silent.append(terminal.terminal_id)
    return silent


def _stored(session: Session, terminal_id: str, last_seq: int) -> int:
    statement = select(func.count(func.distinct(Refund.terminal_seq))).where(
        Refund.terminal_id == terminal_id, Refund.terminal_seq.between(1, last_seq)
    )
    return session.scalar(statement) or 0


def finish_if_done(session: Session, context: Context) -> bool:
    """End the restore when every refund is checked and every till is heard; True if it ended now."""
    now = progress(session)
    if now.is_done or now.unchecked or now.silent_tills:
        return False
    finish(session, context, by="all checked")
    return True


def finish(session: Session, context: Context, *, by: str) -> None:
    """End the restore: execution and decisions go on, tills hear the truth as of now.

    Args:
        session: Writing.
        context: Configuration and time.
        by: Why it may end: ``all checked``, or who said so.
    """
    at, epoch = context.now(), current_epoch(session)
    restore = session.get(Restore, epoch)
    if restore is None or not is_restoring(session):
        return
    restore.finished_at, restore.finished_by = at, by[:80]
    set_epoch(session, epoch, is_restoring=False)
    waiting = select(Message).where(Message.kind == MessageKind.REFUND_WITHDRAW.value, Message.is_applied.is_(False))
    for early in session.scalars(waiting).all():
        if session.get(Refund, early.refund_request_id) is not None:
            apply_withdrawal(session, context, early)
    _bump_open(session, at)
    _log.warning("restore finished epoch=%d by=%s", epoch, by)


def _bump_open(session: Session, at: datetime) -> None:
    """State every open request again under a higher number: what is said of its money has changed."""
    open_states = [state.value for state in State if state not in FINAL]
    for refund in session.scalars(select(Refund).where(Refund.state.in_(open_states))):
        refund.seq += 1
        refund.version += 1
        announce(session, refund, at)
