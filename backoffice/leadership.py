"""Which worker speaks for the back office: a lease that counts its terms (ADR 0025).

Apart from the leases of executor and watch: only a worker that is on the broker may hold it, and nothing but words
hangs on it, so that another one may take it as soon as the broker says that its holder is gone.
"""

from datetime import timedelta

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice.clock import Now
from backoffice.store.schema import Lease

LEASE = "presence"


class Worker(msgspec.Struct, frozen=True):
    """One start of one worker.

    Attributes:
        name: Its client id at the broker, where two of one name throw each other off: the same name is its next start.
        instance: Random at each start.
    """

    name: str
    instance: str

    @property
    def holder(self) -> str:
        """Return how the lease names it."""
        return f"{self.instance}@{self.name[:40]}"


class Gone(msgspec.Struct, frozen=True):
    """A leader of whom the broker has said, in its own signed words, that it is gone."""

    instance: str
    term: int


def stand(session: Session, worker: Worker, *, lease_s: float, now: Now, gone: Gone | None = None) -> int:
    """Take or renew the lease.

    Args:
        session: Writing.
        worker: Who asks.
        lease_s: Until then it is ours.
        now: Clock.
        gone: What was heard on the topic; the lease of the one it names is free at once.
    Returns:
        The term, rising with each change of the leader; 0 = another one leads.
    """
    until = now() + timedelta(seconds=lease_s)
    row = session.scalars(select(Lease).where(Lease.name == LEASE).with_for_update()).one_or_none()
    if row is None:
        try:
            with session.begin_nested():
                session.add(Lease(name=LEASE, holder=worker.holder, expires_at=until, term=1))
                session.flush()
        except IntegrityError:
            return 0
        return 1
    if row.holder != worker.holder:
        instance, _, name = row.holder.partition("@")
        is_free = row.expires_at <= now() or name == worker.name[:40] or gone == Gone(instance, row.term)
        if not is_free:
            return 0
        row.term += 1
    row.holder, row.expires_at = worker.holder, until
    return row.term


def leave(session: Session, worker: Worker, now: Now) -> None:
    """Let the lease run out now; the row stays, for its term."""
    row = session.get(Lease, LEASE, with_for_update=True)
    if row is not None and row.holder == worker.holder:
        row.expires_at = now()
