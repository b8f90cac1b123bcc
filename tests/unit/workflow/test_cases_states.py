"""Acceptance cases of the refund menu (payments.md section 9d): what the back office says, and what the till says."""

from pos_agent.domain.events import (
    RefundChanged,
    RequestStored,
)
from pos_agent.domain.refund import (
    Hold,
    MoneyMoved,
    RefundState,
    RefundType,
)
from tests.fakes.samples import WECHAT_ORDER
from tests.unit.workflow.rig import Till, change, submit, update


async def test_case_01_full_refund_is_sent_and_reviewed(till: Till) -> None:
    number = await submit(till)
    assert [job.kind for job in till.journal.jobs] == ["request_merchant", "request_customer"]
    await change(till, RefundState.REVIEWING)
    assert "已提交" in till.text
    assert "等待审核" in till.text
    assert "钱还没退" in till.text
    request = till.journal.commits[0]
    assert (request.amount_minor, request.refund_type, request.reason_code) == (12800, RefundType.FULL, "R07")
    assert (request.refund_request_id, len(number)) == (number, 22)
    assert request.sale_id == "s1"


async def test_case_26_question_is_noticed_and_answered_on_the_same_request(till: Till) -> None:
    number = await submit(till)
    await till.press("ENTER")
    await change(till, RefundState.NEED_INFO, question="退回了吗")
    assert "1个结果 按2" in till.text
    await till.press("2")
    assert till.state == "STATUS"
    assert "需补充" in till.text
    await till.press("ENTER")
    assert "退回了吗" in till.text
    await till.press("1")
    assert till.journal.answers == [(number, "顾客已退回商品")]
    assert len(till.journal.commits) == 1


async def test_case_26_payment_code_typed_as_an_answer_is_refused(till: Till) -> None:
    await submit(till)
    await till.press("ENTER")
    await change(till, RefundState.NEED_INFO, question="单号")
    await till.press("2", "ENTER", "0", *"134567890123456789", "ENTER")
    assert "不能输付款码" in till.text
    assert till.journal.answers == []


async def test_case_27_rejection_says_why_and_that_nothing_was_paid(till: Till) -> None:
    await submit(till)
    await change(till, RefundState.REJECTED, reason="票据不符")
    assert "已驳回" in till.text
    assert "没有退钱" in till.text
    assert "票据不符" in till.text


async def test_case_29_processing_is_never_called_a_success(till: Till) -> None:
    await submit(till)
    await change(till, RefundState.EXECUTING, moved=MoneyMoved.UNKNOWN)
    assert "退款处理中" in till.text
    assert "结果待确认" in till.text
    assert "成功" not in till.text


async def test_case_30_unknown_outcome_forbids_a_second_refund_until_success(till: Till) -> None:
    await submit(till)
    await change(till, RefundState.UNKNOWN, moved=MoneyMoved.UNKNOWN)
    assert "结果待确认,勿重退" in till.text
    assert "可能已退" in till.text
    await change(till, RefundState.SUCCEEDED, seq=2, moved=MoneyMoved.YES)
    assert "退款成功" in till.text
    assert "钱已退" in till.text


async def test_case_31_merchant_balance_is_a_hold_and_not_a_failure(till: Till) -> None:
    await submit(till)
    await change(till, RefundState.EXECUTING, hold=Hold.MERCHANT_BALANCE, moved=MoneyMoved.NO)
    assert "商户余额不足,待处理" in till.text
    assert "钱还没退" in till.text


async def test_case_46_own_slip_shows_the_latest_state(till: Till) -> None:
    number = await submit(till)
    await till.press("ENTER")
    await change(till, RefundState.SUCCEEDED, moved=MoneyMoved.YES)
    await till.scan(number, "]C1")
    assert till.state == "STATUS"
    assert "退款成功" in till.text
    assert till.lookup.refreshed == [number]
    assert till.controller._situation.facts.notices == ()


async def test_case_46_last_six_digits_find_the_request(till: Till) -> None:
    number = await submit(till)
    await till.press("ENTER", "2", *number[-6:], "ENTER")
    assert till.state == "STATUS"
    assert "128.00" in till.text
    await till.press("CANCEL", "2", *"000000", "ENTER")
    assert "本机没有这笔申请" in till.text


async def test_case_47_49_repeated_state_event_changes_nothing_on_the_screen(till: Till) -> None:
    await submit(till)
    await change(till, RefundState.REJECTED, reason="不符")
    before = till.text
    await till.put(RefundChanged(update(till, RefundState.REVIEWING, seq=0)))  # the journal has not taken it
    assert till.text == before
    assert len(till.journal.commits) == 1


async def test_withdraw_while_reviewing_is_queued_once(till: Till) -> None:
    number = await submit(till)
    await change(till, RefundState.REVIEWING)
    await till.press("ENTER", "2", "ENTER", "1")
    assert till.state == "WITHDRAW"
    await till.press("ENTER")
    assert "正在撤回" in till.text
    await till.press("1")
    assert till.state == "STATUS"
    assert till.journal.withdrawn == [number]


async def test_request_stored_without_a_state_is_sent_but_money_unknown(till: Till) -> None:
    number = await submit(till)
    till.journal.change(number, is_stored=True, was_send_attempted=True)
    await till.put(RequestStored(number))
    await till.settle()
    assert "已提交" in till.text
    assert "结果待确认" in till.text


async def test_result_slips_print_only_at_menu_and_login(till: Till) -> None:
    allowed = [till.spooler.is_allowed]
    await till.scan(WECHAT_ORDER)
    allowed.append(till.spooler.is_allowed)
    await till.press("CANCEL", "ENTER")
    assert [*allowed, till.spooler.is_allowed] == [True, False, True]
