"""Approval of a person elsewhere, by QR code (ADR 0024, trust.md 17): over the limit, no supervisor in the shop."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.config import PolicyConfig
from pos_agent.domain.events import DeviceName, DeviceStatusChanged
from pos_agent.domain.screen import cell_width
from pos_agent.domain.slip import SlipKind, Text
from pos_agent.errors import JournalFullError
from pos_agent.i18n.words import WORDS
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Context, Facts, Fresh, Input, Rules
from pos_agent.workflow.states import TIMEOUTS_S, State, Trigger
from pos_agent.workflow.views import NARROW, WIDE, render
from tests.fakes.samples import PHRASES, REASONS, WECHAT_ORDER, make_sale
from tests.fakes.table_walk import NOW
from tests.unit.workflow.rig import Till, at_menu, running

POLICY = PolicyConfig(operator_limit_minor=10_000, retype_from_minor=100_000)
PAY_CODE = "134567890123456789"


@pytest_asyncio.fixture
async def till() -> AsyncIterator[Till]:
    """A till at SUPERVISOR: the whole sale is over the operator's limit."""
    made = Till(policy=POLICY)
    made.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(made):
        await made.sign_in()
        await to_supervisor(made)
        yield made


async def to_supervisor(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "1", "ENTER")
    assert till.state == "SUPERVISOR", till.text


def questions(till: Till) -> list[ApprovalQuestion]:
    """Return what was printed so far."""
    found = []
    for job in till.journal.jobs:
        if job.kind is SlipKind.APPROVAL:
            block = job.document.blocks[0]
            assert isinstance(block, Text)
            found.append(msgspec.json.decode(block.text.removeprefix("PQ1."), type=ApprovalQuestion))
    return found


def code(question: ApprovalQuestion, **fields: Any) -> str:
    values: dict[str, Any] = {
        "terminal_id": question.terminal_id,
        "boot_id": question.boot_id,
        "refund_request_id": question.refund_request_id,
        "nonce": question.nonce,
        "amount_minor": question.amount_minor,
        "currency": question.currency,
        "sale": question.sale,
        "person_id": "wang",
    }
    return "PA1." + msgspec.json.encode(ApprovalAnswer(**{**values, **fields})).decode()


async def asked(till: Till) -> ApprovalQuestion:
    await till.press("NEXT")
    assert till.state == "APPROVAL", till.text
    return questions(till)[-1]


async def test_answer_from_elsewhere_commits_the_request_under_the_id_of_the_question(till: Till) -> None:
    question = await asked(till)
    assert (question.terminal_id, question.boot_id, question.amount_minor) == ("t-1", "boot1", 12800)
    assert (question.operator_no, question.sale, question.reference.value) == ("01", "s1", WECHAT_ORDER)
    await till.scan(code(question))
    assert till.state == "RESULT", till.text
    [request] = till.journal.commits
    assert request.refund_request_id == question.refund_request_id
    assert request.approval is not None
    assert (request.approval.person_id, request.approval.nonce) == ("wang", question.nonce)
    assert request.supervisor_no is None
    assert "over_limit" in request.flags


async def test_nothing_is_committed_by_asking(till: Till) -> None:
    await asked(till)
    assert till.journal.commits == []
    assert "approval.asked" in [name for name, _ in till.journal.audits]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"terminal_id": "t-2"}, "是别的终端的授权码"),
        ({"boot_id": "boot0"}, "重新开机前的,已作废"),
        ({"nonce": "another"}, "已用过或不是这一笔"),
        ({"refund_request_id": "9800000000000000000097"}, "已用过或不是这一笔"),
        ({"amount_minor": 12801}, "金额或原交易不一致"),
        ({"sale": "s2"}, "金额或原交易不一致"),
        ({"person_id": "p01"}, "主管不能是操作员"),
    ],
)
async def test_answer_to_something_else_is_refused_and_says_why(till: Till, fields: dict[str, Any], words: str) -> None:
    question = await asked(till)
    beeps = till.display.beeps
    await till.scan(code(question, **fields))
    assert (till.state, till.display.beeps) == ("APPROVAL", beeps + 1)
    assert words in till.text
    assert till.journal.commits == []
    await till.scan(code(question))
    assert till.state == "RESULT"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("PA1.forged", "授权码无效,没有授权"),
        ("PA1.{", "授权码不完整,请重扫"),
        ("PQ1.xyz", "这不是主管的授权码"),
        (PAY_CODE, "这不是主管的授权码"),
        (WECHAT_ORDER, "这不是主管的授权码"),
    ],
)
async def test_anything_but_a_genuine_answer_is_refused(till: Till, data: str, words: str) -> None:
    await asked(till)
    await till.scan(data)
    assert till.state == "APPROVAL"
    assert words in till.text
    assert till.journal.commits == []


