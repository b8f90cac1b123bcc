"""What rows do with an approval by QR code (ADR 0024). Pure; called by the machine alone."""

from pos_agent.domain.approval import ApprovalQuestion
from pos_agent.workflow import effects as fx
from pos_agent.workflow.actions.fields import clear_field
from pos_agent.workflow.guards import approval_problem
from pos_agent.workflow.model import Context, Input, Rules


def ask_approval(context: Context, i: Input, r: Rules) -> list[fx.Effect]:
    """Make the question and print it; one that stands is only shown again."""
    clear_field(context, i, r)
    if context.question is not None:
        return []
    entry, fresh, sale = context.entry, i.fresh, context.entry.sale if context.entry else None
    assert entry is not None
    assert fresh is not None
    context.question = ApprovalQuestion(
        terminal_id=r.terminal_id,
        boot_id=fresh.boot_id,
        refund_request_id=fresh.refund_request_id,
        nonce=fresh.nonce,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        operator_no=context.operator_no,
        reason_code=entry.reason_code,
        reference=entry.reference,
        sale_id=sale.sale_id if sale is not None else "",
    )
    return [fx.PrintQuestion(context.question)]


def print_question(context: Context, _i: Input, _r: Rules) -> list[fx.Effect]:
    """Print the same question once more: the slip was torn or the paper was out."""
    assert context.question is not None
    return [fx.PrintQuestion(context.question)]


def refuse_answer(context: Context, i: Input, _r: Rules) -> list[fx.Effect]:
    """Say why the scanned answer does not count."""
    problem = approval_problem(context, i)
    context.message, context.message_parameters = f"approval.{problem}", {}
    return [fx.Beep()]
