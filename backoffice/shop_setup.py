"""What ``pos-backoffice setup`` does: tills, persons and operator numbers of one file, in one transaction."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backoffice import deeds, shop_entries, shop_file
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.deeds import Deed
from backoffice.enrolment import FieldError
from backoffice.shop_entries import Known, Outcome
from backoffice.shop_file import OperatorEntry, PersonEntry, Shop
from backoffice.store.database import Database, open_database, upgrade
from backoffice.store.schema import Account, Base
from backoffice.web.auth import hash_password, is_right
from pos_agent.errors import ConfigValueError


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
        known = Known(session)
        terminals = self._each(known, "terminals", self._shop.terminals, shop_entries.declare_terminal)
        persons = self._each(known, "persons", self._persons, shop_entries.declare_person)
        operators = self._each(known, "operators", self._operators(), shop_entries.declare_operator)
        shop_file.refuse(self._origin, list(self._faults.values()))
        is_changed = any(each.added or each.changed for each in (terminals, persons, operators))
        done = Done(is_changed=is_changed, terminals=terminals, persons=persons, operators=operators)
        if is_changed:
            deeds.note(session, Deed.SET_UP, by="", detail="; ".join(_counted(done)), now=system_now)
        return done

    def _operators(self) -> list[OperatorEntry | None]:
        """Return the operators; None where nothing can be said, because the entry of its person is wrong."""
        wrong = {one.person or one.login for n, one in enumerate(self._persons) if f"persons[{n}]" in self._faults}
        return [None if one.person in wrong else one for one in self._shop.operators]

    def _each(
        self, known: Known, name: str, entries: Sequence[Any], declare_one: Callable[[Known, Any], Outcome]
    ) -> Counts:
        counts: Counter[Outcome] = Counter()
        for number, entry in enumerate(entries):
            place = f"{name}[{number}]"
            if entry is None or place in self._faults:
                continue
            try:
                counts[declare_one(known, entry)] += 1
            except FieldError as error:
                self._add_fault(place, error)
        return Counts(**{outcome.value: count for outcome, count in counts.items()})

    def _add_fault(self, place: str, error: FieldError) -> None:
        self._faults[place] = ConfigValueError(str(error), key=f"{place}.{error.field}", origin=self._origin)


def _describe(done: Done) -> str:
    lines = [] if done.is_changed else ["nothing changed"]
    return "\n".join([*lines, *_counted(done), *(["dry run: nothing is written"] if done.is_dry_run else [])])


def _counted(done: Done) -> list[str]:
    kinds = {"terminals": done.terminals, "persons": done.persons, "operators": done.operators}
    return [
        f"{kind}: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged"
        for kind, counts in kinds.items()
    ]
