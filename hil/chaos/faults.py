"""How each fault of the schedule is done."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from hil.chaos import wires
from hil.chaos.restores import Restorer
from hil.chaos.schedule import Step, schedule
from hil.chaos.spy import ATTACKS, Spy
from hil.chaos.till import Till
from hil.chaos.world import World
from hil.rig.daemon import find_faketime

_SKEWS_S = (-86_400 * 365, -7_200, 3_600, 86_400 * 365)
#: With a skew of none at all the library that makes the clock jump is not loaded.
_ALMOST_RIGHT_S = 1
_CARDS = {"image_card": Restorer.image_card, "old_card": Restorer.old_card, "clone_card": Restorer.clone_card}


class Breaker:
    """Does what the schedule says; faults of different things overlap, of one thing they do not."""

    def __init__(self, world: World, spy: Spy) -> None:
        self._world = world
        self._spy = spy
        self._restorer = Restorer(world)
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []

    async def run(self, seed: int, only: Sequence[str] = ()) -> None:
        """Break things until cancelled."""
        for step in schedule(seed, only):
            await asyncio.sleep(step.pause_s)
            names, act = self._action(step)
            if not self._busy.isdisjoint(names) or (step.fault == "kill_database" and self._world.postgres is None):
                continue
            self._busy.update(names)
            task = asyncio.create_task(self._do(step, names, act), name=f"chaos-{step.fault}")
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

    async def _do(self, step: Step, names: tuple[str, ...], act: Callable[[Step], Awaitable[None]]) -> None:
        self._world.history.add("fault", fault=step.fault, what=names[0], hold_s=round(step.hold_s, 2))
        try:
            await act(step)
        finally:
            self._busy.difference_update(names)

    def _target(self, step: Step) -> Till:
        return self._world.tills[step.target % 2]

    def _action(self, step: Step) -> tuple[tuple[str, ...], Callable[[Step], Awaitable[None]]]:
        """Return what a fault occupies, and what does it; faults that occupy the same thing do not meet."""
        names, act = _OCCUPIED.get(step.fault) or _OCCUPIED[step.fault.partition("_")[0]]
        places = {"till": self._target(step).name, "side": step.target % 2, "proxy": step.target}
        return tuple(name.format(**places) for name in names), getattr(self, act)

    async def _till(self, step: Step) -> None:
        async with self._target(step).hands:
            if step.fault.startswith("clock") and find_faketime() is not None:
                await self._wrong_clock(step)
            await self._restart(step, 0)

    async def _wrong_clock(self, step: Step) -> None:
        """Start with a wrong clock, or let it jump while the till works."""
        if step.fault == "clock":
            await self._restart(step, _SKEWS_S[step.pick % len(_SKEWS_S)])
            await asyncio.sleep(step.hold_s * 3)
            return
        await self._restart(step, _ALMOST_RIGHT_S)
        till = self._target(step)
        for skew_s in (*_SKEWS_S[step.pick % len(_SKEWS_S) :], _ALMOST_RIGHT_S):
            await asyncio.sleep(step.hold_s)
            await till.pos.set_skew(skew_s)
            self._world.history.add("clock", till=till.name, skew_s=skew_s)

    async def _restart(self, step: Step, skew_s: int) -> None:
        till = self._target(step)
        await till.cut()
        till.pos.skew_s = skew_s
        self._world.history.add("clock", till=till.name, skew_s=skew_s)
        await asyncio.sleep(step.hold_s / 3)
        till.power_on()
        await asyncio.sleep(0.8)

    async def _card(self, step: Step) -> None:
        till = self._target(step)
        async with till.hands:
            await _CARDS[step.fault](self._restorer, till)

    async def _copy_of_office(self, step: Step) -> None:
        if step.fault == "back_up_office":
            await self._restorer.back_up_office()
        else:
            await self._restorer.restore_office()

    async def _certificate(self, step: Step) -> None:
        """Let a till work with the other till's certificate for a while."""
        till, other = self._target(step), self._world.tills[1 - step.target % 2]
        assert till.proxy is not None
        till.swap_certificate(other.identity)
        till.proxy.reset()
        await asyncio.sleep(step.hold_s * 2)
        till.swap_certificate(None)
        till.proxy.reset()

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
        till = self._world.tills[step.target % 2]
        name = step.fault.partition("_")[0]
        till.devices.unplug(name)
        await asyncio.sleep(step.hold_s)
        await wires.plug(till, self._world.history, name)

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


#: Fault, or all whose names begin so → what it occupies, and the method that does it.
_OCCUPIED: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "kill_office": (("office",), "_office"),
    "stall_office": (("office",), "_office"),
    "kill_broker": (("broker",), "_broker"),
    "stop": (("broker",), "_broker"),
    "wipe": (("broker",), "_broker"),
    "stall": (("broker",), "_broker"),
    "kill_database": (("database",), "_database"),
    "back": (("copy", "database"), "_copy_of_office"),
    # With a second card about, whose token is right after a restore is chance.
    "restore": (("office", "copy", "database", "cards"), "_copy_of_office"),
    "image": (("{till}-power", "cards"), "_card"),
    "old": (("{till}-power", "cards"), "_card"),
    "clone": (("{till}-power", "cards"), "_card"),
    "swap": (("{till}-power", "proxy-{side}"), "_certificate"),
    "kill": (("{till}-power",), "_till"),
    "clock": (("{till}-power",), "_till"),
    "proxy": (("proxy-{proxy}",), "_proxy"),
    "attack": (("attack",), "_attack"),
    "keypad": (("{till}-keypad",), "_plug"),
    "scanner": (("{till}-scanner",), "_scanner"),
    "printer": (("{till}-printer",), "_printer"),
    "paper": (("{till}-printer",), "_printer"),
    "cover": (("{till}-printer",), "_printer"),
}
