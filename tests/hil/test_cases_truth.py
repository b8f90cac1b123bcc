"""Acceptance cases 46, 47 and 49 of payments.md 9d: the newest state counts, once, whatever is delivered again."""

import re

import pytest

from tests.hil.spy import Spy
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def paid(till: Till, spy: Spy) -> str:
    """Refund a sale to its end; ends at MENU with three slips. Returns the request's number."""
    request_id = till.refund(till.spare())
    till.wait_slips(2)
    till.to_menu()
    till.client.decide(request_id, "approve")
    till.wait_slips(3)
    till.wait_printed()
    spy.wait_heard(1, "refund.state")
    return request_id


def test_case_46_own_slip_scanned_shows_the_newest_state_and_its_time(spied_till: Till) -> None:
    till, client = spied_till, spied_till.client
    request_id = till.refund(till.spare())
    till.wait_slips(2)
    till.to_menu()
    shown = till.open_status(request_id, "审核中")
    assert "钱还没退" in shown
    assert re.search(r"\d\d:\d\d", "\n".join(shown.splitlines()[1:]))
    client.decide(request_id, "approve")
    client.wait_screen("退款成功")
    client.wait_screen("钱已退")
    till.to_menu()
    assert "退款成功" in till.open_status(request_id, "钱已退")


def test_case_47_older_states_delivered_again_change_nothing(spied_till: Till, spy: Spy) -> None:
    till = spied_till
    request_id = paid(till, spy)
    states = spy.states(request_id)
    assert len({one.body["update"]["state"] for one in states}) >= 2, "an older state and the final one"
    till.open_status(request_id, "钱已退")
    for state in states[:-1]:
        spy.replay_until_taken(state)
    shown = till.client.screen()
    assert "退款成功" in shown
    assert "钱已退" in shown
    till.wait_printed()
    assert len(till.slips()) == 3


def test_case_47_older_states_delivered_again_after_a_power_cut_change_nothing(spied_till: Till, spy: Spy) -> None:
    till = spied_till
    request_id = paid(till, spy)
    till.client.power("cut")
    till.power_on()
    till.type_credentials()
    till.client.wait(lambda state: state["daemon"]["is_back_office_present"], "the back office")
    for state in spy.states(request_id)[:-1]:
        spy.replay_until_taken(state)
    assert "退款成功" in till.open_status(request_id, "钱已退")
    till.wait_printed()
    assert len(till.slips()) == 3


def test_case_49_result_delivered_again_prints_one_result_slip(spied_till: Till, spy: Spy) -> None:
    till = spied_till
    request_id = paid(till, spy)
    result = spy.states(request_id)[-1]
    assert result.body["update"]["state"] == "succeeded"
    for _ in range(3):
        spy.replay_until_taken(result)
    till.wait_printed()
    results = [slip for slip in till.slips() if "退款成功" in slip["text"]]
    assert [till.codes_on(slip) for slip in results] == [[request_id]]
    assert len(till.moved(request_id)) == 1
