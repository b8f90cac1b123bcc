"""A clone prints what it does not know: the lowest tier asks nothing, so nothing stray is on the slip (field.md 18)."""

from pathlib import Path

import pytest

from hil.simulators.printer import CLONE_PRINTS, PrinterSpec
from pos_agent.domain.slip import PrintOutcome
from tests.fakes.slip_samples import maker, request
from tests.integration.printing.rig import running

CLONE = PrinterSpec(answers=frozenset(), prints=CLONE_PRINTS)
SLIP = maker().request_slips(request())[1]


@pytest.mark.parametrize("profile", ["generic-80mm", "epson-tm-t20iii"])
async def test_clone_prints_no_stray_letter_under_the_profile_for_unknown_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setattr("drivers.escpos.job.ANSWER_GRACE_S", 0.05)
    async with running(tmp_path, monkeypatch, profile=profile, spec=CLONE) as till:
        till.add(SLIP)
        await till.until(lambda: len(till.outcomes()) == 1)
        (slip,) = await till.sim.wait_slips(1, 15)
        rest = "\n".join((*slip.lines, *till.sim.current_lines()))
    is_asked = profile != "generic-80mm"
    assert ("(H00" in rest) == is_asked, "the wrong profile shows at once, on paper"
    assert till.outcomes() == [PrintOutcome.SENT_CLEAN if is_asked else PrintOutcome.SENT]
