"""Acceptance cases 16–19 of payments.md 9d, and what else happens to network and power, over the bench API."""

import pytest

from hil.bench.client import BenchClient
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]
_BACK_S = 40.0


def go_offline(client: BenchClient) -> None:
    """Take the broker away and wait until the till knows."""
    client.broker("down")
    client.wait(lambda state: not state["daemon"]["is_broker_connected"], "offline")


def cut_and_restore_power(till: Till) -> None:
    """Cut the till's power and switch it on again; ends at LOGIN."""
    till.client.power("cut")
    till.power_on()


def test_case_16_network_down_before_submit_is_saved_and_sent_once(till: Till) -> None:
    client = till.client
    sale = till.spare()
    before = len(client.requests())
    till.scan(sale)
    go_offline(client)
    till.choose_all()
    request_id = till.confirm()
    client.wait_screen("网络断开,已保存")
    shown = client.screen()
    assert "钱还没退" in shown
    assert "已提交" not in shown
    slips = till.wait_slips(2)
    assert all("待上传" in slip["text"] for slip in slips)
    assert client.state()["outbox"] == {"queued": 1, "sent": 0, "held": 0}
    assert len(client.requests()) == before
    client.broker("up")
    row = till.wait_stored(request_id, "reviewing")
    assert row["amount_minor"] == sale["paid_minor"]
    assert len(client.requests()) == before + 1
    client.decide(request_id, "approve")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]


def test_case_17_silent_back_office_never_holds_the_cashier_up(till: Till) -> None:
    client = till.client
    sale, following = till.spare(), till.spare()
    before = len(client.requests())
    till.scan(sale)
    client.back_office("stall")
    till.choose_all()
    request_id = till.confirm()
    client.wait_screen("已保存,等待后台确认")
    shown = client.screen()
    assert "结果待确认" in shown
    assert "已提交" not in shown
    assert len(till.wait_slips(2)) == 2
    client.scan(following["code"])
    client.wait_screen("正在查询原交易")
    client.keys("CANCEL")
    client.wait_state("SCAN")
    client.back_office("up")
    row = till.wait_stored(request_id, "reviewing")
    assert row["sale_id"] == sale["sale_id"]
    assert len(client.requests()) == before + 1


def test_case_18_power_cut_after_confirm_sends_the_same_request_by_itself(till: Till) -> None:
    client = till.client
    before = len(client.requests())
    till.scan(till.spare())
    go_offline(client)
    till.choose_all()
    request_id = till.confirm()
    till.wait_slips(2)
    till.wait_printed()
    client.power("cut")
    client.broker("up")
    till.power_on()
    till.wait_stored(request_id, "reviewing")
    assert client.state()["workflow_state"] == "LOGIN"
    assert len(client.requests()) == before + 1
    assert len(till.slips()) == 2


def test_case_18_power_cut_in_the_moment_of_confirm_is_all_or_nothing(till: Till) -> None:
    client = till.client
    before = [row["refund_request_id"] for row in client.requests()]
    earlier = client.state()["daemon"]["last_request_id"]
    till.to_confirm(till.spare())
    client.enter()
    cut_and_restore_power(till)
    request_id = client.state()["daemon"]["last_request_id"]
    if request_id == earlier:  # nothing was durable: then nobody else may know of it either
        assert [row["refund_request_id"] for row in client.requests()] == before
        assert till.slips() == []
        return
    till.wait_stored(request_id, "reviewing")
    till.wait_printed()
    slips = [slip for slip in till.slips() if request_id in till.codes_on(slip)]
    for kind in ("商户存根", "顾客存根"):
        of_kind = [slip for slip in slips if kind in slip["text"]]
        assert of_kind, f"no slip {kind}"
        assert [slip["is_copy"] for slip in of_kind].count(False) <= 1
    assert [row["refund_request_id"] for row in client.requests()] == [request_id, *before]


