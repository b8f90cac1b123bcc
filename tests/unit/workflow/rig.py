"""The controller on fake ports, driven like a till: keys, scans, and what the screen says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pos_agent.domain.config import BrokerConfig, Config, PolicyConfig, TerminalConfig, TrustConfig
from pos_agent.domain.events import Event, Key, KeyPressed, LinkChanged, RefundChanged, ScanRead
from pos_agent.domain.refund import MoneyMoved, RefundState, RefundUpdate
from pos_agent.journal.store import Journal
from pos_agent.workflow.controller import Controller
from pos_agent.workflow.performer import Ports
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import PHRASES, REASONS, WECHAT_ORDER, make_sale, make_update
from tests.fakes.workflow_journal import FakeWorkflowJournal
from tests.fakes.workflow_ports import (
    FakeApprovals,
    FakeKeyedHash,
    FakeLookUp,
    FakePins,
    FakeRandom,
    FakeScreenDisplay,
    FakeSlips,
    FakeSpooler,
)


class KeptIncidents:
    """Keeps incident files in a list; refuses while `is_full`."""

    max_bytes = 1_000_000

    def __init__(self) -> None:
        self.files: list[bytes] = []
        self.is_full = False

    def save(self, data: bytes) -> str:
        """Keep one."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.files.append(data)
        return f"incident-{len(self.files):06d}.jsonl"


class Till:
    """A running controller."""

    def __init__(self, *, size: tuple[int, int] = (20, 4), policy: PolicyConfig | None = None, safe: str = "") -> None:
        self.inbox: asyncio.Queue[Event] = asyncio.Queue(2048)
        self.journal, self.clock = FakeWorkflowJournal(), ManualClock(datetime(2026, 11, 23, 6, 5, tzinfo=UTC))
        self.journal.add_operator("01")
        self.journal.add_operator("02", "supervisor")
        self.display, self.customer = FakeScreenDisplay(size), FakeScreenDisplay((20, 2))
        self.lookup, self.pins, self.spooler = FakeLookUp(self.inbox), FakePins(self.inbox), FakeSpooler()
        self.incidents = KeptIncidents()
        self.size, self.safe = size, safe
        self.policy = policy or PolicyConfig()
        self.presses = 0
        self._real: Journal | None = None
        self.controller = self._controller()

    def use(self, journal: Journal) -> None:
        """Make a new controller over another journal."""
        self._real = journal
        self.controller = self._controller()

    def _controller(self) -> Controller:
        config = Config(
            terminal=TerminalConfig(terminal_id="t-1", merchant_id="m1", merchant_name="店"),
            broker=BrokerConfig(url="mqtt://127.0.0.1"),
            trust=TrustConfig(device_key_file="", device_key_id="", back_office_keys={}),
            policy=self.policy,
        )
        ports = Ports(
            lookup=self.lookup,
            pins=self.pins,
            slips=FakeSlips(),
            spooler=self.spooler,
            random=FakeRandom(),
            keyed_hash=FakeKeyedHash(),
            approvals=FakeApprovals(),
            incidents=self.incidents,
        )
        return Controller(
            config=config,
            journal=self._real or self.journal,
            ports=ports,
            operator_display=self.display,
            customer_display=self.customer,
            clock=self.clock,
            inbox=self.inbox,
            reasons=REASONS,
            phrases=PHRASES,
            boot_id="boot1",
            safe_code=self.safe,
        )

    def restart(self) -> None:
        """Make a new controller over the same journal, as after a power cut."""
        self.controller = self._controller()

    @property
    def state(self) -> str:
        """Return the workflow state."""
        return self.controller.state

    @property
    def text(self) -> str:
        """Return the operator's screen."""
        return self.display.text

    async def settle(self) -> None:
        """Return when every event and everything that follows from it is handled."""
        for _ in range(12):
            await asyncio.sleep(0)
        while not self.inbox.empty():
            for _ in range(12):
                await asyncio.sleep(0)

    async def put(self, event: Event) -> None:
        """Put an event and let it be handled."""
        self.inbox.put_nowait(event)
        await self.settle()

    async def press(self, *keys: str, after_s: float = 2.0) -> None:
        """Press keys, each `after_s` after the one before."""
        for key in keys:
            self.clock.boottime += after_s
            self.presses += 1
            await self.put(KeyPressed(Key(key), self.clock.boottime))

    async def scan(self, data: str, symbology: str = "") -> None:
        """Scan a code."""
        await self.put(ScanRead(data, symbology, self.clock.boottime))

    async def online(self, is_online: bool = True) -> None:
        """Bring the link up or down."""
        await self.put(LinkChanged(is_online, is_online, "" if is_online else "E-NET"))

    async def sign_in(self) -> None:
        """Sign operator 01 in."""
        await self.press("0", "1", "ENTER", "2", "4", "6", "8", "ENTER")

    async def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, at most 5 s of real time."""
        async with asyncio.timeout(5):
            while not holds():
                self.display.changed.clear()
                await self.display.changed.wait()


@asynccontextmanager
async def running(till: Till) -> AsyncIterator[Till]:
    """Run the till's controller for the length of a block."""
    task = asyncio.create_task(till.controller.run(), name="controller")
    try:
        await till.settle()
        yield till
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled():
        task.result()


@asynccontextmanager
async def at_menu(till: Till | None = None, **sale: Any) -> AsyncIterator[Till]:
    """Run a till that knows a sale, with operator 01 signed in."""
    till = till or Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale(**sale)
    async with running(till):
        await till.sign_in()
        yield till


async def to_confirm(till: Till) -> None:
    """Scan the sale and go to CONFIRM for all of it."""
    await till.scan(WECHAT_ORDER)
    await till.press("ENTER", "1")
    assert till.state == "CONFIRM"


async def submit(till: Till) -> str:
    """Ask for the refund of the whole sale; return its number."""
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    return till.journal.commits[-1].refund_request_id


def update(till: Till, state: RefundState, *, number: str = "", **fields: Any) -> RefundUpdate:
    """Return what the back office says of a request, the first if none is named."""
    return make_update(
        number or till.journal.commits[0].refund_request_id,
        state,
        money_moved=fields.pop("moved", MoneyMoved.NO),
        at=till.clock.now(),
        **fields,
    )


async def change(till: Till, state: RefundState, **fields: Any) -> None:
    """Let what the back office says arrive."""
    stated = update(till, state, **fields)
    await till.journal.apply_update(stated)
    await till.put(RefundChanged(stated))
