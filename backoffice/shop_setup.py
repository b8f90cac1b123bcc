"""What ``pos-backoffice setup`` does: tills, persons and operator numbers of one file, in one transaction."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backoffice import enrolment, shop_file
from backoffice.config import Config
from backoffice.enrolment import FieldError
from backoffice.shop_file import OperatorEntry, PersonEntry, Shop, TerminalEntry
from backoffice.store.database import Database, open_database, upgrade
from backoffice.store.schema import Account, Base, Merchant, Operator, Person, Terminal
from backoffice.web.auth import hash_password, is_right
from pos_agent.errors import ConfigValueError


class _Outcome(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class Counts(msgspec.Struct):
    """What became of the entries of one kind."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


class Done(msgspec.Struct, kw_only=True):
    """What was done, or would be."""

    is_changed: bool = False
    is_dry_run: bool = False
    terminals: Counts = msgspec.field(default_factory=Counts)
    persons: Counts = msgspec.field(default_factory=Counts)
    operators: Counts = msgspec.field(default_factory=Counts)


def run(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Declare what a file says; what it does not name stays.

    Raises:
        ConfigFileError: Anything is wrong in it; nothing is written.
        ValueError: The database cannot be used.
    """
    shop = shop_file.read(arguments.file)
    try:
        with _open(config.database.url, is_dry_run=arguments.dry_run) as database:
            done = declare(database, shop, origin=shop_file.origin_of(arguments.file), is_dry_run=arguments.dry_run)
    except DBAPIError as error:  # its own text holds what was to be written
        raise ValueError(f"database: {error.orig}") from None
    return _describe(done), done


@contextmanager
def _open(url: str, *, is_dry_run: bool) -> Iterator[Database]:
    """Open the database: made or migrated before, or, where nothing is to be written, an empty one if there is none."""
    if not is_dry_run:
        upgrade(url)
    if not is_dry_run or _is_there(url):
        with open_database(url) as database:
            yield database
        return
    with TemporaryDirectory() as folder, open_database(f"sqlite:///{folder}/empty.db") as database:
        Base.metadata.create_all(database.engine)
        yield database


def _is_there(url: str) -> bool:
    name = make_url(url).database
    if url.startswith("sqlite") and not (name and Path(name).exists()):
        return False  # looking into it would make it
    with open_database(url) as database:
        return bool(inspect(database.engine).get_table_names())


def declare(database: Database, shop: Shop, *, origin: str, is_dry_run: bool = False) -> Done:
    """Write all entries in one transaction.

    Raises:
        ConfigFileError: Entries are wrong or contradict what is known; nothing is written.
    """
    work = _Declaration(shop, origin)
    with database.reading() as session:
        work.hash_passwords(session)
    with database.writing() as session:
        done = work.write(session)
        if is_dry_run:
            session.rollback()
    done.is_dry_run = is_dry_run
    return done


class _Declaration:
    """One file on its way into the database; faults are gathered, so that all are told at once."""

    def __init__(self, shop: Shop, origin: str) -> None:
        self._shop = shop
        self._origin = origin
        self._persons = shop.persons
        self._faults: dict[str, ConfigValueError] = {}

    def hash_passwords(self, session: Session) -> None:
        """Put hashes in the place of passwords, and none for one that is the sign-in's already.

        Apart from the transaction that writes: hashing takes its time on purpose, and the shop works on.
        """
        self._persons = [self._hashed(session, number, entry) for number, entry in enumerate(self._persons)]

    def _hashed(self, session: Session, number: int, entry: PersonEntry) -> PersonEntry:
        if not entry.password:
            return entry
        account, secret = session.get(Account, entry.login), ""
        try:
            if account is None or not is_right(account.password_hash, entry.password):
                secret = hash_password(entry.password)
        except ValueError as error:
            self._add_fault(f"persons[{number}]", FieldError("password", str(error)))
        return msgspec.structs.replace(entry, password="", password_hash=secret)

    def write(self, session: Session) -> Done:
        """Write all; the caller's transaction is given up if this raises.

        Raises:
            ConfigFileError: There are faults.
        """
        known = [session.scalars(select(table)).all() for table in (Merchant, Terminal, Person, Account, Operator)]
        terminals = self._each(session, "terminals", self._shop.terminals, _terminal)
        persons = self._each(session, "persons", self._persons, _person)
        operators = self._each(session, "operators", self._operators(), _operator)
        del known  # till here: a session forgets the rows that nobody holds, and would ask for each of them again
        shop_file.refuse(self._origin, list(self._faults.values()))
        is_changed = any(each.added or each.changed for each in (terminals, persons, operators))
        return Done(is_changed=is_changed, terminals=terminals, persons=persons, operators=operators)

    def _operators(self) -> list[OperatorEntry | None]:
        """Return the operators; None where nothing can be said, because the entry of its person is wrong."""
        wrong = {one.person or one.login for n, one in enumerate(self._persons) if f"persons[{n}]" in self._faults}
        return [None if one.person in wrong else one for one in self._shop.operators]

    def _each(
        self, session: Session, name: str, entries: Sequence[Any], declare_one: Callable[[Session, Any], _Outcome]
    ) -> Counts:
        counts: Counter[_Outcome] = Counter()
        for number, entry in enumerate(entries):
            place = f"{name}[{number}]"
            if entry is None or place in self._faults:
                continue
            try:
                counts[declare_one(session, entry)] += 1
            except FieldError as error:
                self._add_fault(place, error)
        return Counts(**{outcome.value: count for outcome, count in counts.items()})

    def _add_fault(self, place: str, error: FieldError) -> None:
        self._faults[place] = ConfigValueError(str(error), key=f"{place}.{error.field}", origin=self._origin)


def _terminal(session: Session, entry: TerminalEntry) -> _Outcome:
    is_renamed = _rename(session.get(Merchant, entry.merchant), entry.merchant_name)
    before = session.get(Terminal, entry.id)
    known_key = before.device_keys.get(entry.device_kid) if before is not None else None
    enrolment.add_terminal(
        session,
        terminal_id=entry.id,
        merchant_id=entry.merchant,
        merchant_name=entry.merchant_name,
        device_kid=entry.device_kid,
        device_key=entry.device_key,
    )
    return _outcome(is_new=before is None, is_changed=is_renamed or known_key != entry.device_key)


def _person(session: Session, entry: PersonEntry) -> _Outcome:
    person_id = entry.person or entry.login
    is_renamed = _rename(session.get(Person, person_id), entry.name)
    account = session.get(Account, entry.login)
    if account is None:
        if not entry.password_hash:
            raise FieldError("password", f"{entry.login} is a new sign-in: it needs a password or a password_hash")
        enrolment.add_person(
            session,
            login=entry.login,
            name=entry.name or entry.login,
            role=entry.role,
            password_hash=entry.password_hash,
            person_id=person_id,
        )
        return _Outcome.ADDED
    if account.person_id != person_id:
        raise FieldError("person", f"{entry.login} is a sign-in of {account.person_id}")
    before = (account.role, account.password_hash)
    enrolment.set_role(session, login=entry.login, role=entry.role)
    if entry.password_hash not in ("", account.password_hash):
        enrolment.set_password(session, login=entry.login, password_hash=entry.password_hash)
    return _outcome(is_new=False, is_changed=is_renamed or before != (account.role, account.password_hash))


def _operator(session: Session, entry: OperatorEntry) -> _Outcome:
    is_renamed = _rename(session.get(Person, entry.person), entry.name)
    before = session.get(Operator, (entry.merchant, entry.no))
    known_person = before.person_id if before is not None else ""
    enrolment.map_operator(
        session, merchant_id=entry.merchant, operator_no=entry.no, person_id=entry.person, name=entry.name
    )
    return _outcome(is_new=before is None, is_changed=is_renamed or known_person != entry.person)


def _rename(row: Merchant | Person | None, name: str) -> bool:
    """Give who is known the name that the file says; returns whether it was another one."""
    if row is None or name in ("", row.name):
        return False
    row.name = name
    return True


def _outcome(*, is_new: bool, is_changed: bool) -> _Outcome:
    if is_new:
        return _Outcome.ADDED
    return _Outcome.CHANGED if is_changed else _Outcome.UNCHANGED


def _describe(done: Done) -> str:
    lines = ["nothing changed"] if not done.is_changed else []
    for name in ("terminals", "persons", "operators"):
        counts: Counts = getattr(done, name)
        lines.append(f"{name}: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged")
    if done.is_dry_run:
        lines.append("dry run: nothing is written")
    return "\n".join(lines)
