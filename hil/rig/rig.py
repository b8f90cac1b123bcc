"""The whole bench as one object: broker, acquirer, back office, daemon and devices, started, broken and reset."""

import asyncio
import fcntl
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import IO, Any

import msgspec

from hil.rig.acquirer import Acquirer
from hil.rig.backoffice import BackOffice
from hil.rig.broker import Broker
from hil.rig.changes import Changes
from hil.rig.daemon import Daemon, make_config
from hil.rig.devices import DeviceSet
from hil.rig.faults import Faults
from hil.rig.operator import Operator, random_pin
from hil.rig.pki import make_pki
from hil.rig.ports import free_port, socket_folder
from pos_agent.domain.config import Config

TERMINAL_ID = "t-demo-01"
#: Common names of the back office's certificates: one for each role and worker (D15).
WORKERS = ("bo-1",)
#: A client that may do everything at the broker, and so stands for a broker in the wrong hands (D15). Tests only.
SPY = "spy-1"
_SPY_ACL = f"\nuser {SPY}\ntopic readwrite #\n"


class RigOptions(msgspec.Struct, frozen=True):
    """What can be chosen for a bench.

    Attributes:
        operator_size: ``40x12``, ``20x4`` or ``framebuffer``.
        locale: Language at start.
        paper_speed: How many times faster than a real printer; 1 = real.
        log_level: Of the daemon.
        pin_digits: Length of the operators' PINs, at least 4.
        printer_link: How the printer is connected: ``usb``, ``usblp``, ``serial`` or ``tcp``.
        is_spied: The broker lets `SPY` do everything.
    """

    operator_size: str = "40x12"
    locale: str = "zh-CN"
    paper_speed: float = 1.0
    log_level: str = "INFO"
    pin_digits: int = 4
    is_spied: bool = False
    printer_link: str = "usb"


class StateBusyError(RuntimeError):
    """Another bench uses this state folder."""


class Rig:
    """One till with everything around it.

    Args:
        state_dir: Everything of this run; what an earlier run left there is removed.
        options: Choices.
    """

    def __init__(self, state_dir: Path, options: RigOptions) -> None:
        self.state_dir = state_dir.resolve()
        self.options = options
        self.terminal_id = TERMINAL_ID
        self.changes = Changes()
        self._lock_file = _claim(self.state_dir)
        folder = socket_folder(self.state_dir)
        self._socket_folder = folder
        names = (*WORKERS, SPY) if options.is_spied else WORKERS
        self.pki = make_pki(self.state_dir / "pki", terminal_id=TERMINAL_ID, worker_names=names)
        self.operators = (
            Operator("01", "王芳", "cashier", random_pin(options.pin_digits)),
            Operator("02", "李强", "supervisor", random_pin(options.pin_digits)),
        )
        self.devices = DeviceSet(
            folder,
            operator_size=options.operator_size,
            speed=options.paper_speed,
            on_change=self._on_device_change,
            printer_link=options.printer_link,
        )
        self.broker = Broker(
            self.state_dir / "broker",
            port=free_port(),
            pki=self.pki,
            log_path=self.state_dir / "logs" / "broker.log",
            extra_acl=_SPY_ACL if options.is_spied else "",
        )
        self.acquirer = Acquirer(self.state_dir, port=free_port())
        self.back_office = BackOffice(
            self.state_dir,
            port=free_port(),
            pki=self.pki,
            broker_url=self.broker.url,
            acquirer_url=self.acquirer.url,
            terminal_id=TERMINAL_ID,
            operators=self.operators,
        )
        self.daemon = Daemon(
            self.state_dir,
            devices=self.devices,
            operators=self.operators,
            paper_speed=options.paper_speed,
            log_level=options.log_level,
        )
        self.faults = Faults(self.devices, self.changes)

    def _on_device_change(self, role: str) -> None:
        self.changes.add("slip" if role == "printer" else "screen", device=role)

    async def start(self) -> None:
        """Start everything; return when the till shows its sign-in screen and is online."""
        await self.devices.start()
        await _together(
            self.broker.up(), self.acquirer.start(), self.back_office.prepare(), self.daemon.prepare(self._config())
        )
        await self._start_processes()

    def _config(self) -> Config:
        return make_config(
            devices=self.devices,
            data_dir=self.daemon.data_dir,
            broker_url=self.broker.url,
            pki=self.pki,
            locale=self.options.locale,
        )

    async def choose_scanner(self, kind: str) -> None:
        """Put another scanner on the till, as a technician does: off, other unit, its configuration, on.

        Args:
            kind: One of `hil.rig.scanners.SCANNERS`.
        """
        if kind == self.devices.scanner.kind:
            return
        was_on = self.daemon.is_powered
        await self.daemon.stop()
        self.devices.darken()
        self.devices.scanner.choose(kind)
        self.daemon.configure(self._config())
        if was_on:
            self.daemon.on()
        self.changes.add("device", device="scanner", verb=kind)

    async def _start_processes(self) -> None:
        self.daemon.on()
        await self.back_office.start()
        await self.daemon.wait_ready()
        self.changes.add("power", is_on=True)

    async def stop(self) -> None:
        """End everything in order; nothing is left running."""
        await self.daemon.stop()
        await self.back_office.stop()
        await self.acquirer.stop()
        await self.broker.down()
        await self.devices.close()
        if self._socket_folder.parent != self.state_dir:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._lock_file.close()

    async def reset(self) -> None:
        """Make everything as it was after `start`: no requests, no slips, no faults, everything plugged and online."""
        await asyncio.gather(self.daemon.cut(), self.back_office.kill())
        await self.faults.clear_all()
        await self.devices.reset()
        self.daemon.reset_data()
        self.daemon.configure(self._config())
        self.back_office.reset_data()
        await _together(self.broker.wipe(), self.acquirer.reset())
        await self._start_processes()

    async def power_cut(self) -> None:
        """Cut the till's power; broker, back office and acquirer go on."""
        await self.daemon.cut()
        self.devices.darken()
        self.changes.add("power", is_on=False)

    def power_on(self) -> None:
        """Switch the till on again, on the same data."""
        self.daemon.on()
        self.changes.add("power", is_on=True)


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """Do steps at the same time; the first that fails ends the others and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _claim(state_dir: Path) -> IO[str]:
    """Lock the state folder for this process and empty it.

    Raises:
        StateBusyError: Another bench runs in it.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    lock_file = (state_dir / "lock").open("w")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock_file.close()
        raise StateBusyError(f"another bench is running in {state_dir}") from error
    for entry in state_dir.iterdir():
        if entry.name == "lock":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return lock_file
