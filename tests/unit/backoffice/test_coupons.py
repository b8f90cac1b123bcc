"""Goodwill coupons: a budget, a second person, one redemption; settlement coupons are redeemed alike (trust.md 10)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backoffice import audit, coupon_facts, coupons
from backoffice.coupon_book import Kind, Standing, fresh_code, month_of, new_coupon_id
from backoffice.coupon_codes import digest, make_code, read_code
from backoffice.coupon_words import why_not_in_all
from backoffice.coupons import CouponError, Order
from backoffice.refunds import set_epoch
from backoffice.review import Actor, DecisionError
from backoffice.store.coupon_tables import Coupon
from backoffice.store.schema import AuditLine
from pos_agent.domain.codes import pay_code_scheme
from pos_agent.domain.identifiers import is_refund_request_id
from pos_agent.domain.refund import RefundType
from tests.unit.backoffice.world import MERCHANT, TERMINAL, World

pytestmark = pytest.mark.slow

LI, WANG, CHEN = Actor("li", "li", "finance"), Actor("wang", "wang", "manager"), Actor("chen", "chen", "approver")


def order(amount_minor: int = 2000, **fields: str) -> Order:
    return Order(**{"merchant_id": MERCHANT, "amount_minor": amount_minor, "reason": "waited", **fields})  # type: ignore[arg-type]


def issue(world: World, wanted: Order, *, who: Actor = LI, coupon_id: str = "") -> tuple[Coupon, str]:
    with world.database.writing() as session:
        return coupons.issue(
            session, world.context, who, wanted, fresh=fresh_code(), coupon_id=coupon_id or new_coupon_id()
        )


def redeem(
    world: World, code: str, *, merchant_id: str = MERCHANT, receipt: str = "", who: Actor = CHEN
) -> tuple[Coupon, bool]:
    with world.database.writing() as session:
        code_hash = coupons.hash_of(code)
        return coupons.redeem(session, world.context, who, code_hash, merchant_id=merchant_id, reference=receipt)


@pytest.fixture
def shop(world: World) -> World:
    world.config.coupons.budgets = {MERCHANT: 10_000, f"{MERCHANT}/East": 3_000}
    return world


@pytest.mark.parametrize("random_16", [0, 1, 96, 97, 10**16 - 1])
def test_code_reads_back_in_any_grouping_and_is_no_other_number_of_ours(random_16: int) -> None:
    code = make_code(random_16)
    assert len(code) == 20
    assert read_code(code) == read_code(f" {code[:4]} {code[4:9]}-{code[9:]}\n") == code
    assert not pay_code_scheme(code)
    assert not is_refund_request_id(code)


@settings(max_examples=50)
@given(random_16=st.integers(0, 10**16 - 1), place=st.integers(0, 19), other=st.integers(1, 9))
def test_code_with_one_wrong_digit_or_two_swapped_is_misread(random_16: int, place: int, other: int) -> None:
    code = make_code(random_16)
    wrong = code[:place] + str((int(code[place]) + other) % 10) + code[place + 1 :]
    assert read_code(wrong) == ""
    if place and code[place] != code[place - 1]:
        swapped = code[: place - 1] + code[place] + code[place - 1] + code[place + 1 :]
        assert read_code(swapped) == ""


def test_code_is_kept_as_a_slow_hash_alone(shop: World) -> None:
    coupon, code = issue(shop, order())
    assert coupon.code_hash == digest(code)
    assert (coupon.code_tail, len(code)) == (code[-4:], 20)
    with shop.database.engine.connect() as connection:
        dump = "".join(str(row) for row in connection.exec_driver_sql("SELECT * FROM coupons, audit").all())
    assert code not in dump


def test_goodwill_coupon_beyond_the_budget_is_refused_and_says_what_is_left(shop: World) -> None:
    for _ in range(4):
        issue(shop, order(2_400))
    with pytest.raises(CouponError) as refused:
        issue(shop, order(401))
    assert why_not_in_all(shop.context, refused.value) == {
        "zh-CN": "本月预算不够,还剩 4.00 元",
        "en": "Over this month's budget: 4.00 left",
    }
    issue(shop, order(400))
    assert len(shop.rows(Coupon)) == 5


def test_store_has_its_own_budget_inside_the_merchants(shop: World) -> None:
    issue(shop, order(3_000, store="East"))
    with pytest.raises(CouponError, match="coupon_budget"):
        issue(shop, order(1, store="East"))
    issue(shop, order(5_000, store="West"))
    issue(shop, order(2_000))
    with pytest.raises(CouponError, match="coupon_budget"):
        issue(shop, order(1, store="West"))
    with shop.database.reading() as session:
        budgets = coupon_facts.budgets(session, shop.context, month_of(shop.context))
    assert [(each.name, each.left_minor) for each in budgets] == [(MERCHANT, 0), (f"{MERCHANT}/East", 0)]


def test_merchant_without_a_budget_gives_no_goodwill_coupon(world: World) -> None:
    with pytest.raises(CouponError, match="coupon_budget"):
        issue(world, order(1))


def test_budget_begins_anew_with_the_shops_month(shop: World) -> None:
    issue(shop, order(5_000))
    issue(shop, order(5_000))
    shop.later(days=31)
    issue(shop, order(5_000))
    assert len({row.month for row in shop.rows(Coupon)}) == 2


def test_i3_larger_coupon_needs_another_person_of_finance(shop: World) -> None:
    coupon, code = issue(shop, order(5_001))
    assert (coupon.state, code, coupon.code_hash) == (Standing.PENDING, "", None)
    for who, status in ((LI, 403), (CHEN, 403)):
        with pytest.raises(DecisionError) as refused, shop.database.writing() as session:
            coupons.approve(session, shop.context, who, coupon.coupon_id, fresh=fresh_code())
        assert refused.value.status == status
    with shop.database.writing() as session:
        approved, code = coupons.approve(session, shop.context, WANG, coupon.coupon_id, fresh=fresh_code())
    assert (approved.state, approved.made_by, approved.approved_by) == (Standing.ISSUED, "li", "wang")
    assert redeem(shop, code)[1]


def test_refused_coupon_gives_its_budget_back_and_a_waiting_one_does_not(shop: World) -> None:
    coupon, _ = issue(shop, order(10_000))
    with pytest.raises(CouponError, match="coupon_budget"):
        issue(shop, order(1))
    with shop.database.writing() as session:
        coupons.refuse(session, shop.context, WANG, coupon.coupon_id)
    issue(shop, order(5_000))
    with pytest.raises(DecisionError, match="gone"), shop.database.writing() as session:
        coupons.approve(session, shop.context, WANG, coupon.coupon_id, fresh=fresh_code())


def test_one_person_shop_issues_up_to_its_cap(shop: World) -> None:
    shop.config.review.dual_control = "off"
    assert issue(shop, order(9_000))[1]


@pytest.mark.parametrize(
    ("who", "wanted", "code"),
    [
        (Actor("v", "v", "viewer"), order(), "role"),
        (LI, order(reason=" "), "reason_required"),
        (LI, order(0), "coupon_amount"),
        (LI, order(merchant_id="nobody"), "coupon_merchant"),
        (LI, order(refund_request_id="9" * 22), "not_found"),
    ],
)
def test_order_that_cannot_be_is_refused(shop: World, who: Actor, wanted: Order, code: str) -> None:
    with pytest.raises(DecisionError, match=code):
        issue(shop, wanted, who=who)
    assert shop.rows(Coupon) == []


def test_i3_maker_of_the_refund_gives_no_coupon_beside_it(shop: World) -> None:
    request = shop.request()
    shop.submit(request)
    with pytest.raises(DecisionError, match="self_approval"):
        issue(shop, order(refund_request_id=request.refund_request_id), who=Actor("zhang", "zhang", "manager"))
    coupon, _ = issue(shop, order(refund_request_id=request.refund_request_id))
    assert coupon.refund_request_id == request.refund_request_id


def test_same_form_sent_twice_makes_one_coupon(shop: World) -> None:
    issue(shop, order(), coupon_id="c-1")
    with pytest.raises(DecisionError, match="gone"):
        issue(shop, order(), coupon_id="c-1")
    assert len(shop.rows(Coupon)) == 1


def test_code_redeemed_twice_is_refused_with_the_time_of_the_first_use(shop: World) -> None:
    _, code = issue(shop, order())
    coupon, is_new = redeem(shop, code, receipt="R1")
    assert (coupon.state, coupon.redeemed_by, is_new) == (Standing.REDEEMED, "person:chen", True)
    first = shop.now
    shop.later(hours=3)
    with pytest.raises(CouponError) as refused:
        redeem(shop, code, receipt="R2")
    assert (refused.value.status, refused.value.parameters) == (409, {"at": first})
    sentences = why_not_in_all(shop.context, refused.value)
    assert sentences == {
        "zh-CN": "这张券 2026-11-23 12:00 已经用过,不能再收",
        "en": "Used already, 2026-11-23 12:00: not taken again",
    }


def test_same_receipt_again_is_the_same_redemption(shop: World) -> None:
    _, code = issue(shop, order())
    assert redeem(shop, code, receipt="R1")[1] is True
    assert redeem(shop, code, receipt="R1")[1] is False
    assert len([line for line in shop.rows(AuditLine) if line.after == "redeemed"]) == 1


def test_code_expired_unknown_of_another_merchant_or_misread_is_refused_each_in_its_words(shop: World) -> None:
    shop.enrol("t-other-01", "M2")
    _, code = issue(shop, order())
    for text, merchant, error, status in (
        (make_code(7), MERCHANT, "coupon_unknown", 404),
        (code, "M2", "coupon_elsewhere", 404),
        (code[:-1] + str((int(code[-1]) + 1) % 10), MERCHANT, "coupon_misread", 422),
        ("134500000000000001", MERCHANT, "coupon_misread", 422),
    ):
        with pytest.raises(CouponError) as refused:
            redeem(shop, text, merchant_id=merchant)
        assert (refused.value.code, refused.value.status) == (error, status)
    shop.later(days=90)
    with pytest.raises(CouponError) as refused:
        redeem(shop, code)
    assert refused.value.code == "coupon_expired"
    assert refused.value.parameters == {"at": shop.now}
    assert [row.state for row in shop.rows(Coupon)] == ["issued"]


def test_viewer_redeems_nothing(shop: World) -> None:
    _, code = issue(shop, order())
    with pytest.raises(DecisionError, match="role"):
        redeem(shop, code, who=Actor("v", "v", "viewer"))


def test_while_restoring_no_coupon_is_made_or_taken(shop: World) -> None:
    _, code = issue(shop, order())
    with shop.database.writing() as session:
        set_epoch(session, 2, is_restoring=True)
    with pytest.raises(DecisionError, match="restoring"):
        issue(shop, order())
    with pytest.raises(DecisionError, match="restoring"):
        redeem(shop, code)


def test_i6_each_coupon_has_a_chain_of_its_own_that_verify_checks(shop: World) -> None:
    coupon, _ = issue(shop, order(9_000))
    with shop.database.writing() as session:
        _, code = coupons.approve(session, shop.context, WANG, coupon.coupon_id, fresh=fresh_code())
    redeem(shop, code)
    edges = [(line.actor, line.before, line.after) for line in shop.trail(coupon.coupon_id)]
    assert edges == [
        ("person:li", "", "pending"),
        ("person:wang", "pending", "issued"),
        ("person:chen", "issued", "redeemed"),
    ]
    with shop.database.reading() as session:
        assert audit.verify(session).differences == {}
    with shop.database.writing() as session:
        row = session.get(Coupon, coupon.coupon_id)
        assert row is not None
        row.state = "issued"
    with shop.database.reading() as session:
        assert audit.verify(session).differences == {
            coupon.coupon_id: "the last line says redeemed, the request issued"
        }


def test_i2_settlement_coupon_counts_as_given_back_and_on_no_budget_and_is_redeemed_once(shop: World) -> None:
    request_id = shop.approved(refund_type=RefundType.COUPON, amount_minor=500)
    told = shop.refund(request_id).arrival
    assert told is not None
    code = read_code("".join(letter for letter in told if letter.isdigit()))
    assert code
    [coupon] = shop.rows(Coupon)
    assert (coupon.kind, coupon.refund_request_id, coupon.made_by, coupon.approved_by) == (
        Kind.SETTLEMENT,
        request_id,
        "zhang",
        "li",
    )
    with shop.database.reading() as session:
        assert coupons.budget_left(session, shop.context, MERCHANT, "", month_of(shop.context)) == 10_000
    assert redeem(shop, code)[0].amount_minor == 500
    with pytest.raises(CouponError, match="coupon_used"):
        redeem(shop, code)


def test_sums_count_goodwill_and_settlement_apart_and_by_day(shop: World) -> None:
    shop.approved(refund_type=RefundType.COUPON, amount_minor=500)
    _, code = issue(shop, order(2_000))
    issue(shop, order(1_000))
    start = shop.now
    shop.later(days=2)
    redeem(shop, code)
    with shop.database.reading() as session:
        total = coupon_facts.sums(session)
        later = coupon_facts.sums(session, start + timedelta(days=1), start + timedelta(days=3))
    assert total.goodwill == coupon_facts.KindSums(2, 3_000, 1, 2_000)
    assert total.settlement == coupon_facts.KindSums(1, 500, 0, 0)
    assert later.goodwill == coupon_facts.KindSums(0, 0, 1, 2_000)


def test_list_shows_what_waits_first_and_what_ran_out_and_never_a_code(shop: World) -> None:
    _, code = issue(shop, order(1_000))
    shop.later(days=91)
    waiting, _ = issue(shop, order(9_000))
    with shop.database.reading() as session:
        lines = coupon_facts.lines(session, shop.context)
    assert (lines[0].coupon_id, lines[0].state, lines[0].is_expired) == (waiting.coupon_id, "pending", False)
    assert lines[1].is_expired
    assert code not in str(lines)
    assert TERMINAL not in str(lines)
