"""The training mode (payments.md 9d, case 45): everything works, nothing is real, and every screen says so."""

from datetime import UTC, datetime

import pytest

from pos_agent.domain.refund import MoneyMoved, RefundState
from pos_agent.domain.training import training_sale
from pos_agent.workflow.model import Context, Facts, Rules
from pos_agent.workflow.states import State
from pos_agent.workflow.views import render
from pos_agent.workflow.views.customer import render_customer
from tests.fakes.samples import PHRASES, REASONS, WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, at_menu, running

NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


async def begin(till: Till) -> None:
    await till.sign_in()
    await till.online()
    await till.press("FN", "0")
    assert till.controller.is_training


async def practise(till: Till, number: str = "900001") -> None:
    await till.scan(number)
    assert till.state == "SALE", till.text
    await till.press("ENTER", "1", "ENTER")
    assert till.state == "RESULT", till.text


@pytest.mark.parametrize("size", [(20, 4), (40, 12)])
async def test_case_45_training_run_prints_and_keeps_nothing(size: tuple[int, int]) -> None:
    till = Till(size=size)
    async with running(till):
        await begin(till)
        await practise(till)
        assert "演示" in till.text
        assert "没有退钱" in till.text
        await till.press("ENTER")
        assert "演示" in till.text
    assert till.journal.commits == []
    assert till.lookup.asked == []
    assert till.journal.draft is None
    assert len(till.journal.jobs) == 2
    assert [event for event, _ in till.journal.audits if "training" in event] == ["training.started"]


async def test_case_45_real_sale_in_training_is_refused_without_asking_the_back_office() -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await begin(till)
        await till.scan(WECHAT_ORDER)
        assert till.state == "REFUSED"
        assert "演示模式不退" in till.text
    assert till.lookup.asked == []


async def test_training_sale_outside_training_is_refused() -> None:
    async with at_menu(is_training=True) as till:
        await till.scan(WECHAT_ORDER)
        assert till.state == "REFUSED"
        assert "演示单,不能退款" in till.text


@pytest.mark.parametrize("way", [("FN", "0"), ("FN", "7")], ids=["left", "signed out"])
async def test_case_45_training_ends_when_left_or_signed_out(way: tuple[str, ...]) -> None:
    till = Till()
    async with running(till):
        await begin(till)
        await practise(till)
        await till.press("ENTER", *way)
        assert not till.controller.is_training
        assert "演示" not in till.text
    ends = [event for event, _ in till.journal.audits if "training" in event]
    assert ends == ["training.started", "training.ended"]


async def test_case_45_training_ends_at_a_restart() -> None:
    till = Till()
    async with running(till):
        await begin(till)
    till.restart()
    async with running(till):
        await till.sign_in()
        assert not till.controller.is_training


async def test_training_shows_and_withdraws_only_what_was_practised() -> None:
    async with at_menu() as till:
        await practise_real(till)
        real = till.journal.commits[0].refund_request_id
        await till.press("FN", "0")
        await till.scan(real)
        assert "演示无此申请" in till.text
        await till.press("ENTER")
        await practise(till)
        await till.press("ENTER", "2", "ENTER")
        assert till.state == "STATUS"
        await till.press("1", "ENTER")
        assert "已撤回" in till.text
        await till.press("ENTER", "FN", "0", "2", "ENTER")
        assert real[-6:] in till.text
    assert till.journal.withdrawn == []


async def practise_real(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "1", "ENTER", "ENTER")
    assert till.state == "MENU"


async def test_training_can_begin_at_the_menu_only() -> None:
    async with at_menu() as till:
        await till.scan(WECHAT_ORDER)
        await till.press("FN", "0")
        assert not till.controller.is_training
        assert "回菜单再开演示" in till.text
        await till.press("CLEAR")
        assert till.state == "SALE"


async def test_training_closes_no_shift() -> None:
    till = Till()
    async with running(till):
        await begin(till)
        await till.press("FN", "8")
        assert till.state == "FUNCTION"
        assert "演示模式不能交班" in till.text


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
@pytest.mark.parametrize("size", [(20, 4), (40, 12)])
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_case_45_every_screen_of_the_training_mode_is_marked(state: State, size: tuple[int, int], locale: str) -> None:
    from pos_agent.domain.config import PolicyConfig

    rules = Rules(policy=PolicyConfig(), reasons=REASONS, phrases=PHRASES)
    context = Context(
        locale=locale, operator_no="01", is_training=True, stack=(State.MENU,), message="scan.finish_first"
    )
    screen = render(state, context, Facts(now=NOW), rules, size=size)
    mark = {"zh-CN": "演示", "en": "TRAIN"}[locale]
    assert mark in screen.lines[1 if size == (40, 12) else 0]
    assert "演示" in "".join(render_customer(state, context, Facts(now=NOW), size=(20, 2)).lines)


def test_training_sale_is_paid_yesterday_and_says_that_it_is_none() -> None:
    found = training_sale("900002", now=NOW, operator_limit_minor=20_000)
    assert found is not None
    assert (found.paid_minor, found.refunded_minor, found.refundable_minor) == (4550, 1000, 3550)
    assert found.is_training
    over = training_sale("900003", now=NOW, operator_limit_minor=20_000)
    assert over is not None
    assert over.paid_minor > 20_000
    assert training_sale("900004", now=NOW, operator_limit_minor=20_000) is None


async def test_i9_training_request_claims_no_money_while_the_broker_is_connected() -> None:
    till = Till(size=(40, 12))
    async with running(till):
        await begin(till)
        await practise(till)
        record = till.controller._situation.facts.record
        assert record is not None
        assert record.state is RefundState.QUEUED
        assert "没有退钱" in till.text
        assert "演示,不上传" in till.text
        assert MoneyMoved.UNKNOWN.value not in till.text
