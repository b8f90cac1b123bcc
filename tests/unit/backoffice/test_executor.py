"""Execution: one movement whatever happens, nothing claimed that is not certain (D10, D11, I1, I2, I4)."""

import asyncio

import pytest

from backoffice.execution import answers, lease, steps
from backoffice.execution.contract import Answer, Outcome
from backoffice.execution.executor import Executor
from backoffice.store.schema import Attempt
from pos_agent.domain.refund import MoneyMoved
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.messages import RefundStateMessage, RefundWithdrawMessage
from pos_agent.protocol.topics import Leaf
from tests.unit.backoffice.world import TERMINAL, World


def _money(world: World, request_id: str) -> MoneyMoved:
    row = world.outbox(request_id)
    assert row is not None
    message = decode_down(row.payload)
    assert isinstance(message, RefundStateMessage)
    return message.update.money_moved


async def test_approved_refund_is_called_once_with_a_number_made_of_its_id(world: World) -> None:
    world.config.acquirers["simulated"].refund_no_prefix = "R"
    request_id = world.approved()
    await world.run_until(request_id, "succeeded")
    assert [call.refund_no for call in world.adapter.calls] == ["R" + request_id]
    assert world.adapter.moved == {"R" + request_id: 12800}
    assert _money(world, request_id) is MoneyMoved.YES


async def test_attempt_is_committed_before_the_call(world: World) -> None:
    seen: list[tuple[str, str, MoneyMoved]] = []
    request_id = world.approved()
    world.adapter.on_call = lambda order: seen.append(
        (
            world.refund(request_id).state,
            world.rows(Attempt)[0].refund_no,
            _money(world, request_id),
        )
    )
    await world.settle()
    assert seen == [("executing", request_id, MoneyMoved.UNKNOWN)]


async def test_crash_before_the_call_is_found_queried_and_called_again_with_the_same_number(world: World) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        assert steps.claim(session, world.context, request_id, None) is not None
    await world.settle()
    assert world.refund(request_id).state == "unknown"
    await world.run_until(request_id, "succeeded", seconds=20)
    assert [call.refund_no for call in world.adapter.calls] == [request_id]
    assert world.refund(request_id).attempt == 2


async def test_crash_after_the_call_is_found_and_only_queried(world: World) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        order = steps.claim(session, world.context, request_id, None)
    assert order is not None
    await world.adapter.refund(order)
    await world.run_until(request_id, "succeeded")
    assert len(world.adapter.calls) == 1
    assert world.adapter.moved == {request_id: 12800}


async def test_crash_of_the_database_after_the_answer_pays_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = world.approved()
    monkeypatch.setattr(answers, "record_call", _fails)
    with pytest.raises(ExceptionGroup):
        await world.executor.round()
    monkeypatch.undo()
    await world.run_until(request_id, "succeeded")
    assert len(world.adapter.calls) == 1


async def test_crash_of_a_worker_is_taken_over_by_another_which_only_queries(world: World) -> None:
    request_id = world.approved()
    world.adapter.on_call = _fails
    with pytest.raises(ExceptionGroup):
        await world.executor.round()
    world.adapter.on_call = None
    world.adapter.moved[request_id] = 12800
    second = Executor(world.database, world.context, {"simulated": world.adapter}, holder="two")
    assert await second.round() is None
    world.later(seconds=31)
    await second.round()
    await second.round()
    assert world.refund(request_id).state == "succeeded"
    assert len(world.adapter.calls) == 1


def _fails(*_: object) -> None:
    raise RuntimeError("disk gone")


async def test_case_30_timeout_is_unknown_then_found_succeeded_with_one_movement(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.UNKNOWN, detail="ReadTimeout")]
    request_id = world.approved()
    await world.settle()
    refund = world.refund(request_id)
    assert (refund.state, refund.reason_text) == ("unknown", "结果待确认,勿重退")
    assert _money(world, request_id) is MoneyMoved.UNKNOWN
    await world.run_until(request_id, "succeeded")
    assert len(world.adapter.calls) == 1


