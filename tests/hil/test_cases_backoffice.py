"""Acceptance cases of payments.md 9d in which back office and acquirer decide, over the bench API."""

from typing import Any

import pytest

from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

_NOTHING_TO_SEND = {"queued": 0, "sent": 0, "held": 0}


def submitted(till: Till, sale: dict[str, Any]) -> str:
    """Submit a full refund and go back to MENU, both request slips out. Returns the request's number."""
    request_id = till.refund(sale)
    till.client.wait_screen("已提交")
    till.wait_slips(2)
    till.to_menu()
    return request_id


def to_note(till: Till) -> None:
    """From MENU to NOTE: all of a sale, for reason 99, which needs a phrase."""
    till.scan(till.spare())
    till.choose_all()
    till.client.keys("0", "9", "9")
    till.client.wait_state("NOTE")


def test_case_25_other_reason_without_a_phrase_asks_for_one(till: Till) -> None:
    client = till.client
    to_note(till)
    client.enter()
    client.wait_screen("请填写原因")
    assert client.state()["workflow_state"] == "NOTE"
    client.keys("3")
    client.wait_state("CONFIRM")
    request_id = till.submit()
    assert till.wait_stored(request_id, "reviewing")["reason_code"] == "R99"
    assert all("商品拿错已更换" in slip["text"] for slip in till.wait_slips(2))


def test_case_26_question_is_answered_on_the_same_request(till: Till) -> None:
    client = till.client
    request_id = submitted(till, till.spare())
    before = len(client.requests())
    client.decide(request_id, "need_info", "顾客退货了吗")
    client.wait_screen("个结果 按2")
    till.open_status(request_id, "需补充:顾客退货了吗")
    client.enter()
    client.wait_state("ANSWER")
    client.keys("1")
    client.wait_state("STATUS")
    client.wait_screen("审核中")
    till.wait_stored(request_id, "reviewing")
    assert len(client.requests()) == before
    till.to_menu()
    client.decide(request_id, "approve")
    assert "退款成功" in till.wait_slips(3)[2]["text"]


def test_case_27_rejected_by_finance_prints_reason_and_where_to_complain(till: Till) -> None:
    client = till.client
    sale = till.spare()
    request_id = submitted(till, sale)
    client.decide(request_id, "reject", "单据不符", user="finance")
    slip = till.wait_slips(3)[2]
    for words in ("退款申请未通过", "单据不符", "400-000-1234", "消费者投诉 Complaints 12315"):
        assert words in slip["text"]
    assert till.codes_on(slip) == [request_id]
    assert "已驳回" in till.open_status(request_id, "没有退钱")
    assert till.moved(request_id) == []
    till.to_menu()
    till.scan(sale)
    shown = client.screen()
    assert any("已退" in line and "￥0.00" in line for line in shown.splitlines())
    assert any("可退" in line and f"￥{sale['paid_minor'] // 100}.00" in line for line in shown.splitlines())


def test_case_29_processing_says_so_and_prints_no_success(till: Till) -> None:
    client = till.client
    client.acquirer("processing")
    request_id = submitted(till, till.spare())
    client.decide(request_id, "approve")
    assert "结果待确认" in till.open_status(request_id, "退款处理中")
    till.to_menu()
    till.wait_printed()
    assert len(till.slips()) == 2
    client.acquirer(settle=True)
    assert "退款成功" in till.wait_slips(3)[2]["text"]
    assert len(till.moved(request_id)) == 1


def test_case_30_acquirer_time_out_is_unknown_until_the_query_and_refunds_once(till: Till) -> None:
    client = till.client
    sale = till.spare()
    client.acquirer("timeout")
    request_id = submitted(till, sale)
    client.decide(request_id, "approve")
    client.wait_screen("结果待确认")
    assert "退款成功" in till.wait_slips(3)[2]["text"]
    assert till.moved(request_id) == [sale["paid_minor"]]
    assert "钱已退" in till.open_status(request_id, "退款成功")


@pytest.mark.parametrize("code", ["NOT_ENOUGH", "SELLER_BALANCE_NOT_ENOUGH"])
def test_case_31_merchant_balance_holds_and_goes_on_under_the_same_number(till: Till, code: str) -> None:
    client = till.client
    sale = till.spare()
    client.acquirer(f"failed:{code}")
    request_id = submitted(till, sale)
    client.decide(request_id, "approve")
    screen = till.open_status(request_id, "商户余额不足,待处理")
    assert "钱还没退" in screen
    row = till.wait_stored(request_id, "executing")
    assert row["hold"] == "merchant_balance"
    assert till.moved(request_id) == []
    assert len(till.slips()) == 2
    till.to_menu()
    client.decide(request_id, "retry")
    assert "退款成功" in till.wait_slips(3)[2]["text"]
    assert till.moved(request_id) == [sale["paid_minor"]]
    numbers = {one["refund_no"] for one in client.movements() if one["refund_no"].endswith(request_id)}
    assert numbers == {f"R{request_id}"}


def test_case_32_closed_card_is_for_people_and_says_what_the_customer_should_do(till: Till) -> None:
    client = till.client
    client.acquirer("abnormal")
    request_id = submitted(till, till.spare())
    client.decide(request_id, "approve")
    slip = till.wait_slips(3)[2]
    assert "请顾客留下联系方式" in slip["text"]
    assert "退款成功" not in slip["text"]
    assert "结果待确认" in till.open_status(request_id, "需人工处理")
    assert till.moved(request_id) == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [("too_old", "超过退款期限(365天)"), ("terminated", "该机构支付业务已终止"), ("nothing_left", "已全部退完或在退")],
    ids=["case_33_too_old", "case_42_institution_ended", "nothing_left"],
)
def test_case_33_42_sale_that_may_not_be_refunded_is_refused_at_once(till: Till, kind: str, words: str) -> None:
    client = till.client
    before = len(client.requests())
    client.scan(till.sale(kind)["code"])
    client.wait_screen(words)
    client.wait_state("REFUSED")
    assert "没有提交 钱没动" in client.screen()
    client.keys("ENTER", "ENTER")
    assert client.state()["outbox"] == _NOTHING_TO_SEND
    assert len(client.requests()) == before
    assert till.slips() == []


def test_case_34_unknown_sale_says_so_and_sends_nothing(till: Till) -> None:
    client = till.client
    before = len(client.requests())
    client.scan(till.sale("wechat")["code"][:-4] + "9999")
    client.wait_screen("查不到原交易")
    assert "没有提交 钱没动" in client.screen()
    assert client.state()["outbox"] == _NOTHING_TO_SEND
    assert len(client.requests()) == before
    assert till.slips() == []


def test_case_39_sixth_request_within_an_hour_asks_for_a_supervisor(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    for _ in range(5):
        till.refund(till.spare())
    till.to_confirm(till.spare())
    client.enter()
    client.wait_state("SUPERVISOR")
    assert "申请太多" in client.screen()
    supervisor = client.info()["supervisor"]
    client.type(supervisor["no"])
    client.enter()
    client.type(supervisor["pin"])
    client.enter()
    request_id = client.wait_state("RESULT")["daemon"]["last_request_id"]
    client.wait_sent()
    assert "frequent" in till.stored(request_id)["flags"]
