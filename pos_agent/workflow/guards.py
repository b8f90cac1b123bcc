"""Guards: questions about context and input that choose a row of the table. They change nothing. Pure."""

from collections.abc import Callable

from pos_agent.domain.approval import answer_problem
from pos_agent.domain.codes import CodeKind
from pos_agent.domain.money import AmountError, parse_yuan
from pos_agent.domain.policy import Answer, Question, Verdict, amount_denial, judge, window_denial
from pos_agent.domain.reasons import Demand, Reason
from pos_agent.domain.refund import FINAL_STATES, ReferenceKind, RefundState, RefundType
from pos_agent.domain.sale import LookUpOutcome, Sale
from pos_agent.workflow.model import Context, Input, Rules
from pos_agent.workflow.states import State

Guard = Callable[[Context, Input, Rules], bool]
_SALE_CODES = (CodeKind.KNOWN_ORDER, CodeKind.CHANNEL_TRADE_NO, CodeKind.ORDER_NO)
#: States in which a request can still be withdrawn.
WITHDRAWABLE = frozenset({RefundState.QUEUED, RefundState.SENT, RefundState.REVIEWING, RefundState.NEED_INFO})


def _named(name: str, guard: Guard) -> Guard:
    guard.__name__ = name
    return guard


def key_is(key: str) -> Guard:
    """Return a guard: the digit pressed is `key`."""
    return _named(f"key {key}", lambda _c, i, _r: i.key == key)


def code_is(*kinds: CodeKind) -> Guard:
    """Return a guard: what was scanned or typed is one of `kinds`."""
    return _named(f"code {kinds[0].value}", lambda _c, i, _r: i.code is not None and i.code.kind in kinds)


is_sale_code = _named("sale code", code_is(*_SALE_CODES))


def both(first: Guard, second: Guard) -> Guard:
    """Return a guard: both hold."""
    return _named(f"{first.__name__}, {second.__name__}", lambda c, i, r: first(c, i, r) and second(c, i, r))


def below(state: State) -> Guard:
    """Return a guard: the overlay lies over `state`."""
    return _named(f"over {state.value}", lambda c, _i, _r: bool(c.stack) and c.stack[-1] is state)


# -- fields -------------------------------------------------------------------------------------------------------


def has_typed(context: Context, _i: Input, _r: Rules) -> bool:
    """Something stands in the field."""
    return bool(context.typed)


def has_auth_no(context: Context, _i: Input, _r: Rules) -> bool:
    """The operator number is in; the PIN is next."""
    return bool(context.auth_no)


def has_pin(context: Context, _i: Input, _r: Rules) -> bool:
    """A PIN was typed and is not being checked."""
    return bool(context.auth_no) and bool(context.pin) and not context.is_checking


def is_not_checking(context: Context, _i: Input, _r: Rules) -> bool:
    """No PIN is being checked."""
    return not context.is_checking


def is_badge(_c: Context, i: Input, _r: Rules) -> bool:
    """What was scanned is an operator's badge; `key` is its number."""
    return bool(i.key)


# -- sign-in and supervisor ---------------------------------------------------------------------------------------


def is_pin_right(_c: Context, i: Input, _r: Rules) -> bool:
    """The PIN is right."""
    return i.pin is not None and i.pin.is_right


def is_draft_offered(_c: Context, i: Input, _r: Rules) -> bool:
    """The PIN is right and this operator has a young draft."""
    return i.pin is not None and i.pin.is_right and i.draft is not None


def is_supervisor_right(context: Context, i: Input, _r: Rules) -> bool:
    """The PIN is right, of a supervisor, and of another person (I3)."""
    pin = i.pin
    if pin is None or not pin.is_right or pin.role != "supervisor" or pin.operator_no == context.operator_no:
        return False
    return not pin.person_id or pin.person_id != context.operator_person


def is_self_typed(context: Context, _i: Input, _r: Rules) -> bool:
    """The number typed as supervisor is the operator's own."""
    return context.typed == context.operator_no


def is_answer(_c: Context, i: Input, _r: Rules) -> bool:
    """What was scanned is, or was meant to be, the answer to an approval question."""
    return i.approval is not None or bool(i.failure)


