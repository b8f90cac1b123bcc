"""Another printer, over a restart: told, asked nothing, claimed least, until a person says so (field.md 18)."""

from pathlib import Path

import pytest

from hil.simulators.printer import CLONE_PRINTS, PrinterSpec
from pos_agent.domain.slip import PrintOutcome
from tests.fakes.slip_samples import maker, request
from tests.integration.printing.rig import Till, running

OWN = PrinterSpec()
#: It calls itself what the till's own printer is, as many do; it answers nothing and prints what it does not know.
CLONE = PrinterSpec(serial_number="", answers=frozenset(), prints=CLONE_PRINTS)
TWIN = PrinterSpec(serial_number="X4SIM000002")
SLIP = maker().request_slips(request())[1]


async def printed(till: Till) -> PrintOutcome:
    """Print a slip and return what was claimed."""
    count = len(till.outcomes())
    till.add(SLIP)
    await till.until(lambda: len(till.outcomes()) > count)
    return till.outcomes()[-1]


async def test_clone_in_the_place_of_the_tills_printer_prints_no_stray_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, spec=OWN, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.CONFIRMED
        assert "printer_swapped" not in till.codes()

    async with running(tmp_path, monkeypatch, spec=CLONE, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.SENT
        (slip,) = await till.sim.wait_slips(1, 15)
        rest = "\n".join((*slip.lines, *till.sim.current_lines()))
        assert "printer_swapped" in till.codes()
    assert "(H00" not in rest
    assert not slip.unknown


async def test_twin_is_accepted_by_a_person_and_proves_again_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, spec=OWN, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.CONFIRMED

    async with running(tmp_path, monkeypatch, spec=TWIN, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.SENT
        till.spooler.accept_printer()
        await till.until(lambda: till.codes()[-1] == "")
        assert await printed(till) is PrintOutcome.CONFIRMED

    async with running(tmp_path, monkeypatch, spec=TWIN, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.CONFIRMED
        assert "printer_swapped" not in till.codes()


async def test_same_printer_at_another_address_is_no_other_printer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, spec=OWN, state_dir=tmp_path) as till:
        assert await printed(till) is PrintOutcome.CONFIRMED
        before = till.sim.address
        till.sim.unplug()
        await till.until(lambda: "E_NOHARDWARE" in till.codes())
        till.sim.plug()
        assert till.sim.address != before
        assert await printed(till) is PrintOutcome.CONFIRMED
        assert "printer_swapped" not in till.codes()
