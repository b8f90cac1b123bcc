"""The customer's display, 20×2: what is going on, never a number that is not theirs to see. Pure."""

from pos_agent.domain.money import format_amount
from pos_agent.domain.refund import RefundState
from pos_agent.domain.screen import Screen, clip, make_screen
from pos_agent.i18n import text
from pos_agent.workflow.model import Context, Facts
from pos_agent.workflow.states import State

_BY_STATE = {
    State.PAY_CODE: "customer.bill",
    State.COLLECT_CODE: "customer.bill",
    State.BAD_CODE: "customer.bill",
    State.SALE: "customer.sale",
    State.AMOUNT: "customer.sale",
    State.REASON: "customer.sale",
    State.CONFIRM: "customer.confirm",
    State.SUPERVISOR: "customer.confirm",
    State.APPROVAL: "customer.confirm",
    State.RESULT: "customer.saved",
}


def render_customer(state: State, context: Context, facts: Facts, *, size: tuple[int, int]) -> Screen:
    """Draw the customer's display; more lines than two stay blank."""
    key = _BY_STATE.get(state, "customer.idle")
    if state is State.RESULT and facts.record is not None:
        key = _result_key(facts)
    if context.is_training:
        key = "customer.training"
    words = text(key, context.locale, amount=_amount(context, facts, state))
    lines = [clip(line, size[0]) for line in words.split("\n")][: size[1]]
    return make_screen(lines, columns=size[0], rows=size[1], view=key)


def render_customer_stopped(locale: str, *, size: tuple[int, int]) -> Screen:
    """Draw the customer's display of a till whose agent has ended."""
    lines = [clip(line, size[0]) for line in text("customer.stopped", locale).split("\n")][: size[1]]
    return make_screen(lines, columns=size[0], rows=size[1], view="customer.stopped")


def _result_key(facts: Facts) -> str:
    record = facts.record
    if record is None:
        return "customer.idle"
    if record.state is RefundState.SUCCEEDED:
        return "customer.succeeded"
    return "customer.stored" if record.is_stored or record.update is not None else "customer.saved"


def _amount(context: Context, facts: Facts, state: State) -> str:
    sign = "￥" if context.locale == "zh-CN" else "CNY"
    if state is State.RESULT and facts.record is not None:
        return sign + format_amount(facts.record.request.amount_minor)
    entry = context.entry
    if entry is None:
        return ""
    return sign + format_amount(entry.amount_minor or entry.refundable_minor or 0)
