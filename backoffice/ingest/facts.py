"""What a group of new requests is judged on, read under the locks in a few statements for all of them (D9)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backoffice.approvals import claim_flag
from backoffice.ingest.context import Context
from backoffice.ingest.finding import PersonHours, SalesByNumber
from backoffice.ledger import Sums, sums, sums_of
from backoffice.line_sums import earlier_lines, sold_lines
from backoffice.refunds import is_restoring
from backoffice.rules import EarlierRefund, Facts, SaleFacts, SoldLine
from backoffice.states import State
from backoffice.store.schema import Operator, Person, Refund, Sale, Terminal
from pos_agent.domain.refund import RefundRequest

_SALE = (
    Sale.sale_id,
    Sale.merchant_id,
    Sale.paid_at,
    Sale.paid_minor,
    Sale.base_refunded_minor,
    Sale.currency,
    Sale.acquirer_id,
    Sale.terminal_id,
    Sale.is_training,
    Sale.is_frozen,
)
#: Made once: SQLAlchemy takes longer to make a statement than SQLite to run it.
_LOCK_SALES: Final = (
    select(*_SALE).where(Sale.sale_id.in_(bindparam("ids", expanding=True))).order_by(Sale.sale_id).with_for_update()
)
_REFUNDS: Final = select(
    Refund.sale_id, Refund.refund_request_id, Refund.state, Refund.amount_minor, Refund.finished_at
).where(Refund.sale_id.in_(bindparam("ids", expanding=True)))


class SaleBook(msgspec.Struct, kw_only=True):
    """A locked sale with the requests on it; those of the group are entered as they are judged."""

    sale_id: str
    merchant_id: str
    paid_at: datetime
    paid_minor: int
    base_refunded_minor: int
    currency: str
    acquirer_id: str
    terminal_id: str
    is_training: bool
    is_frozen: bool
    entries: list[EarlierRefund] = []
    lines: tuple[SoldLine, ...] = ()

    def sums(self) -> Sums:
        """Return the sums of the sale, as of now."""
        amounts = ((entry.state.value, entry.amount_minor) for entry in self.entries)
        return sums_of(self.paid_minor, self.base_refunded_minor, amounts, is_frozen=self.is_frozen)

    def read_lines(self, session: Session) -> None:
        """Read what was sold and asked back line by line; only requests that name lines need it (I2)."""
        if self.lines:
            return
        self.lines, named = sold_lines(session, self.sale_id), earlier_lines(session, self.sale_id)
        self.entries = [
            msgspec.structs.replace(entry, lines=named.get(entry.refund_request_id, entry.lines))
            for entry in self.entries
        ]

    def facts(self) -> SaleFacts:
        """Return what the rules need of the sale."""
        return SaleFacts(
            paid_at=self.paid_at,
            currency=self.currency,
            acquirer_id=self.acquirer_id,
            terminal_id=self.terminal_id,
            is_training=self.is_training,
            is_frozen=self.is_frozen,
            sums=self.sums(),
            lines=self.lines,
        )


class GroupFacts:
    """Facts of a group, kept in step while its requests are judged one after the other."""

    def __init__(self, session: Session, context: Context, group: Sequence[tuple[Terminal, RefundRequest]]) -> None:
        """Lock the sales of the group, in one order for all workers, then read what was asked of them."""
        self._session = session
        self._context = context
        self.is_restoring = is_restoring(session)
        times = [request.created_at for _, request in group if request.created_at.tzinfo is not None]
        self._first: datetime | None = min(times, default=None)
        self._last: datetime | None = max(times, default=None)
        self._persons: dict[tuple[str, str], tuple[str, bool]] = {}
        self._hours: dict[str, PersonHours] = {}
        self._books = _lock_books(session, {request.sale_id for _, request in group if request.sale_id})
        by_number = {
            (terminal.merchant_id, request.original_reference)
            for terminal, request in group
            if self._own_book(terminal, request) is None
        }
        self._by_number = SalesByNumber(session)
        self._by_number.prefetch(by_number)
        found = {sale_id for each in by_number if (sale_id := self._by_number.find(*each)) is not None}
        self._books |= _lock_books(session, found - self._books.keys())

    def book(self, terminal: Terminal, request: RefundRequest) -> SaleBook | None:
        """Return the request's sale: by its id when that is the merchant's own, else by the reference."""
        book = self._own_book(terminal, request)
        if book is not None:
            return book
        sale_id = self._by_number.find(terminal.merchant_id, request.original_reference)
        return None if sale_id is None else self._books[sale_id]

    def _own_book(self, terminal: Terminal, request: RefundRequest) -> SaleBook | None:
        book = self._books.get(request.sale_id or "")
        return book if book is not None and book.merchant_id == terminal.merchant_id else None

    def maker(self, terminal: Terminal, operator_no: str) -> tuple[str, bool]:
        """Return the person behind an operator number, and whether a person registered it."""
        key = (terminal.merchant_id, operator_no)
        if key not in self._persons:
            self._persons[key] = person_of_operator(self._session, *key)
        return self._persons[key]

    def of(self, terminal: Terminal, request: RefundRequest, book: SaleBook | None) -> Facts:
        """Return everything that the rules look at."""
        person_id, is_known = self.maker(terminal, request.operator_no)
        at = request.created_at
        if book is not None and request.lines:
            book.read_lines(self._session)
        return Facts(
            now=self._context.now(),
            merchant_id=terminal.merchant_id,
            is_terminal_denied=terminal.is_denied,
            is_terminal_suspect=terminal.is_suspect,
            is_operator_known=is_known,
            requests_last_hour=self._hours_of(person_id).before(at),
            sale=book.facts() if book else None,
            earlier=tuple(book.entries) if book else (),
            approval=claim_flag(self._session, request, maker_person_id=person_id),
        )

    def enter(self, request: RefundRequest, state: State, *, person_id: str, book: SaleBook | None) -> None:
        """Let the next requests of the group see this one."""
        self._hours_of(person_id).enter(request.created_at)
        if book is not None:
            book.entries.append(
                EarlierRefund(
                    refund_request_id=request.refund_request_id,
                    state=state,
                    amount_minor=request.amount_minor,
                    finished_at=None,
                    lines=request.lines,
                )
            )

    def _hours_of(self, person_id: str) -> PersonHours:
        if person_id not in self._hours:
            self._hours[person_id] = PersonHours(self._session, person_id, self._first, self._last)
        return self._hours[person_id]


def _lock_books(session: Session, sale_ids: set[str]) -> dict[str, SaleBook]:
    """Lock sales, then sum: on PostgreSQL what is read afterwards is a newer snapshot than the locks."""
    if not sale_ids:
        return {}
    connection = session.connection()
    rows = connection.execute(_LOCK_SALES, {"ids": list(sale_ids)})
    books = {row.sale_id: SaleBook(**row._mapping, entries=[]) for row in rows}
    for sale_id, request_id, state, amount_minor, finished_at in connection.execute(_REFUNDS, {"ids": list(books)}):
        books[sale_id].entries.append(
            EarlierRefund(
                refund_request_id=request_id, state=State(state), amount_minor=amount_minor, finished_at=finished_at
            )
        )
    return books


def person_of_operator(session: Session, merchant_id: str, operator_no: str) -> tuple[str, bool]:
    """Return the person behind a till's operator number, and whether a person registered it.

    An unregistered number gets a person of its own, so that the maker of a request is never nobody (I3); the reviewer
    sees the flag.
    """
    operator = session.get(Operator, (merchant_id, operator_no))
    if operator is not None:
        return operator.person_id, not operator.person_id.startswith("till:")
    person_id = f"till:{merchant_id}:{operator_no}"[:64]
    if session.get(Person, person_id) is None:
        session.add(Person(person_id=person_id, name=f"{operator_no} @ {merchant_id}"))
        session.flush()
    session.add(Operator(merchant_id=merchant_id, operator_no=operator_no, person_id=person_id))
    session.flush()
    return person_id, False


def sale_facts(session: Session, sale: Sale, *, without: str | None = None) -> SaleFacts:
    """Return what the rules need of a sale; `without` leaves out one request's own reservation."""
    return SaleFacts(
        paid_at=sale.paid_at,
        currency=sale.currency,
        acquirer_id=sale.acquirer_id,
        terminal_id=sale.terminal_id,
        is_training=sale.is_training,
        is_frozen=sale.is_frozen,
        sums=sums(session, sale, without=without),
    )
