"""Acceptance cases 14 and 21 of payments.md 9d, and what else happens to cables and paper, over the bench API."""

from typing import Any

import pytest

from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def copies(slips: list[dict[str, Any]]) -> list[bool]:
    """Return which slips are marked as copies."""
    return [slip["is_copy"] for slip in slips]


def test_case_14_scanner_unplugged_is_said_and_typing_goes_on(till: Till) -> None:
    client = till.client
    sale = till.spare()
    pid = client.state()["daemon"]["pid"]
    client.unplug("scanner")
    client.wait_screen("扫描枪未连接 E-DEV1")
    client.keys("1")
    client.wait_screen("扫描枪未连接   E-DEV1")
    client.type(sale["order_no"])
    client.enter()
    client.wait_state("SALE")
    client.plug("scanner")
    client.wait_device("scanner", is_online=True)
    client.keys("CLEAR")
    client.wait_state("SCAN")
    client.wait_screen(lambda lines: "E-DEV1" not in "".join(lines))
    till.scan(sale)
    assert client.state()["daemon"]["pid"] == pid


def test_case_21_paper_out_keeps_the_request_and_prints_the_originals_later(till: Till) -> None:
    client = till.client
    fault_id = client.fault("paper_end")
    request_id = till.refund(till.spare())
    client.wait_screen("缺纸,申请已保存")
    row = till.wait_stored(request_id, "reviewing")
    assert row["money_moved"] == "no"
    assert till.slips() == []
    client.clear_fault(fault_id)
    slips = till.wait_slips(2)
    assert copies(slips) == [False, False]
    assert [till.codes_on(slip) for slip in slips] == [[request_id]] * 2
    client.keys("CANCEL")
    client.wait_state("MENU")
    client.keys("3")
    copy = till.wait_slips(3)[2]
    assert copy["is_copy"]
    assert "重打印凭证 DUPLICATED COPY 1" in copy["text"]
    assert till.codes_on(copy) == [request_id]


def test_case_21_paper_out_inside_a_slip_prints_a_marked_copy_of_it(till: Till) -> None:
    client = till.client
    fault_id = client.fault("paper_end", after_mm=40)
    request_id = till.refund(till.spare())
    client.wait_screen("缺纸,申请已保存")
    client.clear_fault(fault_id)
    slips = till.wait_slips(3)
    till.wait_printed()
    # Never two unmarked slips of one kind: the first was stopped inside, what follows for it says so (D13).
    assert copies([slip for slip in slips if "商户存根" in slip["text"]]) == [False, True]
    assert copies([slip for slip in slips if "顾客存根" in slip["text"]]) == [False]
    assert till.codes_on(slips[-1]) == [request_id]
    client.wait_screen("不确定是否打出,请看纸")


def test_printer_unplugged_before_the_slip_prints_originals_when_it_is_back(till: Till) -> None:
    client = till.client
    client.unplug("printer")
    client.wait_device("printer", is_online=False)
    request_id = till.refund(till.spare())
    client.wait_screen("打印机未连接,已保存")
    client.plug("printer")
    slips = till.wait_slips(2)
    assert copies(slips) == [False, False]
    assert [till.codes_on(slip) for slip in slips] == [[request_id]] * 2


def test_cover_open_is_named_and_closing_it_prints(till: Till) -> None:
    client = till.client
    fault_id = client.fault("cover_open")
    till.refund(till.spare())
    client.wait_screen("打印机盖开,已保存")
    assert till.slips() == []
    client.clear_fault(fault_id)
    assert copies(till.wait_slips(2)) == [False, False]


def test_keypad_unplugged_inside_a_refund_loses_nothing(till: Till) -> None:
    client = till.client
    sale = till.spare()
    till.scan(sale)
    till.choose_all()
    client.unplug("keypad")
    client.wait_device("keypad", is_online=False)
    client.plug("keypad")
    client.wait_device("keypad", is_online=True)
    assert client.state()["workflow_state"] == "REASON"
    row = till.wait_stored(till.confirm(), "reviewing")
    assert row["sale_id"] == sale["sale_id"]


def test_display_unplugged_shows_the_same_screen_when_it_is_back(till: Till) -> None:
    client = till.client
    till.scan(till.spare())
    before = client.screen()
    client.unplug("operator_display")
    client.wait_device("operator_display", is_online=False)
    client.plug("operator_display")
    client.wait_device("operator_display", is_online=True)
    client.wait_screen(lambda lines: "\n".join(lines) == before)
