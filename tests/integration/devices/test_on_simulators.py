"""Drivers, registry and supervisor on the bench's simulators, which share no code with them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from drivers.registry import DeviceSet, build_devices
from hil.simulators.display import SimLineDisplay, SimTerminal
from hil.simulators.keypad import SimKeypad
from hil.simulators.scanner import SimScanner
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import DevicesConfig, DisplayConfig, KeypadConfig, ScannerConfig
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Event, Key, KeyPressed, ScanRead
from pos_agent.domain.screen import make_screen
from tests.fakes.waiting import until

CONFIG = Path(__file__).parents[3] / "config"
ROLES = (DeviceName.SCANNER, DeviceName.KEYPAD, DeviceName.OPERATOR_DISPLAY, DeviceName.CUSTOMER_DISPLAY)


class Till:
    """Simulated devices and the drivers on them."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self.scanner = SimScanner(folder / "scanner")
        self.keypad = SimKeypad(folder / "keypad")
        self.operator = SimTerminal(folder / "operator", 40, 12)
        self.customer = SimLineDisplay(folder / "customer", 20, 2)
        config = DevicesConfig(
            scanner=ScannerConfig(path=str(folder / "scanner")),
            keypad=KeypadConfig(path=str(folder / "keypad")),
            operator_display=DisplayConfig(driver="ansi", path=str(folder / "operator")),
            customer_display=DisplayConfig(driver="epson", path=str(folder / "customer"), columns=20, rows=2),
        )
        self.devices: DeviceSet = build_devices(config, sink=self.events.append, find_data=lambda name: CONFIG / name)
        self.supervisor = DeviceSupervisor(self.devices, sink=self.events.append)

    @property
    def simulators(self) -> tuple[SimScanner, SimKeypad, SimTerminal, SimLineDisplay]:
        return self.scanner, self.keypad, self.operator, self.customer

    def are_online(self, *, is_online: bool = True) -> bool:
        return all(self.supervisor.is_online(role) is is_online for role in ROLES)

    def pressed(self) -> list[Key]:
        return [event.key for event in self.events if isinstance(event, KeyPressed)]

    def labels(self) -> list[str]:
        return [event.scan_data_label for event in self.events if isinstance(event, ScanRead)]


@pytest_asyncio.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    till = Till(tmp_path)
    for simulator in till.simulators:
        await simulator.start()
    task = asyncio.create_task(till.supervisor.run())
    await until(till.are_online)
    yield till
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for simulator in till.simulators:
        simulator.close()


async def test_scan_split_over_reads_and_keys_arrive(till: Till) -> None:
    await till.scanner.send(b"]C14200002089202611201078907890", chunks=[3, 10, 1])
    await till.keypad.press(["3", "00", "DOT", "ENTER"], gap_ms=25)
    await until(lambda: till.labels() and len(till.pressed()) == 5)

    assert till.labels() == ["4200002089202611201078907890"]
    assert till.pressed() == [Key.KEY_3, Key.KEY_0, Key.KEY_0, Key.DOT, Key.ENTER]


async def test_displays_show_chinese(till: Till) -> None:
    operator, customer = till.devices.operator_display, till.devices.customer_display
    assert operator is not None
    assert customer is not None
    operator.show(make_screen(["退款  2 核对", "", "  可退            ￥128.00"], columns=40, rows=12))
    customer.show(make_screen(["退款 ￥128.00", "请稍候"], columns=20, rows=2))

    await until(lambda: "￥128.00" in till.operator.lines()[2] and "请稍候" in till.customer.lines()[1])
    assert till.operator.lines()[0].rstrip() == "退款  2 核对"
    assert till.customer.lines()[0].rstrip() == "退款 ￥128.00"


async def test_all_cables_pulled_and_put_back_are_taken_up_without_a_restart(till: Till) -> None:
    operator = till.devices.operator_display
    assert operator is not None
    operator.show(make_screen(["请扫条码"], columns=40, rows=12))
    till.events.clear()
    for simulator in till.simulators:
        simulator.unplug()
    await until(lambda: till.are_online(is_online=False))
    for simulator in till.simulators:
        simulator.plug()
    till.supervisor.nudge()
    await until(till.are_online, timeout_s=2.5)
    await till.scanner.send(b"6901234567892")
    await until(lambda: till.labels() and till.operator.lines()[0].rstrip() == "请扫条码")

    changes = [(event.device, event.is_online) for event in till.events if isinstance(event, DeviceStatusChanged)]
    assert sorted(changes) == sorted((role, is_online) for role in ROLES for is_online in (False, True))


async def test_scanner_in_keyboard_mode_presses_no_enter(till: Till) -> None:
    await till.keypad.burst("134567890123456789")
    await until(lambda: till.devices.keypad is not None and till.devices.keypad.counters["KeyboardModeBurstCount"])

    assert Key.ENTER not in till.pressed()
    assert len(till.pressed()) <= 1
