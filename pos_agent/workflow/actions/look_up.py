"""What rows do with codes, look-ups and their answers. Pure; called by the machine alone."""

from pos_agent.domain.codes import CodeKind
from pos_agent.domain.identifiers import tail
from pos_agent.domain.money import parse_yuan
from pos_agent.domain.refund import Entry, OriginalReference, ReferenceKind
from pos_agent.domain.sale import LookUpOutcome
from pos_agent.workflow import effects as fx
from pos_agent.workflow.actions.fields import forget
from pos_agent.workflow.guards import sale_denial
from pos_agent.workflow.model import Context, Input, RefundEntry, Rules


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
    context.refusal, context.refusal_parameters = answer.code, dict(answer.parameters)
    if answer.sale is not None and answer.outcome is not LookUpOutcome.REFUSED:
        denial = sale_denial(context, answer.sale, i, r)
        if denial is not None:
            context.refusal, context.refusal_parameters = denial.code, dict(denial.parameters)
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