def approval_problem(context: Context, i: Input) -> str:
    """Return why a scanned answer does not approve the refund under way, empty if it does."""
    if i.approval is None:
        return i.failure
    if context.question is None:
        return "nothing"
    return answer_problem(context.question, i.approval, operator_person=context.operator_person)


def is_approved(context: Context, i: Input, _r: Rules) -> bool:
    """The back office's answer is for this refund, this till, this start and this dialogue."""
    return i.approval is not None and not approval_problem(context, i)


def has_operators(_c: Context, i: Input, _r: Rules) -> bool:
    """Somebody can sign in."""
    return i.facts.has_operators


def lacks_storage(_c: Context, i: Input, _r: Rules) -> bool:
    """The disk would not keep a request."""
    return bool(i.facts.storage_code)


def lacks_operators(_c: Context, i: Input, _r: Rules) -> bool:
    """Nobody can sign in."""
    return not i.facts.has_operators


def resumes_at(state: State) -> Guard:
    """Return a guard: the offered draft goes on at `state`."""
    return _named(f"stopped at {state.value}", lambda c, _i, _r: c.offered_state is state)


# -- look-up ------------------------------------------------------------------------------------------------------


def sale_denial(context: Context, sale: Sale, i: Input, r: Rules) -> Verdict | None:
    """Return why this sale cannot be refunded here, or None."""
    if sale.is_training != context.is_training:
        return Verdict(Answer.DENY, "training" if sale.is_training else "not_training")
    if sale.refundable_minor <= 0:
        return Verdict(Answer.DENY, "nothing_left")
    now = i.facts.now if i.facts.is_clock_trusted else None
    return window_denial(paid_at=sale.paid_at, now=now, policy=r.policy)


def is_refundable(context: Context, i: Input, r: Rules) -> bool:
    """The back office allows a refund of the sale, and so do the terminal's own rules (left, window)."""
    answer = i.answer
    if answer is None or answer.sale is None or answer.outcome is not LookUpOutcome.FOUND:
        return False
    return sale_denial(context, answer.sale, i, r) is None


def is_refused(_c: Context, i: Input, _r: Rules) -> bool:
    """The sale exists but may not be refunded (a found one that got here is refused by the terminal's own rules)."""
    return i.answer is not None and i.answer.outcome in (LookUpOutcome.REFUSED, LookUpOutcome.FOUND)


def is_not_found(_c: Context, i: Input, _r: Rules) -> bool:
    """The back office knows no such sale."""
    return i.answer is not None and i.answer.outcome is LookUpOutcome.NOT_FOUND


def may_note_down(context: Context, i: Input, _r: Rules) -> bool:
    """Key 2, and the number itself is known: a hash alone cannot be verified by a person later."""
    entry = context.entry
    return i.key == "2" and entry is not None and entry.reference.kind is not ReferenceKind.ORDER_NO_HASH


# -- sale and amount ----------------------------------------------------------------------------------------------


def has_items(context: Context, _i: Input, _r: Rules) -> bool:
    """The sale has lines of goods to show."""
    return context.entry is not None and context.entry.sale is not None and bool(context.entry.sale.lines)


def typed_amount(context: Context) -> int | None:
    """Return what is typed as minor units; None if it is no amount."""
    try:
        return parse_yuan(context.typed)
    except AmountError:
        return None


def is_paid_valid(context: Context, _i: Input, _r: Rules) -> bool:
    """A paid amount was typed."""
    return typed_amount(context) is not None


def is_amount_valid(context: Context, _i: Input, _r: Rules) -> bool:
    """An amount was typed and is left to refund."""
    amount_minor = typed_amount(context)
    entry = context.entry
    if amount_minor is None or entry is None:
        return False
    return amount_denial(amount_minor, entry.refundable_minor) is None


def is_unverified(context: Context, _i: Input, _r: Rules) -> bool:
    """The refund goes without a look-up."""
    return context.entry is not None and context.entry.is_unverified


def was_amount_typed(context: Context, _i: Input, _r: Rules) -> bool:
    """The amount was typed, not taken whole."""
    return context.entry is not None and context.entry.is_amount_typed


# -- reason -------------------------------------------------------------------------------------------------------


def chosen_reason(context: Context, i: Input, r: Rules) -> Reason | None:
    """Return the reason that this digit chooses: on the first page, or as second digit of a code."""
    if context.typed:
        return r.reason(f"R{context.typed}{i.key}")
    return r.reason_by_key(i.key)


