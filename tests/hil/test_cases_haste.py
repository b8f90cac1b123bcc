"""What a busy counter does to a till: the next customer at once, the same sale twice, stuck keys."""

import pytest

from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def note_down_offline(till: Till, code: str, yuan: str) -> str:
    """From MENU without a network: a sale noted down unverified, refunded whole; ends at MENU. Returns the number."""
    client = till.client
    client.scan(code)
    client.wait_state("NO_LOOKUP", timeout_s=15)
    client.keys("2")
    client.wait_state("PAID")
    client.type(yuan)
    client.enter()
    client.wait_state("AMOUNT")
    client.type(yuan)
    client.enter()
    client.wait_state("REASON")
    request_id = till.confirm()
    client.keys("CANCEL")
    client.wait_state("MENU")
    return request_id


def test_scan_at_result_starts_the_next_refund(till: Till) -> None:
    first, second = till.spare(), till.spare()
    request_id = till.refund(first)
    till.scan(second)
    till.client.wait_screen(f"￥{second['paid_minor'] // 100}.00")
    till.choose_all()
    assert till.confirm() != request_id
    assert till.wait_stored(request_id, "reviewing")["sale_id"] == first["sale_id"]


def test_sale_with_a_request_for_all_of_it_cannot_be_refunded_again(till: Till) -> None:
    client = till.client
    sale = till.spare()
    till.wait_stored(till.refund(sale), "reviewing")
    before = len(client.requests())
    client.scan(sale["code"])
    client.wait_screen("已全部退完或在退")
    assert "没有提交 钱没动" in client.screen()
    assert len(client.requests()) == before


def test_sale_noted_down_twice_without_network_is_paid_at_most_once(till: Till) -> None:
    client = till.client
    sale = till.spare()
    client.broker("down")
    client.wait(lambda state: not state["daemon"]["is_broker_connected"], "offline")
    yuan = str(sale["paid_minor"] // 100)
    numbers = [note_down_offline(till, sale["code"], yuan) for _ in range(2)]
    assert len(set(numbers)) == 2
    client.broker("up")
    client.wait_sent(timeout_s=40)
    till.wait_stored(numbers[0], "reviewing")
    second = till.stored(numbers[1])
    client.decide(numbers[0], "approve")
    till.wait_moved(numbers[0])
    assert second["state"] in ("reviewing", "rejected")
    if second["state"] == "reviewing":
        with pytest.raises(AssertionError, match="refused"):
            client.decide(numbers[1], "approve")
    assert sum(len(till.moved(number)) for number in numbers) == 1
    assert till.stored(numbers[1])["money_moved"] == "no"


def test_cancel_asks_once_and_clear_goes_on_at_the_same_place(till: Till) -> None:
    client = till.client
    till.to_confirm(till.spare())
    client.keys("CANCEL")
    client.wait_screen("放弃本次退款?")
    client.keys("CLEAR")
    client.wait_state("CONFIRM")
    client.keys("CANCEL")
    client.wait_state("ABANDON")
    client.enter()
    client.wait_state("MENU")
    assert client.state()["outbox"] == {"queued": 0, "sent": 0, "held": 0}
    assert till.slips() == []


def test_help_over_a_sale_returns_to_the_sale(till: Till) -> None:
    client = till.client
    till.scan(till.spare())
    shown = client.screen()
    client.keys("FN")
    client.wait_state("FUNCTION")
    client.keys("1")
    client.wait_screen("帮助")
    client.keys("CLEAR")
    client.wait_screen(lambda lines: "\n".join(lines) == shown)


def test_scanner_in_keyboard_mode_never_submits(till: Till) -> None:
    client = till.client
    before = len(client.requests())
    till.to_confirm(till.spare())
    client.wait_enter_alive()
    bursts = till.counter("keypad", "KeyboardModeBurstCount")
    client.fault("burst", "keypad")
    till.wait_counter("keypad", "KeyboardModeBurstCount", above=bursts)
    assert client.state()["workflow_state"] == "CONFIRM"
    assert len(client.requests()) == before
    assert till.slips() == []


def test_stuck_key_types_one_digit_and_leaves_the_till_usable(till: Till) -> None:
    client = till.client
    till.scan_sale("unionpay")
    client.keys("2")
    client.wait_state("AMOUNT")
    fault_id = client.fault("stuck_key", "keypad", key="5")
    client.wait_screen("￥5.00")
    client.clear_fault(fault_id)
    client.keys("DOT", "2")
    client.wait_screen("￥5.20")
    client.keys("CLEAR", "CLEAR", "CLEAR")
    client.keys("CLEAR")
    client.wait_state("SALE")


def test_digits_typed_faster_than_a_person_all_count(till: Till) -> None:
    client = till.client
    till.scan_sale("unionpay")
    client.keys("2")
    client.wait_state("AMOUNT")
    client.keys("1", "2", "DOT", "3", "4", gap_ms=60)
    client.wait_screen("￥12.34")
