"""Every order of events that two tills, a network, two reviewers and an acquirer can make of one sale."""

import msgspec
import pytest

from backoffice.rules import judge
from backoffice.states import FINAL, State
from pos_agent.domain.refund import FINAL_STATES, MoneyMoved, RefundUpdate, money_truth
from tests.model import world as model
from tests.model.restores import RestoringRules
from tests.model.search import Found, search
from tests.model.state import IDS, NOW, PAID_MINOR, Said, World, has_moved
from tests.model.world import Rules

#: In make test, of searches that have no end; those that have one are searched whole.
FIRST = 10_000
#: Within which planted faults are found.
PART = 25_000


def wrong_in(rules: Rules, after: World) -> str:
    """Return which promise does not hold in a world; empty if all do."""
    moved_minor = sum(amount for one, amount in enumerate(rules.amounts) if has_moved(after, one))
    if moved_minor > PAID_MINOR:
        return f"I2 moved {moved_minor} of {PAID_MINOR}"
    sums = rules.sums(after)
    # A request that comes back from a till after a restore is held with its sum: it was asked for, and may be paid.
    counted_minor = sums.refunded_minor + (sums.reserved_minor if after.epoch == 1 else 0)
    if counted_minor > PAID_MINOR:
        return f"I2 {sums}"
    for request in range(len(IDS)):
        found = _number_twice(after, request) or _untrue_statement(after, request) or _untrue_till(after, request)
        if found:
            return f"{found} request={request}"
    return ""


def wrong_between(before: World, after: World) -> str:
    """Return what a step changes that was final; empty if nothing."""
    for request in range(len(IDS)):
        if found := _final_changed(before, after, request):
            return f"{found} request={request}"
    return ""


def _number_twice(after: World, request: int) -> str:
    numbers = {number for number, _ in after.ledger if IDS[request] in number}
    return f"I1 numbers {sorted(numbers)}" if len(numbers) > 1 else ""


def _final_changed(before: World, after: World, request: int) -> str:
    row, new = before.rows[request], after.rows[request]
    is_restored = before.epoch != after.epoch
    is_noted = row is not None and new is not None and new == row._replace(is_end_known=True)
    if row is not None and row.state in FINAL and new != row and not is_restored and not is_noted:
        return f"I5 {row} became {new}"
    known, later = before.known[request], after.known[request]
    if known is not None and known.state in FINAL_STATES and later != known:
        return f"I5 the till knew {known}, then {later}"
    return ""


def _untrue_statement(after: World, request: int) -> str:
    """The back office's word is true when it is given."""
    for said in after.said[request]:
        if said.money_moved is MoneyMoved.YES and not said.was_moved:
            return f"I9 says yes: {said}"
        if said.money_moved is MoneyMoved.NO and said.was_moved:
            return f"I9 says no: {said}"
    return ""


def _untrue_till(after: World, request: int) -> str:
    """What the till claims without a time is true for ever, link or no link."""
    known = after.known[request]
    for is_present in (True, False):
        truth = money_truth(
            update=None if known is None else _update(known, request),
            was_send_attempted=after.is_sent[request],
            is_back_office_present=is_present,
        )
        if truth.moved is MoneyMoved.YES and not has_moved(after, request):
            return f"I9 till says yes: {known}"
        if truth.moved is MoneyMoved.NO and truth.as_of is None and has_moved(after, request):
            return f"I9 till says no: {known}"
    return ""


def _update(known: Said, request: int) -> RefundUpdate:
    return RefundUpdate(
        refund_request_id=IDS[request],
        state=known.state,
        epoch=known.epoch,
        seq=known.seq,
        money_moved=known.money_moved,
        at=NOW,
    )


def explore(rules: Rules, *, most_states: int = PART) -> Found:
    return search(rules, lambda world: wrong_in(rules, world), wrong_between, most_states=most_states)


