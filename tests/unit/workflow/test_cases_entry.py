"""Acceptance cases of the refund menu (payments.md section 9d): what is scanned or typed, and its sale."""

from datetime import UTC, datetime, timedelta

import pytest

from pos_agent.domain.events import (
    DeviceName,
    DeviceStatusChanged,
    ScanGarbled,
)
from pos_agent.domain.refund import (
    Channel,
    Entry,
    ReferenceKind,
)
from pos_agent.domain.sale import LookUpOutcome
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, submit

TRANSACTION_ID = "4200002732202507107819354892"
ALIPAY_NO = "2026112022001412341234567890"


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


def test_case_dates_are_inside_the_window() -> None:
    assert datetime(2026, 11, 23, tzinfo=UTC) - make_sale().paid_at < timedelta(days=365)
