"""The one place where a refund changes: edge check, version, audit line and message to the till, together (I5, I6)."""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.clock import Now
from backoffice.ledger import find_sale, sums
from backoffice.states import FINAL, State, check_edge, money_moved, wire_state
from backoffice.store.schema import EventRow, ManualCase, Meta, OutboxRow, Refund, Sale
from pos_agent.domain.refund import Hold, MoneyMoved, RefundRequest, RefundUpdate
from pos_agent.protocol.codec import encode
from pos_agent.protocol.messages import RefundStateMessage

_EPOCH = "epoch"
_RESTORING = "restoring"
_META: Final = select(Meta.value).where(Meta.key == bindparam("key"))


def current_epoch(session: Session) -> int:
    """Return the restore counter (trust.md 8), 1 in a new database."""
    value = session.connection().execute(_META, {"key": _EPOCH}).scalar()
    return int(value) if value else 1


def set_epoch(session: Session, epoch: int, *, is_restoring: bool) -> None:
    """Set the restore counter, and whether the database is still behind the world (`backoffice.restoring`)."""
    for key, value in ((_EPOCH, str(epoch)), (_RESTORING, "1" if is_restoring else "")):
        row = session.get(Meta, key)
        if row is None:
            session.add(Meta(key=key, value=value))
        else:
            row.value = value
    session.flush()


def is_restoring(session: Session) -> bool:
    """Return True while an older copy of the database catches up: nothing is executed or decided (trust.md 8)."""
    return bool(session.connection().execute(_META, {"key": _RESTORING}).scalar())


def stated_money(state: State, hold: Hold | None, closed_as: str | None, *, is_restoring: bool) -> MoneyMoved:
    """Say whether money has moved; while restoring, an open request may have been paid by what was lost (I9)."""
    moved = money_moved(state, hold, MoneyMoved(closed_as) if closed_as else None)
    return MoneyMoved.UNKNOWN if moved is MoneyMoved.NO and state not in FINAL and is_restoring else moved


