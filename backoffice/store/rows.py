"""A row that two transactions may want to add at once."""

from typing import TypeVar

from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice.store.schema import Base

_Row = TypeVar("_Row", bound=Base)


def locked_or_new(session: Session, row: _Row) -> _Row:
    """Return the row with the key of this one, locked; this one, added, where there is none.

    Of two transactions that add it at once the second waits for the first, and gets its row.

    Raises:
        IntegrityError: The row itself cannot be added.
    """
    kind, key = type(row), tuple(inspect(type(row)).primary_key_from_instance(row))
    found = session.get(kind, key, with_for_update=True)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        found = session.get(kind, key, with_for_update=True)
        if found is None:
            raise
        return found
    return row
