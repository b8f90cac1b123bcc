"""What tills say about their configuration: verified, kept, alarmed once for each document that went wrong (D17)."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, select, update
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
_TILLS: BindParameter[str] = bindparam("tills", expanding=True)
_DEVICE_KEYS = select(Terminal.terminal_id, Terminal.device_keys).where(Terminal.terminal_id.in_(_TILLS))
#: Locked in one order, so that two workers with the same reports wait for each other and not in a circle.
_KNOWN = (
    select(
        ConfigReport.terminal_id,
        ConfigReport.book_id,
        ConfigReport.seq,
        ConfigReport.earlier_books,
        ConfigReport.highest,
    )
    .where(ConfigReport.terminal_id.in_(_TILLS))
    .order_by(ConfigReport.terminal_id)
    .with_for_update()
)
_CHANGED = update(ConfigReport).where(ConfigReport.terminal_id == bindparam("till"))
_NOTHING: Mapping[str, Any] = {"book_id": "", "seq": 0, "earlier_books": [], "highest": 0}


def receive(session: Session, context: Context, batch: Sequence[Incoming]) -> None:
    """Take a batch of reports; what cannot be used is kept beside them and spoils no other (D8)."""
    named = [(incoming, _terminal_of(incoming)) for incoming in batch]
    ids = sorted({terminal_id for _, terminal_id in named if terminal_id})
    device_keys = {row.terminal_id: row.device_keys for row in session.execute(_DEVICE_KEYS, {"tills": ids})}
    heard = []
    for incoming, terminal_id in named:
        if not terminal_id:
            continue
        if terminal_id not in device_keys:
            keep(session, context, incoming, cause="unknown_terminal", detail=f"terminal_id={terminal_id}")
            continue
        try:
            heard.append(_open(incoming.payload, terminal_id, device_keys[terminal_id]))
        except RemoteProtocolError as error:
            keep(session, context, incoming, cause=type(error).status, detail=str(error))
    note(session, context, heard)


def _terminal_of(incoming: Incoming) -> str:
    parsed = parse_terminal_topic(incoming.topic)
    return parsed[0] if parsed is not None and parsed[1] == Leaf.CFG_REPORTED and incoming.payload else ""


def _open(payload: bytes, terminal_id: str, device_keys: Mapping[str, str]) -> ConfigReported:
    keys = {kid: PublicKey.from_base64(key) for kid, key in device_keys.items()}
    reported = decode_reported(unseal(payload, payload_type=UP_TYPE, keys=keys)[0])
    if reported.terminal_id != terminal_id:
        raise SignatureError(f"report of {reported.terminal_id} on the topic of {terminal_id}")
    return reported


def note(session: Session, context: Context, heard: Sequence[ConfigReported]) -> None:
    """Store reports whose signatures are their tills'; old ones change nothing.

    Four statements for a batch: rows of it are columns, not objects, which cost more than all the rest of a report.
    """
    ids = sorted({reported.terminal_id for reported in heard})
    known = {row.terminal_id: row._asdict() for row in session.execute(_KNOWN, {"tills": ids})}
    told: dict[str, dict[str, Any]] = {}
    for reported in heard:
        before = told.get(reported.terminal_id) or known.get(reported.terminal_id) or _NOTHING
        if _is_old(before, reported):
            _log.info("old report of a configuration terminal_id=%s seq=%d", reported.terminal_id, reported.seq)
            continue
        told[reported.terminal_id] = _after(before, reported, context.now())
        if reported.attempted is not None and reported.attempted.state in _ALARMED:
            _alarm(session, context, reported, reported.attempted)
    connection = session.connection()
    if new := [row for terminal_id, row in told.items() if terminal_id not in known]:
        connection.execute(insert(ConfigReport), new)
    if changed := [row | {"till": terminal_id} for terminal_id, row in told.items() if terminal_id in known]:
        connection.execute(_CHANGED, changed)
    waiting.settle(session, ids)


def _is_old(before: Mapping[str, Any], reported: ConfigReported) -> bool:
    book_id = reported.book_id[:_BOOK]
    return book_id in before["earlier_books"] or (book_id == before["book_id"] and reported.seq < before["seq"])


def _after(before: Mapping[str, Any], reported: ConfigReported, now: datetime) -> dict[str, Any]:
    """Return a till's row after a report; what is too long for a column is cut, so that no till can spoil a batch."""
    attempted, book_id, earlier = reported.attempted, reported.book_id[:_BOOK], before["earlier_books"]
    if before["book_id"] and before["book_id"] != book_id:
        earlier = [*earlier, before["book_id"]][-_BOOKS:]
    return {
        "terminal_id": reported.terminal_id,
        "book_id": book_id,
        "seq": reported.seq,
        "earlier_books": earlier,
        "agent": reported.agent[:40],
        "running_version": reported.running.version,
        "running_etag": reported.running.etag[:_ETAG],
        "attempted_version": attempted.version if attempted else 0,
        "attempted_etag": attempted.etag[:_ETAG] if attempted else "",
        "state": attempted.state.value if attempted else "",
        "reason": attempted.reason[:40] if attempted else "",
        "detail": attempted.detail[:200] if attempted else "",
        "tries": min(attempted.tries, _MOST_TRIES) if attempted else 0,
        "at": attempted.at if attempted else None,
        # A rejected number is nobody's: whoever can publish could otherwise use them all up.
        "highest": max(before["highest"], reported.highest_version, reported.running.version),
        "reported_at": now,
    }


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
