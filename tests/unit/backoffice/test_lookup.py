"""sale.lookup."""

import pytest

from backoffice import sales
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundState
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.protocol.messages import (
    SaleAnswerMessage,
    SaleLookUpMessage,
)
from pos_agent.protocol.topics import Leaf
from tests.unit.backoffice.world import LOOKUP_KEY, ORDER, TERMINAL, World


def _look_up(world: World, kind: ReferenceKind, value: str, terminal_id: str = TERMINAL) -> LookUpResult:
    message = SaleLookUpMessage(
        terminal_id=terminal_id, lookup_id="q1", reference=OriginalReference(kind, value), operator_no="01"
    )
    answer = world.send(Leaf.UP_QUERY, message, terminal_id)[0].message
    assert isinstance(answer, SaleAnswerMessage)
    assert answer.result.lookup_id == "q1"
    return answer.result


def test_look_up_finds_by_order_trade_number_and_keyed_hash(world: World) -> None:
    trade_no = world.sale().channel_trade_no
    hashed = sales.order_no_hash(LOOKUP_KEY, ORDER)
    for kind, value in [
        (ReferenceKind.MERCHANT_ORDER_NO, ORDER),
        (ReferenceKind.CHANNEL_TRADE_NO, trade_no),
        (ReferenceKind.ORDER_NO_HASH, hashed),
    ]:
        result = _look_up(world, kind, value)
        assert result.outcome is LookUpOutcome.FOUND
        assert result.sale is not None
        assert (result.sale.order_no, result.sale.refundable_minor) == (ORDER, 12800)


def test_look_up_shows_what_is_reserved_and_the_earlier_request(world: World) -> None:
    world.submit(world.request(amount_minor=300))
    found = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER).sale
    assert found is not None
    assert (found.reserved_minor, found.refundable_minor) == (300, 12500)
    assert (found.earlier_amount_minor, found.earlier_state) == (300, RefundState.REVIEWING)


def test_look_up_of_another_merchants_sale_finds_nothing(world: World) -> None:
    world.enrol("t-other", "M2")
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER, "t-other")
    assert result.outcome is LookUpOutcome.NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "code", "parameters"),
    [
        ({"acquirer_id": "ended"}, "terminated", {"date": "2025-07-09"}),
        ({"is_training": True}, "training", {}),
        ({"base_refunded_minor": 500}, "nothing_left", {}),
    ],
)
def test_look_up_refuses_with_a_code(
    world: World, fields: dict[str, object], code: str, parameters: dict[str, str]
) -> None:
    world.add_sale(order_no="A100001", paid_minor=500, **fields)
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, "A100001")
    assert (result.outcome, result.code, result.parameters) == (LookUpOutcome.REFUSED, code, parameters)


def test_case_33_look_up_of_a_sale_of_366_days_ago_is_refused(world: World) -> None:
    world.later(days=365)
    result = _look_up(world, ReferenceKind.MERCHANT_ORDER_NO, ORDER)
    assert (result.code, result.parameters) == ("past_window", {"days": "365"})
