"""Persons, their sign-ins and operator numbers, tills and their keys."""

import re
from typing import TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backoffice.store.rows import locked_or_new
from backoffice.store.schema import Account, Base, Merchant, Operator, Person, Terminal, WebSession
from backoffice.web.auth import hash_password
from pos_agent.domain.identifiers import is_terminal_id
from pos_agent.protocol.ed25519 import PublicKey

_Row = TypeVar("_Row", bound=Base)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def add_person(
    session: Session, *, login: str, name: str, role: str, password: str, person_id: str | None = None
) -> str:
    """Add a sign-in, and its person if there is none yet; returns the person's id.

    Raises:
        ValueError: Bad or taken login, or password too short.
    """
    if _LOGIN.fullmatch(login) is None:
        raise ValueError("a login is a-z, 0-9, dot, dash, underscore")
    if session.get(Account, login) is not None:
        raise ValueError(f"login {login} is taken")
    person_id = person_id or login
    _know(session, person_id, Person(person_id=person_id, name=name))
    session.add(Account(login=login, person_id=person_id, password_hash=hash_password(password), role=role))
    session.flush()
    return person_id


def set_password(session: Session, *, login: str, password: str) -> None:
    """Give a sign-in another password, end its lock and everything that is open under it.

    Raises:
        ValueError: No such sign-in, or the password is too short.
    """
    account = _found(session, Account, login, "sign-in")
    account.password_hash = hash_password(password)
    account.failures, account.locked_until = 0, None
    session.execute(delete(WebSession).where(WebSession.login == login))
    session.flush()


def add_terminal(
    session: Session, *, terminal_id: str, merchant_id: str, merchant_name: str, device_kid: str, device_key: str
) -> None:
    """Enrol a till; for one that is known, add or replace a device key.

    Raises:
        ValueError: Bad terminal id or key, or the till belongs to another merchant.
    """
    if not is_terminal_id(terminal_id):
        raise ValueError("a terminal id is t- and 1 to 38 of a-z, 0-9, dash")
    PublicKey.from_base64(device_key)
    _know(session, merchant_id, Merchant(merchant_id=merchant_id, name=merchant_name))
    terminal = session.get(Terminal, terminal_id)
    if terminal is None:
        terminal = Terminal(terminal_id=terminal_id, merchant_id=merchant_id, device_keys={})
        session.add(terminal)
    if terminal.merchant_id != merchant_id:
        raise ValueError(f"{terminal_id} belongs to {terminal.merchant_id}")
    terminal.device_keys = {**terminal.device_keys, device_kid: device_key}
    session.flush()


def mark_terminal(session: Session, terminal_id: str, *, is_denied: bool) -> None:
    """Revoke a till, or end revocation and suspicion.

    Raises:
        ValueError: No such till.
    """
    terminal = _found(session, Terminal, terminal_id, "till")
    terminal.is_denied = is_denied
    if not is_denied:
        # Somebody looked at the cards: the next token is believed once, whatever it is.
        terminal.is_suspect = False
        terminal.token_confirmed, terminal.token_seed, terminal.token_earlier_seed = None, "", ""
    session.flush()


def mark_person(session: Session, person_id: str, *, is_active: bool) -> None:
    """Shut a person out of the pages at once, all sign-ins included, or let them in again.

    Raises:
        ValueError: No such person.
    """
    person = _found(session, Person, person_id, "person")
    person.is_active = is_active
    if not is_active:
        logins = select(Account.login).where(Account.person_id == person_id)
        session.execute(delete(WebSession).where(WebSession.login.in_(logins)))
    session.flush()


def map_operator(session: Session, *, merchant_id: str, operator_no: str, person_id: str, name: str = "") -> None:
    """Say which person an operator number is (I3).

    Raises:
        ValueError: Unknown person and no name to make one.
    """
    _know(session, merchant_id, Merchant(merchant_id=merchant_id, name=""))
    if not name and session.get(Person, person_id) is None:
        raise ValueError(f"no person {person_id}; give --name to make one")
    _know(session, person_id, Person(person_id=person_id, name=name))
    operator = session.get(Operator, (merchant_id, operator_no))
    if operator is None:
        session.add(Operator(merchant_id=merchant_id, operator_no=operator_no, person_id=person_id))
    else:
        operator.person_id = person_id
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
