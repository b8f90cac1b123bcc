"""The machine alone: illegal triggers change nothing, and random use never commits twice."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.codes import Code, CodeKind
from pos_agent.domain.events import PinChecked
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.domain.screen import cell_width
from pos_agent.errors import IllegalTriggerError
from pos_agent.workflow import effects as fx
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Context, Input
from pos_agent.workflow.states import State, Trigger
from pos_agent.workflow.views import NARROW, WIDE, render
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.machine_rig import RULES, facts, found, machine, order_code


def at_confirm() -> RefundMachine:
    under_test = machine()
    under_test.fire(Trigger.SCAN, Input(facts=facts(), code=order_code()))
    under_test.fire(Trigger.LOOKUP_DONE, Input(facts=facts(), answer=found()))
    under_test.fire(Trigger.ENTER, Input(facts=facts()))
    under_test.fire(Trigger.DIGIT, Input(facts=facts(), key="1"))
    assert under_test.state is State.CONFIRM
    return under_test


def test_fire_guards_that_all_refuse_raises_and_changes_nothing() -> None:
    under_test = machine(State.MENU)
    before = msgspec.json.encode(under_test.context)
    with pytest.raises(IllegalTriggerError) as raised:
        under_test.fire(Trigger.SCAN, Input(facts=facts()))
    assert (raised.value.state, raised.value.trigger) == ("MENU", "scan")
    assert under_test.state is State.MENU
    assert msgspec.json.encode(under_test.context) == before


def test_fire_ignored_trigger_has_no_effect_at_all() -> None:
    under_test = machine(State.SAVING)
    for trigger in (Trigger.ENTER, Trigger.CANCEL, Trigger.SCAN, Trigger.TIMEOUT, Trigger.FN, Trigger.DIGIT):
        assert under_test.fire(trigger, Input(facts=facts(), key="1")) == []
    assert under_test.state is State.SAVING


def test_fire_confirm_gives_one_commit_and_saving_takes_no_second() -> None:
    under_test = at_confirm()
    effects = under_test.fire(Trigger.ENTER, Input(facts=facts()))
    assert [type(effect) for effect in effects if isinstance(effect, fx.Commit)] == [fx.Commit]
    assert under_test.fire(Trigger.ENTER, Input(facts=facts())) == []


def test_fire_entering_a_step_saves_a_draft_without_pin_or_typed_text() -> None:
    under_test = at_confirm()
    under_test.context.typed, under_test.context.pin = "134567890123456789", "837465"
    effects = under_test.fire(Trigger.CLEAR, Input(facts=facts()))
    effects += under_test.fire(Trigger.CLEAR, Input(facts=facts()))
    assert under_test.context.entry is not None
    draft = msgspec.json.encode(under_test.context.entry)
    assert b"134567890123456789" not in draft
    assert b"837465" not in draft


def test_fire_timeout_in_a_step_drops_the_draft_and_goes_to_menu() -> None:
    under_test = at_confirm()
    effects = under_test.fire(Trigger.TIMEOUT, Input(facts=facts()))
    assert under_test.state is State.MENU
    assert fx.DropDraft("abandoned") in effects
    assert under_test.context.entry is None


@pytest.mark.parametrize("overlay", ["1", "2", "5", "6", "9"])
def test_fire_function_menu_returns_to_the_same_place_with_data_kept(overlay: str) -> None:
    for state in (State.SALE, State.AMOUNT, State.REASON, State.NOTE, State.CONFIRM, State.SCAN):
        under_test = machine(state)
        under_test.context.entry = at_confirm().context.entry
        under_test.context.typed = "12"
        before = msgspec.json.encode((under_test.context.entry, under_test.context.typed))
        under_test.fire(Trigger.FN, Input(facts=facts()))
        under_test.fire(Trigger.DIGIT, Input(facts=facts(), key=overlay))
        under_test.fire(Trigger.CLEAR, Input(facts=facts()))
        assert under_test.state is state
        assert under_test.context.stack == ()
        assert msgspec.json.encode((under_test.context.entry, under_test.context.typed)) == before


def test_fire_clear_steps_back_along_the_same_line() -> None:
    under_test = at_confirm()
    states = []
    for _ in range(4):
        under_test.fire(Trigger.CLEAR, Input(facts=facts()))
        states.append(under_test.state)
    assert states == [State.REASON, State.SALE, State.SCAN, State.MENU]


def test_context_and_input_reprs_hold_nothing_that_was_typed() -> None:
    context = Context(typed="134567890123456789", pin="837465")
    data = Input(facts=facts(), key="7", code=order_code())
    shown = repr(context) + repr(data) + repr(fx.CheckPin("01", "837465")) + repr(fx.ClassifyTyped("134567890"))
    assert not any(secret in shown for secret in ("134567890", "837465", WECHAT_ORDER, "'7'"))


# -- random use ---------------------------------------------------------------------------------------------------

_CODES = [
    order_code(),
    Code(CodeKind.OWN_SLIP, 22, "9812345678901234567815"),
    Code(CodeKind.PAY_CODE, 18, scheme="wechat"),
    Code(CodeKind.COLLECT_CODE, 30),
    Code(CodeKind.AMBIGUOUS, 17),
    Code(CodeKind.GOODS, 13, "6901234567892"),
    Code(CodeKind.BAD_CHECK_DIGIT, 13),
    Code(CodeKind.UNRECOGNISED, 1),
]
_ANSWERS = [
    found(),
    LookUpResult(lookup_id="1", outcome=LookUpOutcome.NOT_FOUND),
    LookUpResult(lookup_id="1", outcome=LookUpOutcome.NO_ANSWER),
    LookUpResult(lookup_id="1", outcome=LookUpOutcome.REFUSED, code="past_window", parameters={"days": "365"}),
    LookUpResult(
        lookup_id="1", outcome=LookUpOutcome.FOUND, sale=make_sale(paid_minor=90_000, refundable_minor=90_000)
    ),
]
_PINS = [
    PinChecked(1, "01", True, "cashier", "p1"),
    PinChecked(1, "02", True, "supervisor", "p2"),
    PinChecked(1, "01", False, tries_left=3),
    PinChecked(1, "03", False, locked_s=900),
]
_HASH = OriginalReference(ReferenceKind.ORDER_NO_HASH, "ab" * 32)
#: Weighted towards what cashiers do, so that runs get far.
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [*Trigger, *[Trigger.DIGIT] * 8, *[Trigger.ENTER] * 8, *[Trigger.SCAN] * 3, *[Trigger.LOOKUP_DONE] * 4]
        ),
        st.sampled_from("1123456789012"),
        st.sampled_from([*_CODES, *[_CODES[0]] * 4, None]),
        st.sampled_from([*_ANSWERS, *[_ANSWERS[0]] * 3]),
        st.sampled_from(_PINS),
    ),
    max_size=50,
)


def _data(step: tuple[Any, ...]) -> Input:
    trigger, digit, code, answer, pin = step
    data = Input(facts=facts(), key="." if trigger is Trigger.DOT else digit)
    if trigger in (Trigger.SCAN, Trigger.CODE):
        data.code, data.hashed = code, _HASH if code is not None and code.kind is CodeKind.AMBIGUOUS else None
    if trigger is Trigger.LOOKUP_DONE:
        data.answer = answer
    if trigger is Trigger.PIN_CHECKED:
        data.pin = pin
    data.request_id, data.failure = "9812345678901234567815", "E-DISK"
    return data


@settings(max_examples=40, deadline=None)
@given(_STEPS, st.sampled_from([State.MENU, State.LOGIN, State.SCAN]))
def test_random_use_raises_only_illegal_trigger_commits_once_a_confirmation_and_always_fits(
    steps: list[tuple[Any, ...]], initial: State
) -> None:
    under_test = machine(initial)
    for step in steps:
        before = under_test.state
        try:
            effects = under_test.fire(step[0], _data(step))
        except IllegalTriggerError:
            assert under_test.state is before
            continue
        commits = [effect for effect in effects if isinstance(effect, fx.Commit)]
        assert bool(commits) == (before is not State.SAVING and under_test.state is State.SAVING)
        assert len(commits) <= 1
        for commit in commits:
            _check_entry(commit)
        if under_test.state is State.MENU:
            assert under_test.context.stack == ()
        size = NARROW if len(effects) % 2 else WIDE
        screen = render(under_test.state, under_test.context, facts(), RULES, size=size)
        assert {cell_width(line) for line in screen.lines} == {size[0]}


def _check_entry(commit: fx.Commit) -> None:
    entry = commit.entry
    assert entry.refundable_minor is not None
    assert 0 < entry.amount_minor <= entry.refundable_minor
    assert entry.reason_code
    assert entry.supervisor_no != "01"
    if entry.amount_minor > RULES.policy.operator_limit_minor:
        assert entry.supervisor_no == "02"
