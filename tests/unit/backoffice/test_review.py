"""Decisions: version and sums as shown, the remainder again under the lock, pairwise different persons (D9, I3)."""

import msgspec
import pytest

from backoffice import audit, review
from backoffice.review import Actor, Command, DecisionError, Shown, StaleError
from backoffice.store.schema import Decision, Refund
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from tests.unit.backoffice.world import World, world_on


def _submitted(world: World, **fields: object) -> str:
    request = world.request(**fields)
    world.submit(request)
    return request.refund_request_id


def _shown(world: World, request_id: str) -> Shown:
    with world.database.reading() as session:
        found = session.get(Refund, request_id)
        assert found is not None
        return review.shown_now(session, found)


def _take(world: World, request_id: str, kind: str, shown: Shown, who: Actor | None = None) -> None:
    command = Command(kind=kind, shown=shown, reason="reason")
    with world.database.writing() as session:
        review.decide(session, world.context, who or world.actor(), request_id, command)


def test_approval_moves_to_approved_and_records_what_was_shown(world: World) -> None:
    request_id = _submitted(world)
    shown = _shown(world, request_id)
    world.decide(request_id, "approve")
    assert world.refund(request_id).state == "approved"
    decision = world.rows(Decision)[0]
    assert (decision.person_id, decision.kind, decision.sums) == ("li", "approve", msgspec.to_builtins(shown))


def test_i6_every_edge_has_a_line_in_a_whole_chain(world: World) -> None:
    request_id = _submitted(world)
    world.decide(request_id, "need_info", reason="?")
    world.decide(request_id, "reject", reason="no")
    lines = world.trail(request_id)
    assert [(line.before, line.after) for line in lines] == [
        ("", "reviewing"),
        ("reviewing", "need_info"),
        ("need_info", "rejected"),
    ]
    assert [line.actor for line in lines] == ["till:t-shop-01", "person:li", "person:li"]
    assert audit.is_chain_whole(lines)
    lines[1].detail = "changed afterwards"
    assert not audit.is_chain_whole(lines)


def test_decision_on_another_version_is_refused_and_changes_nothing(world: World) -> None:
    request_id = _submitted(world)
    shown = _shown(world, request_id)
    world.decide(request_id, "need_info", reason="?")
    with pytest.raises(StaleError) as caught:
        _take(world, request_id, "reject", shown)
    assert caught.value.status == 409
    assert world.refund(request_id).state == "need_info"


def test_decision_on_other_sums_is_refused(world: World) -> None:
    request_id = _submitted(world, amount_minor=300)
    shown = _shown(world, request_id)
    _submitted(world, amount_minor=400)
    with pytest.raises(StaleError):
        _take(world, request_id, "approve", shown)


def test_two_reviewers_on_one_page_decide_once(world: World) -> None:
    request_id = _submitted(world)
    shown = _shown(world, request_id)
    _take(world, request_id, "approve", shown)
    with pytest.raises(StaleError):
        _take(world, request_id, "approve", shown, Actor("wang", "wang", "manager"))


@pytest.mark.parametrize("kind", ["approve", "reject", "need_info"])
def test_f13_i3_maker_cannot_decide_also_under_another_account(world: World, kind: str) -> None:
    world.add_person("zhang-web", "manager", person_id="zhang")
    request_id = _submitted(world)
    with pytest.raises(DecisionError, match="self_approval") as caught:
        world.decide(request_id, kind, who=Actor("zhang", "zhang-web", "manager"), reason="r")
    assert caught.value.status == 403


def test_i3_one_person_shop_may_approve_itself_up_to_the_cap_and_it_is_marked(database_url: str) -> None:
    with world_on(database_url, dual_control="off", self_approval_limit_minor=500) as world:
        zhang = Actor("zhang", "zhang", "manager")
        small, large = _submitted(world, amount_minor=500), _submitted(world, amount_minor=501)
        assert "no_dual_control" in world.decide(small, "approve", who=zhang).flags
        with pytest.raises(DecisionError, match="self_approval"):
            world.decide(large, "approve", who=zhang)


