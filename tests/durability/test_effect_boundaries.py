"""A power cut before and behind everything that an effect of the table does to the journal (I8, screens.md RESUME)."""

from pathlib import Path

import pytest

from pos_agent.domain.events import RefundChanged
from pos_agent.domain.refund import MoneyMoved, RefundState, RefundUpdate
from pos_agent.journal.store import Journal
from pos_agent.workflow import effects as fx
from pos_agent.workflow.performer import Performer
from tests.durability.cuts import Cuts, after_restart
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, running

JOURNALLED = {
    fx.Commit,
    fx.SaveDraft,
    fx.DropDraft,
    fx.Withdraw,
    fx.AnswerQuestion,
    fx.PrintCopy,
    fx.PrintPolicy,
    fx.PrintQuestion,
    fx.CloseShift,
    fx.SignedIn,
    fx.SignedOut,
    fx.SetTraining,
}
READ_OR_SHOWN = {
    fx.Show,
    fx.Beep,
    fx.StartTimer,
    fx.ClassifyTyped,
    fx.LookUp,
    fx.CancelLookUp,
    fx.CheckPin,
    fx.OpenRequest,
    fx.FindRequest,
    fx.Refresh,
    fx.LoadQueue,
    fx.PausePrinting,  # a restart prints again
    fx.AcceptPrinter,  # a file of its own; lost, the till asks again
    fx.SaveIncident,  # a file of its own, which no promise rests on
}


async def whole_day(till: Till, journal: Journal) -> None:
    """Reach every effect that writes."""
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.sign_in()
        await till.wait_for(lambda: till.state == "MENU")
        await till.online()
        await reach(till, "SALE", "scan")
        await reach(till, "SCAN", "CLEAR")
        await reach(till, "REASON", "scan", "ENTER")
        await reach(till, "RESULT", "1", "ENTER")
        (record,) = await journal.newest_refunds(5)
        number = record.request.refund_request_id
        await say(till, journal, number, RefundState.NEED_INFO, 1)
        await reach(till, "ANSWER", "ENTER", "2", "ENTER", "ENTER")
        await reach(till, "STATUS", "1")
        await say(till, journal, number, RefundState.REVIEWING, 2)
        await reach(till, "WITHDRAW", "1")
        await reach(till, "STATUS", "ENTER")
        await reach(till, "MENU", "CANCEL")
        await reach(till, "MENU", "F3")
        await reach(till, "POLICY", "FN", "6", "3")
        await reach(till, "SHIFT", "CLEAR", "FN", "8")
        await reach(till, "MENU", "ENTER")
        await reach(till, "SUPERVISOR", "scan", "ENTER", "0", "0", "6", "ENTER")
        await reach(till, "APPROVAL", "NEXT")
        await reach(till, "MENU", "CANCEL", "ENTER")
        await reach(till, "MENU", "FN", "0")
        await reach(till, "LOGIN", "FN", "7")


async def reach(till: Till, state: str, *steps: str) -> None:
    for step in steps:
        await (till.scan(WECHAT_ORDER) if step == "scan" else till.press(step))
        await come_to_rest(till)
    await till.wait_for(lambda: till.state == state)


async def come_to_rest(till: Till) -> None:
    """Return when the journal's thread has done what a step asked for, and what followed from it too."""
    assert till._real is not None
    for _ in range(4):
        await till.settle()
        await till._real.ping()
    await till.settle()


async def say(till: Till, journal: Journal, number: str, state: RefundState, seq: int) -> None:
    update = RefundUpdate(
        refund_request_id=number,
        state=state,
        epoch=1,
        seq=seq,
        money_moved=MoneyMoved.NO,
        at=till.clock.now(),
        question="退回了吗",
    )
    await journal.apply_update(update, [])
    await till.put(RefundChanged(update))


def test_every_effect_is_known_as_one_that_writes_or_one_that_does_not() -> None:
    effects = {kind for kind in vars(fx).values() if isinstance(kind, type) and issubclass(kind, fx.Effect)}
    assert effects - {fx.Effect} == JOURNALLED | READ_OR_SHOWN


async def test_i8_cut_at_every_effect_boundary_leaves_a_true_till(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    till, seen = Till(), set[type]()
    perform = Performer.perform

    async def noted(self: Performer, effect: fx.Effect) -> None:
        seen.add(type(effect))
        await perform(self, effect)

    journal = await Journal.open(tmp_path / "journal", terminal_id="t-1", boot_id="boot1", clock=till.clock)
    with monkeypatch.context() as patched:
        patched.setattr(Performer, "perform", noted)
        try:
            await journal.put_operator(operator_no="01", person_id="p01", name="01", role="cashier", pin_hash="x")
            cuts = Cuts(journal, tmp_path / "journal", tmp_path / "cuts", patched)
            till.use(journal)
            await whole_day(till, journal)
        finally:
            await journal.close()
    assert seen >= JOURNALLED
    wrong = [f"{name}: {found}" for name, left, promise in cuts.taken if (found := await after_restart(left, promise))]
    assert not wrong, wrong[:3]
    with capsys.disabled():
        print(f"\neffect boundaries: {len(cuts.taken)} cuts, {len(JOURNALLED)} effects that write")