async def test_not_found_before_settle_time_is_not_repeated(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.UNKNOWN, detail="lost")]
    request_id = world.approved()
    for _ in range(10):
        await world.settle()
        world.later(seconds=5)
    assert (world.refund(request_id).state, len(world.adapter.calls)) == ("unknown", 1)
    await world.run_until(request_id, "succeeded", seconds=5)
    assert [call.refund_no for call in world.adapter.calls] == [request_id] * 2


async def test_not_found_where_numbers_are_not_idempotent_goes_to_two_persons(world: World) -> None:
    world.config.acquirers["simulated"].idempotent_by_number = False
    world.adapter.answers = [Answer(Outcome.UNKNOWN, detail="lost")]
    request_id = world.approved()
    await world.run_until(request_id, "manual", seconds=10)
    assert len(world.adapter.calls) == 1
    assert [case.kind for case in world.cases()] == ["unknown"]
    assert _money(world, request_id) is MoneyMoved.UNKNOWN


async def test_case_31_not_enough_holds_unmoved_and_goes_on_with_the_same_number(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.REFUSED, "NOT_ENOUGH")]
    request_id = world.approved()
    await world.settle()
    refund = world.refund(request_id)
    assert (refund.state, refund.hold, refund.reason_text) == ("executing", "merchant_balance", "商户余额不足,待处理")
    assert _money(world, request_id) is MoneyMoved.NO
    await world.settle()
    assert len(world.adapter.calls) == 1
    world.decide(request_id, "retry")
    await world.run_until(request_id, "succeeded")
    assert [call.refund_no for call in world.adapter.calls] == [request_id] * 2


async def test_held_refund_is_tried_again_by_itself(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.REFUSED, "NOT_ENOUGH")]
    request_id = world.approved()
    await world.settle()
    world.later(seconds=301)
    await world.run_until(request_id, "succeeded")
    assert len(world.adapter.calls) == 2


async def test_channel_down_holds_without_claiming_that_nothing_moved(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.REFUSED, "CHANNEL_DOWN")]
    request_id = world.approved()
    await world.settle()
    assert world.refund(request_id).hold == "channel_down"
    assert _money(world, request_id) is MoneyMoved.UNKNOWN


async def test_case_29_processing_stays_executing_and_is_queried_later_and_later(world: World) -> None:
    world.adapter.queries = [Answer(Outcome.PROCESSING)] * 3
    request_id = world.approved()
    await world.settle()
    world.later(seconds=1)
    await world.settle()
    first = world.refund(request_id).next_at
    assert (world.refund(request_id).state, first is not None and first > world.now) == ("executing", True)
    await world.run_until(request_id, "succeeded", seconds=2)
    assert len(world.adapter.calls) == 1


async def test_refusal_that_a_query_confirms_is_failed_and_frees_the_remainder(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.REFUSED, "TRADE_NOT_EXIST")]
    world.adapter.queries = [Answer(Outcome.FAILED, "TRADE_NOT_EXIST")]
    request_id = world.approved()
    await world.run_until(request_id, "failed")
    assert world.refund(request_id).reason_text == "退款失败(TRADE_NOT_EXIST)"
    assert _money(world, request_id) is MoneyMoved.NO
    again = world.request()
    world.submit(again)
    assert world.refund(again.refund_request_id).state == "reviewing"


async def test_refusal_that_no_query_confirms_is_not_believed(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.REFUSED, "NEVER_HEARD_OF")]
    world.adapter.queries = [Answer(Outcome.UNKNOWN)] * 100
    request_id = world.approved()
    for _ in range(5):
        await world.settle()
        world.later(seconds=10)
    assert world.refund(request_id).state == "unknown"


async def test_case_32_abnormal_opens_a_case_and_is_never_called_again(world: World) -> None:
    world.adapter.queries = [Answer(Outcome.ABNORMAL, "USER_ACCOUNT_ABNORMAL")]
    request_id = world.approved()
    await world.run_until(request_id, "abnormal")
    world.later(days=1)
    await world.settle()
    assert len(world.adapter.calls) == 1
    assert [case.kind for case in world.cases()] == ["abnormal"]


