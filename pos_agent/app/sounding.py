"""The error beep of a till: the display's, and that of the keypad or else the scanner, where one of them can."""

from collections.abc import Sequence

from pos_agent.devices.interfaces import Sounder
from pos_agent.domain.screen import Screen
from pos_agent.workflow.ports import DisplayPort


class SoundingDisplay:
    """A display whose beep is heard though a panel has no buzzer; see `pos_agent.workflow.ports.DisplayPort`.

    Args:
        display: What shows.
        others: Asked in this order, until one sounds.
    """

    def __init__(self, display: DisplayPort, others: Sequence[object]) -> None:
        self._display = display
        self._sounders = [device for device in others if isinstance(device, Sounder)]

    @property
    def size(self) -> tuple[int, int]:
        """Return (columns, rows)."""
        return self._display.size

    def show(self, screen: Screen) -> None:
        """Show a screen."""
        self._display.show(screen)

    def beep(self) -> None:
        """Sound the error beep."""
        self._display.beep()
        any(device.beep() for device in self._sounders)
