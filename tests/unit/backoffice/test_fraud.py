"""Soft rules F4, F5, F6, F7, F8, F10 of payments.md 7: what speaks, with which reason, and who must approve then."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from backoffice import history
from backoffice.config import ReviewConfig
from backoffice.fraud import FraudFacts, Other, Suspicion, is_open, suspect
from backoffice.review import DecisionError
from backoffice.store.schema import Refund
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from pos_agent.i18n.backoffice import WORDS, text
from tests.unit.backoffice.world import ORDER, START, World

_REVIEW = ReviewConfig(opening_hours="09:00-22:00")


def _facts(**given: object) -> FraudFacts:
    return FraudFacts(
        **{  # type: ignore[arg-type]
            "amount_minor": 5_000,
            "created_at": START,
            "local_time": time(12),
            "operator_no": "01",
            "terminal_id": "t-shop-01",
            "has_supervisor": False,
            "in_shift": 0,
            **given,
        }
    )


def _other(amount_minor: int = 19_000, *, hours: float = 1, is_same_payer: bool = True) -> Other:
    return Other(amount_minor, START - timedelta(hours=hours), is_same_payer)


def _codes(found: tuple[Suspicion, ...]) -> list[str]:
    return [each.rule for each in found]


def test_ordinary_request_has_nothing_against_it() -> None:
    assert suspect(_facts(), _REVIEW) == ()


def test_f4_eleventh_request_of_a_shift_needs_one_approval_more() -> None:
    assert suspect(_facts(in_shift=9), _REVIEW) == ()
    (found,) = suspect(_facts(in_shift=10), _REVIEW)
    assert (found.rule, found.raises_level, found.parameters["count"]) == ("F4", True, "11")


def test_f5_third_refund_to_one_payer_in_a_week_is_told() -> None:
    assert suspect(_facts(others=[_other(100)]), _REVIEW) == ()
    assert _codes(suspect(_facts(others=[_other(100), _other(200)]), _REVIEW)) == ["F5"]
    old = [_other(100, hours=24 * 7 + 1), _other(200)]
    assert suspect(_facts(others=old), _REVIEW) == ()
    unknown_payer = [_other(100, is_same_payer=False), _other(200, is_same_payer=False)]
    assert suspect(_facts(others=unknown_payer), _REVIEW) == ()


@pytest.mark.parametrize(("at", "is_within"), [("09:00", True), ("21:59", True), ("22:00", False), ("08:59", False)])
def test_f6_opening_hours_have_their_ends(at: str, is_within: bool) -> None:
    assert is_open("09:00-22:00", time.fromisoformat(at)) is is_within


def test_f6_opening_hours_may_end_after_midnight() -> None:
    assert [is_open("18:00-02:00", time(hour)) for hour in (17, 18, 1, 2)] == [False, True, True, False]


def test_f6_after_hours_needs_more_unless_a_supervisor_authorised() -> None:
    (alone,) = suspect(_facts(local_time=time(23)), _REVIEW)
    (allowed,) = suspect(_facts(local_time=time(23), has_supervisor=True), _REVIEW)
    assert (alone.rule, alone.raises_level) == ("F6", True)
    assert (allowed.rule, allowed.raises_level) == ("F6", False)
    assert suspect(_facts(local_time=time(23)), ReviewConfig()) == ()


@pytest.mark.parametrize("amount_minor", [16_000, 20_000, 80_000, 100_000, 400_000, 500_000])
def test_f7_two_refunds_just_below_a_limit_need_one_approval_more(amount_minor: int) -> None:
    (found,) = suspect(_facts(amount_minor=amount_minor, others=[_other(amount_minor)]), _REVIEW)
    assert (found.rule, found.raises_level) == ("F7", True)


@pytest.mark.parametrize(
    ("amount_minor", "other"),
    [(15_999, _other(19_000)), (19_000, _other(15_999)), (19_000, _other(19_000, hours=25)), (20_001, _other(19_000))],
)
def test_f7_smaller_later_or_larger_refunds_are_no_split(amount_minor: int, other: Other) -> None:
    assert suspect(_facts(amount_minor=amount_minor, others=[other]), _REVIEW) == ()


def test_f8_refund_right_after_the_sale_by_its_own_operator_is_told() -> None:
    sold = {"sold_at": START - timedelta(minutes=2), "sold_by": "01"}
    assert _codes(suspect(_facts(**sold), _REVIEW)) == ["F8"]
    assert suspect(_facts(**{**sold, "sold_by": "02"}), _REVIEW) == ()
    assert suspect(_facts(**{**sold, "sold_at": START - timedelta(minutes=3)}), _REVIEW) == ()


def test_f10_refund_at_another_till_than_the_sale_is_told() -> None:
    (found,) = suspect(_facts(sold_on="t-shop-02"), _REVIEW)
    assert found.rule == "F10"
    assert text("suspicion.elsewhere", "en", **found.parameters) == "Sold at t-shop-02, refund asked at t-shop-01"


def test_terminal_that_claims_too_much_in_a_day_needs_one_approval_more(world: World) -> None:
    world.config.review.max_requests_per_till_day = 1
    world.add_sale(order_no="8" * 31, paid_minor=90_000)
    first, second = _submit(world, "8" * 31, 100), _submit(world, "8" * 31, 200)
    assert (_found(world, first), _found(world, second)) == ([], ["T11"])
    world.decide(second, "approve")
    assert world.refund(second).state == "reviewing"


def test_every_reason_has_words_whose_blanks_are_filled() -> None:
    everything = _facts(
        amount_minor=19_000,
        local_time=time(23),
        in_shift=20,
        at_till=500,
        others=[_other(), _other()],
        sold_at=START,
        sold_by="01",
        sold_on="t-x",
    )
    found = suspect(everything, _REVIEW)
    assert _codes(found) == ["F4", "F5", "F6", "F7", "F8", "F10", "T11"]
    for each in found:
        for locale in ("zh-CN", "en"):
            assert f"suspicion.{each.code}" in WORDS
            assert "{" not in text(f"suspicion.{each.code}", locale, **each.parameters)


def _submit(world: World, order_no: str, amount_minor: int) -> str:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, order_no)
    request = world.request(original_reference=reference, amount_minor=amount_minor)
    world.submit(request)
    return request.refund_request_id


def _found(world: World, request_id: str) -> list[str]:
    with world.database.reading() as session:
        refund = session.get(Refund, request_id)
        assert refund is not None
        return [each.rule for each in history.suspicions(session, world.context, refund)]


def test_f7_split_over_two_sales_of_one_payer_needs_a_second_person(world: World) -> None:
    for number in (1, 2):
        world.add_sale(sale_id=f"p{number}", order_no=f"8{number:030d}", paid_minor=30_000, payer="openid-7")
    _submit(world, f"8{1:030d}", 19_000)
    second = _submit(world, f"8{2:030d}", 19_500)
    assert _found(world, second) == ["F7"]
    world.decide(second, "approve")
    assert world.refund(second).state == "reviewing"
    with pytest.raises(DecisionError, match="same_approver"):
        world.decide(second, "approve")
    world.decide(second, "approve", who=world.actor("wang", "manager"))
    assert world.refund(second).state == "approved"


def test_f7_rejected_refund_counts_nowhere(world: World) -> None:
    world.add_sale(order_no="8" * 31, paid_minor=90_000)
    first = _submit(world, "8" * 31, 19_000)
    world.decide(first, "reject", reason="no")
    assert _found(world, _submit(world, "8" * 31, 19_500)) == []


def test_f7_one_person_shop_is_told_but_not_locked_out(world: World) -> None:
    world.config.review.dual_control = "off"
    world.add_sale(order_no="8" * 31, paid_minor=90_000)
    _submit(world, "8" * 31, 19_000)
    second = _submit(world, "8" * 31, 19_500)
    assert _found(world, second) == ["F7"]
    world.decide(second, "approve")
    assert world.refund(second).state == "approved"


def test_f5_payer_is_kept_as_a_keyed_hash_only(world: World) -> None:
    sale_id = world.add_sale(order_no="8" * 31, paid_minor=100, payer="6222020000001234567")
    kept = world.sale(sale_id)
    assert len(kept.payer_hash) == 64
    folder = Path(str(world.database.engine.url.database)).parent
    for file in folder.glob("world.db*"):
        assert b"6222020000001234567" not in file.read_bytes()


def test_f14_operator_who_gives_back_far_more_than_others_is_noticeable(world: World) -> None:
    world.config.review.max_requests_per_hour = 99
    for operator in ("01", "02", "03", "04", "05"):
        order_no = f"9{operator}".ljust(31, "0")
        world.add_sale(sale_id=f"o{operator}", order_no=order_no, paid_minor=100_000, operator_no=operator)
    for operator, amount in (("01", 60_000), ("02", 1_000), ("03", 2_000), ("04", 1_500), ("05", 500)):
        reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, f"9{operator}".ljust(31, "0"))
        world.submit(world.request(original_reference=reference, amount_minor=amount, operator_no=operator))
    with world.database.reading() as session:
        report = history.operator_report(session, world.now)
    assert [(line.operator_no, line.is_noticeable) for line in report][:2] == [("01", True), ("03", False)]
    assert report[0].ratio == pytest.approx(0.6)


def test_f14_refunds_under_a_number_without_sales_are_noticeable_only_where_sales_name_operators(world: World) -> None:
    world.submit(world.request(operator_no="77"))
    with world.database.reading() as session:
        assert [line.is_noticeable for line in history.operator_report(session, world.now)] == [False]
    world.add_sale(order_no="9" * 31, paid_minor=100, operator_no="02")
    with world.database.reading() as session:
        found = {line.operator_no: line.is_noticeable for line in history.operator_report(session, world.now)}
    assert found == {"77": True, "02": False}


def test_f14_report_covers_its_days_only(world: World) -> None:
    world.submit(world.request(original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, ORDER)))
    world.later(days=31)
    with world.database.reading() as session:
        assert history.operator_report(session, world.now) == []
