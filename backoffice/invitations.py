"""Invitations of tills: a one-time code, who brought it, and the person who compared fingerprints and said yes.

A code is 80 random bits, kept as SHA-256, good for 24 hours and five wrong tries. Tries are committed before the
code is compared. With the right code the till's keys are bound to the invitation: the same code with other keys is
a replay.
Nothing is enrolled before a person accepted the fingerprint that the till shows (trust.md 22).
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from backoffice import certificates, deeds, enrolment
from backoffice.authority import Authority, CsrError, read_csr
from backoffice.deeds import Deed
from backoffice.refunds import alarm
from backoffice.review import DecisionError, StaleError
from backoffice.store.enrolment_tables import InvitationRow
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import Person, Terminal
from pos_agent.domain.identifiers import is_terminal_id
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.enrolment import (
    CODE_ALPHABET,
    CODE_LENGTH,
    EnrolCall,
    Refusal,
    State,
    Supervisor,
    device_key_id,
    key_fingerprint,
)

LIFETIME: Final = timedelta(hours=24)
MAX_TRIES: Final = 5
#: A till that was accepted fetches its document within this time; afterwards it needs a new invitation.
FETCH_WITHIN: Final = timedelta(days=7)
#: Of no code: compared with when there is no invitation, so that it takes as long.
_DECOY: Final = hashlib.sha256(b"").hexdigest()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a till will be.

    Attributes:
        supervisor: Its first operator; None leaves the operators that it has.
        ends_revocation: The till is revoked now, and this one may take its place.
    """

    terminal_id: str
    merchant_id: str
    merchant_name: str = ""
    store_name: str = ""
    supervisor: Supervisor | None = None
    ends_revocation: bool = False


