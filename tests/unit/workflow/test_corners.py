"""Corners of the menu: badges, the end of a shift, coupons, notices, links between requests, the last screen."""

from datetime import timedelta

import pytest

from pos_agent.domain.badges import badge_operator_no, make_badge
from pos_agent.domain.events import PrintJobEnded, TimerFired
from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.workflow import timers
from pos_agent.workflow.states import State
from tests.fakes.samples import WECHAT_ORDER
from tests.unit.workflow.rig import Till, at_menu, change, running


async def refund(till: Till) -> str:
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "1", "ENTER", "ENTER")
    assert till.state == "MENU", till.text
    return till.journal.commits[-1].refund_request_id


# -- case 28 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "is_named"), [(RefundState.REJECTED, True), (RefundState.SUCCEEDED, False)])
async def test_case_28_second_request_names_the_first_if_that_was_rejected(state: RefundState, is_named: bool) -> None:
    async with at_menu() as till:
        first = await refund(till)
        await change(till, state, number=first)
        await refund(till)
    assert [request.previous_request_id for request in till.journal.commits] == [None, first if is_named else None]


# -- coupon -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
async def test_coupon_key_says_in_words_that_there_are_none_here_and_money_goes_on(locale: str) -> None:
    async with at_menu(is_coupon_offered=True) as till:
        if locale == "en":
            await till.press("F4")
        await till.scan(WECHAT_ORDER)
        await till.press("3")
        assert till.state == "SALE"
        assert {"zh-CN": "本机不发券,请选退款", "en": "No coupons here"}[locale] in till.text
        await till.press("ENTER")
        assert till.state == "REASON"


# -- badges -------------------------------------------------------------------------------------------------------


def test_badge_round_trip_and_a_wrong_digit() -> None:
    assert make_badge("01") == "OP0195"
    assert badge_operator_no(make_badge("01")) == "01"
    assert badge_operator_no("OP0196") == ""
    assert badge_operator_no("0195") == ""
    with pytest.raises(ValueError, match="operator number"):
        make_badge("x")


async def test_badge_at_login_types_the_number_and_still_asks_for_the_pin() -> None:
    till = Till()
    async with running(till):
        await till.scan(make_badge("01"))
        assert till.state == "LOGIN"
        assert "操作员号: 01" in till.text
        await till.press("2", "4", "6", "8", "ENTER")
        assert till.state == "MENU"


async def test_badge_at_login_replaces_a_half_typed_number_and_pin() -> None:
    till = Till()
    async with running(till):
        await till.press("0", "9", "ENTER", "1", "2")
        await till.scan(make_badge("01"))
        await till.press("2", "4", "6", "8", "ENTER")
        assert till.state == "MENU"


async def test_other_code_at_login_says_sign_in_first() -> None:
    till = Till()
    async with running(till):
        await till.scan(WECHAT_ORDER)
        assert "请先登录" in till.text
        assert till.display.beeps == 1


# -- shift --------------------------------------------------------------------------------------------------------


async def test_shift_is_closed_only_after_it_was_confirmed() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.press("FN", "8")
        assert till.state == "SHIFT"
        assert till.journal.jobs == []
        await till.press("CLEAR")
        assert till.state == "MENU"
        assert till.journal.jobs == []
        await till.press("FN", "8", "ENTER")
        assert till.state == "MENU"
    assert [job.kind for job in till.journal.jobs] == [SlipKind.SHIFT]


async def test_shift_question_ends_with_no_when_nobody_answers() -> None:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.press("FN", "8")
        await till.put(till_timer(till, timers.TIMEOUT))
        assert till.state == "MENU"
    assert till.journal.jobs == []


def till_timer(till: Till, name: str) -> TimerFired:
    return TimerFired(name, till.controller._timers._running[name][0])


# -- notices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "is_gone"),
    [
        (PrintOutcome.CONFIRMED, True),
        (PrintOutcome.PROCESSED, True),
        (PrintOutcome.SENT_CLEAN, True),
        (PrintOutcome.SENT, False),
        (PrintOutcome.UNKNOWN, False),
        (PrintOutcome.EXPIRED, False),
    ],
)
async def test_notice_of_a_result_goes_once_its_slip_came_out(outcome: PrintOutcome, is_gone: bool) -> None:
    async with at_menu() as till:
        number = await refund(till)
        await change(till, RefundState.SUCCEEDED, number=number)
        assert "1个结果 按2" in till.text
        await till.put(PrintJobEnded(1, number, SlipKind.REQUEST_CUSTOMER, 0, PrintOutcome.CONFIRMED))
        assert "1个结果 按2" in till.text
        await till.put(PrintJobEnded(2, number, SlipKind.RESULT, 0, outcome))
        assert ("1个结果 按2" not in till.text) is is_gone


async def test_notice_of_a_question_stays_when_a_slip_comes_out() -> None:
    async with at_menu() as till:
        number = await refund(till)
        await change(till, RefundState.NEED_INFO, number=number)
        await till.put(PrintJobEnded(2, number, SlipKind.REQUEST_MERCHANT, 0, PrintOutcome.CONFIRMED))
        assert "1个结果 按2" in till.text


# -- F4 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [timedelta(days=366), timedelta(days=-366)], ids=["ahead", "back"])
async def test_d19_clock_jump_hides_no_request_of_the_last_hour(jump: timedelta) -> None:
    async with at_menu() as till:
        for _ in range(5):
            await refund(till)
        till.clock.wall += jump
        till.clock.is_set = False
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        assert till.state == "SUPERVISOR", till.text


@pytest.mark.parametrize("jump", [timedelta(0), timedelta(days=366), timedelta(days=-366)], ids=["0", "ahead", "back"])
async def test_d19_restart_with_an_untrusted_clock_hides_no_request_of_the_last_hour(jump: timedelta) -> None:
    async with at_menu() as till:
        for _ in range(5):
            await refund(till)
    till.clock.wall += jump
    till.clock.is_set, till.clock.boottime = False, 5.0
    till.restart()
    async with running(till):
        await till.sign_in()
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        assert till.state == "SUPERVISOR", till.text


async def test_d19_restart_with_a_trusted_clock_counts_by_it() -> None:
    async with at_menu() as till:
        for _ in range(5):
            await refund(till)
    till.clock.wall += timedelta(hours=2)
    till.restart()
    async with running(till):
        await till.sign_in()
        await till.scan(WECHAT_ORDER)
        await till.press("ENTER", "1", "ENTER")
        assert till.state == "RESULT", till.text


# -- the end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 4), (40, 12)])
async def test_stopped_till_says_so_in_both_languages_on_both_displays(size: tuple[int, int]) -> None:
    till = Till(size=size)
    async with running(till):
        await till.sign_in()
        assert till.state == State.MENU.value
    for words in ("退款程序已停止", "stopped"):
        assert words in till.text
    assert "本机暂停服务" in till.customer.text
    assert "Out of service" in till.customer.text
