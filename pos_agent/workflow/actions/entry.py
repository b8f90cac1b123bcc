"""What rows do with amount, reason and CONFIRM. Pure; called by the machine alone."""

from pos_agent.domain.money import parse_yuan
from pos_agent.domain.refund import Entry, RefundType, RemoteApproval
from pos_agent.workflow import effects as fx
from pos_agent.workflow.actions.fields import clear_field, forget, say
from pos_agent.workflow.guards import chosen_reason, verdict
from pos_agent.workflow.model import Context, Input, RefundEntry, Rules


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
    """Ask for a supervisor's PIN and say why; what was asked of somebody elsewhere before was another CONFIRM."""
    clear_field(context, i, r)
    context.question = None
    answer = verdict(context, i, r)
    context.refusal, context.refusal_parameters = answer.code, dict(answer.parameters)
    return []


def commit(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Make the request durable, with who allowed it: a supervisor's PIN, or the answer to the question.

    The question is spent here, whoever allowed it: the request takes its id (D5, ADR 0024).
    """
    entry = context.entry
    assert entry is not None
    flags = set(verdict(context, i, r).flags)
    if entry.entry is Entry.KEYED:
        flags.add("keyed")
    entry.flags = tuple(sorted(flags))
    if i.pin is not None:
        entry.supervisor_no = i.pin.operator_no
    clear_field(context, i, r)
    question, context.question = context.question, None
    approval = None if i.approval is None else RemoteApproval(i.approval.person_id, i.approval.nonce)
    return [fx.Commit(entry, "" if question is None else question.refund_request_id, approval)]


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
