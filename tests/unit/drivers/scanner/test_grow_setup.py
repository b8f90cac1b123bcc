"""Setting up a Grow module on its simulator: written, read back, kept over a power cut."""

from functools import partial
from pathlib import Path

import pytest

from drivers.links.opener import Opener
from drivers.scanner.grow_frame import Mode
from drivers.scanner.grow_setup import GrowSettings, set_up_grow
from hil.simulators.scanner_grow import SimGrowScanner
from pos_agent.errors import DeviceTimeoutError, FailureError

MODE, BAUD, TAIL, AIM = 0x0000, 0x002A, 0x0060, 0x00D0


async def _set_up(module: SimGrowScanner, wanted: GrowSettings, *, answer_s: float = 1.0) -> None:
    path = str(module.port.path)
    try:
        await Opener().run(partial(set_up_grow, path, wanted, answer_s=answer_s), port=path, timeout_s=30)
    finally:
        module.port.unplug()


@pytest.fixture
def module(tmp_path: Path) -> SimGrowScanner:
    return SimGrowScanner(tmp_path / "scanner")


async def test_set_up_grow_settings_are_kept_over_a_power_cut(module: SimGrowScanner) -> None:
    module.port.plug()
    module.zones[TAIL] = 0b0010_0001
    await _set_up(module, GrowSettings(mode=Mode.CONTINUOUS))
    module.power_cycle()

    assert module.zones[MODE] == 0xD6 & ~0b11 | 0b10
    assert module.zones[TAIL] == 0b0000_0001  # CR, the other bits as they were
    assert module.zones[AIM] == 0x80
    assert module.bad_frame_count == 0


async def test_set_up_grow_changes_the_speed_and_follows_it(module: SimGrowScanner) -> None:
    module.port.plug()
    await _set_up(module, GrowSettings(baud=115_200, has_aim=False))

    assert (module.saved[BAUD], module.saved[BAUD + 1]) == (0x1A, 0x00)
    assert module.saved[AIM] == 0


async def test_set_up_grow_module_that_is_not_there_is_a_timeout(module: SimGrowScanner) -> None:
    module.port.plug()
    module.is_mute = True
    with pytest.raises(DeviceTimeoutError):
        await _set_up(module, GrowSettings(), answer_s=0.1)


async def test_set_up_grow_module_that_forgets_is_a_failure(module: SimGrowScanner) -> None:
    module.port.plug()
    module.is_read_only = True
    with pytest.raises(FailureError, match="0000"):
        await _set_up(module, GrowSettings(mode=Mode.COMMAND))
