"""What a row of the table does: changes the context and returns effects. Pure; called by the machine alone."""

from collections.abc import Callable, Sequence

from pos_agent.domain.codes import CodeKind, pay_code_scheme
from pos_agent.domain.identifiers import tail
from pos_agent.domain.money import parse_yuan
from pos_agent.domain.policy import amount_denial
from pos_agent.domain.refund import Entry, OriginalReference, ReferenceKind, RefundType
from pos_agent.workflow import effects as fx
from pos_agent.workflow.guards import chosen_reason, sale_denial, typed_amount, verdict
from pos_agent.workflow.model import Context, Input, RefundEntry, Rules
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


def in_order(*actions: Action) -> Action:
    """Return an action: one after the other."""

    def action(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
        return [effect for each in actions for effect in each(context, i, r)]

    action.__name__ = ", ".join(each.__name__ for each in actions)
    return action


# -- fields -------------------------------------------------------------------------------------------------------


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


# -- sign-in ------------------------------------------------------------------------------------------------------


def wrong_pin(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Say that the PIN is wrong, or how long the number is locked."""
    context.pin, context.is_checking = "", False
    pin = i.pin
    if pin is not None and pin.locked_s > 0:
        context.message = "pin.locked"
        context.message_parameters = {"minutes": str(-(-pin.locked_s // 60))}
    else:
        context.message = "pin.wrong"
        context.message_parameters = {"left": str(pin.tries_left if pin is not None else 0)}
    return [fx.Beep()]


def refuse_supervisor(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Say why this PIN does not authorise."""
    pin = i.pin
    if pin is None or not pin.is_right:
        return wrong_pin(context, i, r)
    context.pin, context.is_checking, context.auth_no = "", False, ""
    is_self = pin.operator_no == context.operator_no or pin.person_id == context.operator_person
    context.message = "policy.self_approval" if is_self else "pin.not_supervisor"
    context.message_parameters = {}
    return [fx.Beep()]


def sign_in(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Remember who is there; discard a draft that cannot be offered."""
    assert i.pin is not None
    clear_field(context, i, r)
    context.operator_no, context.operator_role = i.pin.operator_no, i.pin.role
    context.operator_person = i.pin.person_id
    context.offered, context.offered_state = i.draft, i.draft_state
    stale: list[fx.Effect] = [fx.DropDraft("stale")] if i.has_stale_draft else []
    return [fx.SignedIn(), *stale, fx.OpenRequest()]


def sign_out(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Forget the operator; a draft stays for the same operator."""
    clear_field(context, i, r)
    forget(context, i, r)
    context.operator_no = context.operator_role = context.operator_person = ""
    context.offered, context.stack = None, ()
    return [fx.SignedOut("locked")]


def resume(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Take the offered draft up again."""
    context.entry, context.offered = context.offered, None
    if context.entry is not None:
        context.entry.supervisor_no = None
    return []


def drop_offered(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Discard the offered draft."""
    context.offered = None
    return [fx.DropDraft("refused")]


# -- codes and look-up --------------------------------------------------------------------------------------------


def forget(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Forget the refund under way."""
    context.entry, context.code, context.pending, context.typed = None, None, None, ""
    context.refusal, context.refusal_parameters, context.page, context.shown_id = "", {}, 0, ""
    return []


def abandon(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Give the refund up."""
    forget(context, i, r)
    context.stack = ()
    return [fx.CancelLookUp(), fx.DropDraft("abandoned")]


def note_code(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Keep what kind of code it was (never its digits) for the screen, and beep."""
    context.code, context.typed, context.entry, context.pending = i.code, "", None, None
    return [fx.Beep()]


def misread(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """The scanner read noise again and again."""
    context.code, context.typed = None, ""
    return [fx.Beep()]


def ask_ambiguous(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Keep the length and the keyed hash of a number that may be a payment code (D14)."""
    context.code, context.pending, context.typed, context.entry = i.code, i.hashed, "", None
    context.is_typed_code = i.key == "typed"
    return [fx.Beep()]


def look_up(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Ask for the sale of a number."""
    assert i.code is not None
    kind = (
        ReferenceKind.CHANNEL_TRADE_NO if i.code.kind is CodeKind.CHANNEL_TRADE_NO else ReferenceKind.MERCHANT_ORDER_NO
    )
    reference = OriginalReference(kind, i.code.value)
    is_typed = i.key == "typed"
    return _start_look_up(context, i.hashed or reference, tail(i.code.value) if i.code.value else "", is_typed)


def look_up_hash(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """The cashier says that it is an order number: ask by its keyed hash."""
    assert context.pending is not None
    return _start_look_up(context, context.pending, "", context.is_typed_code)


def look_up_again(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Ask once more."""
    assert context.entry is not None
    context.is_lookup_shown = False
    return [fx.LookUp(context.entry.reference)]


def _start_look_up(context: Context, reference: OriginalReference, ending: str, is_typed: bool) -> list[fx.Effect]:
    entry = Entry.KEYED if is_typed else Entry.SCANNED
    context.entry = RefundEntry(reference=reference, entry=entry, tail=ending)
    context.code, context.pending, context.typed, context.is_lookup_shown = None, None, "", False
    context.shown_id = ""
    return [fx.LookUp(reference)]


def classify_typed(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """A number was typed: it goes the same way as a scanned one."""
    text, context.typed = context.typed, ""
    return [fx.ClassifyTyped(text)]


def show_look_up(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Show that the look-up takes longer."""
    context.is_lookup_shown = True
    return []


def take_sale(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Keep the sale that was found."""
    entry = context.entry
    if entry is None or i.answer is None or i.answer.sale is None:
        return []
    entry.sale, entry.paid_minor = i.answer.sale, i.answer.sale.paid_minor
    entry.tail = entry.tail or tail(i.answer.sale.order_no)
    return []


def take_refusal(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Keep why the sale may not be refunded, by the back office or by the terminal."""
    answer = i.answer
    if answer is None:
        return []
    if answer.sale is not None:
        denial = sale_denial(answer.sale, i, r)
        context.refusal = denial.code if denial is not None else answer.code
        context.refusal_parameters = dict(denial.parameters) if denial is not None else dict(answer.parameters)
    else:
        context.refusal, context.refusal_parameters = answer.code, dict(answer.parameters)
    return [fx.Beep()]


def start_unverified(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Note the refund down without a look-up."""
    if context.entry is not None:
        context.entry.is_unverified = True
    context.typed = ""
    return []


def take_paid(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Keep the paid amount that the cashier read from the customer's bill."""
    if context.entry is not None:
        context.entry.paid_minor = parse_yuan(context.typed)
    context.typed = ""
    return []


# -- amount, reason, confirm --------------------------------------------------------------------------------------


def _set_amount(entry: RefundEntry, amount_minor: int, *, is_typed: bool) -> None:
    entry.amount_minor, entry.is_amount_typed = amount_minor, is_typed
    is_full = entry.paid_minor == amount_minor
    entry.refund_type = RefundType.FULL if is_full else RefundType.PARTIAL


def take_all(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Refund all that is left."""
    if context.entry is not None and context.entry.refundable_minor is not None:
        _set_amount(context.entry, context.entry.refundable_minor, is_typed=False)
    context.page = 0
    return []


def take_amount(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Refund what was typed."""
    if context.entry is not None:
        _set_amount(context.entry, parse_yuan(context.typed), is_typed=True)
    context.typed, context.page = "", 0
    return []


def take_reason(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Keep the reason."""
    reason = chosen_reason(context, i, r)
    if reason is not None and context.entry is not None:
        context.entry.reason_code, context.entry.note = reason.code, None
    context.typed, context.page = "", 0
    return []


def refuse_reason_code(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """No reason has these two digits."""
    context.typed = ""
    return list(say("reason.unknown")(context, i, r))


def refuse_partial_only(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """The reason does not fit a full refund."""
    context.typed = ""
    return list(say("reason.partial_only")(context, i, r))


def take_phrase(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Keep the numbered phrase as the note."""
    phrase = r.phrase(i.key)
    if phrase is not None and context.entry is not None:
        context.entry.note = phrase.zh if context.locale == "zh-CN" else phrase.en
    context.page = 0
    return []


def refuse_confirm(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Say why the policy refuses."""
    answer = verdict(context, i, r)
    context.message, context.message_parameters = f"policy.{answer.code}", dict(answer.parameters)
    return [fx.Beep()]


def ask_supervisor(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Ask for a supervisor's PIN and say why."""
    clear_field(context, i, r)
    answer = verdict(context, i, r)
    context.refusal, context.refusal_parameters = answer.code, dict(answer.parameters)
    return []


def commit(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Make the request durable; with a PIN_CHECKED input its supervisor is kept."""
    entry = context.entry
    assert entry is not None
    flags = set(verdict(context, i, r).flags)
    if entry.entry is Entry.KEYED:
        flags.add("keyed")
    entry.flags = tuple(sorted(flags))
    if i.pin is not None:
        entry.supervisor_no = i.pin.operator_no
    clear_field(context, i, r)
    return [fx.Commit(entry)]


def show_result(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """The request is durable."""
    forget(context, i, r)
    context.shown_id = i.request_id
    return [fx.OpenRequest(refund_request_id=i.request_id)]


def show_failure(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Nothing was kept."""
    context.refusal, context.refusal_parameters = i.failure, {}
    if context.entry is not None:
        context.entry.supervisor_no = None
    return [fx.Beep()]


# -- requests after CONFIRM ---------------------------------------------------------------------------------------


def open_scanned(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Show the request of an own slip."""
    assert i.code is not None
    context.shown_id, context.typed, context.browse = i.code.value, "", 0
    return [fx.OpenRequest(refund_request_id=i.code.value), fx.Refresh(i.code.value)]


def open_notice(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Show the oldest request with news."""
    context.shown_id, context.browse = i.facts.notices[0], 0
    return [fx.OpenRequest(refund_request_id=context.shown_id), fx.Refresh(context.shown_id)]


def open_newest(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Show the newest request."""
    context.browse, context.typed = 0, ""
    return [fx.OpenRequest(index=0)]


def open_older(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Show the next older request; the controller wraps."""
    context.browse += 1
    return [fx.OpenRequest(index=context.browse)]


def find_tail(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Show the request whose id ends with what was typed."""
    digits, context.typed, context.browse = context.typed, "", 0
    return [fx.FindRequest(digits)]


def withdraw(_c: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Queue 撤回 for the shown request."""
    return [fx.Withdraw(i.facts.record.request.refund_request_id)] if i.facts.record is not None else []


def answer_phrase(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Answer with a numbered phrase."""
    phrase, record = r.phrase(i.key), i.facts.record
    context.page = 0
    if phrase is None or record is None:
        return []
    return [fx.AnswerQuestion(record.request.refund_request_id, phrase.zh)]


def answer_digits(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Answer with the digits that were typed."""
    text, context.typed = context.typed, ""
    return [fx.AnswerQuestion(i.facts.record.request.refund_request_id, text)] if i.facts.record is not None else []


def is_typed_pay_code(context: Context, _i: Input, _r: Rules) -> bool:
    """The digits typed as an answer look like a payment code: they must not be kept (I7)."""
    return bool(pay_code_scheme(context.typed))


def refuse_pay_code(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Forget typed digits that look like a payment code."""
    context.typed = ""
    return list(say("answer.pay_code")(context, i, r))


def copy_shown(_c: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Print a marked copy of the shown request's slip."""
    return [fx.PrintCopy(i.facts.record.request.refund_request_id)] if i.facts.record is not None else [fx.Beep()]


def copy_newest(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Print a marked copy of the newest request's slip."""
    if i.facts.newest is None:
        return list(say("copy.none")(context, i, r))
    context.message, context.message_parameters = "copy.queued", {}
    return [fx.PrintCopy(i.facts.newest.request.refund_request_id)]


def print_policy(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Print the refund policy."""
    context.message, context.message_parameters = "copy.queued", {}
    return [fx.PrintPolicy()]


def load_queue(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Read what waits to be sent."""
    context.page = 0
    return [fx.LoadQueue()]


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
