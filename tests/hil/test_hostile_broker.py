"""D15 as a cashier sees it: whoever owns the broker can delay and drop; nothing untrue is shown, printed or paid.

The messages themselves are refused one by one in `tests/integration/broker/test_trust.py`.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pos_agent.domain.refund import MoneyMoved, RefundState, RefundUpdate
from pos_agent.protocol import codec
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundStateMessage
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf
from tests.hil.conftest import RunningBench
from tests.hil.spy import Heard, Spy
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

_TERMINAL = "t-demo-01"
_OFFICE_KID, _DEVICE_KID = "bo-1", f"dev-{_TERMINAL}"
#: Later than anything genuine.
_LATER = datetime(2099, 1, 1, tzinfo=UTC)
_GARBAGE = (b"", b"\xff\xfe\x00", b"{}", b"[1,2", b"x" * 200_000, '{"payload":"不是报文"}'.encode())


def forged_state(spy: Spy, request_id: str, state: RefundState, moved: MoneyMoved) -> bytes:
    """Return the latest state of a request that anybody could think of, under the back office's key id."""
    update = RefundUpdate(
        refund_request_id=request_id,
        state=state,
        epoch=9,
        seq=999,
        money_moved=moved,
        at=_LATER,
    )
    return spy.forged(codec.encode(RefundStateMessage(terminal_id=_TERMINAL, update=update)), kid=_OFFICE_KID)


def forged_ack(spy: Spy, request_id: str, status: AckStatus) -> bytes:
    """Return an answer to a request, under the back office's key id."""
    ack = AppAckMessage(
        terminal_id=_TERMINAL,
        refund_request_id=request_id,
        kind="refund.request",
        rev=1,
        status=status,
        epoch=9,
        at=_LATER,
    )
    return spy.forged(codec.encode(ack), kid=_OFFICE_KID)


def paid(till: Till) -> str:
    """Refund a sale to its end; ends at MENU. Returns the request's number."""
    request_id = till.refund(till.spare())
    till.wait_slips(2)
    till.to_menu()
    till.client.decide(request_id, "approve")
    till.wait_slips(3)
    till.wait_printed()
    return request_id


def test_forged_result_is_neither_shown_nor_printed(spied_till: Till, spy: Spy, spied_bench: RunningBench) -> None:
    till, client = spied_till, spied_till.client
    earlier = spy.states(paid(till))[-1]
    slips = len(till.slips())
    request_id = till.refund(till.spare())
    till.wait_slips(slips + 2)
    till.to_menu()
    for _ in range(3):
        spy.send(Leaf.DOWN_REFUND, forged_state(spy, request_id, RefundState.SUCCEEDED, MoneyMoved.YES))
        spy.send(Leaf.DOWN_REFUND, forged_state(spy, request_id, RefundState.REJECTED, MoneyMoved.NO))
    spy.replay_until_taken(earlier)
    shown = till.open_status(request_id, "审核中")
    assert "钱还没退" in shown
    till.wait_printed()
    assert len(till.slips()) == slips + 2
    log = (spied_bench.log_dir / "daemon.log").read_text("utf-8")
    of_this_run = log.rpartition(" ready version=")[2]
    assert of_this_run.count("message refused cause=unsigned ") == 1, "the first is logged, the rest are counted"
    client.decide(request_id, "approve")
    client.wait_screen("退款成功")
    till.to_menu()
    till.wait_slips(slips + 3)
    assert len(till.moved(request_id)) == 1


def test_forged_ack_never_clears_a_request(spied_till: Till, spy: Spy) -> None:
    till, client = spied_till, spied_till.client
    earlier = spy.states(paid(till))[-1]
    genuine = spy.wait_heard(1, "ack")
    till.scan(till.spare())
    client.back_office("stall")
    till.choose_all()
    request_id = till.confirm()
    client.wait_screen("已保存,等待后台确认")
    for status in AckStatus:
        spy.send(Leaf.DOWN_ACK, forged_ack(spy, request_id, status))
    spy.replay(*genuine)
    spy.replay_until_taken(earlier)
    outbox = client.state()["outbox"]
    assert (outbox["held"], outbox["queued"] + outbox["sent"] >= 1) == (0, True)
    shown = client.screen()
    assert "已提交" not in shown
    assert "结果待确认" in shown or "已保存" in shown
    client.back_office("up")
    assert till.wait_stored(request_id, "reviewing")["refund_request_id"] == request_id


