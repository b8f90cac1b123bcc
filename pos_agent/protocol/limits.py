"""What a value on the wire may be beyond its type: what every back end can store, compute with and show.

A signature proves who sent a message, not that its sender works: one number too large for a column must be a refusal
with a reason, never an exception inside a transaction that other tills' messages share. Pure.

Sources: numbers as in RFC 7493 (I-JSON) section 2.2; times as in RFC 3339 section 5.6; no NUL in text as in
PostgreSQL (its manual, section 8.3).
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from pos_agent.errors import RemoteProtocolError

#: Both ways; beyond it a JSON number is not the same in all languages, and a column of 64 bits overflows.
MAX_INTEGER: Final = 2**53 - 1
#: Years of a time: zone arithmetic on both sides of them must work. A till without a clock begins at 1970.
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


def refuse_unusable(message: msgspec.Struct) -> None:
    """Check a decoded message, with all that is inside it.

    Raises:
        RemoteProtocolError: A number, time or text that cannot be kept; names the field, not the value.
    """
    structs = [message]
    for struct in structs:  # those inside are added as they are found
        for place, value in enumerate(astuple(struct)):
            kind = type(value)
            if kind is str:
                problem = "NUL in text" if "\0" in value else ""
            elif kind in _CHECKS:
                problem = _CHECKS[kind](value)
            elif isinstance(value, msgspec.Struct):
                structs.append(value)
                continue
            else:
                continue
            if problem:
                raise RemoteProtocolError(f"{struct.__struct_fields__[place]}: {problem}")


def _in_number(value: int) -> str:
    return "" if -MAX_INTEGER <= value <= MAX_INTEGER else "number too large"


def _in_time(value: datetime) -> str:
    if value.tzinfo is None:
        return "time without a zone"
    return "" if _FIRST_YEAR <= value.year < _LAST_YEAR else "no time that can be kept"


def _in_items(items: Iterable[Any]) -> str:
    for item in items:
        if isinstance(item, msgspec.Struct):
            refuse_unusable(item)
        elif type(item) is str and "\0" in item:
            return "NUL in text"
        elif type(item) in _CHECKS and (problem := _CHECKS[type(item)](item)):
            return problem
    return ""


_CHECKS: Final[dict[type, Callable[[Any], str]]] = {
    int: _in_number,
    datetime: _in_time,
    tuple: _in_items,
    list: _in_items,
    dict: lambda mapping: _in_items(chain(mapping, mapping.values())),
}
