"""Coupons under races, with real threads, on both databases: the budget holds, a code is taken once (trust.md 10)."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice import coupons
from backoffice.coupon_book import Standing, fresh_code, new_coupon_id
from backoffice.coupons import CouponError, Order
from backoffice.review import Actor
from backoffice.store.coupon_tables import Coupon
from backoffice.store.schema import AuditLine
from tests.integration.backoffice.racing import race, world
from tests.unit.backoffice.world import MERCHANT, World

__all__ = ["world"]
LI = Actor("li", "li", "finance")
THREADS = 5
BUDGET, EAST = 10_000, 4_000
_orders = st.lists(
    st.tuples(st.integers(1, 5_000), st.sampled_from(["", "East", "West"])), min_size=THREADS, max_size=THREADS
)


def _issuing(world: World, amount_minor: int, store: str) -> Callable[[], int]:
    fresh = fresh_code()
    order = Order(merchant_id=MERCHANT, amount_minor=amount_minor, reason="waited", store=store)

    def issue() -> int:
        with world.database.writing() as session:
            coupons.issue(session, world.context, LI, order, fresh=fresh, coupon_id=new_coupon_id())
        return amount_minor

    return issue


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=_orders)
def test_coupons_racing_for_one_budget_never_exceed_it_and_none_is_refused_that_fits(
    world: World, orders: list[tuple[int, str]]
) -> None:
    world.config.coupons.budgets = {MERCHANT: BUDGET, f"{MERCHANT}/East": EAST}
    world.later(days=31)  # a month of its own for each example
    results = race(*[_issuing(world, amount, store) for amount, store in orders])
    given_away = sum(result for result in results if isinstance(result, int))
    east = sum(
        amount for (amount, store), result in zip(orders, results, strict=True) if store == "East" and result == amount
    )
    assert given_away <= BUDGET
    assert east <= EAST
    for (amount, store), result in zip(orders, results, strict=True):
        if isinstance(result, int):
            continue
        assert isinstance(result, CouponError)
        left = min(BUDGET - given_away, EAST - east) if store == "East" else BUDGET - given_away
        assert amount > left, "what is left only shrinks: an order that still fits at the end fitted before"


def test_redeemers_racing_for_one_code_one_wins_and_the_others_hear_when(world: World) -> None:
    world.config.coupons.budgets = {MERCHANT: BUDGET}
    fresh = fresh_code()
    order = Order(merchant_id=MERCHANT, amount_minor=100, reason="waited")
    with world.database.writing() as session:
        coupons.issue(session, world.context, LI, order, fresh=fresh, coupon_id="c-1")

    def redeem(number: int) -> int:
        with world.database.writing() as session:
            coupons.redeem(session, world.context, LI, fresh.code_hash, merchant_id=MERCHANT, reference=f"R{number}")
        return number

    results = race(*[lambda number=number: redeem(number) for number in range(THREADS)])
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    losers = [result for result in results if isinstance(result, CouponError)]
    assert [(loser.code, loser.parameters) for loser in losers] == [("coupon_used", {"at": world.now})] * (THREADS - 1)
    [coupon] = world.rows(Coupon)
    assert (coupon.state, coupon.redeemed_ref) == (Standing.REDEEMED, f"R{winners[0]}")
    assert [line.after for line in world.rows(AuditLine)] == ["issued", "redeemed"]
