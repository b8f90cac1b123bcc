"""What every keypad promises."""

from drivers.contract.conformance import rule
from drivers.contract.rig import KeypadRig, until
from pos_agent.domain.events import KeyPressed


@rule("devices.md 5", "Every key of the pad arrives once, in order")
async def test_keypad_gives_keys_in_order_with_rising_times(keypad_rig: KeypadRig) -> None:
    keypad_rig.plug()
    await keypad_rig.device.open()
    await keypad_rig.press(keypad_rig.keys)

    await until(lambda: len(keypad_rig.events) >= len(keypad_rig.keys))

    pressed = [event for event in keypad_rig.events if isinstance(event, KeyPressed)]
    assert [event.key for event in pressed] == list(keypad_rig.keys)
    assert [event.at_s for event in pressed] == sorted(event.at_s for event in pressed)