class Standing(msgspec.Struct, frozen=True):
    """How a call stands: `code` why it was refused, `row` when it was accepted."""

    state: State
    code: str = ""
    row: InvitationRow | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is asked: is this the fingerprint that the till shows?"""

    terminal_id: str
    merchant_id: str
    store_name: str
    fingerprint: str
    since: datetime
    is_known: bool


def invite(session: Session, terms: Terms, *, by: str, now: datetime) -> str:
    """Make a code; an earlier invitation of the till ends.

    Raises:
        ValueError: Bad terminal id, the till belongs to another merchant, is revoked and `ends_revocation` does not
            say so, or the supervisor's person is unknown and has no name.
    """
    if not is_terminal_id(terms.terminal_id):
        raise ValueError("a terminal id is t- and 1 to 38 of a-z, 0-9, dash")
    terminal = session.get(Terminal, terms.terminal_id)
    if terminal is not None and terminal.merchant_id != terms.merchant_id:
        raise ValueError(f"{terms.terminal_id} belongs to {terminal.merchant_id}")
    if terminal is not None and terminal.is_denied and not terms.ends_revocation:
        raise ValueError(f"{terms.terminal_id} is revoked; say --after-revocation if this is another machine")
    supervisor = terms.supervisor
    if supervisor is not None and not supervisor.name and session.get(Person, supervisor.person_id) is None:
        raise ValueError(f"no person {supervisor.person_id}; give --name to make one")
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    wanted = InvitationRow(
        terminal_id=terms.terminal_id,
        merchant_id=terms.merchant_id,
        merchant_name=terms.merchant_name,
        store_name=terms.store_name,
        supervisor={} if supervisor is None else msgspec.to_builtins(supervisor),
        ends_revocation=terms.ends_revocation,
        made_at=now,
        made_by=by,
        code_hash=_hash(code),
        expires_at=now + LIFETIME,
        tries=0,
        device_key="",
        csr="",
        claimed_at=None,
        accepted_at=None,
        accepted_by="",
        refused_at=None,
        chain="",
    )
    if locked_or_new(session, wanted) is not wanted:
        session.merge(wanted)
    after = ", after revocation" if terms.ends_revocation else ""
    detail = f"{terms.terminal_id} of {terms.merchant_id}{after}"
    deeds.note(session, Deed.INVITED, by=by, detail=detail, now=lambda: now)
    return code


def count_try(session: Session, call: EnrolCall) -> bool:
    """Count a try before anything is compared; the caller commits. Returns whether it may be compared.

    The till whose keys are bound already asks how it stands, which is no guess.
    """
    done = session.execute(
        update(InvitationRow)
        .where(InvitationRow.terminal_id == call.terminal_id)
        .where(or_(InvitationRow.tries < MAX_TRIES, InvitationRow.device_key == call.device_key))
        .values(tries=InvitationRow.tries + 1)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def claim(session: Session, call: EnrolCall, *, is_counted: bool, now: datetime) -> Standing:
    """Compare a code, bind the till's keys to it, and say how it stands.

    Args:
        session: In a transaction after the one that counted.
        call: Signed by the device key that it names.
        is_counted: What `count_try` said.
        now: The back office's time.
    """
    row = session.get(InvitationRow, call.terminal_id, with_for_update=True)
    is_right = secrets.compare_digest(_hash(call.code), row.code_hash if row is not None else _DECOY)
    if row is None or not is_counted or not is_right:
        return Standing(State.REFUSED, Refusal.CODE)
    row.tries -= 1  # not a wrong one
    if row.claimed_at is None:
        return _bind(row, call, now)
    if (row.device_key, row.csr) != (call.device_key, call.csr):
        row.tries += 1
        _alarm_replay(session, row, now)
        return Standing(State.REFUSED, Refusal.CODE)
    if row.refused_at is not None:
        return Standing(State.REFUSED, Refusal.PERSON)
    if now > (row.accepted_at or row.claimed_at) + FETCH_WITHIN:
        return Standing(State.REFUSED, Refusal.CODE)
    return Standing(State.WAITING) if row.accepted_at is None else Standing(State.ACCEPTED, row=row)


def _bind(row: InvitationRow, call: EnrolCall, now: datetime) -> Standing:
    if now > row.expires_at:
        return Standing(State.REFUSED, Refusal.CODE)
    try:
        read_csr(call.csr, terminal_id=call.terminal_id)
    except CsrError:
        return Standing(State.REFUSED, Refusal.CSR)
    row.device_key, row.csr, row.claimed_at = call.device_key, call.csr, now
    return Standing(State.WAITING)


def _alarm_replay(session: Session, row: InvitationRow, now: datetime) -> None:
    alarm(
        session,
        f"replay:{row.terminal_id}:{secrets.token_hex(8)}",
        "enrolment_code_replayed",
        now=lambda: now,
        data={"terminal_id": row.terminal_id},
    )


def waiting(session: Session) -> list[Waiting]:
    """Return the tills that brought their code and wait for a person, oldest first."""
    rows = session.scalars(
        select(InvitationRow)
        .where(InvitationRow.claimed_at.is_not(None))
        .where(InvitationRow.accepted_at.is_(None), InvitationRow.refused_at.is_(None))
        .order_by(InvitationRow.claimed_at)
    ).all()
    return [
        Waiting(
            terminal_id=row.terminal_id,
            merchant_id=row.merchant_id,
            store_name=row.store_name,
            fingerprint=_fingerprint(row),
            since=row.claimed_at or row.made_at,
            is_known=session.get(Terminal, row.terminal_id) is not None,
        )
        for row in rows
    ]


def accept(
    session: Session, authority: Authority, terminal_id: str, *, fingerprint: str, by: str, now: datetime, days: int
) -> None:
    """Enrol the till whose fingerprint a person compared.

    Its older certificates are revoked; its older device keys stay, for slips and requests that they signed, unless the
    till was revoked.

    Raises:
        DecisionError: Nothing waits, or it was dealt with already.
        StaleError: It waits with another fingerprint than the person saw.
    """
    row = _open(session, terminal_id, fingerprint)
    terminal = session.get(Terminal, terminal_id)
    if terminal is not None and terminal.is_denied:
        if not row.ends_revocation:  # revoked after the invitation was made
            raise DecisionError("revoked_meanwhile")
        terminal.device_keys = {}
        enrolment.mark_terminal(session, terminal_id, is_denied=False, by=by, now=lambda: now)
    key = PublicKey.from_base64(row.device_key)
    enrolment.add_terminal(
        session,
        terminal_id=terminal_id,
        merchant_id=row.merchant_id,
        merchant_name=row.merchant_name,
        device_kid=device_key_id(key),
        device_key=row.device_key,
        by=by,
        now=lambda: now,
    )
    issued = certificates.issue(
        session, authority, terminal_id=terminal_id, csr=row.csr, now=now, lifetime_days=days, by=by
    )
    certificates.revoke_all(session, terminal_id, now=now, keep=issued.serial)
    if row.supervisor:
        first = msgspec.convert(row.supervisor, Supervisor)
        enrolment.map_operator(
            session,
            merchant_id=row.merchant_id,
            operator_no=first.operator_no,
            person_id=first.person_id,
            name=first.name,
            by=by,
            now=lambda: now,
        )
    row.accepted_at, row.accepted_by, row.chain = now, by, issued.chain
    detail = f"{terminal_id}, device key {device_key_id(key)}, certificate {issued.serial}"
    deeds.note(session, Deed.ACCEPTED, by=by, detail=detail, now=lambda: now)


def refuse(session: Session, terminal_id: str, *, fingerprint: str, now: datetime, by: str = "") -> None:
    """Say no to a till that waits: its code is spent.

    Raises:
        DecisionError, StaleError: As `accept`.
    """
    row = _open(session, terminal_id, fingerprint)
    row.refused_at = now
    detail = f"{terminal_id}, device key {device_key_id(PublicKey.from_base64(row.device_key))}"
    deeds.note(session, Deed.REFUSED, by=by, detail=detail, now=lambda: now)


def _open(session: Session, terminal_id: str, fingerprint: str) -> InvitationRow:
    row = session.get(InvitationRow, terminal_id, with_for_update=True)
    if row is None or row.claimed_at is None or row.accepted_at is not None or row.refused_at is not None:
        raise DecisionError("gone")
    seen, here = ("".join(text.split()).lower() for text in (fingerprint, _fingerprint(row)))
    if seen != here:
        raise StaleError(fingerprint, _fingerprint(row))
    return row


def _fingerprint(row: InvitationRow) -> str:
    return key_fingerprint(PublicKey.from_base64(row.device_key))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
