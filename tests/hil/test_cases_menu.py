"""Cases 28 and 45 of payments.md 9d, badges and the end of a shift, over the bench API."""

import pytest

from pos_agent.domain.badges import make_badge
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def test_case_28_request_after_a_rejection_is_linked_on_paper(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    sale = till.spare()
    first = till.refund(sale)
    till.wait_stored(first, "reviewing")
    till.to_menu()
    client.decide(first, "reject", "资料不全")
    till.wait_stored(first, "rejected")
    client.wait_slips(3)
    till.refund(sale)
    slips = till.wait_slips(5)
    linked = [slip["text"] for slip in slips if "原申请号" in slip["text"]]
    assert len(linked) == 2
    assert all(f"..{first[-6:]}" in text for text in linked)


def test_case_45_training_run_is_marked_and_nothing_is_published(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    client.keys("FN", "0")
    client.wait_screen("演示模式 全部无效")
    assert client.state()["training"] is True
    client.type("1")
    client.wait_state("SCAN")
    client.type("900001")
    client.enter()
    client.wait_state("SALE")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    client.wait_state("RESULT")
    assert "演示模式 全部无效" in client.screen()
    assert "没有退钱" in client.screen()
    assert "演示" in client.screen("customer")
    slips = till.wait_slips(2)
    assert all("演示" in slip["text"] and "无效" in slip["text"] for slip in slips)
    assert client.requests() == []
    assert not any(client.state()["outbox"].values())
    till.to_menu()
    till.client.scan(till.sale("wechat")["code"])
    client.wait_state("REFUSED")
    client.wait_screen("演示模式不退真单")
    till.to_menu()
    client.keys("FN", "7")
    client.wait_state("LOGIN")
    assert client.state()["training"] is False
    till.type_credentials()
    assert "演示" not in client.screen()


def test_badge_at_login_types_the_number_and_the_pin_opens_the_menu(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    operator = client.info()["operator"]
    client.keys("FN", "7")
    client.wait_state("LOGIN")
    client.scan(make_badge(operator["no"]))
    client.wait_screen(f"操作员号:  {operator['no']}")
    assert client.state()["workflow_state"] == "LOGIN"
    client.type(operator["pin"])
    client.enter()
    client.wait_state("MENU")
    assert till.slips() == []


def test_shift_is_asked_before_it_is_closed(fresh_till: Till) -> None:
    till, client = fresh_till, fresh_till.client
    client.keys("FN", "8")
    client.wait_state("SHIFT")
    client.keys("CLEAR")
    client.wait_state("MENU")
    client.keys("FN", "8")
    client.wait_state("SHIFT")
    client.enter()
    client.wait_state("MENU")
    (slip,) = till.wait_slips(1)
    assert "交班" in slip["text"]


def test_stopped_till_says_so_on_both_displays(fresh_till: Till) -> None:
    import os
    import signal

    client = fresh_till.client
    os.kill(client.state()["daemon"]["pid"], signal.SIGTERM)
    client.wait_screen("退款程序已停止")
    client.wait_screen("Out of service", display="customer")
