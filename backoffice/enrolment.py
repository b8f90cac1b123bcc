"""Persons, their sign-ins and operator numbers, tills and their keys."""

import re
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backoffice import deeds
from backoffice.clock import Now, system_now
from backoffice.deeds import Deed
from backoffice.rules import RANKS
from backoffice.store.rows import locked_or_new
from backoffice.store.schema import Account, Base, Merchant, Operator, Person, Terminal, WebSession
from backoffice.web.auth import check_hash, hash_password
from pos_agent.domain.identifiers import is_terminal_id
from pos_agent.domain.pins import is_operator_no
from pos_agent.protocol.ed25519 import PublicKey

_Row = TypeVar("_Row", bound=Base)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class FieldError(ValueError):
    """A value that cannot be taken; `field` is its key in a file of ``pos-backoffice setup``."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


def add_person(
    session: Session,
    *,
    login: str,
    name: str,
    role: str,
    password: str = "",
    password_hash: str = "",
    person_id: str | None = None,
    by: str = "",
    now: Now = system_now,
) -> str:
    """Add a sign-in, and its person if there is none yet; returns the person's id.

    Args:
        session: In a writing transaction.
        login: What is typed to sign in.
        name: As people read it; counts for a new person.
        role: viewer, approver, finance or manager.
        password: In clear, or
        password_hash: argon2id, encoded.
        person_id: Whose sign-in it is; none = the login.
        by: Who adds it, for the record (`deeds.note`).
        now: Clock.
    Raises:
        FieldError: Bad or taken login, no such role, or password too short.
    """
    if _LOGIN.fullmatch(login) is None:
        raise FieldError("login", "a login is a-z, 0-9, dot, dash, underscore")
    if session.get(Account, login) is not None:
        raise FieldError("login", f"login {login} is taken")
    _check_role(role)
    secret = _hashed(password, password_hash)
    person_id = person_id or login
    _know(session, person_id, Person(person_id=person_id, name=name))
    session.add(Account(login=login, person_id=person_id, password_hash=secret, role=role))
    session.flush()
    deeds.note(session, Deed.SIGN_IN_ADDED, by=by, detail=f"{login}, {role}, person {person_id}", now=now)
    return person_id


def set_role(session: Session, *, login: str, role: str, by: str = "", now: Now = system_now) -> None:
    """Give a sign-in another role; it counts at once, also where it is open.

    Raises:
        ValueError: No such sign-in or role.
    """
    _check_role(role)
    account = _found(session, Account, login, "sign-in")
    before, account.role = account.role, role
    if before != role:
        deeds.note(session, Deed.ROLE_SET, by=by, detail=f"{login}, {before} before, {role} now", now=now)


def _check_role(role: str) -> None:
    if role not in RANKS:
        raise FieldError("role", f"no such role; there are: {', '.join(RANKS)}")


def _hashed(password: str, password_hash: str) -> str:
    """Return the hash that is kept.

    Raises:
        FieldError: The password is too short, or the hash is none.
    """
    try:
        if not password_hash:
            return hash_password(password)
        check_hash(password_hash)
    except ValueError as error:
        raise FieldError("password_hash" if password_hash else "password", str(error)) from error
    return password_hash


def set_password(
    session: Session,
    *,
    login: str,
    password: str = "",
    password_hash: str = "",
    by: str = "",
    now: Now = system_now,
) -> None:
    """Give a sign-in another password, end its lock and everything that is open under it.

    Raises:
        ValueError: No such sign-in, the password is too short, or the hash is none.
    """
    account = _found(session, Account, login, "sign-in")
    account.password_hash = _hashed(password, password_hash)
    account.failures, account.locked_until = 0, None
    session.execute(delete(WebSession).where(WebSession.login == login))
    deeds.note(session, Deed.PASSWORD_SET, by=by, detail=login, now=now)


def add_terminal(
    session: Session,
    *,
    terminal_id: str,
    merchant_id: str,
    merchant_name: str,
    device_kid: str,
    device_key: str,
    by: str = "",
    now: Now = system_now,
) -> None:
    """Enrol a till; for one that is known, add or replace a device key, which is a deed.

    Raises:
        FieldError: Bad terminal id or key, or the till belongs to another merchant.
    """
    if not is_terminal_id(terminal_id):
        raise FieldError("id", "a terminal id is t- and 1 to 38 of a-z, 0-9, dash")
    _check_key(device_key)
    _know(session, merchant_id, Merchant(merchant_id=merchant_id, name=merchant_name))
    terminal = session.get(Terminal, terminal_id)
    if terminal is None:
        session.add(Terminal(terminal_id=terminal_id, merchant_id=merchant_id, device_keys={device_kid: device_key}))
        session.flush()
        return
    if terminal.merchant_id != merchant_id:
        raise FieldError("merchant", f"{terminal_id} belongs to {terminal.merchant_id}")
    if terminal.device_keys.get(device_kid) != device_key:
        terminal.device_keys = {**terminal.device_keys, device_kid: device_key}
        session.flush()
        deeds.note(session, Deed.KEY_GIVEN, by=by, detail=f"{terminal_id} of {merchant_id}, key {device_kid}", now=now)


def _check_key(device_key: str) -> None:
    try:
        PublicKey.from_base64(device_key)
    except ValueError as error:
        raise FieldError("device_key", "a device key is the base64 of 32 bytes (Ed25519, raw)") from error


def mark_terminal(session: Session, terminal_id: str, *, is_denied: bool, by: str = "", now: Now = system_now) -> None:
    """Revoke a till, or end revocation and suspicion; `by` and `now` are for the record (`deeds.note`).

    Raises:
        ValueError: No such till.
    """
    terminal = _found(session, Terminal, terminal_id, "till")
    terminal.is_denied = is_denied
    if not is_denied:
        # Somebody looked at the cards: the next token is believed once, whatever it is.
        terminal.is_suspect = False
        terminal.token_confirmed, terminal.token_seed, terminal.token_earlier_seed = None, "", ""
    deeds.note(session, Deed.REVOKED if is_denied else Deed.LET_IN, by=by, detail=terminal_id, now=now)


def mark_person(session: Session, person_id: str, *, is_active: bool, by: str = "", now: Now = system_now) -> None:
    """Shut a person out of the pages at once, all sign-ins included, or let them in again; `by`, `now` as above.

    Raises:
        ValueError: No such person.
    """
    person = _found(session, Person, person_id, "person")
    person.is_active = is_active
    if not is_active:
        logins = select(Account.login).where(Account.person_id == person_id)
        session.execute(delete(WebSession).where(WebSession.login.in_(logins)))
    deeds.note(session, Deed.LET_IN if is_active else Deed.SHUT_OUT, by=by, detail=f"person {person_id}", now=now)


def map_operator(
    session: Session,
    *,
    merchant_id: str,
    operator_no: str,
    person_id: str,
    name: str = "",
    by: str = "",
    now: Now = system_now,
) -> None:
    """Say which person an operator number is (I3). A number that changes hands is a deed.

    Raises:
        FieldError: No operator number, or an unknown person and no name to make one.
    """
    if not is_operator_no(operator_no):
        raise FieldError("no", "an operator number has two digits, such as 01")
    if not name and session.get(Person, person_id) is None:
        raise FieldError("person", f"no person {person_id}; give a name to make one")
    _know(session, merchant_id, Merchant(merchant_id=merchant_id, name=""))
    _know(session, person_id, Person(person_id=person_id, name=name))
    operator = session.get(Operator, (merchant_id, operator_no))
    if operator is None:
        session.add(Operator(merchant_id=merchant_id, operator_no=operator_no, person_id=person_id))
    elif operator.person_id != person_id:
        before, operator.person_id = operator.person_id, person_id
        detail = f"{merchant_id} {operator_no}, {before} before, {person_id} now"
        deeds.note(session, Deed.OPERATOR_MOVED, by=by, detail=detail, now=now)
    session.flush()


def _know(session: Session, key: str, row: Merchant | Person) -> None:
    """Add a merchant or a person that is not known yet; a known one keeps its name."""
    if session.get(type(row), key) is None:
        locked_or_new(session, row)


def _found(session: Session, table: type[_Row], key: str, words: str) -> _Row:
    """Return a row that must be there.

    Raises:
        ValueError: It is not.
    """
    row = session.get(table, key)
    if row is None:
        raise ValueError(f"no {words} {key}")
    return row


def only_merchant(session: Session) -> str:
    """Return the merchant there is; ``M-DEMO`` in an empty database.

    Raises:
        ValueError: There are several.
    """
    found = session.scalars(select(Merchant.merchant_id).limit(2)).all()
    if len(found) > 1:
        raise ValueError("several merchants; say which with --merchant")
    return found[0] if found else "M-DEMO"
