"""One executor at a time: a lease in the database (D11)."""

import logging
import time
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.store.database import Database
from backoffice.store.schema import Lease

EXECUTOR = "executor"
_log = logging.getLogger(__name__)
#: Between two looks at a lease; its holder renews it every few seconds.
_LOOK_S = 0.5


class Holding(Enum):
    """How we stand to the lease."""

    NOT_OURS = 0
    #: Ours since just now: somebody may have died holding it.
    TAKEN = 1
    KEPT = 2


def hold(session: Session, holder: str, *, lease_s: float, now: Now, name: str = EXECUTOR) -> Holding:
    """Take or renew a lease that is free, expired or ours."""
    until = now() + timedelta(seconds=lease_s)
    row = session.scalars(select(Lease).where(Lease.name == name).with_for_update()).one_or_none()
    if row is None:
        try:
            with session.begin_nested():
                session.add(Lease(name=name, holder=holder, expires_at=until))
                session.flush()
        except IntegrityError:
            return Holding.NOT_OURS
        return Holding.TAKEN
    if row.holder != holder and row.expires_at > now():
        return Holding.NOT_OURS
    result = Holding.KEPT if row.holder == holder else Holding.TAKEN
    row.holder, row.expires_at = holder, until
    return result


def release(session: Session, holder: str, *, name: str = EXECUTOR) -> None:
    """Give the lease back at a clean stop, so that the next one need not wait."""
    row = session.get(Lease, name)
    if row is not None and row.holder == holder:
        session.delete(row)


def is_working(database: Database, now: Now) -> bool:
    """Return whether a back office works on a database.

    Only a worker that lives renews its lease: the lease of one that was killed is waited for, half a minute at most.
    """
    first = until = _held_until(database, now)
    if first is not None:
        _log.warning("a back office works here, or was killed just now: looking until %s", first.isoformat())
    while until is not None:
        if until != first:
            return True
        time.sleep(_LOOK_S)
        until = _held_until(database, now)
    return False


def _held_until(database: Database, now: Now) -> datetime | None:
    with database.reading() as session:
        row = session.get(Lease, EXECUTOR)
        return row.expires_at if row is not None and row.expires_at > now() else None
