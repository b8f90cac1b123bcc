"""The serial matrix pad in front of its simulator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.keypad.keymap import Keymap, KeySpec, load_keymap
from pos_agent.domain.events import Key, KeyPressed
from pos_agent.errors import ConfigValueError
from tests.contract.conformance import rule
from tests.contract.rigs import KEYMAP, MatrixKeypadRig
from tests.fakes.waiting import until


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[MatrixKeypadRig]:
    rig = MatrixKeypadRig(tmp_path)
    rig.plug()
    await rig.device.open()
    yield rig
    await rig.device.close()
    rig.unplug()


def _keys(rig: MatrixKeypadRig) -> list[Key]:
    return [event.key for event in rig.events if isinstance(event, KeyPressed)]


@rule("devices.md 5", "One character a key, also between STX and ETX, means what the key map says")
async def test_matrix_keypad_keys_mean_what_the_map_says(rig: MatrixKeypadRig) -> None:
    await rig.pad.press(["1", "2", "DOT", "ENTER", "CANCEL"])
    await until(lambda: len(_keys(rig)) == 5)
    assert _keys(rig) == [Key.KEY_1, Key.KEY_2, Key.DOT, Key.ENTER, Key.CANCEL]
    assert rig.device.counters["KeyPressedCount"] == 5


@rule("devices.md 5", "A character that is no key is counted and enters nothing")
async def test_matrix_keypad_character_that_is_no_key_is_counted(rig: MatrixKeypadRig) -> None:
    await rig.pad.send(b"x\xff5")
    await until(lambda: _keys(rig) == [Key.KEY_5])
    assert rig.device.counters["UnknownKeyCount"] == 2


@rule("field.md 10", "A scanner on the port of the keypad types nothing")
async def test_matrix_keypad_flood_from_another_device_presses_nothing(rig: MatrixKeypadRig) -> None:
    """A scanner on the keypad's port must not type an amount."""
    await rig.pad.send(b"1" * 60)
    await until(lambda: rig.device.counters["UnknownKeyCount"] == 60)
    await rig.pad.send(b"7")
    await until(lambda: _keys(rig) == [Key.KEY_7])


def test_matrix_keymap_without_every_key_of_the_menu_is_refused() -> None:
    keymap = Keymap("usb-only", {"1": KeySpec("1", "1", evdev=("KEY_KP1",))})
    with pytest.raises(ConfigValueError, match="no character for"):
        keymap.keys_by_character()


@pytest.mark.parametrize(("old", "new"), [('matrix = "2"', 'matrix = "1"'), ('matrix = "2"', 'matrix = "22"')])
def test_matrix_keymap_with_a_character_twice_or_too_long_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(KEYMAP.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(ConfigValueError, match="matrix"):
        load_keymap(path)
