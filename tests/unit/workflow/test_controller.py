"""The controller on fake ports: timers, dead times, late answers, SAFE, sign-in."""

import asyncio

import pytest

from pos_agent.domain.events import (
    DeviceName,
    DeviceStatusChanged,
    LookUpAnswered,
    PinChecked,
    PrintJobEnded,
    RequestStored,
    TimerFired,
)
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.errors import JournalFullError
from pos_agent.workflow import states, timers
from pos_agent.workflow.states import State
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.fakes.waiting import until
from tests.unit.workflow.rig import Till, at_menu, running


async def test_full_refund_by_scan_takes_four_presses_and_commits_once() -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.online()
        await till.sign_in()
        till.presses = 0
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
        await till.press("ENTER")
        assert (till.state, till.presses) == ("MENU", 4)
    assert [request.amount_minor for request in till.journal.commits] == [12800]
    assert till.journal.audits == [("operator.signed_in", "01")]


async def test_result_closes_itself_and_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(states.TIMEOUTS_S, State.RESULT, 0.05)
    async with at_menu() as till:
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        await till.wait_for(lambda: till.state == "MENU")
    results = [screen for screen in till.display.screens if screen.view == "result"]
    assert any(screen.lines[-1].rstrip().endswith("秒") for screen in results)


async def test_menu_locks_after_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(states.TIMEOUTS_S, State.MENU, 0.05)
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.wait_for(lambda: till.state == "LOGIN")
        await till.settle()
    assert till.journal.audits == [("operator.signed_in", "01"), ("operator.signed_out", "01")]


async def test_timer_that_was_stopped_is_not_heard() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.put(TimerFired(timers.TIMEOUT, 1))
        assert till.state == "MENU"


async def test_timer_meeting_a_full_inbox_is_not_lost() -> None:
    inbox: asyncio.Queue[object] = asyncio.Queue(1)
    inbox.put_nowait("flood")
    under_test = timers.Timers(inbox)  # type: ignore[arg-type]
    under_test.start(timers.TIMEOUT, 0.0)
    first = under_test._running[timers.TIMEOUT]
    await until(lambda: under_test._running[timers.TIMEOUT] != first)  # it met the full inbox
    assert await inbox.get() == "flood"
    async with asyncio.timeout(2):
        event = await inbox.get()
    assert isinstance(event, TimerFired)
    assert under_test.take(event)
    assert not under_test.take(event)


async def test_look_up_shows_itself_only_when_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till()
    till.lookup.is_silent = True
    async with running(till):
        await till.sign_in()
        await till.scan(WECHAT_ORDER)
        assert (till.state, till.controller.view) == ("LOOKUP", "menu")
        await till.wait_for(lambda: till.controller.view == "lookup")
        assert "907890" in till.text


async def test_look_up_answer_to_another_question_is_dropped() -> None:
    till = Till()
    till.lookup.is_silent = True
    async with running(till):
        await till.sign_in()
        await till.scan(WECHAT_ORDER)
        first = till.lookup.last_id
        await till.press("CANCEL")
        assert till.state == "SCAN"
        assert till.lookup.cancelled == [first]
        await till.scan(WECHAT_ORDER)
        late = LookUpResult(lookup_id=first, outcome=LookUpOutcome.NOT_FOUND)
        await till.put(LookUpAnswered(late))
        assert till.state == "LOOKUP"


async def test_pin_answer_to_another_attempt_is_dropped() -> None:
    till = Till()
    async with running(till):
        await till.put(PinChecked(99, "01", True, "supervisor", "p1"))
        assert till.state == "LOGIN"


async def test_login_wrong_pin_says_how_many_tries_are_left_and_never_shows_or_logs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    till = Till()
    with caplog.at_level("DEBUG"):
        async with running(till):
            await till.press("0", "1", "ENTER", "8", "3", "7", "4", "6", "5", "ENTER")
            assert till.state == "LOGIN"
            assert "还可试4次" in till.text
    shown = "".join(line for screen in till.display.screens for line in screen.lines)
    assert "837465" not in shown + caplog.text
    assert "******" in shown


async def test_login_scan_is_dropped_with_a_sentence() -> None:
    till = Till()
    async with running(till):
        await till.scan(WECHAT_ORDER)
        assert (till.state, till.lookup.asked) == ("LOGIN", [])
        assert "请先登录" in till.text


