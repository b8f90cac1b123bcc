"""D19: the wall clock jumps a year, in every state of the refund menu; waits, lock-outs and drafts do not notice."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from pos_agent.domain.events import DeviceName, DeviceStatusChanged
from pos_agent.domain.refund import RefundState
from pos_agent.journal.store import Journal
from pos_agent.workflow import timers
from pos_agent.workflow.states import TIMEOUTS_S, State
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, WECHAT_ORDER, make_sale
from tests.fakes.table_walk import Step, Way, ways_of_the_table, world_with
from tests.unit.workflow.rig import Till, at_menu, running

YEAR = timedelta(days=366)
JUMPS = [YEAR, -YEAR]
#: Keys and scans from MENU to a state; "scan" reads the sale.
WAYS: dict[State, tuple[str, ...]] = {
    State.MENU: (),
    State.SCAN: ("1",),
    State.SALE: ("scan",),
    State.AMOUNT: ("scan", "2"),
    State.REASON: ("scan", "ENTER"),
    State.CONFIRM: ("scan", "ENTER", "1"),
    State.RESULT: ("scan", "ENTER", "1", "ENTER"),
    State.FIND: ("2",),
    State.FUNCTION: ("FN",),
    State.HELP: ("FN", "1"),
    State.LAST: ("FN", "2"),
}


async def walk(till: Till, *way: str) -> None:
    for step in way:
        await (till.scan(WECHAT_ORDER) if step == "scan" else till.press(step))


def deadlines(till: Till) -> dict[str, float]:
    """Return when each timer that matters fires, in the loop's own time."""
    names = (timers.TIMEOUT, timers.COUNTDOWN)
    found = till.controller._timers._running
    return {name: found[name][1].when() for name in names if name in found}


@pytest.mark.parametrize("jump", JUMPS, ids=["ahead", "back"])
@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.value)
async def test_d19_clock_jump_in_a_state_moves_no_time_out_and_blocks_no_key(state: State, jump: timedelta) -> None:
    async with at_menu() as till:
        await till.online()
        await walk(till, *WAYS[state])
        assert till.state == state.value
        before = deadlines(till)
        assert timers.TIMEOUT in before
        till.clock.wall += jump
        till.clock.is_set = False
        await till.put(DeviceStatusChanged(DeviceName.SCANNER, is_online=True))
        assert till.state == state.value
        assert deadlines(till) == before
        await till.press("FN" if state is not State.FUNCTION else "CLEAR")
        loop = asyncio.get_running_loop()
        left_s = deadlines(till)[timers.TIMEOUT] - loop.time()
        assert 0 < left_s <= TIMEOUTS_S[State(till.state)]


@pytest.mark.parametrize("jump", JUMPS, ids=["ahead", "back"])
@pytest.mark.parametrize(
    "state", [s for s in WAYS if "scan" in WAYS[s] and s is not State.RESULT], ids=lambda s: s.value
)
async def test_d19_clock_jump_before_confirm_still_commits_one_flagged_request(state: State, jump: timedelta) -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    way = WAYS[State.CONFIRM] if state is not State.AMOUNT else (*WAYS[state], "3", "ENTER", "1")
    async with running(till):
        await till.sign_in()
        await till.online()
        await walk(till, *WAYS[state])
        till.clock.wall += jump
        till.clock.is_set = False
        await walk(till, *way[len(WAYS[state]) :], "ENTER")
        await till.settle()
        assert till.state == "RESULT"
    (kept,) = till.journal.commits
    assert not kept.is_clock_trusted
    assert "clock_untrusted" in kept.flags


@pytest.mark.parametrize("jump", JUMPS, ids=["ahead", "back"])
async def test_d19_clock_jump_ends_no_pin_lock_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    clock = ManualClock()
    journal = await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="boot-1", clock=clock)
    await journal.put_operator(operator_no="01", person_id="p", name="n", role="cashier", pin_hash="x")
    for _ in range(5):
        locked = await journal.record_pin_failure("01")
    assert locked.locked_s == 900
    clock.wall += jump
    found = await journal.operator("01")
    assert found is not None
    assert found.locked_s == 900
    await journal.close()
    clock.boottime = 5.0
    journal = await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="boot-2", clock=clock)
    found = await journal.operator("01")
    await journal.close()
    assert found is not None
    assert found.locked_s == 900


@pytest.fixture(scope="module")
def ways() -> dict[State, Way]:
    """One way through each state of the table: into it, and one transition on."""
    found: dict[State, Way] = {}
    worlds = [{}, world_with(RefundState.REVIEWING), world_with(RefundState.NEED_INFO)]
    for way in ways_of_the_table(worlds, is_one_a_state=True).values():
        known = found.get(way.row.state)
        if known is None or len(way.steps) < len(known.steps):
            found[way.row.state] = way
    return found


@pytest.mark.parametrize("jump", JUMPS, ids=["ahead", "back"])
@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
async def test_d19_clock_jump_in_each_state_of_the_table_changes_no_way_and_no_deadline(
    ways: dict[State, Way], state: State, jump: timedelta
) -> None:
    way = ways[state]
    till = Till(safe="E-TEST" if way.start is State.SAFE else "")
    controller = till.controller
    for step in way.steps[:-1]:
        await fire(till, step)
    assert controller.state == state.value
    before = deadlines(till)
    till.clock.wall += jump
    till.clock.is_set = False
    controller._situation.touch()
    controller._show()
    assert deadlines(till) == before
    await fire(till, way.steps[-1])
    assert controller.state == way.steps[-1].after.value
    controller._timers.stop_all()
    await controller._performer.close()


async def fire(till: Till, step: Step) -> None:
    """Fire a step of a way on a till whose inbox nobody reads."""
    facts = till.controller._situation.facts
    facts.has_operators = True
    for name, value in step.facts.items():
        setattr(facts, name, value)
    await till.controller._fire(step.trigger, **step.data)
