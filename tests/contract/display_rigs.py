"""Customer displays in front of their simulators."""

from pathlib import Path

from drivers.display import led8
from drivers.display.line_display import CellDisplay
from drivers.display.serial_vfd import Cd5220Dialect
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from hil.simulators.led8 import SimLed8
from hil.simulators.line_display import SimLineDisplay
from pos_agent.domain.events import DeviceName
from tests.contract.rigs import DisplayRig


class SimulatedDisplayRig(DisplayRig):
    """A display whose simulator says what is to be read on it."""

    sim: SimLineDisplay | SimLed8

    def plug(self) -> None:
        self.sim.plug()

    def unplug(self) -> None:
        self.sim.unplug()

    def lines(self) -> list[str]:
        return self.sim.lines()


class Cd5220DisplayRig(SimulatedDisplayRig):
    """CD5220 has two lines: of a higher screen it shows the first two."""

    sheet = "display-cd5220"

    rows = 2

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sim = SimLineDisplay(folder / "display", 20, 2)
        self.device = CellDisplay(
            DeviceName.CUSTOMER_DISPLAY,
            port=SerialPort(str(self.sim.path), baud=9600),
            dialect=lambda: Cd5220Dialect(encoding="gb18030"),
            size=(20, 2),
            opener=Opener(),
            baud=9600,
        )


class Led8DisplayRig(SimulatedDisplayRig):
    """A pole shows figures only: it runs the suite of every device, and its own tests instead of the display's."""

    sheet = "display-led8"

    def __init__(self, folder: Path, *, has_lamp_command: bool = True) -> None:
        super().__init__()
        self.sim = SimLed8(folder / "display")
        self.device = CellDisplay(
            DeviceName.CUSTOMER_DISPLAY,
            port=SerialPort(str(self.sim.path), baud=2400),
            dialect=lambda: led8.Led8Dialect(has_lamp_command=has_lamp_command),
            size=led8.PLACES,
            compose=led8.compose,
            screen_size=(20, 2),
            opener=Opener(),
            baud=2400,
        )
