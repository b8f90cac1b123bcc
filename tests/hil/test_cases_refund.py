"""Acceptance cases 1–6, 22 and 23 of payments.md 9d: from the sale to the result, over the bench API."""

from typing import Any

import pytest

from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]
_WRONG_PINS = 5


def lines_with(slip: dict[str, Any], *words: str) -> list[str]:
    """Return the lines of a slip that hold all words."""
    return [line for line in slip["lines"] if all(word in line for word in words)]


def test_case_01_full_refund_online_is_paid_once_and_proved_on_paper(till: Till) -> None:
    client = till.client
    sale = till.untouched("wechat")
    before = len(client.requests())
    request_id = till.refund(sale)
    client.wait_screen("已提交 等待审核")
    client.wait_screen("￥128.00   钱还没退")
    slips = till.wait_slips(2)
    assert ["商户存根" in slip["text"] for slip in slips] == [True, False]
    assert ["顾客存根" in slip["text"] for slip in slips] == [False, True]
    for slip in slips:
        assert "RMB 128.00" in slip["text"]
        assert "人民币 壹佰贰拾捌元整" in slip["text"]
        assert "非到账凭证" in slip["text"]
        assert till.codes_on(slip) == [request_id]
        assert not slip["is_copy"]
        assert slip["unknown_commands"] == []
    row = till.wait_stored(request_id, "reviewing")
    assert (row["amount_minor"], row["sale_id"], row["operator_no"]) == (12800, sale["sale_id"], "01")
    assert till.moved(request_id) == []
    client.keys("CANCEL")
    client.wait_state("MENU")
    client.decide(request_id, "approve")
    result = till.wait_slips(3)[2]
    assert "退款成功" in result["text"]
    assert till.codes_on(result) == [request_id]
    client.wait_screen("退款成功 钱已退")
    assert till.moved(request_id) == [12800]
    assert till.stored(request_id)["state"] == "succeeded"
    assert len(client.requests()) == before + 1


def test_case_01_full_refund_in_english_says_the_same(till: Till) -> None:
    client = till.client
    sale = till.spare()
    client.keys("F4")
    client.wait_screen("Scan the customer's bill")
    client.scan(sale["code"])
    client.wait_screen("refund all CNY")
    client.enter()
    client.wait_screen("1 Changed mind")
    client.keys("1")
    client.wait_screen("REFUND  CNY")
    client.enter()
    client.wait_screen("SENT, being reviewed")
    state = client.wait_screen("NOT PAID YET")
    request_id = state["daemon"]["last_request_id"]
    assert state["locale"] == "en"
    assert all(till.codes_on(slip) == [request_id] for slip in till.wait_slips(2))
    client.keys("F4")
    client.wait_screen("已提交 等待审核")


def test_case_02_wechat_bill_of_31_digits_shows_channel_and_acquirer(till: Till) -> None:
    client = till.client
    sale = till.spare()
    assert len(sale["order_no"]) == 31
    till.scan(sale)
    client.wait_screen("微信支付")
    client.wait_screen("模拟收单机构")
    till.choose_all()
    request_id = till.confirm()
    slips = till.wait_slips(2)
    assert all(sale["order_no"] in slip["text"] for slip in slips)
    row = till.wait_stored(request_id, "reviewing")
    assert (row["sale_id"], row["channel"]) == (sale["sale_id"], "wechat")
    assert "keyed" not in row["flags"]


def test_case_03_wechat_transaction_id_keyed_finds_the_sale_and_is_flagged(till: Till) -> None:
    client = till.client
    sale = till.spare()
    assert len(sale["channel_trade_no"]) == 28
    client.keys("1")
    client.wait_state("SCAN")
    client.type(sale["channel_trade_no"])
    client.enter()
    client.wait_state("SALE")
    till.choose_all()
    row = till.wait_stored(till.confirm(), "reviewing")
    assert row["sale_id"] == sale["sale_id"]
    assert "keyed" in row["flags"]


def test_case_04_alipay_trade_number_shows_the_alipay_sale(till: Till) -> None:
    sale = till.scan_sale("alipay")
    assert len(sale["code"]) == 28
    lines = till.client.wait_screen("支付宝")["screens"]["operator"]["lines"]
    assert any("可退" in line and "￥256.00" in line for line in lines)


def test_case_05_partial_refund_says_refunded_and_remaining(till: Till) -> None:
    client = till.client
    till.scan(till.untouched("small"))
    client.keys("2")
    client.wait_state("AMOUNT")
    client.keys("3")
    client.wait_screen("￥3.00 叁元整")
    client.enter()
    client.wait_screen("￥3.00 部分")
    request_id = till.confirm()
    assert all("RMB 3.00" in slip["text"] for slip in till.wait_slips(2))
    client.keys("CANCEL")
    client.wait_state("MENU")
    client.decide(request_id, "approve")
    result = till.wait_slips(3)[2]
    assert lines_with(result, "已退", "RMB 3.00")
    assert lines_with(result, "剩余", "RMB 7.00")
    assert till.moved(request_id) == [300]