@pytest.mark.slow
@pytest.mark.parametrize("amounts", [(60, 50), (60, 40), (100, 100)], ids=["too much", "fits", "all twice"])
def test_model_first_states_keep_every_promise(amounts: tuple[int, int]) -> None:
    found = explore(Rules(amounts), most_states=FIRST)
    assert found.wrong == "", "\n".join(found.story)
    assert found.states > FIRST


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("amounts", [(60, 50), (60, 40)], ids=["too much", "fits"])
def test_model_many_states_keep_every_promise(amounts: tuple[int, int]) -> None:
    found = explore(Rules(amounts, has_retriable=False), most_states=3_000_000)
    print(f"states={found.states} steps={found.steps} ends={found.ends} complete={found.is_complete}")
    assert found.wrong == "", "\n".join(found.story)
    assert found.ends > 0


#: One till, one sale, one request; a crash, a lost call, a lost answer and an empty balance once at most, each. The
#: network still delivers what was ever signed any number of times, in any order, or never.
SMALL = Rules((60,), reviewers=2, is_each_fault_once=True)


@pytest.mark.slow
def test_model_of_one_request_is_searched_to_its_end() -> None:
    found = explore(SMALL, most_states=10_000_000)
    print(f"states={found.states} steps={found.steps} ends={found.ends} complete={found.is_complete}")
    assert found.wrong == "", "\n".join(found.story)
    assert found.is_complete
    assert found.ends > 10


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "rules",
    [
        Rules((60, 50), reviewers=1, can_withdraw=False, is_each_fault_once=True),
        Rules((60, 50), reviewers=2, can_withdraw=False, has_retriable=False, is_each_fault_once=True),
    ],
    ids=["one reviewer", "two reviewers, no empty balance"],
)
def test_model_of_two_requests_for_one_sale_is_searched_to_its_end(rules: Rules) -> None:
    found = explore(rules, most_states=10_000_000)
    print(f"states={found.states} steps={found.steps} ends={found.ends} complete={found.is_complete}")
    assert found.wrong == "", "\n".join(found.story)
    assert found.is_complete
    assert found.ends > 100


#: As `SMALL`, and the back office goes back to an older copy once: the copy is of any moment, and so is its return.
RESTORED = RestoringRules((60,), reviewers=1, has_retriable=False, is_each_fault_once=True)


@pytest.mark.slow
def test_model_of_a_restore_first_states_keep_every_promise() -> None:
    found = explore(RESTORED, most_states=FIRST)
    print(f"states={found.states} steps={found.steps} ends={found.ends} complete={found.is_complete}")
    assert found.wrong == "", "\n".join(found.story)
    assert found.states > FIRST


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_model_of_a_restore_is_searched_to_its_end() -> None:
    found = explore(RESTORED, most_states=10_000_000)
    print(f"states={found.states} steps={found.steps} ends={found.ends} complete={found.is_complete}")
    assert found.wrong == "", "\n".join(found.story)
    assert found.is_complete
    assert found.ends > 10


def test_model_restore_that_lets_go_on_before_all_is_asked_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RestoringRules, "_is_all_known", lambda *_: True)
    found = explore(RESTORED)
    assert found.wrong.startswith("I9")
    assert "the copy is put back" in found.story


def test_model_without_the_remainder_check_finds_the_overdraft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "judge", _believing(judge))
    monkeypatch.setattr(model, "refuse_amount", lambda *_: None)
    found = explore(Rules((60, 50)))
    assert found.wrong.startswith("I2")
    assert found.story


def test_model_till_that_ignores_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "takes", lambda known, said: known != said)
    found = explore(Rules((60, 50)))
    assert found.wrong.startswith(("I5", "I9"))


def test_model_no_answer_taken_for_a_refusal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = model.moved_to

    def moved_to(world: World, request: int, state: State, **named: object) -> World:
        wanted = State.FAILED if state is State.UNKNOWN else state
        return real(world, request, wanted, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(model, "moved_to", moved_to)
    assert explore(Rules((60, 50))).wrong.startswith("I9")


def _believing(judge: object) -> object:
    """Return a `judge` that never looks at the remainder."""

    def believe(request: object, facts: object, **named: object) -> object:
        free = msgspec.structs.replace(facts.sale, sums=model.Sums(10**6, 0, 0, 10**6))  # type: ignore[attr-defined]
        return judge(request, msgspec.structs.replace(facts, sale=free), **named)  # type: ignore[operator, type-var]

    return believe
