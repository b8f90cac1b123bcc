"""Every view, both sizes, both languages, with the longest values there are: it fits, and no amount is cut."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from pos_agent.domain.codes import Code, CodeKind
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.events import DeviceName
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.domain.refund import (
    Channel,
    Entry,
    Hold,
    MoneyMoved,
    RefundState,
)
from pos_agent.domain.sale import SaleLine
from pos_agent.domain.screen import Screen, cell_width
from pos_agent.domain.slip import PrintOutcome
from pos_agent.i18n import LOCALES
from pos_agent.journal.records import MoneyRow, OutboxStatus, RefundRecord
from pos_agent.protocol.control import OutboxCounts
from pos_agent.workflow.model import Context, Facts, RefundEntry, Rules, SlipFacts
from pos_agent.workflow.states import State
from pos_agent.workflow.views import NARROW, WIDE, render
from pos_agent.workflow.views.customer import render_customer
from tests.fakes.samples import PHRASES, REASONS, make_request, make_sale, make_update, order_reference

AT = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
LONG_ORDER = "A" * 32
LONG_NAME = "很长的商品名称" * 6
REQUEST_ID = "9812345678901234567815"
MAX = "9999999.99"
RULES = Rules(policy=PolicyConfig(text_zh="政策" * 60), reasons=REASONS, phrases=PHRASES, terminal_id="t-" + "a" * 38)


def record(state: RefundState | None, **fields: Any) -> RefundRecord:
    request = make_request(
        order_no=LONG_ORDER,
        refund_request_id=REQUEST_ID,
        terminal_id="t-1",
        created_at=AT,
        amount_minor=MAX_AMOUNT_MINOR,
        reason_code="R07",
        seq=1,
    )
    update = None
    if state is not None:
        moved = fields.pop("moved", MoneyMoved.NO)
        words = {"reason": LONG_NAME, "question": LONG_NAME, "arrival": LONG_NAME, "hold": fields.pop("hold", None)}
        update = make_update(REQUEST_ID, state, money_moved=moved, at=AT, **words)
    values = {"was_send_attempted": True, "is_stored": state is not None, "is_held": False, **fields}
    return RefundRecord(request=request, update=update, **values)


def context(locale: str, **fields: Any) -> Context:
    lines = tuple(SaleLine(number, LONG_NAME, 999, MAX_AMOUNT_MINOR) for number in range(12))
    found = make_sale(
        order_no=LONG_ORDER,
        acquirer_name=LONG_NAME,
        paid_minor=MAX_AMOUNT_MINOR,
        refundable_minor=MAX_AMOUNT_MINOR,
        lines=lines,
        channel=Channel.ALIPAY,
        earlier_amount_minor=MAX_AMOUNT_MINOR,
        earlier_state=RefundState.EXECUTING,
    )
    entry = RefundEntry(
        reference=order_reference(LONG_ORDER),
        entry=Entry.SCANNED,
        tail=LONG_ORDER[-6:],
        sale=found,
        paid_minor=MAX_AMOUNT_MINOR,
        amount_minor=MAX_AMOUNT_MINOR,
        reason_code="R09",
        note=PHRASES[0].zh,
    )
    values: dict[str, Any] = {"operator_no": "00000001", "entry": entry, "code": Code(CodeKind.AMBIGUOUS, 24)}
    return Context(locale=locale, **{**values, **fields})


def facts(**fields: Any) -> Facts:
    row = MoneyRow(
        refund_request_id=REQUEST_ID,
        created_at=AT,
        amount_minor=MAX_AMOUNT_MINOR,
        state=RefundState.QUEUED,
        status=OutboxStatus.HELD,
        money=MoneyMoved.UNKNOWN,
        attempts=3,
    )
    values: dict[str, Any] = {
        "now": AT.astimezone(CHINA),
        "is_broker_connected": True,
        "is_back_office_present": True,
        "outbox": OutboxCounts(queued=99_999, sent=9, held=9),
        "record": record(RefundState.REVIEWING),
        "newest": record(RefundState.EXECUTING),
        "queue": (row,) * 9,
        "safe_code": "E-DISK",
        "slips": SlipFacts(outcomes=(PrintOutcome.SENT_CLEAN, PrintOutcome.CONFIRMED)),
        "devices": dict.fromkeys(DeviceName, ""),
    }
    return Facts(**{**values, **fields})


def scenes() -> Iterator[tuple[str, State, dict[str, Any], dict[str, Any]]]:
    for state in State:
        yield state.value, state, {"stack": (State.MENU,)}, {}
        yield f"{state.value}-typed", state, {"typed": "9" * 32, "auth_no": "12345678", "pin": "1" * 12}, {}
        yield (
            f"{state.value}-message",
            state,
            {"message": "policy.over_remainder", "message_parameters": {"left": MAX}},
            {},
        )
        yield f"{state.value}-counting", state, {}, {"countdown_s": 10}
    for refund_state in RefundState:
        for shown in (State.RESULT, State.STATUS, State.LAST):
            yield f"{shown.value}-{refund_state}", shown, {}, {"record": record(refund_state)}
    for hold in Hold:
        yield f"hold-{hold}", State.STATUS, {}, {"record": record(RefundState.EXECUTING, hold=hold)}
    for code in ("EPTR_REC_EMPTY", "EPTR_COVER_OPEN", "E_OFFLINE", "surprise"):
        slips = SlipFacts(waiting=2, paused_code=code)
        yield f"paused-{code}", State.RESULT, {}, {"slips": slips, "record": record(None)}
        yield f"menu-{code}", State.MENU, {}, {"devices": {DeviceName.PRINTER: code, DeviceName.SCANNER: code}}
    yield "held", State.RESULT, {}, {"record": record(None, is_held=True)}
    yield "none", State.STATUS, {}, {"record": None}
    yield "withdrawing", State.STATUS, {}, {"record": record(RefundState.REVIEWING, withdraw_requested=True)}
    yield "notices", State.MENU, {}, {"notices": ("1",) * 50}
    yield "no clock", State.MENU, {}, {"is_clock_trusted": False}
    yield "no scanner", State.SCAN, {"typed": "9" * 32}, {"devices": {DeviceName.SCANNER: "E_OFFLINE"}}
    yield "offline", State.NO_LOOKUP, {}, {"link_code": "E-NET", "is_broker_connected": False}
    for refusal in ("past_window", "nothing_left", "surprise"):
        yield f"refused-{refusal}", State.REFUSED, {"refusal": refusal, "refusal_parameters": {"days": "365"}}, {}


ALL = list(scenes())
#: Views that must show the amount whole.
WITH_AMOUNT = {
    "confirm",
    "confirm_retype",
    "supervisor",
    "result",
    "status",
    "unknown",
    "not_saved",
    "saving",
    "sale",
    "amount",
}


def draw(state: State, locale: str, size: tuple[int, int], own: dict[str, Any], known: dict[str, Any]) -> Screen:
    return render(state, context(locale, **own), facts(**known), RULES, size=size)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["20x4", "40x12"])
def test_view_longest_values_fit_and_no_amount_is_cut(size: tuple[int, int], locale: str) -> None:
    for name, state, own, known in ALL:
        screen = draw(state, locale, size, own, known)
        assert len(screen.lines) == size[1], name
        assert {cell_width(line) for line in screen.lines} == {size[0]}, name
        text = "\n".join(screen.lines)
        assert "{" not in text, name
        assert "<" not in text, name
        if screen.view in WITH_AMOUNT:
            assert MAX in text, f"{name}\n{text}"


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["20x4", "40x12"])
def test_view_both_languages_say_something_else(size: tuple[int, int]) -> None:
    allowed = set("中文" + LONG_NAME + PHRASES[0].zh)
    for state in State:
        zh, en = (draw(state, locale, size, {"stack": (State.MENU,)}, {}) for locale in LOCALES)
        assert zh.lines != en.lines, state
        assert zh.view == en.view
        assert {c for line in en.lines for c in line if "一" <= c <= "鿿"} <= allowed, state


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["20x4", "40x12"])
@pytest.mark.parametrize("state", [State.LOGIN, State.SUPERVISOR])
def test_view_pin_is_never_on_the_screen(state: State, size: tuple[int, int]) -> None:
    screen = draw(state, "zh-CN", size, {"auth_no": "02", "pin": "837465"}, {})
    assert "837465" not in "".join(screen.lines)
    assert "******" in "".join(screen.lines)


@pytest.mark.parametrize(
    ("shown", "link", "words"),
    [
        (record(None, was_send_attempted=False), False, "钱还没退"),
        (record(None, was_send_attempted=False), True, "结果待确认"),  # an attempt may be on its way
        (record(None), False, "结果待确认"),
        (record(RefundState.REVIEWING), True, "钱还没退"),
        (record(RefundState.REVIEWING), False, "结果待确认"),
        (record(RefundState.REJECTED), False, "没有退钱"),
        (record(RefundState.SUCCEEDED, moved=MoneyMoved.YES), False, "钱已退"),
        (record(RefundState.EXECUTING, moved=MoneyMoved.UNKNOWN), True, "结果待确认"),
    ],
)
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["20x4", "40x12"])
def test_i9_result_says_no_more_about_money_than_is_certain(
    shown: RefundRecord, link: bool, words: str, size: tuple[int, int]
) -> None:
    known = {"record": shown, "is_broker_connected": link, "is_back_office_present": link}
    text = "\n".join(draw(State.STATUS, "zh-CN", size, {}, known).lines)
    others = {"钱还没退", "结果待确认", "没有退钱", "钱已退"} - {words}
    assert words in text
    assert not any(other in text for other in others)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["20x4", "40x12"])
def test_i9_nothing_is_called_sent_before_the_back_office_has_stored_it(size: tuple[int, int]) -> None:
    for link in (True, False):
        for attempted in (True, False):
            shown = record(None, was_send_attempted=attempted)
            screen = draw(State.RESULT, "zh-CN", size, {}, {"record": shown, "is_broker_connected": link})
            assert "已提交" not in "".join(screen.lines)
            assert "已保存" in screen.lines[0] or "网络断开" in screen.lines[0]


def test_d13_slips_are_called_printed_only_with_proof() -> None:
    words = {}
    for outcome in PrintOutcome:
        known = {"slips": SlipFacts(outcomes=(outcome, outcome))}
        words[outcome] = "".join(draw(State.RESULT, "zh-CN", WIDE, {}, known).lines)
    assert [outcome for outcome, text in words.items() if "已打印 2 张" in text] == ["confirmed", "processed"]
    assert "不确定是否打出" in words[PrintOutcome.UNKNOWN]


def test_view_key_labels_are_those_of_the_key_map() -> None:
    labels = {"zh-CN": {"CANCEL": "退出"}, "en": {}}
    screen = render(State.SCAN, context("zh-CN"), facts(), RULES, size=NARROW, labels=labels)
    assert screen.lines[3].startswith("退出=菜单 功能=帮助")


def test_view_lists_wrap_around_their_pages() -> None:
    pages = [draw(State.REASON, "zh-CN", NARROW, {"page": page}, {}).lines for page in range(4)]
    assert pages[0] == pages[3]
    assert pages[0] != pages[1] != pages[2]


@pytest.mark.parametrize("locale", LOCALES)
def test_customer_display_fits_and_shows_no_number_but_the_amount(locale: str) -> None:
    for state in State:
        screen = render_customer(state, context(locale), facts(), size=(20, 2))
        assert [cell_width(line) for line in screen.lines] == [20, 20], state
        assert LONG_ORDER[-6:] not in "".join(screen.lines), state


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("locale", LOCALES)
def test_menu_says_that_the_back_office_refuses_this_till(size: tuple[int, int], locale: str) -> None:
    known = {"is_broker_connected": True, "link_code": "E-STOP", "notices": (REQUEST_ID,)}
    assert any("E-STOP" in line for line in draw(State.MENU, locale, size, {}, known).lines)
    away = {**known, "is_broker_connected": False}
    assert not any("E-STOP" in line for line in draw(State.MENU, locale, size, {}, away).lines)