def test_case_06_second_part_above_the_remainder_is_refused_at_once(till: Till) -> None:
    client = till.client
    request_id = till.refund_part(till.untouched("small"), "3")
    till.wait_stored(request_id, "reviewing")
    before = len(client.requests())
    client.keys("CANCEL")
    client.wait_state("MENU")
    till.scan_sale("small")
    client.wait_screen("￥7.00")
    till.choose_part("7.01")
    state = client.wait_screen("超过可退 7.00")
    assert state["workflow_state"] == "AMOUNT"
    assert len(client.requests()) == before
    assert client.state()["outbox"] == {"queued": 0, "sent": 0, "held": 0}
    assert len(till.wait_slips(2)) == 2


@pytest.mark.parametrize("typed", ["0", "0.00", "1.234", "1..5", "."])
def test_case_22_amount_that_is_none_is_refused(till: Till, typed: str) -> None:
    client = till.client
    till.scan_sale("unionpay")
    till.choose_part(typed)
    state = client.wait_screen("金额无效")
    assert state["workflow_state"] == "AMOUNT"
    assert client.state()["workflow_state"] == "AMOUNT"


def test_case_23_amount_over_the_limit_goes_on_with_a_supervisor(till: Till) -> None:
    client = till.client
    supervisor = client.info()["supervisor"]
    till.scan(till.untouched("large"))
    till.choose_part("200.01")
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    client.wait_state("SUPERVISOR")
    client.wait_screen("超限额,请主管授权")
    client.type(supervisor["no"])
    client.enter()
    client.type(supervisor["pin"])
    client.enter()
    request_id = client.wait_state("RESULT")["daemon"]["last_request_id"]
    assert all("授权主管" in slip["text"] for slip in till.wait_slips(2))
    row = till.wait_stored(request_id, "reviewing")
    assert row["amount_minor"] == 20001
    assert "supervisor" in row["flags"]


def test_case_23_five_wrong_supervisor_pins_lock_that_number(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    supervisor = client.info()["supervisor"]
    wrong = "".join("1" if digit == "0" else "0" for digit in supervisor["pin"])
    till.to_confirm(till.sale("alipay"))
    client.enter()
    client.wait_state("SUPERVISOR")
    client.type(supervisor["no"])
    client.enter()
    for left in reversed(range(_WRONG_PINS)):
        client.type(wrong)
        client.enter()
        client.wait_screen(f"还可试{left}次" if left else "已锁定 15分钟")
    client.type(supervisor["pin"])
    client.wait_screen("****")
    client.enter()
    state = client.wait_screen("已锁定")
    assert state["workflow_state"] == "SUPERVISOR"
    assert client.requests() == []
    assert client.slips() == []


def test_case_24_operator_as_own_supervisor_is_refused(till: Till) -> None:
    client = till.client
    till.to_confirm(till.sale("alipay"))
    client.enter()
    client.wait_state("SUPERVISOR")
    client.type(client.info()["operator"]["no"])
    client.enter()
    client.wait_screen("不能自审")
    assert client.state()["workflow_state"] == "SUPERVISOR"


@pytest.mark.parametrize("gap_ms", [50, 800])
def test_case_20_submitting_twice_makes_one_request_that_stays_readable(till: Till, gap_ms: int) -> None:
    client = till.client
    sale = till.spare()
    before = len(client.requests())
    till.to_confirm(sale)
    client.wait_enter_alive()
    client.keys("ENTER", "ENTER", gap_ms=gap_ms)
    state = client.wait_screen("已提交 等待审核")
    assert state["workflow_state"] == "RESULT"
    assert len(till.wait_slips(2)) == 2
    client.wait_sent()
    assert client.state()["workflow_state"] == "RESULT"
    assert len(client.requests()) == before + 1


def test_scan_on_confirm_is_dropped_with_a_beep_and_changes_nothing(till: Till) -> None:
    client = till.client
    first, second = till.spare(), till.spare()
    till.to_confirm(first)
    beeps = till.beeps()
    client.scan(second["code"])
    client.wait_screen("请先完成或取消")
    client.wait(lambda _state: till.beeps() == beeps + 1, "an error beep")
    row = till.wait_stored(till.submit(), "reviewing")
    assert row["sale_id"] == first["sale_id"]
    client.keys("CANCEL")
    client.wait_state("MENU")
    till.scan(second)
    client.wait_screen(f"￥{second['paid_minor'] // 100}.00")
