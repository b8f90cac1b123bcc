"""How each fault of the schedule is done."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hil.chaos.schedule import Step, schedule
from hil.chaos.spy import ATTACKS, Spy
from hil.chaos.world import World
from hil.rig.daemon import find_faketime

_SKEWS_S = (-86_400 * 365, -7_200, 3_600, 86_400 * 365)


class Breaker:
    """Does what the schedule says; faults of different things overlap, of one thing they do not."""

    def __init__(self, world: World, spy: Spy) -> None:
        self._world = world
        self._spy = spy
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []

    async def run(self, seed: int, only: Sequence[str] = ()) -> None:
        """Break things until cancelled."""
        for step in schedule(seed, only):
            await asyncio.sleep(step.pause_s)
            name, act = self._action(step)
            if name in self._busy or (name == "database" and self._world.postgres is None):
                continue
            self._busy.add(name)
            task = asyncio.create_task(self._do(step, name, act), name=f"chaos-{step.fault}")
            self._tasks.add(task)
            task.add_done_callback(self._forget)

    async def settle(self) -> None:
        """Return when all faults that were begun are over.

        Raises:
            ExceptionGroup: Some could not be done: the run is worth nothing.
        """
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)
        if self._failures:
            raise ExceptionGroup("faults that could not be done", self._failures)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._failures.append(error)

    async def _do(self, step: Step, name: str, act: Callable[[Step], Awaitable[None]]) -> None:
        self._world.history.add("fault", fault=step.fault, what=name, hold_s=round(step.hold_s, 2))
        try:
            await act(step)
        finally:
            self._busy.discard(name)

    def _action(self, step: Step) -> tuple[str, Callable[[Step], Awaitable[None]]]:
        group = step.fault.partition("_")[0]
        till = self._world.tills[step.target % 2].name
        if step.fault in ("kill_office", "stall_office"):
            return "office", self._office
        if step.fault in ("kill_broker", "stop_broker", "wipe_broker", "stall_broker"):
            return "broker", self._broker
        if step.fault == "kill_database":
            return "database", self._database
        match group:
            case "kill" | "clock":
                return f"{till}-power", self._till
            case "proxy":
                return f"proxy-{step.target}", self._proxy
            case "attack":
                return "attack", self._attack
            case "keypad":
                return f"{till}-keypad", self._plug
            case "scanner":
                return f"{till}-scanner", self._scanner
            case _:
                return f"{till}-printer", self._printer

    async def _till(self, step: Step) -> None:
        if step.fault == "clock" and find_faketime() is not None:
            await self._restart(step, _SKEWS_S[step.pick % len(_SKEWS_S)])
            await asyncio.sleep(step.hold_s * 3)
        await self._restart(step, 0)

    async def _restart(self, step: Step, skew_s: int) -> None:
        till = self._world.tills[step.target % 2]
        await till.cut()
        till.pos.skew_s = skew_s
        self._world.history.add("clock", till=till.name, skew_s=skew_s)
        await asyncio.sleep(step.hold_s / 3)
        till.power_on()
        await asyncio.sleep(0.8)

    async def _office(self, step: Step) -> None:
        office = self._world.bo
        if step.fault == "stall_office":
            await office.stall()
        else:
            await office.kill()
            self._world.history.add("kill", what="office")
        await asyncio.sleep(step.hold_s / 2)
        await self._world.start_office()

    async def _database(self, _step: Step) -> None:
        assert self._world.postgres is not None
        self._world.history.add("kill", what="database")
        await self._world.postgres.kill()

    async def _broker(self, step: Step) -> None:
        broker = self._world.broker
        match step.fault:
            case "wipe_broker":
                self._world.history.add("kill", what="broker")
                await broker.wipe()
                return
            case "stall_broker":
                broker.stall()
            case "stop_broker":
                await broker.down()
            case _:
                self._world.history.add("kill", what="broker")
                await broker.down(is_abrupt=True)
        await asyncio.sleep(step.hold_s / 2)
        await broker.up()

    async def _proxy(self, step: Step) -> None:
        till_proxies = [till.proxy for till in self._world.tills if till.proxy is not None]
        proxy = [*till_proxies, self._world.office_proxy][step.target]
        if step.fault == "proxy_reset":
            proxy.reset()
            return
        proxy.set_mode(step.fault.removeprefix("proxy_"))
        if step.fault == "proxy_refuse":
            proxy.reset()
        await asyncio.sleep(step.hold_s * (4 if step.fault == "proxy_half_open" else 1.5))
        proxy.set_mode("pass")

    async def _attack(self, step: Step) -> None:
        kind = ATTACKS[step.pick % len(ATTACKS)]
        count = self._spy.attack(kind)
        self._world.history.add("attack", attack=kind, messages=count)

    async def _plug(self, step: Step) -> None:
        devices = self._world.tills[step.target % 2].devices
        name = step.fault.partition("_")[0]
        devices.unplug(name)
        await asyncio.sleep(step.hold_s)
        devices.plug(name)

    async def _scanner(self, step: Step) -> None:
        devices = self._world.tills[step.target % 2].devices
        if step.fault == "scanner_unplug":
            await self._plug(step)
        elif not devices.scanner.is_plugged:
            return
        elif step.fault == "scanner_noise":
            await devices.scanner.noise(64 + step.pick % 4000)
        else:
            await devices.scanner.send(b"8123456", suffix=b"")

    async def _printer(self, step: Step) -> None:
        till = self._world.tills[step.target % 2]
        printer = till.devices.printer
        if step.fault == "printer_unplug":
            await self._plug(step)
        elif step.fault == "printer_power":
            printer.power_off()
            await asyncio.sleep(step.hold_s / 2)
            await printer.power_on()
        else:
            fault = step.fault.removeprefix("printer_")
            printer.set_fault(fault, **({"after_mm": step.pick % 90} if fault == "paper_end" else {}))
            await asyncio.sleep(step.hold_s)
            printer.clear_fault(fault)
            printer.refill()
