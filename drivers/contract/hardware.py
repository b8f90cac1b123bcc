"""The contract suites on real boards:

    python -m pytest -p drivers.contract.hardware --rig=hardware FILE [--conformance=FOLDER]

FILE names the devices, one table each, as the till's configuration would:

    [[device]]
    role = "scanner"                  # scanner, keypad, printer, operator_display, customer_display
    model = "honeywell-xenon-1900"    # names the sheet
    hand = ["./hand.sh"]              # who plugs, scans and presses; left out: you, asked at the terminal

    [device.config]
    path = "/dev/serial/by-id/…"

A hand is a program that reads one request a line, does it, and answers one line: `ok`, or why not::

    plug   unplug   scan 6901234567892   press 1 ENTER
    look one slip, whole, once     stop while it prints (open the cover)     refill (paper in, cover shut)

A USB hub that switches its ports and a robot are hands; so is a person. What stands on glass is judged by an eye, so
those tests say "does not apply" here; so does what a printer that tells no status cannot show.
"""

import asyncio
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from drivers.contract import conformance
from drivers.contract.rig import DisplayRig, KeypadRig, PrinterRig, ScannerRig, run_rig
from drivers.registry import build_devices
from pos_agent.domain.config import DevicesConfig, PrinterConfig
from pos_agent.domain.events import DeviceName, Key

_SUITES: Final = {
    DeviceName.SCANNER: "scanner",
    DeviceName.KEYPAD: "keypad",
    DeviceName.PRINTER: "printer",
    DeviceName.OPERATOR_DISPLAY: "display",
    DeviceName.CUSTOMER_DISPLAY: "display",
}
_FIXTURES: Final = {suite: f"{suite}_rig" for suite in ("scanner", "keypad", "printer", "display")}


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device of the FILE."""

    role: DeviceName
    model: str
    config: dict[str, Any]
    hand: tuple[str, ...] = ()
    keys: tuple[Key, ...] = tuple(Key)


class BoardFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole FILE."""

    device: tuple[Board, ...]


class HandError(RuntimeError):
    """The hand could not do what was asked."""


