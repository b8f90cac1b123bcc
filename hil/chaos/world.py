"""All processes of a chaos run: two tills, broker, back office, acquirer; each but the acquirer can be killed."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hil.chaos.history import HISTORY, History
from hil.chaos.postgres import Postgres
from hil.chaos.proxy import Proxy
from hil.chaos.sales import make_sales, write_sales
from hil.chaos.till import Till
from hil.rig.acquirer import Acquirer
from hil.rig.backoffice import BackOffice
from hil.rig.broker import Broker
from hil.rig.operator import Operator, random_pin
from hil.rig.pki import make_pki
from hil.rig.ports import free_port
from hil.rig.process import ProcessFailedError, run_tool

TILLS = ("t-chaos-01", "t-chaos-02")
WORKER, SPY = "bo-1", "spy-1"
_SPY_ACL = f"\nuser {SPY}\ntopic readwrite #\n"
#: Long enough that a search for them (I7) finds them and nothing else.
_PIN_DIGITS = 8
#: How often the back office is started again before the run is given up.
_STARTS = 10
#: At each till; after five requests of one of them within an hour a supervisor is asked (F4).
_CASHIERS = 5
#: A bench's waits instead of a bank's; a robot asks more often than a person may.
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "review": {"max_requests_per_hour": 100_000},
    "execution": {"poll_s": 0.3, "poll_max_s": 2.0, "hold_retry_s": 2.0, "lease_s": 3.0},
}


class World:
    """The processes.

    Args:
        folder: Everything of the run; made anew.
        seed: Of sales and the rest.
        database: ``sqlite`` or ``postgres``.
        planted: Variables for tills and back office, by which tests plant bugs.
    """

    def __init__(self, folder: Path, *, seed: int, database: str, planted: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._env = dict(planted or {})
        self.history = History(self.folder / HISTORY)
        self.sales = make_sales(random.Random(seed), datetime.now(UTC))  # noqa: TID251 - sales of yesterday
        self.pki = make_pki(
            self.folder / "pki", terminal_id=TILLS[0], worker_names=(WORKER, SPY), other_terminal_ids=TILLS[1:]
        )
        self.postgres = Postgres(self.folder / "postgres") if database == "postgres" else None
        self.broker = Broker(
            self.folder / "broker",
            port=free_port(),
            pki=self.pki,
            log_path=self.folder / "logs" / "broker.log",
            extra_acl=_SPY_ACL,
        )
        self.acquirer = Acquirer(self.folder, port=free_port())
        self.office_proxy = Proxy(self.broker.port)
        self.supervisors = (Operator("91", "李强", "supervisor", random_pin(_PIN_DIGITS)),)
        self.tills = tuple(self._till(number, name) for number, name in enumerate(TILLS, 1))
        self.office: BackOffice | None = None

    def _till(self, number: int, name: str) -> Till:
        cashiers = tuple(
            Operator(f"{number}{one}", f"收银{number}{one}", "cashier", random_pin(_PIN_DIGITS))
            for one in range(_CASHIERS)
        )
        pki = self.pki if name == TILLS[0] else self.pki.of(name)
        operators = (*cashiers, *self.supervisors)
        return Till(self.folder / name, pki=pki, operators=operators, history=self.history)

    @property
    def bo(self) -> BackOffice:
        """Return the back office; `start` has made it."""
        assert self.office is not None
        return self.office

    @property
    def secrets(self) -> list[str]:
        """Return the PINs, which must be found nowhere (I7)."""
        return sorted({one.pin for till in self.tills for one in till.operators})

    async def start(self) -> None:
        """Start everything; return when both tills see their back office."""
        await self.office_proxy.start()
        await asyncio.gather(self.broker.up(), self.acquirer.start())
        settings = dict(_SETTINGS)
        if self.postgres is not None:
            await self.postgres.start()
            settings["database"] = {"url": self.postgres.url}
        self.office = BackOffice(
            self.folder,
            port=free_port(),
            pki=self.pki,
            broker_url=self.office_proxy.url,
            acquirer_url=self.acquirer.url,
            terminal_id=TILLS[0],
            operators=tuple({one.no: one for till in self.tills for one in till.operators}.values()),
            settings=settings,
            env=self._env,
        )
        await self.office.prepare()
        write_sales(self.folder / "sales.json", self.sales)
        await self.office.import_sales(self.folder / "sales.json")
        for till in self.tills:
            proxy = Proxy(self.broker.port)
            await proxy.start()
            await till.prepare(proxy, env=self._env)
        self._note_start()
        await self.office.start()
        for till in self.tills:
            till.power_on()
        for till in self.tills:
            await till.pos.wait_ready(40.0)

    def _note_start(self) -> None:
        for sale in self.sales:
            kept = {name: sale[name] for name in ("sale_id", "order_no", "paid_minor", "base_refunded_minor")}
            self.history.add("sale", **kept)

    async def start_office(self) -> None:
        """Start the back office as a supervisor of services does: again, if its database is still away.

        Raises:
            ProcessFailedError: It does not start at all.
        """
        for _ in range(_STARTS):
            with contextlib.suppress(ProcessFailedError):
                await self.bo.up()
                return
            await asyncio.sleep(0.5)
        await self.bo.up()

    async def _tool(self, *arguments: str) -> str:
        """Run a command of the back office, as its operator does."""
        command = ["backoffice.cli", *arguments, "--config", str(self.folder / "backoffice.toml")]
        return await run_tool(command, log_path=self.folder / "logs" / "tools.log")

    async def clear_terminal(self, terminal_id: str) -> None:
        """End the suspicion against a till: somebody has looked at the cards."""
        await self._tool("terminal", "clear", "--id", terminal_id)

    async def back_up(self, path: Path) -> None:
        """Copy the back office's database while it is in use."""
        if self.postgres is not None:
            await self.postgres.dump(path)
        else:
            await self._tool("backup", str(path))

    async def rescue(self, file: Path) -> None:
        """Bring the codes of slips to the back office; its database may be away for a moment.

        Raises:
            ProcessFailedError: One was refused.
        """
        for _ in range(_STARTS):
            with contextlib.suppress(ProcessFailedError):
                await self._tool("rescue", "--by", "robot", str(file))
                return
            await asyncio.sleep(0.5)
        await self._tool("rescue", "--by", "robot", str(file))

    async def reconcile(self) -> list[dict[str, Any]]:
        """Compare the acquirer's bill with the record; returns what differs."""
        found = msgspec.json.decode(await self._tool("reconcile", "--acquirer", "simulated", "--json"))
        differences: list[dict[str, Any]] = found["differences"]
        return differences

    async def restore(self, path: Path) -> None:
        """Put a copy back. The back office must not run."""
        if self.postgres is not None:
            await self.postgres.restore(path)
            await self._tool("restore")
        else:
            await self._tool("restore", str(path))

    async def copy_of(self, till: Till, number: int) -> Till:
        """Return a second till with the certificate and keys of one that there is, and fresh data."""
        pki = self.pki if till.name == TILLS[0] else self.pki.of(till.name)
        name = f"{till.name}-copy-{number}"
        copy = Till(self.folder / name, pki=pki, operators=(), history=self.history, name=name)
        proxy = Proxy(self.broker.port)
        await proxy.start()
        copy.secrets = till.secrets
        await copy.prepare(proxy, env=self._env)
        return copy

    async def heal(self) -> None:
        """Mend everything that is broken; return when all processes run."""
        self.office_proxy.set_mode("pass")
        await self.broker.up()
        await self.start_office()
        for till in self.tills:
            assert till.proxy is not None
            till.proxy.set_mode("pass")
            till.swap_certificate(None)
            for name in tuple(till.devices.unplugged):
                till.devices.plug(name)
            till.devices.keypad.plug()
            for fault in tuple(till.devices.printer.faults):
                till.devices.printer.clear_fault(fault)
            till.devices.printer.refill()
            if till.pos.skew_s:
                await till.cut()
                till.pos.skew_s = 0
            if not till.pos.is_running:
                till.power_on()

    async def stop(self) -> None:
        """End everything in order."""
        for till in self.tills:
            await till.stop()
        if self.office is not None:
            await self.office.stop()
        await self.acquirer.stop()
        await self.broker.down()
        await self.office_proxy.close()
        if self.postgres is not None:
            await self.postgres.stop()
        self.history.close()
