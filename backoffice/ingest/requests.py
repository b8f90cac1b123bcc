"""A new request: deduplicated, judged under the lock of its sale, queued for review (D5, D9)."""

import hashlib
from datetime import timedelta

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice import audit
from backoffice.ingest.context import Context
from backoffice.ledger import find_sale, lock_sale, refunds_of_sale, sums
from backoffice.refunds import alarm, announce, current_epoch, move
from backoffice.rules import EarlierRefund, Facts, SaleFacts, Verdict, judge
from backoffice.states import FINAL, State
from backoffice.store.schema import EventRow, Message, Operator, Person, Refund, Sale, Terminal
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.domain.refund import RefundRequest
from pos_agent.i18n.backoffice import text
from pos_agent.protocol.messages import AckStatus, AppAckMessage, MessageKind, RefundRequestMessage


def content_hash(content: msgspec.Struct) -> str:
    """Return the hash by which a repeat is told from a conflict; fields unknown to this version do not count."""
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


def make_ack(
    session: Session,
    context: Context,
    terminal_id: str,
    *,
    request_id: str,
    kind: str,
    rev: int,
    status: AckStatus,
    detail: str = "",
) -> AppAckMessage:
    """Build the answer that is published after the commit."""
    return AppAckMessage(
        terminal_id=terminal_id,
        refund_request_id=request_id,
        kind=kind,
        rev=rev,
        status=status,
        epoch=current_epoch(session),
        at=context.now(),
        detail=detail,
    )


def ingest(session: Session, context: Context, terminal: Terminal, message: RefundRequestMessage) -> AppAckMessage:
    """Store a request once and say so; a repeat is a duplicate, the same id with other content a conflict."""
    status, detail = _store(session, context, terminal, message)
    return make_ack(
        session,
        context,
        terminal.terminal_id,
        request_id=message.request.refund_request_id,
        kind=MessageKind.REFUND_REQUEST,
        rev=message.rev,
        status=status,
        detail=detail,
    )


def _store(
    session: Session, context: Context, terminal: Terminal, message: RefundRequestMessage
) -> tuple[AckStatus, str]:
    request = message.request
    digest = content_hash(request)
    known = session.scalars(
        select(Message).where(
            Message.refund_request_id == request.refund_request_id, Message.kind == MessageKind.REFUND_REQUEST.value
        )
    ).first()
    if known is not None:
        if known.content_hash == digest and known.terminal_id == terminal.terminal_id:
            return AckStatus.DUPLICATE, ""
        _alarm_conflict(session, context, terminal, request, digest)
        return AckStatus.CONFLICT, "another request has this id"
    problem = _problem(request, terminal)
    if problem:
        return AckStatus.MALFORMED, problem
    session.add(
        Message(
            refund_request_id=request.refund_request_id,
            kind=MessageKind.REFUND_REQUEST.value,
            rev=message.rev,
            terminal_id=terminal.terminal_id,
            content_hash=digest,
            body=msgspec.json.encode(message),
            received_at=context.now(),
        )
    )
    refund = _judge_and_queue(session, context, terminal, request)
    _apply_early_withdrawal(session, context, refund)
    return AckStatus.STORED, ""


def _problem(request: RefundRequest, terminal: Terminal) -> str:
    """Return what makes a well-typed request unusable, empty if nothing does."""
    if request.terminal_id != terminal.terminal_id:
        return "terminal_id of the request is another's"
    if not is_refund_request_id(request.refund_request_id):
        return "refund_request_id has wrong check digits"
    if not 0 < request.amount_minor <= MAX_AMOUNT_MINOR:
        return "amount out of range"
    if request.created_at.tzinfo is None:
        return "created_at without zone"
    return ""


def _alarm_conflict(
    session: Session, context: Context, terminal: Terminal, request: RefundRequest, digest: str
) -> None:
    event_id = f"conflict-{request.refund_request_id}-{digest[:12]}"
    if session.get(EventRow, event_id) is None:
        data = {"terminal_id": terminal.terminal_id, "refund_request_id": request.refund_request_id}
        alarm(session, event_id, "id_conflict", now=context.now, data=data)