async def test_i4_unknown_for_days_becomes_manual(world: World) -> None:
    world.adapter.answers = [Answer(Outcome.UNKNOWN)]
    world.adapter.queries = [Answer(Outcome.UNKNOWN)] * 100
    request_id = world.approved()
    await world.settle()
    world.later(days=8)
    await world.settle()
    assert world.refund(request_id).state == "manual"


async def test_one_refund_of_a_sale_at_a_time(world: World) -> None:
    world.adapter.queries = [Answer(Outcome.PROCESSING)]
    first, second = world.approved(amount_minor=100), world.approved(amount_minor=200)
    await world.settle()
    assert [world.refund(first).state, world.refund(second).state] == ["executing", "approved"]
    await world.run_until(first, "succeeded")
    await world.run_until(second, "succeeded")
    assert sum(world.adapter.moved.values()) == 300


async def test_i2_remainder_is_checked_again_before_the_call(world: World) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        sale = session.get(type(world.sale()), "s-000001")
        assert sale is not None
        sale.base_refunded_minor = 1
    await world.settle()
    assert world.adapter.calls == []
    assert world.refund(request_id).state == "failed"


async def test_acquirers_own_total_above_ours_freezes_the_sale_and_calls_nobody(world: World) -> None:
    world.adapter.total = 500
    request_id = world.approved(amount_minor=300)
    await world.settle()
    assert world.adapter.calls == []
    assert (world.refund(request_id).state, world.sale().is_frozen) == ("held", True)
    assert world.sale().base_refunded_minor == 500
    assert [case.kind for case in world.cases()] == ["refunded_elsewhere"]


async def test_i5_late_answer_that_contradicts_a_final_state_opens_a_case_and_freezes(world: World) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        order = steps.claim(session, world.context, request_id, None)
        assert order is not None
        answers.record_query(session, world.context, request_id, Answer(Outcome.FAILED, "CLOSED"))
    for _ in range(2):
        with world.database.writing() as session:
            answers.record_query(session, world.context, request_id, Answer(Outcome.SUCCEEDED))
    assert (world.refund(request_id).state, world.sale().is_frozen) == ("failed", True)
    assert [case.kind for case in world.cases()] == ["contradiction"]


async def test_withdrawn_before_the_call_is_never_called(world: World) -> None:
    request_id = world.approved()
    message = RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=request_id, rev=1, operator_no="01", at=world.now
    )
    world.send(Leaf.UP_REFUND, message)
    await world.settle()
    assert (world.refund(request_id).state, world.adapter.calls) == ("canceled", [])


async def test_min_gap_between_refunds_of_one_sale_is_kept(world: World) -> None:
    world.config.acquirers["simulated"].min_gap_s = 60
    first, second = world.approved(amount_minor=100), world.approved(amount_minor=200)
    await world.run_until(first, "succeeded")
    await world.settle()
    assert world.refund(second).state == "approved"
    world.later(seconds=60)
    await world.run_until(second, "succeeded")


async def test_lease_of_a_living_executor_keeps_the_second_from_working(world: World) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        assert lease.hold(session, "other", lease_s=30, now=world.context.now) is lease.Holding.TAKEN
    await world.settle()
    assert world.adapter.calls == []
    world.later(seconds=31)
    await world.run_until(request_id, "succeeded")


async def test_executor_sleeps_until_woken_and_gives_the_lease_back(world: World) -> None:
    task = asyncio.create_task(world.executor.run(), name="executor under test")
    try:
        await asyncio.sleep(0)
        request_id = await world.database.run(world.approved)
        world.executor.wake()
        async with asyncio.timeout(10):
            while not world.adapter.calls:  # noqa: ASYNC110 - the call is made by another task
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert world.adapter.calls[0].refund_request_id == request_id
    with world.database.writing() as session:
        assert lease.hold(session, "next", lease_s=1, now=world.context.now) is lease.Holding.TAKEN
