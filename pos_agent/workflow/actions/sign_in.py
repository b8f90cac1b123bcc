"""What rows do when somebody signs in, out, or takes a draft up again. Pure; called by the machine alone."""

from pos_agent.workflow import effects as fx
from pos_agent.workflow.actions.fields import clear_field, forget
from pos_agent.workflow.model import Context, Input, Rules


def take_badge(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """A badge says who; the PIN is still asked, for a badge can be copied."""
    clear_field(context, i, r)
    context.auth_no = i.key
    return []


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
    return [fx.SignedIn(), *stale]


def sign_out(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Forget the operator; a draft stays for the same operator."""
    clear_field(context, i, r)
    forget(context, i, r)
    context.operator_no = context.operator_role = context.operator_person = ""
    context.offered, context.stack = None, ()
    return [*_set_training(context, is_on=False), fx.SignedOut("locked")]


def toggle_training(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Begin or end the training mode."""
    forget(context, i, r)
    return _set_training(context, is_on=not context.is_training)


def _set_training(context: Context, *, is_on: bool) -> list[fx.Effect]:
    was_on, context.is_training = context.is_training, is_on
    return [fx.SetTraining(is_on)] if was_on != is_on else []


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