def _judge_and_queue(session: Session, context: Context, terminal: Terminal, request: RefundRequest) -> Refund:
    sale = _locked_sale(session, terminal, request)
    person_id, is_known = person_of_operator(session, terminal.merchant_id, request.operator_no)
    verdict = judge(
        request,
        _facts(session, context, terminal, request, sale=sale, person_id=person_id, is_operator_known=is_known),
        review=context.config.review,
        profile=context.profile(sale.acquirer_id) if sale else None,
    )
    refund = _new_refund(context, terminal, request, sale=sale, person_id=person_id, verdict=verdict)
    session.add(refund)
    session.flush()
    audit.append(
        session,
        refund.refund_request_id,
        actor=f"till:{terminal.terminal_id}",
        before="",
        after=refund.state,
        detail=verdict.code or ",".join(verdict.flags),
        now=context.now,
    )
    announce(session, refund, context.now())
    return refund


def _locked_sale(session: Session, terminal: Terminal, request: RefundRequest) -> Sale | None:
    """Return the sale, locked: by its id when that is the merchant's own, else by the reference."""
    if request.sale_id:
        sale = lock_sale(session, request.sale_id)
        if sale is not None and sale.merchant_id == terminal.merchant_id:
            return sale
    reference = request.original_reference
    found = find_sale(session, terminal.merchant_id, reference.kind, reference.value)
    return lock_sale(session, found.sale_id) if found else None


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


def _facts(
    session: Session,
    context: Context,
    terminal: Terminal,
    request: RefundRequest,
    *,
    sale: Sale | None,
    person_id: str,
    is_operator_known: bool,
) -> Facts:
    hour_before = request.created_at - timedelta(hours=1)
    recent = session.scalar(
        select(func.count())
        .select_from(Refund)
        .where(
            Refund.maker_person_id == person_id,
            Refund.created_at > hour_before,
            Refund.created_at <= request.created_at,
        )
    )
    return Facts(
        now=context.now(),
        merchant_id=terminal.merchant_id,
        is_terminal_denied=terminal.is_denied,
        is_terminal_suspect=terminal.is_suspect,
        is_operator_known=is_operator_known,
        requests_last_hour=recent or 0,
        sale=sale_facts(session, sale) if sale else None,
        earlier=earlier_refunds(session, sale.sale_id) if sale else (),
    )


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


def earlier_refunds(session: Session, sale_id: str) -> tuple[EarlierRefund, ...]:
    """Return the requests on a sale as the rules see them."""
    return tuple(
        EarlierRefund(
            refund_request_id=other.refund_request_id,
            state=State(other.state),
            amount_minor=other.amount_minor,
            finished_at=other.finished_at,
        )
        for other in refunds_of_sale(session, sale_id)
    )


def _new_refund(
    context: Context,
    terminal: Terminal,
    request: RefundRequest,
    *,
    sale: Sale | None,
    person_id: str,
    verdict: Verdict,
) -> Refund:
    now = context.now()
    reason = text(f"reason.{verdict.code}", context.locale, **verdict.parameters) if verdict.code else None
    return Refund(
        refund_request_id=request.refund_request_id,
        terminal_id=terminal.terminal_id,
        merchant_id=terminal.merchant_id,
        sale_id=sale.sale_id if sale else None,
        state=verdict.state.value,
        version=1,
        seq=1,
        amount_minor=request.amount_minor,
        currency=request.currency,
        operator_no=request.operator_no,
        maker_person_id=person_id,
        terminal_seq=request.seq,
        body=msgspec.to_builtins(request),
        flags=list(verdict.flags),
        created_at=request.created_at,
        received_at=now,
        updated_at=now,
        finished_at=now if verdict.state in FINAL else None,
        reason_text=reason,
        attempt=0,
        polls=0,
    )


def _apply_early_withdrawal(session: Session, context: Context, refund: Refund) -> None:
    """Apply a withdrawal that overtook its request."""
    early = session.scalars(
        select(Message).where(
            Message.refund_request_id == refund.refund_request_id,
            Message.kind == MessageKind.REFUND_WITHDRAW.value,
            Message.is_applied.is_(False),
        )
    ).first()
    if early is None:
        return
    early.is_applied = True
    if early.terminal_id == refund.terminal_id and State(refund.state) not in FINAL:
        move(
            session,
            refund,
            State.CANCELED,
            actor=f"till:{refund.terminal_id}",
            now=context.now,
            detail="withdrawal arrived first",
            reason=text("reason.withdrawn", context.locale),
        )