def lock_refund(session: Session, request_id: str) -> Refund | None:
    """Lock and return a refund, the sale first so that all lock in one order."""
    sale_id = session.scalars(select(Refund.sale_id).where(Refund.refund_request_id == request_id)).one_or_none()
    if sale_id is not None:
        session.scalars(select(Sale).where(Sale.sale_id == sale_id).with_for_update()).one_or_none()
    return session.scalars(
        select(Refund)
        .where(Refund.refund_request_id == request_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def request_of(refund: Refund) -> RefundRequest:
    """Return the request as the till sent it."""
    return msgspec.convert(refund.body, RefundRequest)


def move(
    session: Session,
    refund: Refund,
    after: State,
    *,
    actor: str,
    now: Now,
    detail: str = "",
    reason: str | None = None,
    hold: Hold | None = None,
    question: str | None = None,
    arrival: str | None = None,
) -> None:
    """Move a refund along an edge, and tell its till, in the caller's transaction.

    Raises:
        IllegalEdgeError: The table has no such edge; nothing was changed.
    """
    before = State(refund.state)
    check_edge(before, after)
    at = now()
    refund.state, refund.hold = after.value, hold.value if hold else None
    refund.reason_text, refund.question = reason, question
    refund.arrival = arrival or refund.arrival
    if after in FINAL:
        refund.finished_at, refund.next_at = at, None
    refund.unknown_since = (refund.unknown_since or at) if after is State.UNKNOWN else None
    touch(session, refund, actor=actor, before=before.value, detail=detail, now=now)


def touch(session: Session, refund: Refund, *, actor: str, before: str, detail: str, now: Now) -> None:
    """Count a change, write its audit line and queue the new state for the till."""
    refund.version += 1
    refund.seq += 1
    refund.updated_at = now()
    audit.append(
        session,
        refund.refund_request_id,
        actor=actor,
        before=before,
        after=refund.state,
        detail=detail,
        now=now,
    )
    announce(session, refund, now())


def update_of(session: Session, refund: Refund, at: datetime) -> RefundUpdate:
    """Return what a till may be told about a refund, true at `at`."""
    state = State(refund.state)
    hold = Hold(refund.hold) if refund.hold else None
    sale = session.get(Sale, refund.sale_id) if refund.sale_id else None
    totals = sums(session, sale) if sale else None
    return RefundUpdate(
        refund_request_id=refund.refund_request_id,
        state=wire_state(state),
        epoch=current_epoch(session),
        seq=refund.seq,
        money_moved=stated_money(state, hold, refund.closed_as, is_restoring=is_restoring(session)),
        at=at,
        reason=refund.reason_text,
        hold=hold,
        question=refund.question,
        arrival=refund.arrival if state in (State.SUCCEEDED, State.COUPON_ISSUED) else None,
        refunded_total_minor=totals.refunded_minor if totals else None,
        refundable_minor=totals.left_minor if totals else None,
    )


def announce(session: Session, refund: Refund, at: datetime) -> None:
    """Put the newest state into the outbox; it replaces an older one, which a till would ignore anyway."""
    session.flush()
    update = update_of(session, refund, at)
    # Locked before it is looked at: an ack of the older state may be about to delete it.
    row = session.get(OutboxRow, refund.refund_request_id, with_for_update=True)
    if row is None:
        row = OutboxRow(refund_request_id=refund.refund_request_id, terminal_id=refund.terminal_id, created_at=at)
        session.add(row)
    row.payload = encode(RefundStateMessage(terminal_id=refund.terminal_id, update=update))
    row.epoch, row.seq, row.attempts, row.next_at = update.epoch, update.seq, 0, at


def bind_sale(session: Session, refund: Refund) -> Sale | None:
    """Return the refund's sale; one that was asked for before its sale was imported is bound now."""
    if refund.sale_id is None:
        reference = request_of(refund).original_reference
        found = find_sale(session, refund.merchant_id, reference.kind, reference.value)
        if found is None:
            return None
        refund.sale_id = found.sale_id
        refund.flags = [flag for flag in refund.flags if flag != "no_sale"]
        session.flush()
    return session.scalars(select(Sale).where(Sale.sale_id == refund.sale_id).with_for_update()).one_or_none()


def open_case(session: Session, refund: Refund, *, kind: str, detail: str, now: Now, is_freezing: bool = False) -> None:
    """Open a MANUAL case once per request and kind, alarm, and freeze the sale's remainder where asked (D10)."""
    is_open = session.scalars(
        select(ManualCase.case_id).where(
            ManualCase.refund_request_id == refund.refund_request_id,
            ManualCase.kind == kind,
            ManualCase.closed_at.is_(None),
        )
    ).first()
    if is_open is not None:
        return
    case = ManualCase(
        refund_request_id=refund.refund_request_id, sale_id=refund.sale_id, kind=kind, detail=detail, opened_at=now()
    )
    file_case(session, case, now=now, refund=refund, is_freezing=is_freezing)


def file_case(
    session: Session, case: ManualCase, *, now: Now, refund: Refund | None = None, is_freezing: bool = False
) -> None:
    """Add a case, alarm, and freeze its sale's remainder where asked."""
    session.add(case)
    if is_freezing and case.sale_id:
        sale = session.get(Sale, case.sale_id)
        if sale is not None:
            sale.is_frozen = True
    session.flush()
    data = {"detail": case.detail}
    alarm(session, f"case-{case.case_id}", f"case_{case.kind}", refund=refund, data=data, now=now)


def alarm(
    session: Session, event_id: str, name: str, *, now: Now, refund: Refund | None = None, data: dict[str, str]
) -> None:
    """Record an alarm of our own."""
    session.add(
        EventRow(
            event_id=event_id,
            terminal_id=refund.terminal_id if refund else data.get("terminal_id", ""),
            refund_request_id=refund.refund_request_id if refund else "",
            name=name,
            is_alarm=True,
            data=data,
            at=now(),
        )
    )
    session.flush()
