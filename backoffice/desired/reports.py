"""What tills say about their configuration: verified, kept, alarmed once for each document that went wrong (D17)."""

import hashlib
import logging
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.desired import waiting
from backoffice.ingest.context import Context, Incoming
from backoffice.ingest.receiver import keep
from backoffice.refunds import alarm
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport
from backoffice.store.schema import EventRow, Terminal
from pos_agent.domain.desired import ConfigState
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.codec import decode_reported
from pos_agent.protocol.desired import ConfigAttempt, ConfigReported
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import UP_TYPE, unseal
from pos_agent.protocol.topics import Leaf, parse_terminal_topic

_log = logging.getLogger(__name__)
_ALARMED = {ConfigState.ROLLED_BACK: "config_rolled_back", ConfigState.REJECTED: "config_rejected"}
#: Records of a till that ended and are remembered.
_BOOKS = 16
#: Lengths of columns.
_BOOK = _ETAG = 64
_MOST_TRIES = 1_000_000


def receive(session: Session, context: Context, batch: Sequence[Incoming]) -> None:
    """Take a batch of reports; what cannot be used is kept beside them and spoils no other (D8)."""
    named = [(incoming, _terminal_of(incoming)) for incoming in batch]
    ids = sorted({terminal_id for _, terminal_id in named if terminal_id})
    terminals = {row.terminal_id: row for row in session.scalars(select(Terminal).where(Terminal.terminal_id.in_(ids)))}
    heard = []
    for incoming, terminal_id in named:
        if not terminal_id:
            continue
        if terminal_id not in terminals:
            keep(session, context, incoming, cause="unknown_terminal", detail=f"terminal_id={terminal_id}")
            continue
        try:
            heard.append(_open(incoming.payload, terminals[terminal_id]))
        except RemoteProtocolError as error:
            keep(session, context, incoming, cause=type(error).status, detail=str(error))
    note(session, context, heard)


def _terminal_of(incoming: Incoming) -> str:
    parsed = parse_terminal_topic(incoming.topic)
    return parsed[0] if parsed is not None and parsed[1] == Leaf.CFG_REPORTED and incoming.payload else ""


def _open(payload: bytes, terminal: Terminal) -> ConfigReported:
    keys = {kid: PublicKey.from_base64(key) for kid, key in terminal.device_keys.items()}
    reported = decode_reported(unseal(payload, payload_type=UP_TYPE, keys=keys)[0])
    if reported.terminal_id != terminal.terminal_id:
        raise SignatureError(f"report of {reported.terminal_id} on the topic of {terminal.terminal_id}")
    return reported


def note(session: Session, context: Context, heard: Sequence[ConfigReported]) -> None:
    """Store reports whose signatures are their tills'; old ones change nothing."""
    ids = sorted({reported.terminal_id for reported in heard})
    # Locked in one order, so that two workers with the same reports wait for each other and not in a circle.
    known = select(ConfigReport).where(ConfigReport.terminal_id.in_(ids)).order_by(ConfigReport.terminal_id)
    rows = {row.terminal_id: row for row in session.scalars(known.with_for_update())}
    for reported in heard:
        row = rows.get(reported.terminal_id)
        if row is None:
            row = ConfigReport(terminal_id=reported.terminal_id, highest=0, book_id="", seq=0, earlier_books=[])
            rows[reported.terminal_id] = row
            session.add(row)
        if _is_old(row, reported):
            _log.info("old report of a configuration terminal_id=%s seq=%d", reported.terminal_id, reported.seq)
            continue
        _fill(row, reported)
        row.reported_at = context.now()
        if reported.attempted is not None and reported.attempted.state in _ALARMED:
            _alarm(session, context, reported, reported.attempted)
    session.flush()
    waiting.offer_unanswered(session, ids)
    waiting.let_go(session, ids)


def _is_old(row: ConfigReport, reported: ConfigReported) -> bool:
    book_id = reported.book_id[:_BOOK]
    return book_id in row.earlier_books or (book_id == row.book_id and reported.seq < row.seq)


def _fill(row: ConfigReport, reported: ConfigReported) -> None:
    """Take over a report; whatever is too long for a column is cut, so that no till can spoil a batch."""
    attempted, book_id = reported.attempted, reported.book_id[:_BOOK]
    if row.book_id and row.book_id != book_id:
        row.earlier_books = [*row.earlier_books, row.book_id][-_BOOKS:]
    row.book_id, row.seq, row.agent = book_id, reported.seq, reported.agent[:40]
    row.running_version, row.running_etag = reported.running.version, reported.running.etag[:_ETAG]
    row.attempted_version = attempted.version if attempted else 0
    row.attempted_etag = attempted.etag[:_ETAG] if attempted else ""
    row.state = attempted.state.value if attempted else ""
    row.reason = attempted.reason[:40] if attempted else ""
    row.detail = attempted.detail[:200] if attempted else ""
    row.tries = min(attempted.tries, _MOST_TRIES) if attempted else 0
    row.at = attempted.at if attempted else None
    # A rejected number is nobody's: whoever can publish could otherwise use them all up.
    row.highest = max(row.highest, reported.highest_version, reported.running.version)


def _alarm(session: Session, context: Context, reported: ConfigReported, attempted: ConfigAttempt) -> None:
    """Alarm once for a document and its end; for documents that are not ours once a day, as they cost nothing."""
    is_ours = (
        session.query(ConfigDocument.version)
        .filter_by(terminal_id=reported.terminal_id, etag=attempted.etag)
        .limit(1)
        .first()
        is not None
    )
    name = _ALARMED[attempted.state] if is_ours else "config_not_ours"
    about = f"{attempted.etag}:{attempted.state}" if is_ours else f"{context.now():%Y%m%d}"
    digest = hashlib.sha256(f"{reported.terminal_id}:{about}".encode()).hexdigest()
    event_id = f"config-{digest[:48]}"
    if session.get(EventRow, event_id) is not None:
        return
    detail = f"version {attempted.version}: {attempted.state} {attempted.reason} {attempted.detail}".strip()
    data = {"terminal_id": reported.terminal_id, "detail": detail[:200]}
    alarm(session, event_id, name, now=context.now, data=data)