class Hand:
    """Does what a person does: plugs, scans, presses.

    Args:
        board: Whose hand; without a program a person is asked at the terminal.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the program."""
        if self._board.hand:
            self._process = subprocess.Popen(
                self._board.hand, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )

    def stop(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def do(self, request: str) -> None:
        """Have it done; returns when it is.

        Raises:
            HandError: It was not.
        """
        answer = self._ask_person(request) if self._process is None else self._ask_program(self._process, request)
        if answer != "ok":
            raise HandError(f"{self._board.model}: {request}: {answer or 'the hand has ended'}")

    @staticmethod
    def _ask_program(process: "subprocess.Popen[str]", request: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    def _ask_person(self, request: str) -> str:
        """Ask at the terminal; ENTER = done, words = why not."""
        with Path("/dev/tty").open("r+b", buffering=0) as terminal:
            terminal.write(f"\n{self._board.model}: please {request}, then press ENTER (or say why not) ".encode())
            return terminal.readline().decode("utf-8", "replace").strip() or "ok"


class HardwareRig(ScannerRig, KeypadRig, DisplayRig, PrinterRig):
    """A real board of any role, driven as the till would, moved by a hand."""

    device: Any

    ground = "a real board"
    patience_s = 300.0
    #: Prints, as paper can only be taken out while it moves: 200 lines are 75 cm.
    filler = b"0123456789 abcdefghij 0123456789\n" * 200
    stop_codes = frozenset({"EPTR_REC_EMPTY", "EPTR_COVER_OPEN", "E_FAILURE"})

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.sheet = board.model
        self.keys: Sequence[Key] = board.keys
        self.rows = int(board.config.get("rows", 4))
        self._hand = Hand(board)
        self._is_plugged = True
        config = msgspec.convert({board.role.value: board.config}, DevicesConfig)
        (self.device,) = build_devices(config, sink=self.events.append, find_data=_find_data)
        self._stopping: asyncio.Task[None] | None = None
        self._hears_stops = board.role is DeviceName.PRINTER and _hears_stops(config.printer)

    async def start(self) -> None:
        """Begin without the device."""
        self._hand.start()
        self.unplug()

    async def stop(self) -> None:
        """Leave it plugged in, as it was found."""
        if self._stopping is not None:
            await asyncio.gather(self._stopping, return_exceptions=True)
        self.plug()
        self._hand.stop()

    def plug(self) -> None:
        """Have it plugged in."""
        if not self._is_plugged:
            self._hand.do("plug")
            self._is_plugged = True

    def unplug(self) -> None:
        """Have its cable pulled."""
        if self._is_plugged:
            self._hand.do("unplug")
            self._is_plugged = False

    async def scan(self, label: str) -> None:
        """Have a code scanned."""
        self._hand.do(f"scan {label}")

    async def press(self, keys: Sequence[Key]) -> None:
        """Have keys pressed, in order."""
        self._hand.do(f"press {' '.join(keys)}")

    def lines(self) -> list[str]:
        """Nobody reads a display here."""
        pytest.skip("what a display shows is judged by an eye")

    async def see_printed_once(self, data: bytes) -> None:
        """Have the paper looked at."""
        await asyncio.to_thread(self._hand.do, "look one slip, whole, once")

    def end_paper_after(self, count: int) -> None:
        """Have the cover opened, or the paper taken out, while it prints."""
        if not self._hears_stops:
            pytest.skip("this model tells nobody when its paper ends")
        self._stopping = asyncio.create_task(asyncio.to_thread(self._hand.do, "stop while it prints"), name="hand")

    async def refill(self) -> None:
        """Have paper put in and the cover shut."""
        if self._stopping is not None:
            await self._stopping
        await asyncio.to_thread(self._hand.do, "refill")


def _hears_stops(config: PrinterConfig) -> bool:
    """Return whether the profile knows a way to hear that the paper has ended."""
    from drivers.escpos.build import load_profile  # noqa: PLC0415 - only for printers

    profile = load_profile(config, _find_data(f"devices/{config.profile}.toml"), None)
    has_port_status = profile.has_port_status and config.link not in ("tcp", "serial")
    return has_port_status or profile.has_asb or profile.has_dle_eot


def _find_data(name: str) -> Path:
    folders = (Path(__file__).parents[2] / "config", Path(sys.prefix) / "share/pos-agent/config")
    return next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)


def load_boards(path: Path) -> tuple[Board, ...]:
    """Read the FILE.

    Raises:
        pytest.UsageError: It cannot be read, or is not of this shape.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), BoardFile, strict=False).device
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--rig=hardware {path}: {error}") from error


# -- pytest -------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options; `--rig=hardware FILE` is taken apart before they are read."""
    parser.addoption("--rig", choices=["hardware"], help="what the suites run on; followed by FILE")
    parser.addoption("--rig-file", type=Path, help="the FILE of --rig=hardware")
    if not pluginmanager.is_registered(conformance):
        pluginmanager.register(conformance)  # the sheets


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Make `--rig=hardware FILE` an option with its file, and run the suites of the roles in it."""
    if "--rig=hardware" not in args:
        return
    place = args.index("--rig=hardware")
    if place + 1 >= len(args) or args[place + 1].startswith("-"):
        raise pytest.UsageError("--rig=hardware needs a FILE that names the boards")
    path = Path(args.pop(place + 1))
    roles = {_SUITES[board.role] for board in load_boards(path)}
    args += [f"--rig-file={path}", "--asyncio-mode=auto"]
    if early_config.pluginmanager.hasplugin("timeout"):
        args.append("--timeout=0")  # a person takes the time that it takes
    args += [str(Path(__file__).with_name(f"{suite}.py")) for suite in ("device", *sorted(roles))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on every board of its role."""
    path: Path | None = metafunc.config.getoption("--rig-file")
    if path is None:
        return
    for board_fixture, boards in _boards_by_fixture(load_boards(path)):
        if board_fixture in metafunc.fixturenames:
            metafunc.parametrize(board_fixture, boards, ids=[board.model for board in boards], indirect=True)


def _boards_by_fixture(boards: Sequence[Board]) -> Iterator[tuple[str, list[Board]]]:
    yield "device_rig", list(boards)
    for suite, fixture in _FIXTURES.items():
        yield fixture, [board for board in boards if _SUITES[board.role] == suite]


async def _rig(request: pytest.FixtureRequest) -> AsyncIterator[HardwareRig]:
    async for rig in run_rig(HardwareRig(request.param)):
        yield rig


device_rig = pytest_asyncio.fixture(_rig, name="device_rig")
scanner_rig = pytest_asyncio.fixture(_rig, name="scanner_rig")
keypad_rig = pytest_asyncio.fixture(_rig, name="keypad_rig")
display_rig = pytest_asyncio.fixture(_rig, name="display_rig")
printer_rig = pytest_asyncio.fixture(_rig, name="printer_rig")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the sheets."""
    for name, text in conformance.pages().items():
        terminalreporter.write_sep("-", name)
        terminalreporter.write_line(text)
