"""What the record knows of payers and operators: the facts of `backoffice.fraud`, and the report F14."""

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from backoffice.fraud import PAYER_DAYS, FraudFacts, Other, Suspicion, suspect
from backoffice.ingest.context import Context
from backoffice.refunds import request_of
from backoffice.states import State
from backoffice.store.schema import Refund, Sale

#: Asked for and refused, or taken back: no sign of anything.
_WITHOUT_EFFECT = (State.REJECTED.value, State.CANCELED.value, State.FAILED.value)
#: Others that are read at most; rules need to count to three.
_OTHERS = 50
#: F14.
REPORT_DAYS = 30
_DEVIATIONS = 1.5


def suspicions(session: Session, context: Context, refund: Refund) -> tuple[Suspicion, ...]:
    """Return what speaks against a request, as of now."""
    review, request = context.config.review, request_of(refund)
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    since = refund.created_at - timedelta(hours=review.shift_hours)
    at_till = session.scalar(
        select(func.count()).where(
            Refund.terminal_id == refund.terminal_id,
            Refund.terminal_seq < refund.terminal_seq,
            Refund.created_at > refund.created_at - timedelta(days=1),
            Refund.refund_request_id != refund.refund_request_id,
        )
    )
    in_shift = session.scalar(
        select(func.count()).where(
            Refund.maker_person_id == refund.maker_person_id,
            Refund.created_at > since,
            Refund.created_at <= refund.created_at,
            Refund.refund_request_id != refund.refund_request_id,
        )
    )
    facts = FraudFacts(
        amount_minor=refund.amount_minor,
        created_at=refund.created_at,
        local_time=refund.created_at.astimezone(ZoneInfo(context.config.server.time_zone)).time(),
        operator_no=refund.operator_no,
        terminal_id=refund.terminal_id,
        has_supervisor=request.supervisor_no is not None,
        in_shift=in_shift or 0,
        at_till=at_till or 0,
        others=_others(session, refund, sale),
        sold_at=sale.paid_at if sale else None,
        sold_by=sale.operator_no if sale else "",
        sold_on=sale.terminal_id if sale else "",
    )
    return suspect(facts, review)


def _others(session: Session, refund: Refund, sale: Sale | None) -> Sequence[Other]:
    if sale is None:
        return ()
    same_payer = (Sale.payer_hash == sale.payer_hash) & (Sale.merchant_id == sale.merchant_id)
    is_near = or_(Refund.sale_id == sale.sale_id, same_payer) if sale.payer_hash else Refund.sale_id == sale.sale_id
    rows = session.execute(
        select(Refund.amount_minor, Refund.created_at)
        .join(Sale, Sale.sale_id == Refund.sale_id)
        .where(
            is_near,
            Refund.refund_request_id != refund.refund_request_id,
            Refund.state.not_in(_WITHOUT_EFFECT),
            Refund.created_at > refund.created_at - timedelta(days=PAYER_DAYS),
            Refund.created_at <= refund.created_at,
        )
        .order_by(Refund.created_at.desc())
        .limit(_OTHERS)
    )
    return [Other(amount, created_at, bool(sale.payer_hash)) for amount, created_at in rows]


class OperatorLine(msgspec.Struct, frozen=True, kw_only=True):
    """One operator number in the report F14.

    Attributes:
        ratio: Refunded divided by sold; None without a sale under this number.
        is_noticeable: Above the mean of the merchant by more than 1.5 standard deviations, or refunds without sales.
    """

    merchant_id: str
    operator_no: str
    refunds: int
    refunded_minor: int
    sold_minor: int
    ratio: float | None
    is_noticeable: bool


def operator_report(session: Session, now: datetime, *, days: int = REPORT_DAYS) -> list[OperatorLine]:
    """Compare what each operator number gave back with what it sold; the noticeable ones first (F14)."""
    since = now - timedelta(days=days)
    refunds = _sums(
        session,
        select(Refund.merchant_id, Refund.operator_no, func.count(), func.sum(Refund.amount_minor))
        .where(Refund.created_at >= since, Refund.state.not_in(_WITHOUT_EFFECT))
        .group_by(Refund.merchant_id, Refund.operator_no),
    )
    sold = _sums(
        session,
        select(Sale.merchant_id, Sale.operator_no, func.count(), func.sum(Sale.paid_minor))
        .where(Sale.paid_at >= since, Sale.operator_no != "")
        .group_by(Sale.merchant_id, Sale.operator_no),
    )
    ratios = {key: refunds.get(key, (0, 0))[1] / total for key, (_, total) in sold.items() if total}
    lines = []
    for key in sorted(refunds.keys() | sold.keys()):
        count, refunded = refunds.get(key, (0, 0))
        lines.append(
            OperatorLine(
                merchant_id=key[0],
                operator_no=key[1],
                refunds=count,
                refunded_minor=refunded,
                sold_minor=sold.get(key, (0, 0))[1],
                ratio=ratios.get(key),
                is_noticeable=_is_noticeable(key, ratios),
            )
        )
    return sorted(lines, key=lambda line: (not line.is_noticeable, -(line.ratio or 0.0)))


def _sums(session: Session, statement: Select[str, str, int, int]) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (merchant, number): (int(count), int(total)) for merchant, number, count, total in session.execute(statement)
    }


def _is_noticeable(key: tuple[str, str], ratios: dict[tuple[str, str], float]) -> bool:
    """Return True if a ratio stands out among those of its merchant."""
    if key not in ratios:
        # Nothing is known of who sold where the cash register does not say: no ground for a suspicion.
        return any(merchant == key[0] for merchant, _ in ratios)
    of_merchant = [ratio for (merchant, _), ratio in ratios.items() if merchant == key[0]]
    if len(of_merchant) < 2:
        return False
    return ratios[key] > statistics.fmean(of_merchant) + _DEVIATIONS * statistics.pstdev(of_merchant)