async def test_no_operators_says_how_to_add_one_and_goes_on_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(states.TIMEOUTS_S, State.NO_OPERATORS, 0.05)
    till = Till()
    till.journal.people.clear()
    async with running(till):
        assert till.state == "NO_OPERATORS"
        assert "pos-agent operator" in till.text
        till.journal.add_operator("01")
        await till.wait_for(lambda: till.state == "LOGIN")


async def test_safe_state_shows_code_and_sentence_and_takes_nothing() -> None:
    till = Till(safe="E-JOURNAL")
    async with running(till):
        for key in ("1", "ENTER", "CANCEL", "FN", "NEXT"):
            await till.press(key)
        await till.scan(WECHAT_ORDER)
        await till.online()
        assert till.state == "SAFE"
        assert "E-JOURNAL" in till.text
        assert "账本损坏" in till.text
    assert till.lookup.asked == []


async def test_locale_switches_by_f4_and_stays_for_the_next_screens() -> None:
    till = Till()
    async with running(till):
        await till.press("F4")
        assert till.controller.locale == "en"
        await till.sign_in()
        assert "Scan bill" in till.text
        await till.press("FN", "4")
        assert "扫账单条码" in till.text


async def test_lock_keeps_the_draft_for_the_same_operator() -> None:
    async with at_menu() as till:
        await till.scan(WECHAT_ORDER)
        await till.press("FN", "7")
        assert till.state == "LOGIN"
        assert "128.00" not in till.text
        await till.sign_in()
        assert till.state == "RESUME"


async def test_journal_trouble_in_an_enquiry_is_said_and_the_menu_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till()

    async def full(*_: object) -> list[object]:
        raise JournalFullError("disk full")

    async with running(till):
        await till.sign_in()
        await till.press("2")
        monkeypatch.setattr(till.journal, "newest_refunds", full)
        await till.press("ENTER")
        assert "存储写不进" in till.text
        monkeypatch.undo()
        await till.press("CANCEL")
        assert till.state == "MENU"


async def test_flood_of_acks_is_read_from_the_journal_once(monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till()
    reads = 0
    counts = till.journal.outbox_counts

    async def counted() -> object:
        nonlocal reads
        reads += 1
        return await counts()

    async with running(till):
        await till.sign_in()
        monkeypatch.setattr(till.journal, "outbox_counts", counted)
        for number in range(200):
            till.inbox.put_nowait(RequestStored(str(number)))
        await till.settle()
    assert reads == 1


async def test_unsure_print_is_said_on_result() -> None:
    async with at_menu(Till(size=(40, 12))) as till:
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
        assert "等待打印 2 张" in till.text
        assert "请把顾客联交给顾客" not in till.text  # there is none yet
        number = till.journal.commits[0].refund_request_id
        till.journal.end_jobs(PrintOutcome.UNKNOWN)
        await till.put(PrintJobEnded(1, number, SlipKind.REQUEST_MERCHANT, 0, PrintOutcome.UNKNOWN))
        await till.settle()
        assert "不确定是否打出" in till.text


async def test_printer_trouble_is_a_notice_at_menu_and_near_end_a_mild_one() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, False, "EPTR_COVER_OPEN"))
        assert "盖子打开" in till.text
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, "EPTR_REC_NEAR_END"))
        assert "打印机" not in till.text
        assert "纸快用完" in till.text
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True))
        assert "纸快用完" not in till.text


async def test_number_in_the_local_journal_is_known_even_if_it_looks_like_a_payment_code() -> None:
    till = Till()
    number = "26112312345678901"
    hashed = till.controller._ports.keyed_hash.order_no_hash(number)
    till.lookup.sales[hashed] = make_sale(order_no=number)
    async with running(till):
        await till.sign_in()
        await till.scan(number)
        await till.press("1", "ENTER", "1", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
        await till.press("ENTER")
        await till.scan(number)
        assert till.state == "SALE"
    assert {asked.value for asked in till.lookup.asked} == {hashed}


async def test_cancel_during_a_commit_still_makes_it_durable() -> None:
    async with at_menu() as till:
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1")
        await till.press("ENTER")
    assert len(till.journal.commits) == 1
