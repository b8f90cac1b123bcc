"""sale.lookup: a picture of a sale for the cashier; the decision is made again later, under the lock."""

from sqlalchemy.orm import Session

from backoffice.ingest.context import Context
from backoffice.ingest.facts import sale_facts
from backoffice.ledger import find_sale, refunds_of_sale, sums
from backoffice.rules import Refusal, refuse_sale
from backoffice.states import FINAL, SETTLED, State, wire_state
from backoffice.store.schema import Refund, Sale, Terminal
from pos_agent.domain.refund import Channel
from pos_agent.domain.sale import LookUpOutcome, LookUpResult, SaleLine
from pos_agent.domain.sale import Sale as SalePicture
from pos_agent.protocol.messages import SaleAnswerMessage, SaleLookUpMessage

#: Codes that tills have no sentence of their own for.
_TILL_CODES = {"no_online_refund": "other"}


def answer(session: Session, context: Context, terminal: Terminal, message: SaleLookUpMessage) -> SaleAnswerMessage:
    """Answer one question, bound to its lookup id."""
    reference = message.reference
    sale = find_sale(session, terminal.merchant_id, reference.kind, reference.value)
    if sale is None:
        result = LookUpResult(lookup_id=message.lookup_id, outcome=LookUpOutcome.NOT_FOUND)
    else:
        result = _describe(session, context, sale, message.lookup_id)
    return SaleAnswerMessage(terminal_id=terminal.terminal_id, result=result, at=context.now())


def _describe(session: Session, context: Context, sale: Sale, lookup_id: str) -> LookUpResult:
    facts = sale_facts(session, sale)
    refusal = refuse_sale(facts, context.profile(sale.acquirer_id), context.now())
    if refusal is None and sale.is_frozen:
        refusal = Refusal("frozen")
    if refusal is None and facts.sums.left_minor <= 0:
        refusal = Refusal("nothing_left")
    picture = draw(session, context, sale)
    if refusal is not None:
        return LookUpResult(
            lookup_id=lookup_id,
            outcome=LookUpOutcome.REFUSED,
            sale=picture,
            code=_TILL_CODES.get(refusal.code, refusal.code),
            parameters=refusal.parameters,
        )
    return LookUpResult(lookup_id=lookup_id, outcome=LookUpOutcome.FOUND, sale=picture)


def draw(session: Session, context: Context, sale: Sale) -> SalePicture:
    """Return the sale as a till shows it."""
    totals = sums(session, sale)
    profile = context.profile(sale.acquirer_id)
    earlier = _earlier(session, sale)
    return SalePicture(
        sale_id=sale.sale_id,
        order_no=sale.order_no,
        channel=Channel(sale.channel),
        acquirer_id=sale.acquirer_id,
        acquirer_name=profile.name if profile else sale.acquirer_id,
        paid_at=sale.paid_at,
        paid_minor=totals.paid_minor,
        refunded_minor=totals.refunded_minor,
        reserved_minor=totals.reserved_minor,
        refundable_minor=totals.left_minor,
        currency=sale.currency,
        channel_trade_no=sale.channel_trade_no,
        account_mask=sale.account_mask,
        store=sale.store,
        is_coupon_offered=sale.is_coupon_offered,
        is_training=sale.is_training,
        earlier_amount_minor=earlier.amount_minor if earlier else None,
        earlier_state=wire_state(State(earlier.state)) if earlier else None,
        lines=tuple(SaleLine(**line) for line in sale.lines),
    )


def _earlier(session: Session, sale: Sale) -> Refund | None:
    """Return the newest request on this sale that is under way or was settled: what a cashier must see (F17)."""
    for refund in refunds_of_sale(session, sale.sale_id):
        if State(refund.state) not in FINAL or State(refund.state) in SETTLED:
            return refund
    return None
