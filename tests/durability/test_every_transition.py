"""A power cut at every effect boundary of every transition of the table (I8): enumerated, none chosen by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import SlipDocument, SlipKind, Text
from pos_agent.journal.records import RefundRecord
from pos_agent.journal.store import Journal
from pos_agent.workflow.performer import Performer
from pos_agent.workflow.states import State, Trigger
from pos_agent.workflow.table import TABLE
from tests.durability.cuts import Cuts, after_restart
from tests.fakes.durability_part import portion
from tests.fakes.table_walk import (
    OWN_SLIP,
    POLICY,
    UNREACHED,
    Way,
    kept_request,
    name_of,
    ways_of_the_table,
    world_with,
)
from tests.unit.workflow.rig import Till

_KEPT = (RefundState.REVIEWING, RefundState.NEED_INFO)


def _ways() -> dict[int, Way]:
    return ways_of_the_table([{}, *map(world_with, _KEPT)])


@pytest.fixture(scope="module")
def ways() -> Iterator[dict[int, Way]]:
    """A way to each row."""
    yield _ways()


def test_every_row_of_the_table_is_reached_or_named(ways: dict[int, Way]) -> None:
    unreached = {name_of(row) for place, row in enumerate(TABLE) if not row.ignored and place not in ways}
    assert unreached <= UNREACHED


class LateCuts(Cuts):
    """Cuts once `is_on`: the way to the transition is not cut again and again."""

    is_on = False

    def _cut(self, name: str) -> None:
        if self.is_on:
            super()._cut(name)


class Run:
    """One till on a real journal, driven along a way by triggers alone; cut during its last step."""

    def __init__(self, way: Way, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._way, self._folder, self._patch = way, folder, monkeypatch
        self.till = Till(safe="E-TEST" if way.start is State.SAFE else "", policy=POLICY)
        self.effects = 0

    async def cut(self) -> LateCuts:
        """Walk the way; return the cuts before and behind each effect of its last step and each of its writes."""
        journal = await Journal.open(
            self._folder / "journal", terminal_id="t-1", boot_id="boot1", clock=self.till.clock
        )
        try:
            for number, role in (("01", "cashier"), ("02", "supervisor")):
                await journal.put_operator(
                    operator_no=number, person_id=f"p{number}", name=number, role=role, pin_hash="x"
                )
            cuts = LateCuts(journal, self._folder / "journal", self._folder / "cuts", self._patch)
            await self._walk(journal, cuts)
        finally:
            await journal.close()
        return cuts

    async def _walk(self, journal: Journal, cuts: LateCuts) -> None:
        self.till.use(journal)
        controller = self.till.controller
        facts = controller._situation.facts
        facts.has_operators = True
        kept = await self._seed(journal)

        async def no_classifier(_text: str) -> None:
            """The way says itself what was typed."""

        self._patch.setattr(controller, "_classify_typed", no_classifier)
        for number, step in enumerate(self._way.steps):
            facts.record, facts.newest, facts.notices, facts.has_operators = kept, kept, (), True
            facts.storage_code = ""
            for name, value in step.facts.items():
                if name not in ("record", "newest"):
                    setattr(facts, name, value)
            if number == len(self._way.steps) - 1:
                cuts.is_on = True
                self._cut_each_effect(controller._performer, cuts)
            await controller._fire(step.trigger, **_copied(step.trigger, step.data))
            await controller._performer.close()
            assert controller.state == step.after.value, (number, self._way)
        controller._timers.stop_all()

    async def _seed(self, journal: Journal) -> RefundRecord | None:
        """Keep the request that the way's facts are about."""
        worlds = [step.facts["record"] for step in self._way.steps if "record" in step.facts]
        if not worlds:
            return None
        slips = [SlipDocument(kind=SlipKind.REQUEST_CUSTOMER, blocks=(Text("slip"),), refund_request_id=OWN_SLIP)]
        await journal.commit_refund(kept_request(), slips)
        await journal.apply_update(worlds[-1].update, [])
        return await journal.refund(OWN_SLIP)

    def _cut_each_effect(self, performer: Performer, cuts: LateCuts) -> None:
        cuts._cut("before the first effect")
        perform = performer.perform

        async def performed(effect: object) -> None:
            await perform(effect)  # type: ignore[arg-type]
            await performer.close()
            self.effects += 1
            if not cuts.taken or cuts.taken[-1][2] != cuts.promise or "effect" not in cuts.taken[-1][0]:
                cuts._cut(f"behind effect {type(effect).__name__}")

        self._patch.setattr(performer, "perform", performed)


def _copied(trigger: Trigger, data: dict[str, Any]) -> dict[str, Any]:
    """Return the input with a draft of its own: the machine changes it."""
    if "draft" not in data:
        return data
    draft = msgspec.structs.replace(data["draft"])
    return {**data, "draft": draft}


async def _judge(ways: list[Way], folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Cut along each way; return what is not true afterwards, and how many boundaries were cut."""
    wrong, points = list[str](), 0
    for number, way in enumerate(ways):
        with monkeypatch.context() as patched:
            run = Run(way, folder / f"{number:03d}", patched)
            (folder / f"{number:03d}").mkdir()
            cuts = await run.cut()
        points += run.effects + 1
        for name, left, promise in cuts.taken:
            found = await after_restart(left, promise)
            if found:
                wrong.append(f"{way.row.state.value} {way.row.trigger.value} {name}: {found}")
    return wrong, points


@pytest.mark.timeout(120)
async def test_i8_cut_at_the_effects_of_a_sixteenth_of_all_transitions(
    ways: dict[int, Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    chosen = list(portion(list(ways.values())))
    wrong, points = await _judge(chosen, tmp_path, monkeypatch)
    assert not wrong, wrong[:5]
    with capsys.disabled():
        print(f"\ntransitions cut: {len(chosen)} of {len(ways)}, {points} effect boundaries")


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
async def test_i8_cut_at_the_effects_of_all_transitions(
    ways: dict[int, Way], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    wrong, points = await _judge(list(ways.values()), tmp_path, monkeypatch)
    assert not wrong, wrong[:5]
    with capsys.disabled():
        print(f"\ntransitions cut: {len(ways)} of {len(ways)}, {points} effect boundaries")
