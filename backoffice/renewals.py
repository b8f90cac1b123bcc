"""Renewal of certificates (trust.md 22): proof by the device key over a fresh nonce of ours.

Valid and not revoked: at once. Expired for at most a year: a person clicks. Revoked: refused, and alarmed.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice import certificates, deeds
from backoffice.authority import Authority, CsrError, read_csr
from backoffice.clock import Now, system_now
from backoffice.deeds import Deed
from backoffice.refunds import alarm
from backoffice.review import DecisionError
from backoffice.store.enrolment_tables import CertificateRow, RenewalRow
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import EventRow, Meta, Terminal
from pos_agent.protocol.enrolment import Refusal, RenewCall, State

#: A till that was off for longer is enrolled again.
MAX_EXPIRED: Final = timedelta(days=365)
#: From nonce to proof; a till answers within a second.
NONCE_LIFETIME: Final = timedelta(minutes=5)
#: Signed for one till within a day; more is a fault of the till's, or somebody who plays with its key.
MAX_A_DAY: Final = 5
#: Where in `Meta` the key of nonces is.
_META: Final = "renewal_nonces"


class Standing(msgspec.Struct, frozen=True):
    """How a call stands: `code` why it was refused, `chain` the new certificate."""

    state: State
    code: str = ""
    chain: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A till whose certificate has expired."""

    terminal_id: str
    since: datetime
    expired_at: datetime | None


def nonce_secret(session: Session) -> bytes:
    """Return the key of nonces, one for all workers; the first who asks makes it (in a writing transaction)."""
    return bytes.fromhex(locked_or_new(session, Meta(key=_META, value=secrets.token_hex(32))).value)


def make_nonce(secret: bytes, now: datetime) -> str:
    """Return a nonce that only we can have made, with its time in it: nothing is stored for those who only ask."""
    body = int(now.timestamp()).to_bytes(8, "big") + secrets.token_bytes(16)
    return urlsafe_b64encode(body + _tag(secret, body)).decode()


def is_fresh(secret: bytes, nonce: str, now: datetime) -> bool:
    """Return whether a nonce is ours and young enough."""
    try:
        data = urlsafe_b64decode(nonce.encode())
    except (Base64Error, ValueError):
        return False
    body, tag = data[:24], data[24:]
    if len(body) != 24 or not hmac.compare_digest(tag, _tag(secret, body)):
        return False
    age_s = now.timestamp() - int.from_bytes(body[:8], "big")
    return -1 <= age_s <= NONCE_LIFETIME.total_seconds()


def _tag(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, body, "sha256")


def renew(session: Session, authority: Authority, call: RenewCall, *, now: datetime, days: int) -> Standing:
    """Decide about a call whose signature and nonce were checked.

    Raises:
        LookupError: No such till.
    """
    # NO KEY UPDATE: requests of this till, whose rows refer to it, need not wait.
    terminal = session.get(Terminal, call.terminal_id, with_for_update={"key_share": True})
    if terminal is None:
        raise LookupError(call.terminal_id)
    if terminal.is_denied:
        _alarm_once_a_day(session, call.terminal_id, now)
        return Standing(State.REFUSED, Refusal.REVOKED)
    try:
        read_csr(call.csr, terminal_id=call.terminal_id)
    except CsrError:
        return Standing(State.REFUSED, Refusal.CSR)
    last = certificates.newest(session, call.terminal_id)
    if last is not None and now - last.not_after > MAX_EXPIRED:
        return Standing(State.REFUSED, Refusal.TOO_OLD)
    row = session.get(RenewalRow, call.terminal_id)
    is_accepted = row is not None and row.accepted_at is not None and row.csr_hash == certificates.csr_hash(call.csr)
    if (last is None or last.not_after <= now) and not is_accepted:
        return _wait(session, call, row, now)
    by = row.accepted_by if row is not None and is_accepted else "renewal"
    return _issue(session, authority, call, now=now, days=days, by=by, row=row)


def _wait(session: Session, call: RenewCall, row: RenewalRow | None, now: datetime) -> Standing:
    """Let it wait; a till that lost the key of its request asks with another one, which needs a click of its own."""
    wanted = certificates.csr_hash(call.csr)
    if row is None:
        session.add(RenewalRow(terminal_id=call.terminal_id, csr_hash=wanted, asked_at=now))
    elif row.csr_hash != wanted:
        row.csr_hash, row.asked_at, row.accepted_at, row.accepted_by = wanted, now, None, ""
    session.flush()
    return Standing(State.WAITING)


def _issue(
    session: Session,
    authority: Authority,
    call: RenewCall,
    *,
    now: datetime,
    days: int,
    by: str,
    row: RenewalRow | None,
) -> Standing:
    if certificates.issued_since(session, call.terminal_id, now - timedelta(days=1)) >= MAX_A_DAY:
        return Standing(State.REFUSED, Refusal.TOO_MANY)
    issued = certificates.issue(
        session, authority, terminal_id=call.terminal_id, csr=call.csr, now=now, lifetime_days=days, by=by
    )
    if row is not None:
        session.delete(row)
    session.flush()
    return Standing(State.ACCEPTED, chain=issued.chain)


def waiting(session: Session) -> list[Waiting]:
    """Return the tills that wait for a click, oldest first."""
    rows = session.scalars(select(RenewalRow).where(RenewalRow.accepted_at.is_(None)).order_by(RenewalRow.asked_at))
    return [
        Waiting(terminal_id=row.terminal_id, since=row.asked_at, expired_at=_expired_at(session, row.terminal_id))
        for row in rows
    ]


def _expired_at(session: Session, terminal_id: str) -> datetime | None:
    last: CertificateRow | None = certificates.newest(session, terminal_id)
    return None if last is None else last.not_after


def accept(session: Session, terminal_id: str, *, by: str, now: datetime) -> None:
    """Let a till renew an expired certificate.

    Raises:
        DecisionError: Nothing waits, or the till is revoked.
    """
    row = session.get(RenewalRow, terminal_id, with_for_update=True)
    terminal = session.get(Terminal, terminal_id)
    if row is None or row.accepted_at is not None:
        raise DecisionError("gone")
    if terminal is None or terminal.is_denied:
        raise DecisionError("revoked_meanwhile")
    row.accepted_at, row.accepted_by = now, by
    deeds.note(session, Deed.RENEWAL_ACCEPTED, by=by, detail=terminal_id, now=lambda: now)


def refuse(session: Session, terminal_id: str, *, by: str = "", now: Now = system_now) -> None:
    """Take a till from the list; it may ask again.

    Raises:
        DecisionError: Nothing waits.
    """
    row = session.get(RenewalRow, terminal_id, with_for_update=True)
    if row is None or row.accepted_at is not None:
        raise DecisionError("gone")
    session.delete(row)
    deeds.note(session, Deed.RENEWAL_REFUSED, by=by, detail=terminal_id, now=now)


def _alarm_once_a_day(session: Session, terminal_id: str, now: datetime) -> None:
    event_id = f"renewal:{terminal_id}:{now:%Y-%m-%d}"[:64]
    if session.get(EventRow, event_id) is None:
        alarm(session, event_id, "revoked_till_renews", now=lambda: now, data={"terminal_id": terminal_id})
