"""Look-ups that a whole group of requests shares: sales by their numbers, what a person asked for within the hour."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backoffice.ledger import NUMBER_COLUMNS
from backoffice.store.schema import Refund, Sale
from pos_agent.domain.refund import OriginalReference

_HOUR: Final = timedelta(hours=1)
_MADE_AT: Final = select(Refund.created_at).where(
    Refund.maker_person_id == bindparam("person_id"),
    Refund.created_at > bindparam("after"),
    Refund.created_at <= bindparam("last"),
)
_COUNT: Final = select(func.count()).select_from(_MADE_AT.subquery())


class SalesByNumber:
    """Finds sales as `backoffice.ledger.find_sale` does, one statement a column instead of one a request."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: By column, merchant and number: one sale id, or two where the number is not unique.
        self._found: dict[tuple[str, str, str], list[str]] = {}

    def prefetch(self, wanted: Iterable[tuple[str, OriginalReference]]) -> None:
        """Look up merchant ids with their references."""
        numbers: dict[str, set[tuple[str, str]]] = {}
        columns: dict[str, InstrumentedAttribute[Any]] = {}
        for merchant_id, reference in wanted:
            for column in NUMBER_COLUMNS.get(reference.kind, ()) if reference.value else ():
                columns[column.key] = column
                numbers.setdefault(column.key, set()).add((merchant_id, reference.value))
        for key, pairs in numbers.items():
            self._read(columns[key], pairs)

    def _read(self, column: InstrumentedAttribute[Any], pairs: set[tuple[str, str]]) -> None:
        rows = self._session.connection().execute(
            select(Sale.sale_id, Sale.merchant_id, column).where(
                Sale.merchant_id.in_({merchant_id for merchant_id, _ in pairs}),
                column.in_({value for _, value in pairs}),
            )
        )
        for sale_id, merchant_id, value in rows:
            self._found.setdefault((column.key, merchant_id, value), []).append(sale_id)

    def find(self, merchant_id: str, reference: OriginalReference) -> str | None:
        """Return the id of the one sale with a number that was prefetched, None if there is none, or more than one."""
        for column in NUMBER_COLUMNS.get(reference.kind, ()):
            found = self._found.get((column.key, merchant_id, reference.value), ())
            if len(found) == 1:
                return found[0]
        return None


class PersonHours:
    """When a person asked for refunds, as far as the hours before a group's requests need it (F4).

    What lies in the hour before every one of them is counted by the database and never read.
    """

    def __init__(self, session: Session, person_id: str, first: datetime | None, last: datetime | None) -> None:
        """Read.

        Args:
            session: Writing.
            person_id: Whose requests.
            first: When the oldest request of the group was made; None = none has a time.
            last: When the newest one was made.
        """
        self._always = 0
        self._times: list[datetime] = []
        if first is None or last is None:
            return
        connection = session.connection()
        edges = [(first - _HOUR, last)]
        if last - _HOUR < first:
            edges = [edge for edge in ((first - _HOUR, last - _HOUR), (first, last)) if edge[0] < edge[1]]
            inside = {"person_id": person_id, "after": last - _HOUR, "last": first}
            self._always = connection.execute(_COUNT, inside).scalar_one()
        for after, until in edges:
            edge = {"person_id": person_id, "after": after, "last": until}
            self._times += connection.execute(_MADE_AT, edge).scalars()

    def before(self, at: datetime) -> int:
        """Return how many requests lie within the hour before a request of the group."""
        return self._always + sum(at - _HOUR < other <= at for other in self._times)

    def enter(self, at: datetime) -> None:
        """Let the next requests of the group see one of theirs."""
        self._times.append(at)
