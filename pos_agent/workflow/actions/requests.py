"""What rows do with requests after CONFIRM. Pure; called by the machine alone."""

from pos_agent.domain.codes import pay_code_scheme
from pos_agent.workflow import effects as fx
from pos_agent.workflow.actions.fields import say
from pos_agent.workflow.model import Context, Input, Rules


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
    context.browse = 0
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


def close_shift(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Close the shift and print its slip (I6); only for somebody who is signed in."""
    if not context.operator_no:
        return [fx.Beep()]
    context.message, context.message_parameters = "shift.queued", {}
    return [fx.CloseShift()]


def toggle_printing(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Stop printing, or go on: the paper is changed, the printer carried elsewhere."""
    is_paused = not i.facts.is_printing_paused
    context.message, context.message_parameters = ("printing.paused" if is_paused else "printing.resumed"), {}
    return [fx.PausePrinting(is_paused)]


def accept_printer(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Take the printer that was put in the other's place for the till's own."""
    context.message, context.message_parameters = "printer.accepted", {}
    return [fx.AcceptPrinter()]


def save_incident(_c: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Keep what happened lately for a technician."""
    return [fx.SaveIncident()]


def load_queue(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Read what waits to be sent."""
    context.page = 0
    return [fx.LoadQueue()]