def test_replayed_presence_of_a_dead_back_office_promises_nothing(spied_till: Till, spy: Spy) -> None:
    till, client = spied_till, spied_till.client
    earlier = spy.states(paid(till))[-1]
    client.power("cut")
    till.power_on()
    client.wait(lambda state: state["daemon"]["is_back_office_present"], "the back office")
    [online] = _retained(spied_till, spy)
    sale = till.spare()
    till.type_credentials()
    till.scan(sale)
    client.back_office("down")
    client.wait(lambda state: not state["daemon"]["is_back_office_present"], "the back office is away", timeout_s=40)
    spy.publish(BACK_OFFICE_STATE, online.payload, is_retained=True)
    spy.replay_until_taken(earlier)
    assert not client.state()["daemon"]["is_back_office_present"]
    till.choose_all()
    request_id = till.confirm()
    client.wait_screen("已保存")
    assert "已提交" not in client.screen()
    # After a restart the till has never heard of this instance: its word is genuine, and old.
    till.wait_printed()
    client.power("cut")
    spy.publish(BACK_OFFICE_STATE, online.payload, is_retained=True)
    till.power_on()
    till.type_credentials()
    client.wait_screen("后台离线")
    shown = till.open_status(request_id, "待上传")
    assert "结果待确认" in shown
    assert not any(claim in shown for claim in ("已提交", "审核中", "钱还没退", "钱已退"))
    till.to_menu()
    client.back_office("up")
    till.wait_stored(request_id, "reviewing")


def _retained(till: Till, spy: Spy) -> list[Heard]:
    """Return the word of the back office that the broker keeps for whoever comes."""
    assert till.client.state()["daemon"]["is_back_office_present"]
    return [one for one in spy.heard("backend.presence") if one.body["is_online"]][-1:]


def test_forged_answer_to_a_look_up_shows_no_sale(spied_till: Till, spy: Spy) -> None:
    till, client = spied_till, spied_till.client
    first, second = till.spare(), till.spare()
    till.scan(first)
    [genuine] = spy.wait_heard(1, "sale.answer")[-1:]
    till.client.keys("CANCEL")
    client.wait_state("ABANDON")
    client.enter()
    client.wait_state("MENU")
    client.back_office("stall")
    client.scan(second["code"])
    client.wait_state("LOOKUP")
    question = spy.wait_heard(2, "sale.lookup")[-1]
    forged: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(genuine.body))
    forged["result"]["lookup_id"] = question.body["lookup_id"]
    spy.send(Leaf.DOWN_ANSWER, spy.forged(forged, kid=_OFFICE_KID))
    spy.replay(genuine)
    client.back_office("up")
    client.wait_state("SALE")
    client.wait_screen(f"￥{second['paid_minor'] // 100}.00")


def test_forged_requests_and_garbage_never_reach_the_review_queue(
    spied_till: Till, spy: Spy, spied_bench: RunningBench
) -> None:
    till, client = spied_till, spied_till.client
    till.wait_stored(till.refund(till.spare()), "reviewing")
    till.to_menu()
    [real] = spy.wait_heard(1, "refund.request")[-1:]
    before = {row["refund_request_id"] for row in client.requests()}
    fake = msgspec.json.decode(msgspec.json.encode(real.body))
    fake["request"]["refund_request_id"] = "9" * 22
    spy.send(Leaf.UP_REFUND, spy.forged(fake, kid=_DEVICE_KID, is_up=True))
    spy.send(Leaf.UP_REFUND, msgspec.json.encode(fake))
    spy.publish("pos/v1/t/t-other/up/refund", real.payload)
    spy.replay(real, real)
    for garbage in _GARBAGE:
        spy.send(Leaf.UP_REFUND, garbage)
        spy.send(Leaf.UP_SYNC, garbage)
        spy.send(Leaf.DOWN_REFUND, garbage)
        spy.send(Leaf.DOWN_ACK, garbage)
        spy.publish(BACK_OFFICE_STATE, garbage)
    request_id = till.refund(till.spare())
    till.wait_stored(request_id, "reviewing")
    assert {row["refund_request_id"] for row in client.requests()} == {*before, request_id}
    client.wait_screen("已提交 等待审核")
    errors = [line for line in (spied_bench.log_dir / "daemon.log").read_text("utf-8").splitlines() if "ERROR" in line]
    assert errors == []
