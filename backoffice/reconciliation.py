"""The acquirer's bill against our record (trust.md 10). What differs opens a MANUAL case, once; nothing is changed."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backoffice.cases import CONTRADICTIONS
from backoffice.clock import Now
from backoffice.refunds import file_case
from backoffice.states import State
from backoffice.store.schema import Attempt, ManualCase, Refund, Sale
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.errors import RemoteProtocolError
from pos_agent.protocol.limits import refuse_unusable


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money back to a customer, as the acquirer bills it.

    Attributes:
        refund_no: The number that we gave; empty or another's for what was refunded elsewhere.
        sale_ref: The acquirer's or the merchant's number of the sale.
    """

    refund_no: str
    amount_minor: int
    sale_ref: str = ""
    currency: str = "CNY"
    at: datetime | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which bill and record differ.

    Attributes:
        kind: moved_not_succeeded, succeeded_not_moved, unknown_movement or amount_differs.
        is_new: A case was opened now; else it was known from an earlier run or from the acquirer's late answer.
    """

    kind: str
    refund_no: str
    refund_request_id: str
    detail: str
    case_id: int
    is_new: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison found."""

    lines: int
    agreed: int
    differences: list[Difference]


class Period(msgspec.Struct, frozen=True):
    """What a bill covers: from the first instant up to, not including, the last."""

    start: datetime
    end: datetime