async def test_i7_payment_code_scanned_while_an_answer_is_awaited_is_kept_nowhere(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    await asked(till)
    await till.scan(PAY_CODE)
    await till.scan(f"PA1.{PAY_CODE}")
    recorded = till.controller._performer.recorder.encoded("key", max_bytes=1_000_000)
    assert PAY_CODE not in caplog.text
    assert PAY_CODE.encode() not in recorded


async def test_answer_is_taken_on_the_pin_page_too_and_its_code_is_logged_nowhere(
    till: Till, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    question = await asked(till)
    await till.press("NEXT")
    assert till.state == "SUPERVISOR"
    await till.scan(code(question))
    assert till.state == "RESULT"
    assert question.nonce not in caplog.text


async def test_answer_where_nothing_was_asked_is_refused(till: Till) -> None:
    question = await asked(till)
    await till.press("CLEAR", "CLEAR")
    assert till.state == "CONFIRM"
    await till.press("ENTER")
    assert till.state == "SUPERVISOR"
    await till.scan(code(question))
    assert till.state == "SUPERVISOR"
    assert "没有等待授权的退款" in till.text


async def test_second_confirm_asks_a_new_question_that_the_old_answer_does_not_fit(till: Till) -> None:
    old = await asked(till)
    await till.press("CLEAR", "CLEAR", "ENTER")
    new = await asked(till)
    assert (new.nonce == old.nonce, new.refund_request_id == old.refund_request_id) == (False, False)
    await till.scan(code(old))
    assert till.state == "APPROVAL"
    assert "已用过或不是这一笔" in till.text


async def test_answer_after_the_commit_is_refused_at_result_and_menu(till: Till) -> None:
    question = await asked(till)
    await till.scan(code(question))
    await till.scan(code(question))
    assert till.state == "RESULT"
    await till.press("ENTER")
    await till.scan(code(question))
    assert till.state == "MENU"
    assert "没有等待授权的退款" in till.text
    assert len(till.journal.commits) == 1


async def test_answer_used_before_does_not_approve_the_next_refund_of_the_same_sale(till: Till) -> None:
    first = await asked(till)
    await till.scan(code(first))
    await till.press("ENTER")
    await to_supervisor(till)
    await asked(till)
    await till.scan(code(first))
    assert till.state == "APPROVAL"
    assert "已用过或不是这一笔" in till.text


async def test_answer_after_the_dialogue_timed_out_is_refused(till: Till) -> None:
    question = await asked(till)
    assert TIMEOUTS_S[State.APPROVAL] == 600
    await till.controller._fire(Trigger.TIMEOUT)
    assert till.state == "MENU"
    await till.scan(code(question))
    assert till.state == "MENU"
    assert "没有等待授权的退款" in till.text
    assert till.journal.commits == []


async def test_answer_after_a_restart_of_the_daemon_is_refused() -> None:
    async with at_menu(Till(policy=POLICY)) as till:
        await to_supervisor(till)
        question = await asked(till)
    till.restart()
    async with running(till):
        await till.sign_in()
        if till.state == "RESUME":
            await till.press("CANCEL")
        await to_supervisor(till)
        await till.scan(code(question))
        assert (till.state, till.journal.commits) == ("SUPERVISOR", [])
        assert "没有等待授权的退款" in till.text


async def test_supervisor_who_comes_after_all_commits_under_the_id_of_the_question(till: Till) -> None:
    question = await asked(till)
    await till.press("CLEAR", "0", "2", "ENTER", "1", "3", "5", "7", "ENTER")
    assert till.state == "RESULT", till.text
    [request] = till.journal.commits
    assert (request.refund_request_id, request.supervisor_no) == (question.refund_request_id, "02")
    assert request.approval is None


async def test_slip_is_printed_again_on_demand_and_is_the_same_question(till: Till) -> None:
    question = await asked(till)
    await till.press("ENTER")
    await till.press("NEXT", "NEXT")
    assert questions(till) == [question, question]


async def test_failed_commit_spends_the_question(till: Till) -> None:
    question = await asked(till)
    till.journal.failure = JournalFullError("full")
    await till.scan(code(question))
    assert till.state == "NOT_SAVED", till.text
    await till.press("ENTER", "ENTER")
    assert till.state == "SUPERVISOR"
    await till.scan(code(question))
    assert till.state == "SUPERVISOR"
    assert till.journal.commits == []


async def test_paper_out_is_said_where_the_slip_is_awaited(till: Till) -> None:
    await asked(till)
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, "EPTR_REC_EMPTY"))
    assert "小票没打" in till.text


async def test_training_asks_nobody() -> None:
    machine = RefundMachine(
        Rules(policy=POLICY, reasons=REASONS, phrases=PHRASES),
        initial=State.SUPERVISOR,
        context=Context(is_training=True, operator_no="01"),
    )
    fresh = Fresh(refund_request_id="9800000000000000000097", nonce="n", boot_id="b")
    machine.fire(Trigger.NEXT, Input(facts=Facts(now=NOW), fresh=fresh))
    assert (machine.state, machine.context.message) == (State.SUPERVISOR, "approval.training")
    assert machine.context.question is None


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("locale", ["zh-CN", "en"])
@pytest.mark.parametrize("message", ["", *sorted(key for key in WORDS if key.startswith("approval."))])
def test_every_refusal_fits_both_displays_in_both_languages(size: tuple[int, int], locale: str, message: str) -> None:
    context = Context(locale=locale, message=message, message_parameters={"cause": "缺纸"})
    rules = Rules(policy=POLICY, reasons=REASONS, phrases=PHRASES)
    for state in (State.APPROVAL, State.SUPERVISOR, State.MENU):
        screen = render(state, context, Facts(now=NOW), rules, size=size)
        assert [cell_width(line) for line in screen.lines] == [size[0]] * size[1]
        if message:
            words = WORDS[message][locale == "en"].format(cause="缺纸")
            assert words in "\n".join(screen.lines), (state, words)
