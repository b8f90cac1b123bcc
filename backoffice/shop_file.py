"""The file of ``pos-backoffice setup``: tills, persons and operator numbers of a shop or of a chain.

What a value must be beyond its shape, `backoffice.enrolment` says, as for single commands.
"""

import os
import sys
import tomllib
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from backoffice.config import checked
from pos_agent.errors import ConfigFileError, ConfigValueError, RemoteProtocolError
from pos_agent.protocol.limits import refuse_unusable

#: Faults that are named; the rest is counted.
_NAMED = 20
#: Lengths are those of the columns.
_Id = Annotated[str, Meta(min_length=1, max_length=64)]
_PersonName = Annotated[str, Meta(max_length=120)]


class TerminalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A till and one of its device keys; `device_key` is base64 of the raw public key."""

    id: str
    merchant: _Id
    merchant_name: Annotated[str, Meta(max_length=200)] = ""
    device_kid: _Id
    device_key: str


class PersonEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in and its person.

    Attributes:
        person: Whose sign-in it is; empty = the login.
        password: In clear; a sign-in that is known needs none.
        password_hash: argon2id, encoded, instead of it.
    """

    login: str
    name: _PersonName = ""
    role: str
    person: Annotated[str, Meta(max_length=64)] = ""
    password: str = ""
    password_hash: Annotated[str, Meta(max_length=200)] = ""


class OperatorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Which person an operator number of a merchant's tills is; with `name` the person is made."""

    merchant: _Id
    no: str
    person: _Id
    name: _PersonName = ""


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    terminals: list[TerminalEntry] = []
    persons: list[PersonEntry] = []
    operators: list[OperatorEntry] = []


Entry = TerminalEntry | PersonEntry | OperatorEntry
_KINDS: dict[str, type[Entry]] = {"terminals": TerminalEntry, "persons": PersonEntry, "operators": OperatorEntry}


class _Lists(msgspec.Struct):
    """The file before its entries are looked at."""

    terminals: list[dict[str, Any]] = []
    persons: list[dict[str, Any]] = []
    operators: list[dict[str, Any]] = []


def read(path: Path) -> Shop:
    """Read a TOML or JSON file, by its suffix; ``-`` = JSON on standard input.

    Raises:
        ConfigFileError: It cannot be read, others may read the passwords in it, or entries are wrong: all are named.
    """
    origin = origin_of(path)
    data, is_private = _load(path, origin)
    lists = checked(data, _Lists, origin=origin)
    found: dict[str, list[Any]] = {name: [] for name in _KINDS}
    faults = []
    for name, kind in _KINDS.items():
        for number, item in enumerate(getattr(lists, name)):
            try:
                found[name].append(_entry(item, kind, f"{name}[{number}].", origin))
            except ConfigValueError as fault:
                faults.append(fault)
    refuse(origin, faults)
    shop = Shop(**found)
    refuse(origin, [*_repeated(shop, origin), *_contradictions(shop, origin)])
    if not is_private and any(each.password or each.password_hash for each in shop.persons):
        raise ConfigFileError(f"{origin}: it holds passwords and others may read it; chmod 600, and change them")
    return shop


def origin_of(path: Path) -> str:
    """Return how people call a file."""
    return "standard input" if str(path) == "-" else str(path)


def refuse(origin: str, faults: Sequence[ConfigValueError]) -> None:
    """Return if there are no faults.

    Raises:
        ConfigFileError: There are; names each with its place.
    """
    if not faults:
        return
    lines = [f"  {each.key}: {each.problem}" + (f"; {each.hint}" if each.hint else "") for each in faults[:_NAMED]]
    more = [f"  and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
    raise ConfigFileError("\n".join([f"{origin}: {len(faults)} faults, nothing is written", *lines, *more]))


def _load(path: Path, origin: str) -> tuple[dict[str, Any], bool]:
    """Return what a file says, and whether nobody else may read it."""
    try:
        if str(path) == "-":
            return _table(msgspec.json.decode(sys.stdin.buffer.read()), origin), True
        with path.open("rb") as stream:
            is_private = not os.fstat(stream.fileno()).st_mode & 0o077
            if path.suffix.lower() == ".toml":
                return tomllib.load(stream), is_private
            if path.suffix.lower() == ".json":
                return _table(msgspec.json.decode(stream.read()), origin), is_private
    except OSError as error:
        raise ConfigFileError(f"{origin}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigFileError(f"{origin}: not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise ConfigFileError(f"{origin}: {error}") from error
    raise ConfigFileError(f"{origin}: its name ends neither with .toml nor with .json")


def _table(data: Any, origin: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ConfigFileError(f"{origin}: not an object with {', '.join(_KINDS)}")
    return data


def _entry(item: dict[str, Any], kind: type[Entry], place: str, origin: str) -> Entry:
    entry = checked(item, kind, origin=origin, prefix=place)
    try:
        refuse_unusable(entry)
    except RemoteProtocolError as error:
        field, _, words = str(error).partition(": ")
        raise ConfigValueError(words, key=place + field, origin=origin) from error
    if isinstance(entry, PersonEntry) and entry.password and entry.password_hash:
        raise ConfigValueError("stands beside a password; give one of them", key=f"{place}password_hash", origin=origin)
    return entry


def _repeated(shop: Shop, origin: str) -> Iterator[ConfigValueError]:
    """Find entries that say a second time what a thing is: which of them counts, nobody could tell."""
    keys: dict[str, list[tuple[str, Hashable]]] = {
        "terminals": [("device_kid", (each.id, each.device_kid)) for each in shop.terminals],
        "persons": [("login", each.login) for each in shop.persons],
        "operators": [("no", (each.merchant, each.no)) for each in shop.operators],
    }
    for name, entries in keys.items():
        first: dict[Hashable, int] = {}
        for number, (field, key) in enumerate(entries):
            if first.setdefault(key, number) != number:
                where = f"{name}[{number}].{field}"
                yield ConfigValueError(f"the same as in {name}[{first[key]}]", key=where, origin=origin)


def _contradictions(shop: Shop, origin: str) -> Iterator[ConfigValueError]:
    """Find merchants and persons that have two names."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    for where, key, name in _names(shop):
        known, place = first.setdefault(key, (name, where))
        if known != name:
            yield ConfigValueError(f"{key[1]} has another name in {place}", key=where, origin=origin)


def _names(shop: Shop) -> Iterator[tuple[str, tuple[str, str], str]]:
    """Return every name with its place and whose it is."""
    for number, till in enumerate(shop.terminals):
        if till.merchant_name:
            yield f"terminals[{number}].merchant_name", ("merchant", till.merchant), till.merchant_name
    for number, person in enumerate(shop.persons):
        if person.name:
            yield f"persons[{number}].name", ("person", person.person or person.login), person.name
    for number, operator in enumerate(shop.operators):
        if operator.name:
            yield f"operators[{number}].name", ("person", operator.person), operator.name
