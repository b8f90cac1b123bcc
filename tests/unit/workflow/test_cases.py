"""The acceptance cases of the refund menu that concern the till, by their numbers (payments.md section 9d)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.events import (
    DeviceName,
    DeviceStatusChanged,
    PrintJobPaused,
    RefundChanged,
    RequestStored,
    ScanGarbled,
)
from pos_agent.domain.refund import (
    Channel,
    Entry,
    Hold,
    MoneyMoved,
    ReferenceKind,
    RefundState,
    RefundType,
    RefundUpdate,
)
from pos_agent.domain.sale import LookUpOutcome
from pos_agent.domain.slip import PrintOutcome
from pos_agent.errors import JournalFullError
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, running

TRANSACTION_ID = "4200002732202507107819354892"
ALIPAY_NO = "2026112022001412341234567890"


@pytest_asyncio.fixture(params=[(20, 4), (40, 12)], ids=["20x4", "40x12"])
async def till(request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    """A till at MENU, online, with one known sale."""
    till = Till(size=request.param)
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.online()
        await till.sign_in()
        assert till.state == "MENU"
        yield till


def update(till: Till, state: RefundState, seq: int = 1, **fields: Any) -> RefundUpdate:
    return RefundUpdate(
        refund_request_id=till.journal.commits[0].refund_request_id,
        state=state,
        epoch=1,
        seq=seq,
        money_moved=fields.pop("moved", MoneyMoved.NO),
        at=till.clock.now(),
        **fields,
    )


async def to_confirm(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "1")
    assert till.state == "CONFIRM"


async def submit(till: Till) -> str:
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    return till.journal.commits[-1].refund_request_id


async def change(till: Till, state: RefundState, **fields: Any) -> None:
    stated = update(till, state, **fields)
    await till.journal.apply_update(stated)
    await till.put(RefundChanged(stated))


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


async def test_case_02_wechat_bill_barcode_shows_the_sale_and_its_channel(till: Till) -> None:
    assert len(WECHAT_ORDER) == 31
    await till.scan(WECHAT_ORDER)
    assert till.state == "SALE"
    assert "微信" in till.text
    assert "128.00" in till.text
    assert till.lookup.asked[0].kind is ReferenceKind.MERCHANT_ORDER_NO
    await till.press("ENTER", "1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert till.journal.commits[0].original_reference.value == WECHAT_ORDER


async def test_case_03_typed_transaction_id_is_flagged_keyed(till: Till) -> None:
    till.lookup.sales[TRANSACTION_ID] = make_sale()
    await till.press("1", *TRANSACTION_ID, "ENTER")
    assert till.state == "SALE"
    await till.press("ENTER", "1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    request = till.journal.commits[0]
    assert request.original_reference.kind is ReferenceKind.CHANNEL_TRADE_NO
    assert (request.entry, request.flags) == (Entry.KEYED, ("keyed",))


async def test_case_04_alipay_trade_no_shows_alipay(till: Till) -> None:
    till.lookup.sales[ALIPAY_NO] = make_sale(channel=Channel.ALIPAY)
    await till.scan(ALIPAY_NO)
    assert "支付宝" in till.text


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


@pytest.mark.parametrize(
    "data", ["134567890123456789", "281312345678901234", "6225735053201615202"], ids=["case_07", "case_08", "case_10"]
)
async def test_case_07_08_10_payment_code_is_refused_and_kept_nowhere(
    till: Till, data: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await till.scan(data)
        assert "这是付款码,不能退款" in till.text
        await till.press("CLEAR", *data, "ENTER")
    assert "这是付款码,不能退款" in till.text
    assert till.lookup.asked == []
    assert till.journal.draft is None
    assert data not in caplog.text
    assert f"length={len(data)}" in caplog.text


async def test_case_09_ambiguous_number_is_asked_by_its_length_and_looked_up_by_hash(till: Till) -> None:
    number = "26112312345678901"
    hashed = till.controller._ports.keyed_hash.order_no_hash(number)
    till.lookup.sales[hashed] = make_sale(order_no=number)
    await till.scan(number)
    assert "17位" in till.text
    assert number not in till.text
    assert till.lookup.asked == []
    await till.press("1")
    assert till.state == "SALE"
    assert [(asked.kind, asked.value) for asked in till.lookup.asked] == [(ReferenceKind.ORDER_NO_HASH, hashed)]


async def test_case_09_ambiguous_number_answered_no_leaves_nothing(till: Till) -> None:
    await till.scan("26112312345678901")
    await till.press("2")
    assert till.state == "SCAN"
    assert till.lookup.asked == []
    assert till.controller._machine.context.pending is None


async def test_case_11_collect_code_is_named(till: Till) -> None:
    await till.scan("https://qr.alipay.com/fkx12345")
    assert "这是收款码" in till.text


async def test_case_12_wrong_check_digit_asks_to_scan_again(till: Till) -> None:
    await till.scan("6901234567890", "]E0")
    assert "条码读错,请重扫" in till.text
    await till.scan(WECHAT_ORDER)
    assert till.state == "SALE"


async def test_case_13_three_unreadable_scans_give_the_hint_and_the_typing(till: Till) -> None:
    for _ in range(3):
        assert till.state == "MENU"
        await till.put(ScanGarbled("framing", 12))
    assert till.state == "BAD_CODE"
    assert "调亮" in till.text
    await till.press("2")
    assert till.state == "SCAN"


async def test_case_14_scanner_unplugged_says_so_and_typing_stays(till: Till) -> None:
    await till.put(DeviceStatusChanged(DeviceName.SCANNER, False, "E_NOHARDWARE"))
    assert "扫描枪未连接 E-DEV1" in till.text
    await till.press("1", *WECHAT_ORDER)
    assert "扫描枪未连接" in till.text
    await till.press("ENTER")
    assert till.state == "SALE"
    await till.put(DeviceStatusChanged(DeviceName.SCANNER, True))
    await till.press("CANCEL", "ENTER")
    assert "扫描枪未连接" not in till.text


async def test_case_16_network_down_before_submit_is_saved_and_not_paid(till: Till) -> None:
    await to_confirm(till)
    await till.online(False)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert "网络断开,已保存" in till.text
    assert "钱还没退" in till.text
    assert "已提交" not in till.text


async def test_case_17_back_office_silent_is_unknown_and_nobody_waits(till: Till) -> None:
    number = await submit(till)
    till.journal.change(number, was_send_attempted=True)
    await till.put(PrintJobPaused(1, number, ""))
    await till.settle()
    assert "已保存,等待后台确认" in till.text
    assert "结果待确认" in till.text
    await till.press("ENTER")
    assert till.state == "MENU"
    assert len(till.journal.commits) == 1


async def test_case_18_request_past_confirm_is_not_offered_again_after_a_power_cut() -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.sign_in()
        await submit(till)
    assert till.journal.draft is None
    till.restart()
    async with running(till):
        assert till.state == "LOGIN"
        await till.sign_in()
        assert till.state == "MENU"
    assert len(till.journal.commits) == 1


@pytest.mark.parametrize(("key", "state"), [("ENTER", "CONFIRM"), ("CANCEL", "MENU")])
async def test_case_19_power_cut_before_confirm_offers_resume_to_the_same_operator(key: str, state: str) -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.sign_in()
        await to_confirm(till)
    assert till.journal.draft is not None
    till.restart()
    async with running(till):
        assert till.state == "LOGIN"
        await till.sign_in()
        assert till.state == "RESUME"
        assert "128.00" in till.text
        await till.press(key)
        assert till.state == state
        if state == "CONFIRM":
            await till.press("ENTER")
            await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == (state == "CONFIRM")


@pytest.mark.parametrize(
    ("keys", "later_s"),
    [(("0", "2", "ENTER", "1", "3", "5", "7", "ENTER"), 0), (("0", "1", "ENTER", "2", "4", "6", "8", "ENTER"), 601)],
    ids=["another operator", "too old"],
)
async def test_case_19_draft_that_may_not_be_offered_is_discarded(keys: tuple[str, ...], later_s: float) -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.sign_in()
        await to_confirm(till)
    till.restart()
    till.clock.monotonic += later_s
    async with running(till):
        await till.press(*keys)
        assert till.state == "MENU"
        await till.settle()
    assert till.journal.dropped == ["stale"]
    assert till.journal.draft is None


async def test_case_20_confirm_pressed_twice_makes_one_request_and_the_outcome_stays(till: Till) -> None:
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    await till.press("ENTER", after_s=0.05)
    await till.press("ENTER", after_s=0.75)
    assert till.state == "RESULT"
    assert len(till.journal.commits) == 1
    await till.press("ENTER", after_s=0.3)
    assert till.state == "MENU"


async def test_case_20_confirm_is_dead_for_600_ms_after_it_is_shown(till: Till) -> None:
    await to_confirm(till)
    await till.press("ENTER", after_s=0.55)
    assert till.state == "CONFIRM"
    await till.press("ENTER", after_s=0.1)
    await till.wait_for(lambda: till.state == "RESULT")


async def test_case_21_paper_out_says_that_the_request_is_saved(till: Till) -> None:
    await till.online(False)
    number = await _offline_submit(till)
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, False, "EPTR_REC_EMPTY"))
    await till.put(PrintJobPaused(1, number, "EPTR_REC_EMPTY"))
    assert "缺纸,申请已保存" in till.text
    assert "自动打印" in till.text
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, True))
    assert "缺纸" not in till.text


async def test_case_21_reprint_is_a_marked_copy_with_a_number_of_its_own(till: Till) -> None:
    await submit(till)
    till.journal.end_jobs(PrintOutcome.SENT_CLEAN)
    await till.press("3", "3")
    await till.settle()
    copies = [job for job in till.journal.jobs if job.copy_no]
    assert [(job.kind, job.copy_no) for job in copies] == [("request_customer", 1), ("request_customer", 2)]


async def _offline_submit(till: Till) -> str:
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    return till.journal.commits[0].refund_request_id


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


async def test_case_33_sale_of_366_days_is_refused_with_the_days(till: Till) -> None:
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_at=till.clock.now() - timedelta(days=366))
    await till.scan(WECHAT_ORDER)
    assert till.state == "REFUSED"
    assert "超过退款期限(365天)" in till.text
    assert "没有提交 钱没动" in till.text


async def test_case_33_untrusted_clock_does_not_refuse_and_flags(till: Till) -> None:
    till.clock.is_set = False
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_at=till.clock.now() - timedelta(days=366))
    await submit(till)
    request = till.journal.commits[0]
    assert (request.is_clock_trusted, request.flags) == (False, ("clock_untrusted",))


@pytest.mark.parametrize(
    ("code", "words"),
    [("terminated", "该机构支付业务已终止"), ("frozen", "这笔交易被冻结"), ("of_tomorrow", "后台不允许退款")],
)
async def test_case_42_refusal_of_the_back_office_counts_though_the_sale_is_shown_with_it(
    till: Till, code: str, words: str
) -> None:
    till.lookup.refusals[WECHAT_ORDER] = code
    await till.scan(WECHAT_ORDER)
    assert till.state == "REFUSED"
    assert words in till.text
    assert "没有提交 钱没动" in till.text


async def test_case_34_sale_not_found_makes_no_request(till: Till) -> None:
    await till.scan("5500001111222")
    assert till.state in ("NOT_FOUND", "BAD_CODE")
    await till.scan("AB55000011112222")
    assert till.state == "NOT_FOUND"
    assert "查不到原交易" in till.text
    assert till.journal.commits == []
    assert till.journal.draft is None


async def test_case_39_sixth_request_in_an_hour_asks_a_supervisor(till: Till) -> None:
    for _ in range(5):
        await submit(till)
        await till.press("ENTER")
    await to_confirm(till)
    await till.press("ENTER")
    assert till.state == "SUPERVISOR"
    assert len(till.journal.commits) == 5


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


async def test_no_answer_can_be_noted_down_with_halved_limits_and_a_flag(till: Till) -> None:
    till.lookup.outcome = LookUpOutcome.NO_ANSWER
    await till.scan("AB55000011112222")
    assert "后台没有应答" in till.text
    assert "没有提交 钱没动" in till.text
    await till.press("2", "9", "0", "ENTER", "5", "0", "ENTER", "1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    request = till.journal.commits[0]
    assert (request.sale_id, request.paid_minor, request.amount_minor) == (None, 9000, 5000)
    assert "unverified" in request.flags


async def test_disk_full_at_confirm_says_that_nothing_was_kept_and_can_be_retried(till: Till) -> None:
    till.journal.failure = JournalFullError("disk full")
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "NOT_SAVED")
    assert "没有保存" in till.text
    assert "E-DISK" in till.text
    assert "钱没动" in till.text
    await till.press("ENTER", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == 1


async def test_scan_in_the_middle_of_a_refund_is_dropped_with_a_beep(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    asked, beeps = len(till.lookup.asked), till.display.beeps
    await till.scan("AB55000011112222")
    assert (till.state, len(till.lookup.asked), till.display.beeps) == ("SALE", asked, beeps + 1)
    assert "请先完成或取消" in till.text


async def test_scan_at_result_starts_the_next_refund(till: Till) -> None:
    await submit(till)
    await till.scan(WECHAT_ORDER)
    assert till.state == "SALE"


async def test_large_amount_is_typed_again() -> None:
    till = Till(policy=PolicyConfig(operator_limit_minor=999_999))
    till.lookup.sales[WECHAT_ORDER] = make_sale(paid_minor=50000, refundable_minor=50000)
    async with running(till):
        await till.sign_in()
        await to_confirm(till)
        await till.press("ENTER", "5", "0", "ENTER")
        assert "金额不一致" in till.text
        await till.press("0", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")


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


def test_case_dates_are_inside_the_window() -> None:
    assert datetime(2026, 11, 23, tzinfo=UTC) - make_sale().paid_at < timedelta(days=365)
