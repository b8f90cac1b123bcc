"""Sums of single lines of a sale (I2): what of each was asked back, read under the lock of the sale.

A till that refunds by amount names no lines, and none are read; requests that name lines may not give back more of one
than was paid for it.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.rules import EarlierRefund, Refusal, SoldLine, refuse_lines
from backoffice.states import State
from backoffice.store.schema import Refund, Sale
from pos_agent.domain.refund import RefundLine, RefundRequest


def sold_lines(session: Session, sale_id: str) -> tuple[SoldLine, ...]:
    """Return the lines of a sale as imported; one that cannot be read is none."""
    found = []
    for line in session.scalars(select(Sale.lines).where(Sale.sale_id == sale_id)).one_or_none() or ():
        try:
            found.append(msgspec.convert(line, SoldLine))
        except msgspec.ValidationError:
            continue
    return tuple(found)


def earlier_lines(session: Session, sale_id: str) -> dict[str, tuple[RefundLine, ...]]:
    """Return the lines that each request on a sale names, by request id."""
    rows = session.execute(select(Refund.refund_request_id, Refund.body).where(Refund.sale_id == sale_id))
    return {
        request_id: msgspec.convert(body.get("lines", ()), tuple[RefundLine, ...])
        for request_id, body in rows
        if body.get("lines")
    }


def refuse_request_lines(session: Session, refund: Refund, request: RefundRequest) -> Refusal | None:
    """Say, for a stored request under the lock of its sale, why its lines may not go back; None if they may."""
    if not request.lines or refund.sale_id is None:
        return None
    lines = earlier_lines(session, refund.sale_id)
    rows = session.execute(
        select(Refund.refund_request_id, Refund.state, Refund.amount_minor).where(
            Refund.sale_id == refund.sale_id, Refund.refund_request_id != refund.refund_request_id
        )
    )
    earlier: Sequence[EarlierRefund] = [
        EarlierRefund(
            refund_request_id=request_id,
            state=State(state),
            amount_minor=amount_minor,
            finished_at=None,
            lines=lines.get(request_id, ()),
        )
        for request_id, state, amount_minor in rows
    ]
    return refuse_lines(request, sold_lines(session, refund.sale_id), earlier)
