"""Passwords, lock-outs and sessions. Blocking code: argon2id takes its time on purpose, on a database thread."""

import hashlib
import secrets
from datetime import timedelta
from functools import lru_cache

import msgspec
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.refunds import is_restoring
from backoffice.review import Actor
from backoffice.store.schema import Account, Person, WebSession
from pos_agent.domain.pins import MEMORY_KIB, PARALLELISM, TIME_COST, check_strength

#: Wrong passwords before a lock, and how long it lasts.
MAX_FAILURES = 5
LOCK = timedelta(minutes=15)
MIN_PASSWORD = 10
#: The same cost as PINs (D22).
_HASHER = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


class LoginError(Exception):
    """No session. `code` is the i18n key ``login.<code>``; `status` the HTTP status."""

    def __init__(self, code: str, status: int = 401) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """An open session.

    Attributes:
        is_restoring: Nothing can be decided now; every page says so.
    """

    actor: Actor
    person_name: str
    csrf: str
    is_restoring: bool = False


def hash_password(password: str) -> str:
    """Return the argon2id hash.

    Raises:
        ValueError: Too short.
    """
    if len(password) < MIN_PASSWORD:
        raise ValueError(f"a password has at least {MIN_PASSWORD} characters")
    return _HASHER.hash(password)


def hash_pin(pin: str) -> str:
    """Return the hash of a till operator's PIN, as the till compares it.

    Raises:
        WeakPinError: It is no secret.
    """
    check_strength(pin)
    return _HASHER.hash(pin)


@lru_cache(maxsize=1)
def _decoy() -> str:
    """Return a hash that an unknown login is compared with, so that it takes as long as a known one."""
    return _HASHER.hash(secrets.token_hex())


def check_hash(password_hash: str) -> None:
    """Return if this is a hash of a password, made here or by another program.

    Raises:
        ValueError: It is not argon2id in its encoded form.
    """
    try:
        is_ours = password_hash.isascii() and extract_parameters(password_hash).type is Type.ID
    except InvalidHashError:
        is_ours = False
    if not is_ours:
        raise ValueError("no argon2id hash, such as $argon2id$v=19$m=19456,t=2,p=1$…")


def is_right(stored: str, password: str) -> bool:
    """Return whether `stored` is a hash of this password."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def check_password(session: Session, login: str, password: str, now: Now) -> str:
    """Count a try and compare; returns the code of what is wrong, empty if nothing is.

    The caller commits in either case: failures count also when the process dies.
    """
    account = session.get(Account, login, with_for_update=True)
    if account is None:
        is_right(_decoy(), password)
        return "wrong"
    if account.locked_until is not None and account.locked_until > now():
        return "locked"
    if not is_right(account.password_hash, password):
        account.failures += 1
        if account.failures >= MAX_FAILURES:
            account.failures, account.locked_until = 0, now() + LOCK
        return "wrong"
    account.failures, account.locked_until = 0, None
    person = session.get(Person, account.person_id)
    return "" if person is not None and person.is_active else "wrong"


def open_session(session: Session, login: str, now: Now, *, hours: int) -> tuple[str, str]:
    """Open a session; returns the cookie's token and the CSRF token."""
    session.execute(delete(WebSession).where(WebSession.expires_at <= now()))
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    session.add(
        WebSession(token_hash=_token_hash(token), login=login, csrf=csrf, expires_at=now() + timedelta(hours=hours))
    )
    return token, csrf


def find_session(session: Session, token: str, now: Now) -> SignedIn | None:
    """Return who a cookie belongs to, None if to nobody any more."""
    if not token:
        return None
    row = session.get(WebSession, _token_hash(token))
    if row is None or row.expires_at <= now():
        return None
    account = session.get(Account, row.login)
    person = session.get(Person, account.person_id) if account else None
    if account is None or person is None or not person.is_active:
        return None
    actor = Actor(person.person_id, account.login, account.role)
    return SignedIn(actor=actor, person_name=person.name, csrf=row.csrf, is_restoring=is_restoring(session))


def close_session(session: Session, token: str) -> None:
    """End a session."""
    session.execute(delete(WebSession).where(WebSession.token_hash == _token_hash(token)))


def is_csrf_right(signed_in: SignedIn, given: str) -> bool:
    """Compare a CSRF token in constant time."""
    return secrets.compare_digest(signed_in.csrf.encode(), given.encode())


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
