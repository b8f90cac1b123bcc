"""What rows do to fields, messages and overlays. Pure; called by the machine alone."""

from collections.abc import Callable, Sequence

from pos_agent.domain.policy import amount_denial
from pos_agent.workflow import effects as fx
from pos_agent.workflow.guards import typed_amount
from pos_agent.workflow.model import Context, Input, Rules
from pos_agent.workflow.states import State

Action = Callable[[Context, Input, Rules], Sequence[fx.Effect]]
MAX_NUMBER, MAX_AMOUNT, MAX_PIN, MAX_OPERATOR_NO = 32, 11, 12, 8


def beep(_c: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Sound the error beep."""
    return [fx.Beep()]


def say(key: str) -> Action:
    """Return an action: show a message and beep."""

    def action(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
        context.message, context.message_parameters = key, {}
        return [fx.Beep()]

    action.__name__ = f"say {key}"
    return action


def say_storage(context: Context, data: Input, _r: Rules) -> list[fx.Effect]:
    """Say why no refund can begin, and beep."""
    context.message, context.message_parameters = f"storage.{data.facts.storage_code}", {}
    return [fx.Beep()]


def in_order(*actions: Action) -> Action:
    """Return an action: one after the other."""

    def action(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
        return [effect for each in actions for effect in each(context, i, r)]

    action.__name__ = ", ".join(each.__name__ for each in actions)
    return action


def clear_field(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Empty every field."""
    context.typed, context.pin, context.auth_no, context.page, context.is_checking = "", "", "", 0, False
    return []


def type_number(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Append a digit to the number."""
    if len(context.typed) >= MAX_NUMBER:
        return [fx.Beep()]
    context.typed += i.key
    return []


def type_amount(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Append to the amount and say at once what is wrong with it (case 22)."""
    if len(context.typed) >= MAX_AMOUNT:
        return [fx.Beep()]
    context.typed += i.key
    decimals = context.typed.partition(".")[2]
    if len(decimals) > 2 or context.typed.count(".") > 1:
        context.message, context.message_parameters = "policy.bad_amount", {}
        return [fx.Beep()]
    amount_minor = typed_amount(context)
    entry = context.entry
    if amount_minor is None or entry is None:
        return []
    return _say_denial(context, amount_minor, entry.refundable_minor)


def type_paid(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Append to the paid amount of an unverified sale, or to the amount that is typed again."""
    if len(context.typed) >= MAX_AMOUNT:
        return [fx.Beep()]
    context.typed += i.key
    if len(context.typed.partition(".")[2]) > 2 or context.typed.count(".") > 1:
        context.message, context.message_parameters = "policy.bad_amount", {}
        return [fx.Beep()]
    return []


def refuse_amount(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Say why the amount cannot be taken."""
    amount_minor, entry = typed_amount(context), context.entry
    if amount_minor is None or entry is None:
        context.message, context.message_parameters = "policy.bad_amount", {}
        return [fx.Beep()]
    return _say_denial(context, amount_minor, entry.refundable_minor)


def _say_denial(context: Context, amount_minor: int, refundable_minor: int | None) -> list[fx.Effect]:
    denial = amount_denial(amount_minor, refundable_minor)
    if denial is None:
        return []
    context.message, context.message_parameters = f"policy.{denial.code}", dict(denial.parameters)
    return [fx.Beep()]


def delete_character(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Delete the last character of the field."""
    context.typed = context.typed[:-1]
    return []


def type_credential(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Append to the operator number, or, once that is in, to the PIN."""
    if context.auth_no:
        context.pin = (context.pin + i.key)[:MAX_PIN]
    else:
        context.typed = (context.typed + i.key)[:MAX_OPERATOR_NO]
    return []


def delete_credential(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Delete the last character of the PIN; with no PIN go back to the number."""
    if context.pin:
        context.pin = context.pin[:-1]
    else:
        context.typed, context.auth_no = context.auth_no, ""
    return []


def take_number(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """The operator number is in; ask for the PIN."""
    context.auth_no, context.typed = context.typed, ""
    return []


def check_pin(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Send the PIN to the PIN worker and forget it."""
    pin, context.pin, context.is_checking = context.pin, "", True
    return [fx.CheckPin(context.auth_no, pin)]


def next_page(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Turn the page; the view wraps."""
    context.page += 1
    return []


def toggle_locale(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Switch between Chinese and English."""
    context.locale = "en" if context.locale == "zh-CN" else "zh-CN"
    return []


def forget(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Forget the refund under way."""
    context.entry, context.code, context.pending, context.typed = None, None, None, ""
    context.refusal, context.refusal_parameters, context.page, context.shown_id = "", {}, 0, ""
    context.question = None
    return []


def push(state: State) -> Action:
    """Return an action: remember `state` below an overlay."""

    def action(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
        context.stack = (*context.stack, state)
        context.page = 0
        return []

    action.__name__ = f"over {state.value}"
    return action


def pop(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Close an overlay."""
    context.stack, context.page = context.stack[:-1], 0
    return []
