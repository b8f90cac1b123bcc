"""Sums of single lines (I2): no more of a line goes back than was paid for it, whoever asks in which order."""

import pytest

from backoffice.review import DecisionError
from backoffice.store.schema import Refund
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundLine
from tests.unit.backoffice.world import World

ORDER_OF_LINES = "6" * 31
LINES = [
    {"line_no": 1, "name": "tea", "quantity": 2, "paid_minor": 6_000},
    {"line_no": 2, "name": "cup", "quantity": 1, "paid_minor": 4_000, "refunded_minor": 1_000},
]


def _sale(world: World) -> None:
    world.add_sale(order_no=ORDER_OF_LINES, paid_minor=10_000, lines=LINES)


def _submit(world: World, *lines: tuple[int, int], amount_minor: int = 0) -> Refund:
    reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, ORDER_OF_LINES)
    named = tuple(RefundLine(number, amount) for number, amount in lines)
    total = amount_minor or sum(line.amount_minor for line in named)
    request = world.request(original_reference=reference, amount_minor=total, lines=named)
    world.submit(request)
    return world.refund(request.refund_request_id)


def test_i2_line_of_a_sale_gives_back_no_more_than_was_paid_for_it(world: World) -> None:
    _sale(world)
    assert _submit(world, (1, 4_000)).state == "reviewing"
    refused = _submit(world, (1, 2_001))
    assert (refused.state, refused.reason_text) == ("rejected", "第 1 行超过可退 20.00")
    over = _submit(world, (2, 3_001))
    assert over.reason_text == "第 2 行超过可退 30.00", "what was given back before the import counts"


def test_i2_line_is_free_again_when_its_request_was_rejected(world: World) -> None:
    _sale(world)
    first = _submit(world, (1, 6_000))
    world.decide(first.refund_request_id, "reject", reason="no")
    assert _submit(world, (1, 6_000)).state == "reviewing"


@pytest.mark.parametrize(
    ("lines", "amount_minor"),
    [(((1, 100),), 99), (((3, 100),), 0), (((1, 50), (1, 50)), 0), (((1, 200), (2, -100)), 0)],
    ids=["other sum", "no such line", "a line twice", "a negative one"],
)
def test_i2_lines_that_do_not_fit_the_sale_or_the_amount_are_refused(
    world: World, lines: tuple[tuple[int, int], ...], amount_minor: int
) -> None:
    _sale(world)
    assert _submit(world, *lines, amount_minor=amount_minor).state == "rejected"


def test_f17_request_with_a_line_of_an_unfinished_one_is_held(world: World) -> None:
    _sale(world)
    _submit(world, (1, 1_000))
    again = _submit(world, (1, 2_000))
    assert (again.state, again.flags) == ("held", ["duplicate"])
    assert _submit(world, (2, 1_500)).state == "reviewing", "another line and another amount is no double"


def test_i2_line_is_checked_again_at_approval(world: World) -> None:
    """Two requests by amount alone are within the sale; the one that names a line must still fit that line."""
    _sale(world)
    named = _submit(world, (2, 3_000))
    with world.database.writing() as session:
        row = session.get(Refund, named.refund_request_id)
        assert row is not None
        row.body = {**row.body, "lines": [{"line_no": 2, "amount_minor": 3_001}], "amount_minor": 3_001}
    with pytest.raises(DecisionError, match="line_over"):
        world.decide(named.refund_request_id, "approve")


async def test_i2_line_is_checked_again_before_the_call(world: World) -> None:
    _sale(world)
    named = _submit(world, (2, 3_000))
    world.decide(named.refund_request_id, "approve")
    with world.database.writing() as session:
        row = session.get(Refund, named.refund_request_id)
        assert row is not None
        row.body = {**row.body, "lines": [{"line_no": 2, "amount_minor": 3_001}], "amount_minor": 3_001}
    await world.settle()
    assert world.refund(named.refund_request_id).state == "failed"
    assert world.adapter.calls == []
