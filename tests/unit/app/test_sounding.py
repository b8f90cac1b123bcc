"""A refusal is heard although a panel has no buzzer (field.md 24)."""

from pos_agent.app.sounding import SoundingDisplay
from pos_agent.domain.screen import make_screen
from tests.fakes.devices import FakeDisplay, FakeScanner


class Beeper(FakeScanner):
    """A scanner or keypad that can beep, or cannot now."""

    def __init__(self, *, can: bool) -> None:
        super().__init__(lambda _event: None)
        self._can = can
        self.beep_count = 0

    def beep(self) -> bool:
        self.beep_count += self._can
        return self._can


def test_beep_goes_to_the_first_device_that_can_and_to_the_display() -> None:
    display, keypad, scanner = FakeDisplay(), Beeper(can=False), Beeper(can=True)
    sounding = SoundingDisplay(display, (keypad, None, scanner, Beeper(can=True)))
    sounding.show(make_screen(["x"], columns=40, rows=12))
    sounding.beep()
    assert (keypad.beep_count, scanner.beep_count) == (0, 1)
    assert sounding.size == display.size


def test_beep_of_devices_that_have_none_is_the_displays_alone() -> None:
    SoundingDisplay(FakeDisplay(), (FakeScanner(lambda _event: None), None)).beep()
