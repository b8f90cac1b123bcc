"""The acquirer's bill against the record: four kinds of difference, a case each, once (trust.md 10)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backoffice import cases
from backoffice.reconciliation import BillLine, Period, Result, parse_lines, read_bill, reconcile, whole_days
from backoffice.store.schema import EventRow
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import MoneyMoved
from tests.unit.backoffice.world import ORDER, START, World

DAY = Period(START - timedelta(hours=12), START + timedelta(hours=12))


def _reconcile(world: World, *lines: BillLine, period: Period | None = DAY) -> Result:
    with world.database.writing() as session:
        return reconcile(session, lambda: world.now, lines, acquirer_id="simulated", prefix="", period=period)


def _kinds(result: Result) -> list[tuple[str, bool]]:
    return [(difference.kind, difference.is_new) for difference in result.differences]


async def _paid(world: World, amount_minor: int = 12800) -> str:
    request_id = world.approved(amount_minor=amount_minor)
    await world.run_until(request_id, "succeeded")
    return request_id


def _close(world: World, case_id: int, moved: MoneyMoved) -> None:
    for login in ("chen", "zhao"):
        world.add_person(login, "finance")
    with world.database.writing() as session:
        cases.propose(session, world.context, world.actor("chen"), case_id, moved=moved, reason="receipt 7")
    with world.database.writing() as session:
        cases.confirm(session, world.context, world.actor("zhao"), case_id, proposal=moved.value)


async def test_bill_that_agrees_opens_nothing(world: World) -> None:
    request_id = await _paid(world)
    result = _reconcile(world, BillLine(refund_no=request_id, amount_minor=12800))
    assert (result.lines, result.agreed, result.differences) == (1, 1, [])
    assert world.cases() == []


async def test_refund_that_succeeded_and_is_not_billed_opens_one_case_and_freezes(world: World) -> None:
    await _paid(world, 100)
    assert _kinds(_reconcile(world)) == [("succeeded_not_moved", True)]
    assert _kinds(_reconcile(world)) == [("succeeded_not_moved", False)]
    assert len(world.cases()) == 1
    assert world.sale().is_frozen


async def test_refund_that_succeeded_outside_the_bills_period_is_not_missed(world: World) -> None:
    await _paid(world)
    earlier = Period(START - timedelta(days=3), START - timedelta(days=2))
    assert _reconcile(world, period=earlier).differences == []
    assert _reconcile(world, period=None).differences == []


def test_i5_movement_of_a_rejected_refund_opens_a_case_and_the_state_stays(world: World) -> None:
    request = world.request()
    world.submit(request)
    request_id = request.refund_request_id
    world.decide(request_id, "reject", reason="no")
    result = _reconcile(world, BillLine(refund_no=request_id, amount_minor=12800))
    assert _kinds(result) == [("moved_not_succeeded", True)]
    assert world.refund(request_id).state == "rejected"
    _close(world, result.differences[0].case_id, MoneyMoved.YES)
    assert world.refund(request_id).state == "rejected"
    assert world.sale().base_refunded_minor == 12800
    assert not world.sale().is_frozen


async def test_i5_bill_after_the_same_late_answer_opens_no_second_case(world: World) -> None:
    request_id = await _paid(world)
    assert _kinds(_reconcile(world)) == [("succeeded_not_moved", True)]
    case_id = world.cases()[0].case_id
    _close(world, case_id, MoneyMoved.NO)
    assert _kinds(_reconcile(world)) == [("succeeded_not_moved", False)]
    assert world.sale().base_refunded_minor == -12800
    assert world.refund(request_id).state == "succeeded"


async def test_other_amount_on_the_bill_opens_a_case_whose_end_corrects_the_sum(world: World) -> None:
    request_id = await _paid(world, 5000)
    result = _reconcile(world, BillLine(refund_no=request_id, amount_minor=6000))
    assert _kinds(result) == [("amount_differs", True)]
    _close(world, result.differences[0].case_id, MoneyMoved.YES)
    assert world.sale().base_refunded_minor == 1000


async def test_i1_number_billed_twice_is_a_difference(world: World) -> None:
    request_id = await _paid(world, 5000)
    line = BillLine(refund_no=request_id, amount_minor=5000)
    result = _reconcile(world, line, line)
    assert _kinds(result) == [("amount_differs", True)]
    assert world.cases()[0].amount_minor == 10000


@pytest.mark.parametrize("number", ["PORTAL-1", make_refund_request_id(999), ""])
def test_movement_that_is_not_ours_opens_a_case_on_its_sale_once(world: World, number: str) -> None:
    line = BillLine(refund_no=number, amount_minor=300, sale_ref=ORDER, at=START)
    assert _kinds(_reconcile(world, line)) == [("unknown_movement", True)]
    assert _kinds(_reconcile(world, line)) == [("unknown_movement", False)]
    assert world.sale().is_frozen
    _close(world, world.cases()[0].case_id, MoneyMoved.YES)
    assert world.sale().base_refunded_minor == 300
    assert not world.sale().is_frozen
    assert "case_closed" in {row.name for row in world.rows(EventRow)}
    assert _kinds(_reconcile(world, line)) == [("unknown_movement", False)]


async def test_bill_by_day_covers_the_shops_whole_days(world: World) -> None:
    lines = [BillLine(refund_no="1", amount_minor=1, at=datetime(2026, 11, 22, 17, tzinfo=UTC))]
    period = whole_days(lines, ZoneInfo("Asia/Shanghai"))
    assert period is not None
    assert period.start == datetime(2026, 11, 22, 16, tzinfo=UTC)
    assert period.end - period.start == timedelta(days=1)
    assert whole_days([], ZoneInfo("Asia/Shanghai")) is None


def test_bill_files_csv_and_json_read_the_same(tmp_path: Path) -> None:
    line = {"refund_no": "R1", "amount_minor": 5, "sale_ref": "S", "at": "2026-11-23T00:00:00Z"}
    (tmp_path / "bill.json").write_text(json.dumps({"movements": [{**line, "status": "succeeded"}]}))
    (tmp_path / "bill.csv").write_text(",".join(line) + "\n" + ",".join(map(str, line.values())) + "\n")
    assert read_bill(tmp_path / "bill.json") == read_bill(tmp_path / "bill.csv")
    assert read_bill(tmp_path / "bill.csv")[0].amount_minor == 5


@pytest.mark.parametrize(
    ("found", "says"),
    [(7, "list"), ([{"refund_no": "1"}], "line 1"), ([{"amount_minor": 1, "at": "2026-11-23T00:00:00"}], "zone")],
)
def test_bill_that_cannot_be_read_names_the_line(found: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_lines(found, "bill")
