"""MANUAL cases are closed by two persons who neither made nor approved the refund (I3, I4, I5)."""

import pytest

from backoffice import cases
from backoffice.execution import answers, steps
from backoffice.execution.contract import Answer, Outcome
from backoffice.review import Actor, DecisionError
from pos_agent.domain.refund import MoneyMoved
from tests.unit.backoffice.world import World

QIAN, SUN = Actor("qian", "qian", "finance"), Actor("sun", "sun", "manager")


async def _abnormal(world: World) -> tuple[str, int]:
    for login in ("qian", "sun"):
        world.add_person(login, "finance")
    world.adapter.queries = [Answer(Outcome.ABNORMAL, "USER_ACCOUNT_ABNORMAL")]
    request_id = world.approved()
    await world.run_until(request_id, "abnormal")
    return request_id, world.cases()[0].case_id


def _propose(
    world: World, case_id: int, who: Actor, moved: MoneyMoved = MoneyMoved.YES, reason: str = "slip 7"
) -> None:
    with world.database.writing() as session:
        cases.propose(session, world.context, who, case_id, moved=moved, reason=reason)


def _confirm(world: World, case_id: int, who: Actor, proposal: str = "yes") -> None:
    with world.database.writing() as session:
        cases.confirm(session, world.context, who, case_id, proposal=proposal)


async def test_case_closed_by_two_persons_as_moved_is_succeeded(world: World) -> None:
    request_id, case_id = await _abnormal(world)
    _propose(world, case_id, QIAN)
    assert world.refund(request_id).state == "abnormal"
    _confirm(world, case_id, SUN)
    assert world.refund(request_id).state == "succeeded"
    assert world.cases()[0].closed_by == "sun"


async def test_case_closed_as_not_moved_frees_the_remainder(world: World) -> None:
    request_id, case_id = await _abnormal(world)
    _propose(world, case_id, QIAN, MoneyMoved.NO)
    _confirm(world, case_id, SUN, "no")
    refund = world.refund(request_id)
    assert (refund.state, refund.closed_as) == ("closed", "no")
    again = world.request()
    world.submit(again)
    assert world.refund(again.refund_request_id).state == "reviewing"


async def test_i3_maker_approver_and_proposer_cannot_close(world: World) -> None:
    _, case_id = await _abnormal(world)
    for involved in (Actor("zhang", "zhang", "manager"), Actor("li", "li", "finance")):
        with pytest.raises(DecisionError, match="self_approval"):
            _propose(world, case_id, involved)
    _propose(world, case_id, QIAN)
    with pytest.raises(DecisionError, match="same_approver"):
        _confirm(world, case_id, QIAN)


async def test_case_proposal_needs_evidence_and_rank(world: World) -> None:
    _, case_id = await _abnormal(world)
    with pytest.raises(DecisionError, match="reason_required"):
        _propose(world, case_id, QIAN, reason=" ")
    with pytest.raises(DecisionError, match="role"):
        _propose(world, case_id, Actor("an", "an", "approver"))


async def test_case_confirmed_as_something_else_than_proposed_is_refused(world: World) -> None:
    _, case_id = await _abnormal(world)
    _propose(world, case_id, QIAN)
    with pytest.raises(DecisionError, match="version"):
        _confirm(world, case_id, SUN, "no")


async def test_case_proposal_refused_starts_again(world: World) -> None:
    _, case_id = await _abnormal(world)
    _propose(world, case_id, QIAN)
    with world.database.writing() as session:
        cases.refuse(session, world.context, SUN, case_id)
    _propose(world, case_id, SUN, MoneyMoved.NO)
    assert world.cases()[0].proposed_by == "sun"


async def test_i5_contradiction_closed_as_moved_keeps_the_state_and_counts_the_money(world: World) -> None:
    for login in ("qian", "sun"):
        world.add_person(login, "finance")
    request_id = world.approved(amount_minor=300)
    with world.database.writing() as session:
        steps.claim(session, world.context, request_id, None)
        answers.record_query(session, world.context, request_id, Answer(Outcome.FAILED, "CLOSED"))
        answers.record_query(session, world.context, request_id, Answer(Outcome.SUCCEEDED))
    case_id = world.cases()[0].case_id
    _propose(world, case_id, QIAN)
    _confirm(world, case_id, SUN)
    sale = world.sale()
    assert (world.refund(request_id).state, sale.base_refunded_minor, sale.is_frozen) == ("failed", 300, False)


async def test_case_closed_twice_is_refused(world: World) -> None:
    _, case_id = await _abnormal(world)
    _propose(world, case_id, QIAN)
    _confirm(world, case_id, SUN)
    with pytest.raises(DecisionError, match="not_now"):
        _confirm(world, case_id, SUN)