def test_reject_without_a_reason_is_refused(world: World) -> None:
    request_id = _submitted(world)
    with pytest.raises(DecisionError, match="reason_required"):
        world.decide(request_id, "reject", reason="  ")
    world.decide(request_id, "reject", reason="无小票")
    assert world.refund(request_id).reason_text == "无小票"


def test_viewer_may_not_decide(world: World) -> None:
    request_id = _submitted(world)
    for kind in ("approve", "reject", "need_info"):
        with pytest.raises(DecisionError, match="role"):
            world.decide(request_id, kind, who=Actor("eve", "eve", "viewer"), reason="r")


def test_large_amount_needs_finance_then_management_each_another_person(world: World) -> None:
    world.add_sale(order_no="BIG0001", paid_minor=900_000)
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "BIG0001")
    request_id = _submitted(world, amount_minor=600_000, original_reference=reference)
    world.add_person("an", "approver")
    world.decide(request_id, "approve", who=Actor("an", "an", "approver"))
    assert world.refund(request_id).state == "reviewing"
    with pytest.raises(DecisionError, match="role"):
        world.decide(request_id, "approve", who=Actor("an", "an", "approver"))
    world.decide(request_id, "approve", who=Actor("li", "li", "finance"))
    with pytest.raises(DecisionError, match="same_approver"):
        world.decide(request_id, "approve", who=Actor("li", "li", "manager"))
    world.decide(request_id, "approve", who=Actor("wang", "wang", "manager"))
    assert world.refund(request_id).state == "approved"


def test_f17_held_request_is_released_by_another_person_only_then_approved(world: World) -> None:
    _submitted(world, amount_minor=300)
    request_id = _submitted(world, amount_minor=300)
    with pytest.raises(DecisionError, match="not_now"):
        world.decide(request_id, "approve")
    with pytest.raises(DecisionError, match="self_approval"):
        world.decide(request_id, "release", who=Actor("zhang", "zhang", "manager"))
    world.decide(request_id, "release")
    world.decide(request_id, "approve")
    assert world.refund(request_id).state == "approved"


def test_f1_approval_without_a_sale_is_refused(world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "LATE0001")
    request_id = _submitted(world, amount_minor=700, original_reference=reference)
    with pytest.raises(DecisionError, match="no_sale"):
        world.decide(request_id, "approve")
    with world.database.writing() as session:
        assert not review.bind(session, request_id)


def test_f1_sale_imported_late_is_bound_when_the_request_is_opened_again(world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "LATE0001")
    request_id = _submitted(world, amount_minor=700, original_reference=reference)
    sale_id = world.add_sale(order_no="LATE0001", paid_minor=700)
    with world.database.writing() as session:
        assert review.bind(session, request_id)
    world.decide(request_id, "approve")
    refund = world.refund(request_id)
    assert (refund.state, refund.sale_id) == ("approved", sale_id)


def test_i2_approval_of_what_exceeds_a_late_sale_is_refused(world: World) -> None:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "LATE0001")
    request_id = _submitted(world, amount_minor=701, original_reference=reference)
    world.add_sale(order_no="LATE0001", paid_minor=700)
    with world.database.writing() as session:
        review.bind(session, request_id)
    with pytest.raises(DecisionError, match="over_refundable"):
        world.decide(request_id, "approve")


def test_approval_after_the_window_has_closed_is_refused(world: World) -> None:
    request_id = _submitted(world)
    world.later(days=365)
    with pytest.raises(DecisionError, match="past_window"):
        world.decide(request_id, "approve")


def test_decision_of_an_unknown_kind_or_request_is_refused(world: World) -> None:
    request_id = _submitted(world)
    with pytest.raises(DecisionError, match="not_now"):
        world.decide(request_id, "explode")
    with pytest.raises(DecisionError, match="not_found"):
        _take(world, "9800000000000000000000", "approve", Shown(1))


def test_i5_final_request_takes_no_decision(world: World) -> None:
    request_id = _submitted(world)
    world.decide(request_id, "reject", reason="no")
    for kind in ("approve", "reject", "need_info", "release", "retry"):
        with pytest.raises(DecisionError, match="not_now"):
            world.decide(request_id, kind, reason="r")