def _fits_amount(context: Context, reason: Reason) -> bool:
    entry = context.entry
    return reason.demand is not Demand.PARTIAL_ONLY or (entry is not None and entry.refund_type is RefundType.PARTIAL)


def is_reason_plain(context: Context, i: Input, r: Rules) -> bool:
    """A reason that asks for nothing more."""
    reason = chosen_reason(context, i, r)
    return reason is not None and reason.demand is not Demand.PHRASE and _fits_amount(context, reason)


def is_reason_with_phrase(context: Context, i: Input, r: Rules) -> bool:
    """A reason that demands a phrase."""
    reason = chosen_reason(context, i, r)
    return reason is not None and reason.demand is Demand.PHRASE


def is_reason_partial_only(context: Context, i: Input, r: Rules) -> bool:
    """A reason that only fits a partial refund, on a full one."""
    reason = chosen_reason(context, i, r)
    return reason is not None and not _fits_amount(context, reason)


def is_phrase(_c: Context, i: Input, r: Rules) -> bool:
    """A phrase has this number."""
    return r.phrase(i.key) is not None


# -- confirm ------------------------------------------------------------------------------------------------------


def needs_retype(context: Context, _i: Input, r: Rules) -> bool:
    """The amount is so large that it is typed again."""
    return context.entry is not None and context.entry.amount_minor >= r.policy.retype_from_minor


def is_retype_missing(context: Context, i: Input, r: Rules) -> bool:
    """The amount must be typed again and is not, or differs."""
    entry = context.entry
    return needs_retype(context, i, r) and entry is not None and typed_amount(context) != entry.amount_minor


def verdict(context: Context, i: Input, r: Rules) -> Verdict:
    """Return what the policy says about the entry."""
    entry = context.entry
    if entry is None:
        return Verdict(Answer.DENY, "bad_amount")
    reason = r.reason(entry.reason_code)
    sale = entry.sale
    question = Question(
        amount_minor=entry.amount_minor,
        refundable_minor=None if sale is None else sale.refundable_minor,
        paid_at=None if sale is None else sale.paid_at,
        now=i.facts.now if i.facts.is_clock_trusted else None,
        needs_supervisor=reason is not None and reason.demand is Demand.SUPERVISOR,
        recent_requests=i.facts.recent_requests,
    )
    return judge(question, r.policy)


def is_denied(context: Context, i: Input, r: Rules) -> bool:
    """The policy refuses."""
    return verdict(context, i, r).answer is Answer.DENY


def needs_supervisor(context: Context, i: Input, r: Rules) -> bool:
    """A supervisor must allow it."""
    return verdict(context, i, r).answer is Answer.OVERRIDABLE


# -- after the request --------------------------------------------------------------------------------------------


def has_notice(context: Context, i: Input, _r: Rules) -> bool:
    """Some request has news; real news wait for the end of the training."""
    return bool(i.facts.notices) and not context.is_training


def is_training(context: Context, _i: Input, _r: Rules) -> bool:
    """The training mode is on."""
    return context.is_training


def is_printer_swapped(_c: Context, i: Input, _r: Rules) -> bool:
    """Another printer hangs on the cable than a person put there."""
    return i.facts.is_printer_swapped


def is_over_menu(context: Context, _i: Input, _r: Rules) -> bool:
    """Nothing but MENU lies below the overlay: no refund is under way."""
    return context.stack == (State.MENU,)


def has_record(_c: Context, i: Input, _r: Rules) -> bool:
    """A request is shown."""
    return i.facts.record is not None


def has_tail(context: Context, _i: Input, _r: Rules) -> bool:
    """At least the six digits that find a request."""
    return len(context.typed) >= 6


def can_withdraw(context: Context, i: Input, _r: Rules) -> bool:
    """The shown request is not decided yet, nobody withdrew it, and no refund is under way below."""
    record = i.facts.record
    if record is None or record.withdraw_requested or record.state in FINAL_STATES:
        return False
    return record.state in WITHDRAWABLE and context.stack in ((), (State.MENU,))


def is_question_open(context: Context, i: Input, _r: Rules) -> bool:
    """The back office asks something about the shown request."""
    record = i.facts.record
    return record is not None and record.state is RefundState.NEED_INFO and context.stack == ()