def read_bill(path: Path) -> list[BillLine]:
    """Read a bill: JSON (a list, or an object with ``movements``) or CSV with the fields' names as header.

    Raises:
        ValueError: A line cannot be read; says which.
    """
    data = path.read_bytes()
    try:
        if path.suffix.lower() == ".csv":
            return parse_lines(list(csv.DictReader(data.decode("utf-8-sig").splitlines())), str(path))
        return parse_lines(msgspec.json.decode(data), str(path))
    except (csv.Error, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def parse_lines(found: object, origin: str) -> list[BillLine]:
    """Return the lines of a decoded bill.

    Raises:
        ValueError: Not a bill; says which line.
    """
    rows = found.get("movements") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ValueError(f"{origin}: a bill is a list of movements")
    lines = []
    for number, row in enumerate(rows, start=1):
        given = {key: value for key, value in row.items() if value not in ("", None)} if isinstance(row, dict) else row
        if isinstance(given, dict):
            given.setdefault("refund_no", "")
        try:
            line = msgspec.convert(given, BillLine, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"{origin}: line {number}: {error}") from error
        if line.at is not None and line.at.tzinfo is None:
            raise ValueError(f"{origin}: line {number}: 'at' needs a zone")
        try:
            refuse_unusable(line)
        except RemoteProtocolError as error:
            raise ValueError(f"{origin}: line {number}: {error}") from error
        lines.append(line)
    return lines


def whole_days(lines: Sequence[BillLine], zone: ZoneInfo) -> Period | None:
    """Return the days of the shop that a bill's lines lie in; None if no line has a time."""
    times = [line.at.astimezone(zone) for line in lines if line.at is not None]
    if not times:
        return None
    first, last = (moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in (min(times), max(times)))
    return Period(first, last + timedelta(days=1))


def reconcile(
    session: Session, now: Now, lines: Sequence[BillLine], *, acquirer_id: str, prefix: str, period: Period | None
) -> Result:
    """Compare a bill with the record; a second run with the same bill opens nothing.

    Args:
        session: Writing.
        now: Clock.
        lines: The bill.
        acquirer_id: Whose bill it is.
        prefix: Of this acquirer's refund numbers.
        period: What the bill covers; without it, refunds that it lacks cannot be told.
    """
    differences = []
    billed = _by_number(lines)
    for number, group in billed.items():
        refund = _refund_of(session, number, prefix)
        if refund is None:
            differences += [_unknown(session, now, line) for line in group]
        else:
            differences += _compare(session, now, refund, number, group)
    # A movement without any number of ours is told by its sale and time.
    differences += [_unknown(session, now, line) for line in lines if not line.refund_no]
    if period is not None:
        differences += _missing(session, now, set(billed), acquirer_id=acquirer_id, period=period)
    wrong = {difference.refund_no for difference in differences}
    return Result(lines=len(lines), agreed=len(set(billed) - wrong), differences=differences)


def _by_number(lines: Iterable[BillLine]) -> dict[str, list[BillLine]]:
    found: dict[str, list[BillLine]] = {}
    for line in lines:
        if line.refund_no:
            found.setdefault(line.refund_no, []).append(line)
    return found


def _refund_of(session: Session, number: str, prefix: str) -> Refund | None:
    """Return the refund of a number: as recorded, or by the id inside it, for a call that a restore has lost."""
    known = session.scalars(select(Refund).where(Refund.refund_no == number)).one_or_none()
    request_id = number.removeprefix(prefix)
    return known or (session.get(Refund, request_id) if is_refund_request_id(request_id) else None)


def _compare(session: Session, now: Now, refund: Refund, number: str, group: Sequence[BillLine]) -> list[Difference]:
    total = sum(line.amount_minor for line in group)
    found = []
    if State(refund.state) is not State.SUCCEEDED:
        detail = f"the bill has {total}, our state is {refund.state}"
        found.append(_differ(session, now, refund, "moved_not_succeeded", number, detail=detail, amount_minor=total))
    if total != refund.amount_minor or any(line.currency != refund.currency for line in group):
        detail = f"the bill has {total} in {len(group)} movements, we asked for {refund.amount_minor}"
        found.append(_differ(session, now, refund, "amount_differs", number, detail=detail, amount_minor=total))
    return found


def _missing(session: Session, now: Now, numbers: set[str], *, acquirer_id: str, period: Period) -> list[Difference]:
    """Return refunds that succeeded wholly inside the period and are not on the bill."""
    rows = session.scalars(
        select(Refund)
        .join(Sale, Sale.sale_id == Refund.sale_id)
        .join(Attempt, (Attempt.refund_request_id == Refund.refund_request_id) & (Attempt.number == 1))
        .where(
            Sale.acquirer_id == acquirer_id,
            Refund.state == State.SUCCEEDED.value,
            Refund.refund_no.is_not(None),
            Attempt.started_at >= period.start,
            Refund.finished_at < period.end,
        )
        .order_by(Refund.finished_at)
    ).all()
    return [
        _differ(
            session,
            now,
            refund,
            "succeeded_not_moved",
            refund.refund_no or "",
            detail=f"we have {refund.amount_minor} as paid, the bill does not",
            amount_minor=0,
        )
        for refund in rows
        if refund.refund_no not in numbers
    ]


def _differ(
    session: Session, now: Now, refund: Refund, kind: str, number: str, *, detail: str, amount_minor: int
) -> Difference:
    same = CONTRADICTIONS if kind in CONTRADICTIONS else {kind}
    known = session.scalars(
        select(ManualCase).where(ManualCase.refund_request_id == refund.refund_request_id, ManualCase.kind.in_(same))
    ).first()
    case = known or ManualCase(
        refund_request_id=refund.refund_request_id,
        sale_id=refund.sale_id,
        kind=kind,
        detail=detail,
        opened_at=now(),
        reference=number,
        amount_minor=amount_minor,
    )
    if known is None:
        file_case(session, case, now=now, refund=refund, is_freezing=True)
    return Difference(
        kind=kind,
        refund_no=number,
        refund_request_id=refund.refund_request_id,
        detail=detail,
        case_id=case.case_id,
        is_new=known is None,
    )


def _unknown(session: Session, now: Now, line: BillLine) -> Difference:
    """Open a case for a movement that is not ours: a refund in the wallet's own portal, a chargeback."""
    reference = line.refund_no or f"{line.sale_ref} {line.at.isoformat() if line.at else ''}"[:64]
    known = session.scalars(
        select(ManualCase).where(ManualCase.kind == "unknown_movement", ManualCase.reference == reference)
    ).first()
    sale_id = None
    if line.sale_ref:
        sale_id = session.scalars(
            select(Sale.sale_id).where(or_(Sale.channel_trade_no == line.sale_ref, Sale.order_no == line.sale_ref))
        ).first()
    detail = f"the bill has {line.amount_minor} on {line.sale_ref or 'no sale'}, not asked for by us"
    case = known or ManualCase(
        refund_request_id="",
        sale_id=sale_id,
        kind="unknown_movement",
        detail=detail,
        opened_at=now(),
        reference=reference,
        amount_minor=line.amount_minor,
    )
    if known is None:
        file_case(session, case, now=now, is_freezing=True)
    return Difference(
        kind="unknown_movement",
        refund_no=line.refund_no,
        refund_request_id="",
        detail=detail,
        case_id=case.case_id,
        is_new=known is None,
    )
