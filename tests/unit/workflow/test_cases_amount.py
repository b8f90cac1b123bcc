"""Acceptance cases of the refund menu (payments.md section 9d): amount, limits, reasons, supervisors."""

import pytest

from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.refund import (
    RefundType,
)
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, at_menu, submit, to_confirm


async def test_case_05_partial_three_of_ten_takes_six_presses(till: Till) -> None:
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_minor=1000, refundable_minor=1000)
    till.presses = 0
    await till.scan(WECHAT_ORDER)
    await till.press("2", "3")
    assert "3.00" in till.text
    assert "叁元整" in till.text
    await till.press("ENTER", "1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    await till.press("ENTER")
    assert till.presses == 6
    request = till.journal.commits[0]
    assert (request.amount_minor, request.refund_type, request.paid_minor) == (300, RefundType.PARTIAL, 1000)


async def test_case_06_second_partial_over_the_remainder_is_refused_at_once(till: Till) -> None:
    found = make_sale(paid_minor=1000, refunded_minor=300, refundable_minor=700)
    till.lookup.sales[WECHAT_ORDER] = found
    await till.scan(WECHAT_ORDER)
    await till.press("2", "8")
    assert "超过可退 7.00" in till.text
    await till.press("ENTER")
    assert till.state == "AMOUNT"
    assert till.journal.commits == []


@pytest.mark.parametrize("typed", [("0", "ENTER"), ("1", "DOT", "2", "3", "4"), ("ENTER",)])
async def test_case_22_amount_zero_or_three_decimals_is_refused(till: Till, typed: tuple[str, ...]) -> None:
    await till.scan(WECHAT_ORDER)
    await till.press("2", *typed)
    assert till.state == "AMOUNT"
    assert "金额无效" in till.text


async def test_case_23_over_the_limit_asks_a_supervisor_and_five_wrong_pins_lock(till: Till) -> None:
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_minor=32800, refundable_minor=32800)
    await to_confirm(till)
    await till.press("ENTER")
    assert till.state == "SUPERVISOR"
    assert "328.00" in till.text
    await till.press("0", "2", "ENTER")
    for left in (4, 3, 2, 1):
        await till.press("9", "9", "9", "9", "ENTER")
        assert f"还可试{left}次" in till.text
    await till.press("9", "9", "9", "9", "ENTER")
    assert "已锁定 15分钟" in till.text
    assert till.journal.commits == []


async def test_case_23_right_supervisor_pin_submits_under_both_numbers(till: Till) -> None:
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_minor=32800, refundable_minor=32800)
    await to_confirm(till)
    await till.press("ENTER", "0", "2", "ENTER", "1", "3", "5", "7", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    request = till.journal.commits[0]
    assert (request.operator_no, request.supervisor_no, request.flags) == ("01", "02", ("over_limit",))


async def test_case_24_supervisor_who_is_the_operator_is_refused(till: Till) -> None:
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_minor=32800, refundable_minor=32800)
    await to_confirm(till)
    await till.press("ENTER", "0", "1", "ENTER")
    assert "不能自审" in till.text
    assert till.state == "SUPERVISOR"
    assert till.journal.commits == []


async def test_case_25_reason_other_needs_a_phrase(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "0", "9", "9", "ENTER")
    assert till.state == "NOTE"
    assert "请填写原因" in till.text
    await till.press("1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert (till.journal.commits[0].reason_code, till.journal.commits[0].note) == ("R99", "顾客已退回商品")


async def test_case_39_sixth_request_in_an_hour_asks_a_supervisor(till: Till) -> None:
    for _ in range(5):
        await submit(till)
        await till.press("ENTER")
    await to_confirm(till)
    await till.press("ENTER")
    assert till.state == "SUPERVISOR"
    assert len(till.journal.commits) == 5


async def test_large_amount_is_typed_again() -> None:
    async with at_menu(
        Till(policy=PolicyConfig(operator_limit_minor=999_999)), paid_minor=50000, refundable_minor=50000
    ) as till:
        await to_confirm(till)
        await till.press("ENTER", "5", "0", "ENTER")
        assert "金额不一致" in till.text
        await till.press("0", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
