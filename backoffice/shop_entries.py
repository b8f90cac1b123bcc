"""One entry of a file of ``pos-backoffice setup``, compared with what is known and written where it differs."""

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session

from backoffice import enrolment
from backoffice.enrolment import FieldError
from backoffice.shop_file import OperatorEntry, PersonEntry, TerminalEntry
from backoffice.store.schema import Account, Base, Merchant, Operator, Person, Terminal

_Row = TypeVar("_Row", bound=Base)


class Outcome(StrEnum):
    """What became of an entry."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Known:
    """The rows there are, all of them: one question for ten thousand tills in the place of one for each.

    They are also held here, since a session forgets the rows that nobody holds, and asks again.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._rows: dict[tuple[type[Any], tuple[Any, ...]], Any] = {}
        event.listen(session, "pending_to_persistent", self._hold)
        for table in (Merchant, Terminal, Person, Account, Operator):
            for row in session.scalars(select(table)):
                self._hold(session, row)

    def _hold(self, _session: Session, row: Any) -> None:
        table = type(row)
        self._rows[table, tuple(inspect(table).primary_key_from_instance(row))] = row

    def get(self, table: type[_Row], *key: str) -> _Row | None:
        """Return the row with this key, if there is one."""
        row: _Row | None = self._rows.get((table, key))
        return row


def declare_terminal(known: Known, entry: TerminalEntry) -> Outcome:
    """Enrol a till, or give it the key that the file names.

    Raises:
        FieldError: A value cannot be taken.
    """
    is_renamed = _rename(known.get(Merchant, entry.merchant), entry.merchant_name)
    before = known.get(Terminal, entry.id)
    known_key = before.device_keys.get(entry.device_kid) if before is not None else None
    enrolment.add_terminal(
        known.session,
        terminal_id=entry.id,
        merchant_id=entry.merchant,
        merchant_name=entry.merchant_name,
        device_kid=entry.device_kid,
        device_key=entry.device_key,
    )
    return _outcome(is_new=before is None, is_changed=is_renamed or known_key != entry.device_key)


def declare_person(known: Known, entry: PersonEntry) -> Outcome:
    """Add a sign-in, or give it the role and password hash of the file; without a hash the password stays.

    Raises:
        FieldError: A value cannot be taken.
    """
    person_id = entry.person or entry.login
    is_renamed = _rename(known.get(Person, person_id), entry.name)
    account = known.get(Account, entry.login)
    if account is None:
        if not entry.password_hash:
            raise FieldError("password", f"{entry.login} is a new sign-in: it needs a password or a password_hash")
        enrolment.add_person(
            known.session,
            login=entry.login,
            name=entry.name or entry.login,
            role=entry.role,
            password_hash=entry.password_hash,
            person_id=person_id,
        )
        return Outcome.ADDED
    if account.person_id != person_id:
        raise FieldError("person", f"{entry.login} is a sign-in of {account.person_id}")
    before = (account.role, account.password_hash)
    enrolment.set_role(known.session, login=entry.login, role=entry.role)
    if entry.password_hash not in ("", account.password_hash):
        enrolment.set_password(known.session, login=entry.login, password_hash=entry.password_hash)
    return _outcome(is_new=False, is_changed=is_renamed or before != (account.role, account.password_hash))


def declare_operator(known: Known, entry: OperatorEntry) -> Outcome:
    """Say which person an operator number is.

    Raises:
        FieldError: A value cannot be taken.
    """
    is_renamed = _rename(known.get(Person, entry.person), entry.name)
    before = known.get(Operator, entry.merchant, entry.no)
    known_person = before.person_id if before is not None else ""
    enrolment.map_operator(
        known.session, merchant_id=entry.merchant, operator_no=entry.no, person_id=entry.person, name=entry.name
    )
    return _outcome(is_new=before is None, is_changed=is_renamed or known_person != entry.person)


def _rename(row: Merchant | Person | None, name: str) -> bool:
    """Give who is known the name that the file says; returns whether it was another one."""
    if row is None or name in ("", row.name):
        return False
    row.name = name
    return True


def _outcome(*, is_new: bool, is_changed: bool) -> Outcome:
    if is_new:
        return Outcome.ADDED
    return Outcome.CHANGED if is_changed else Outcome.UNCHANGED
