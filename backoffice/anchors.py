"""What tills told of their own audit chains, and where that contradicts itself (I6, trust.md 8, 21).

A head is told with each request (the head before it) and at each connection (line and head). A till that went on from
an older copy of its journal tells, sooner or later, another head for the same place: that is a fork.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.refunds import alarm
from backoffice.store.schema import Anchor, EventRow
from pos_agent.protocol.messages import SyncMessage

SYNC = "sync"
_INSERT: Final = insert(Anchor)
_WITH_REQUESTS: Final = select(Anchor.terminal_id, Anchor.head, Anchor.source).where(
    Anchor.head.in_(bindparam("heads", expanding=True)), Anchor.source != SYNC
)
_HEAD = re.compile(r"[0-9a-f]{64}")


def is_head(text: str) -> bool:
    """Return True for 64 hex digits."""
    return _HEAD.fullmatch(text) is not None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A head that came with a request: the columns of an `Anchor`."""

    terminal_id: str
    head: str
    source: str
    line: int = 0
    seq: int
    at: datetime


def note_requests(session: Session, now: Now, told: Sequence[Told]) -> None:
    """Keep the heads that came with new requests; alarm where two requests follow one head."""
    told = [anchor for anchor in told if is_head(anchor.head)]
    if not told:
        return
    known = session.connection().execute(_WITH_REQUESTS, {"heads": list({anchor.head for anchor in told})})
    sources = {(terminal_id, head): source for terminal_id, head, source in known}
    for anchor in told:
        other = sources.setdefault((anchor.terminal_id, anchor.head), anchor.source)
        if other != anchor.source:
            _alarm_fork(session, now, anchor, f"requests {other} and {anchor.source} follow one head")
    session.connection().execute(_INSERT, [msgspec.structs.asdict(anchor) for anchor in told])


def longest(session: Session, terminal_id: str) -> int:
    """Return the highest line that a till told at a connection, 0 if it told none."""
    of_till = (Anchor.terminal_id == terminal_id, Anchor.source == SYNC)
    return session.scalar(select(func.max(Anchor.line)).where(*of_till)) or 0


def note_sync(session: Session, now: Now, message: SyncMessage, *, floor: int) -> None:
    """Keep the head told at a connection; alarm where the chain was shorter or other than it was.

    Args:
        session: Writing.
        now: Clock.
        message: The page.
        floor: Lines that the chain is proved to have had when the page was signed; it may have been on its way long.
    """
    if message.audit_lines <= 0 or not is_head(message.audit_head):
        return
    anchor = Anchor(
        terminal_id=message.terminal_id,
        head=message.audit_head,
        source=SYNC,
        line=message.audit_lines,
        seq=message.last_seq,
        at=now(),
    )
    of_till = (Anchor.terminal_id == message.terminal_id, Anchor.source == SYNC)
    same_line = session.scalars(select(Anchor.head).where(*of_till, Anchor.line == anchor.line)).all()
    if same_line and anchor.head not in same_line:
        _alarm_fork(session, now, anchor, f"another head at line {anchor.line} than before")
    elif anchor.line < floor:
        _alarm_fork(session, now, anchor, f"{anchor.line} lines, it had {floor}")
    if session.get(Anchor, (anchor.terminal_id, anchor.head, SYNC)) is None:
        session.add(anchor)
        session.flush()


def _alarm_fork(session: Session, now: Now, anchor: Anchor | Told, detail: str) -> None:
    event_id = f"fork-{anchor.head[:32]}-{anchor.source}"
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": anchor.terminal_id, "detail": detail}
        alarm(session, event_id, "audit_fork", now=now, data=data)


def newest(session: Session, terminal_ids: Sequence[str]) -> dict[str, Anchor]:
    """Return, by till, the head that it told at its newest connection: the one that its shift slip shows or passed."""
    last = (
        select(Anchor.terminal_id, func.max(Anchor.line).label("line"))
        .where(Anchor.source == SYNC, Anchor.terminal_id.in_(terminal_ids))
        .group_by(Anchor.terminal_id)
        .subquery()
    )
    rows = session.scalars(
        select(Anchor)
        .join(last, (Anchor.terminal_id == last.c.terminal_id) & (Anchor.line == last.c.line))
        .where(Anchor.source == SYNC)
        .order_by(Anchor.at)
    )
    return {anchor.terminal_id: anchor for anchor in rows}


def told(session: Session, terminal_id: str, head: str) -> Anchor | None:
    """Return where a till told this head, at a connection rather than with a request; None if it never did."""
    return session.scalars(
        select(Anchor)
        .where(Anchor.terminal_id == terminal_id, Anchor.head == head)
        .order_by(Anchor.line.desc())
        .limit(1)
    ).first()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How a till's chain agrees with what it told before.

    Attributes:
        known: Heads that we have of this till.
        agreed: How many of them are in its chain, at the line that was told.
        purged: How many are of lines that left the till with their time: nothing can be said of them.
        difference: The first that is not, in words; empty if all agree.
    """

    terminal_id: str
    lines: int
    known: int
    agreed: int
    purged: int = 0
    difference: str = ""


def compare(session: Session, terminal_id: str, heads: Sequence[str]) -> Comparison:
    """Compare the heads of all lines of a till's chain with those that it told us, oldest first.

    Args:
        session: Reading.
        terminal_id: Whose chain.
        heads: Of every line, the first line first, as ``pos-agent audit verify --heads`` writes them; empty for lines
            that were purged.
    """
    first_kept = next((number for number, head in enumerate(heads, start=1) if head), 1)
    line_of = {head: number for number, head in enumerate(heads, start=1)} | {"0" * 64: 0}
    told = session.scalars(
        select(Anchor).where(Anchor.terminal_id == terminal_id).order_by(Anchor.seq, Anchor.line, Anchor.at)
    ).all()
    agreed = purged = 0
    is_any_found = False
    difference = ""
    for anchor in told:
        line = line_of.get(anchor.head)
        if line is not None and (anchor.source != SYNC or line == anchor.line):
            agreed += 1
            is_any_found = is_any_found or line >= first_kept
        elif _is_purged(anchor, first_kept, is_any_found=is_any_found):
            purged += 1
        elif not difference:
            place = f"at line {anchor.line}" if anchor.source == SYNC else f"before request {anchor.source}"
            difference = f"head {anchor.head} {place}, told {anchor.at:%Y-%m-%d %H:%M} UTC, is not in the till's chain"
    return Comparison(
        terminal_id=terminal_id,
        lines=len(heads),
        known=len(told),
        agreed=agreed,
        purged=purged,
        difference=difference,
    )


def _is_purged(anchor: Anchor, first_kept: int, *, is_any_found: bool) -> bool:
    """Return True for a head of a line that the till no longer keeps; a request's head has no line of its own."""
    if first_kept == 1:
        return False
    return anchor.line < first_kept if anchor.source == SYNC else not is_any_found