def test_case_18_power_cut_before_the_decision_pays_once_and_prints_the_result(till: Till) -> None:
    client = till.client
    sale = till.spare()
    request_id = till.refund(sale)
    till.wait_slips(2)
    till.wait_printed()
    till.wait_stored(request_id, "reviewing")
    client.power("cut")
    client.decide(request_id, "approve")
    assert till.wait_moved(request_id) == [sale["paid_minor"]]
    till.power_on()
    result = till.wait_slips(3)[2]
    assert "退款成功" in result["text"]
    till.wait_printed()
    assert len(till.slips()) == 3
    assert till.moved(request_id) == [sale["paid_minor"]]


def test_case_19_power_cut_before_confirm_offers_resume_and_goes_on_there(till: Till) -> None:
    client = till.client
    sale = till.spare()
    till.scan(sale)
    till.choose_all()
    before = len(client.requests())
    cut_and_restore_power(till)
    assert len(client.requests()) == before
    till.type_credentials()
    client.wait_state("RESUME")
    client.wait_screen("选原因")
    client.wait_screen(f"￥{sale['paid_minor'] // 100}.00")
    client.enter()
    client.wait_state("REASON")
    row = till.wait_stored(till.confirm(), "reviewing")
    assert row["sale_id"] == sale["sale_id"]


def test_case_19_resume_refused_leads_to_menu_and_keeps_nothing(till: Till) -> None:
    client = till.client
    before = len(client.requests())
    till.to_confirm(till.spare())
    cut_and_restore_power(till)
    till.type_credentials()
    client.wait_state("RESUME")
    client.keys("CANCEL")
    client.wait_state("MENU")
    cut_and_restore_power(till)
    till.type_credentials()
    client.wait_state("MENU")
    assert len(client.requests()) == before
    assert till.slips() == []


def test_network_dead_at_look_up_is_noted_down_to_be_verified(till: Till) -> None:
    client = till.client
    sale = till.spare()
    go_offline(client)
    client.scan(sale["code"])
    client.wait_screen("后台没有应答   E-NET", timeout_s=15)
    assert "没有提交 钱没动" in client.screen()
    client.keys("2")
    client.wait_state("PAID")
    client.type(f"{sale['paid_minor'] // 100}")
    client.enter()
    client.wait_state("AMOUNT")
    client.type("5")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_screen("待核实: 没有查到原交易")
    client.wait_state("CONFIRM")
    request_id = till.submit()
    client.wait_screen("网络断开,已保存")
    assert all("待核实" in slip["text"] for slip in till.wait_slips(2))
    client.broker("up")
    row = till.wait_stored(request_id, "reviewing")
    assert (row["amount_minor"], row["sale_id"]) == (500, sale["sale_id"])
    assert "unverified" in row["flags"]


def test_network_back_at_look_up_retries_by_key_1(till: Till) -> None:
    client = till.client
    go_offline(client)
    client.scan(till.spare()["code"])
    client.wait_state("NO_LOOKUP", timeout_s=15)
    client.broker("up")
    client.wait(lambda state: state["daemon"]["is_back_office_present"], "online", timeout_s=_BACK_S)
    client.keys("1")
    client.wait_state("SALE")


def test_broker_that_forgot_everything_loses_no_decision(till: Till) -> None:
    client = till.client
    sale = till.spare()
    request_id = till.refund(sale)
    till.wait_stored(request_id, "reviewing")
    till.wait_slips(2)
    client.keys("CANCEL")
    client.wait_state("MENU")
    client.broker("wipe")
    client.decide(request_id, "approve")
    result = till.wait_slips(3)[2]
    assert "退款成功" in result["text"]
    assert till.moved(request_id) == [sale["paid_minor"]]
    client.wait(lambda state: state["daemon"]["is_back_office_present"], "online", timeout_s=_BACK_S)


def test_back_office_killed_between_request_and_decision_goes_on(till: Till) -> None:
    client = till.client
    till.scan(till.spare())
    client.back_office("down")
    client.wait(lambda state: not state["daemon"]["is_back_office_present"], "back office away")
    till.choose_all()
    request_id = till.confirm()
    client.wait_screen(lambda lines: "已提交" not in lines[0] and "已保存" in lines[0])
    client.back_office("up")
    till.wait_stored(request_id, "reviewing")
    client.decide(request_id, "approve")
    assert len(till.wait_moved(request_id)) == 1
