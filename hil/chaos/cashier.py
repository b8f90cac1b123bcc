"""A simulated cashier: looks at the screen, presses keys, scans; forgets everything at a power cut, as people do."""

import asyncio
import random
import re
import time
from typing import Any, Final

from hil.chaos import wires
from hil.chaos.history import History
from hil.chaos.sightings import read_screen
from hil.chaos.till import Till
from hil.simulators.port import PortUnpluggedError

#: Views by words that stand on no other screen, in this order.
_VIEWS: Final = (
    ("resume", "上次退款没有提交"),
    ("login", "操作员登录"),
    ("safe", "本机暂停退款"),
    ("supervisor", "请主管授权"),
    ("abandon", "放弃本次退款"),
    ("menu", "请扫顾客账单条码,直接开始退款"),
    ("retype", "再输一次金额"),
    ("confirm", "提交(一次)"),
    ("amount", "退多少"),
    ("reason", "3 原因"),
    ("sale", "2 核对"),
    ("lookup", "正在查询"),
    ("no_lookup", "后台没有应答"),
    ("paid", "实付金额"),
    ("withdraw", "撤回这笔"),
    ("result", "扫码=下一位"),
    ("result", "确认=知道了"),
    ("record", "申请号"),
)
#: 确认 is dead this long after a change of the screen, plus a margin (screens.md section 3).
_DEAD_S: Final = {"confirm": 0.7, "retype": 0.7, "result": 1.1}
_DEAD_DEFAULT_S = 0.3
_LOOK_S = 0.1
#: A screen on which nothing helps is left after this.
_STUCK_S = 6.0
_NEVER_LEAVES = frozenset({"login", "menu", "dark"})


def view_of(lines: list[str]) -> str:
    """Return the name of what is on the screen; ``other`` for what this cashier does not know."""
    text = "\n".join(lines)
    if not text.strip():
        return "dark"
    return next((view for view, words in _VIEWS if words in text), "other")


class Cashier:
    """Works at one till until cancelled.

    Attributes:
        is_idle: Set = serve no new customer; finish what is on the screen.
        to_look_up: Last six digits of requests to look up, the next one first.
    """

    def __init__(
        self, till: Till, history: History, sales: list[dict[str, Any]], *, seed: int, pay_codes: list[str]
    ) -> None:
        self.is_idle = False
        self.to_look_up: list[str] = []
        self._till = till
        self._history = history
        self._sales = sales
        self._next = 0
        self._random = random.Random(seed)
        self._pay_codes = pay_codes
        self._known: list[str] = []
        self._view = ""
        self._since_s = 0.0

    @property
    def is_at_rest(self) -> bool:
        """Return whether nobody is served and nothing is to be looked up."""
        return not self.to_look_up and view_of(self._till.lines()) == "menu"

    async def run(self) -> None:
        """Work."""
        while True:
            await asyncio.sleep(_LOOK_S)
            lines = self._till.lines()
            view = view_of(lines)
            if view != self._view:
                self._view, self._since_s = view, time.monotonic()
            try:
                await self._act(view, lines)
            except (PortUnpluggedError, TimeoutError, OSError):
                continue

    async def _act(self, view: str, lines: list[str]) -> None:
        if view not in _NEVER_LEAVES and time.monotonic() - self._since_s > _STUCK_S:
            self._since_s = time.monotonic()
            await self._press("CANCEL")
            return
        action = getattr(self, f"_on_{view}", None)
        if action is not None:
            await action(lines)

    async def _press(self, *keys: str) -> None:
        self._history.add("key", till=self._till.name, view=self._view, keys=list(keys))
        await self._till.devices.keypad.press(keys, gap_ms=25)
        await asyncio.sleep(0.05)

    async def _press_secret(self, digits: str) -> None:
        self._history.add("key", till=self._till.name, view=self._view, keys=["*"] * len(digits))
        await self._till.devices.keypad.press(list(digits), gap_ms=25)
        await asyncio.sleep(0.05)

    async def _enter(self) -> None:
        """Press 确认 when it lives again; not at all when the screen became another one meanwhile."""
        await asyncio.sleep(_DEAD_S.get(self._view, _DEAD_DEFAULT_S))
        if view_of(self._till.lines()) == self._view:
            await self._press("ENTER")
            await self._wait_other(1.0)

    async def _wait_other(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while view_of(self._till.lines()) == self._view and time.monotonic() < deadline:  # noqa: ASYNC110 - a look
            await asyncio.sleep(0.02)

    async def _scan(self, code: str, what: str) -> None:
        self._history.add("scan", till=self._till.name, what=what)
        await wires.scan(self._till, self._history, code)
        await self._wait_other(1.0)

    # What is done on each screen

    async def _on_login(self, lines: list[str]) -> None:
        who = next((one for one in self._till.operators if f"操作员号:  {one.no}" in "\n".join(lines)), None)
        who = who or self._random.choice(self._till.operators[:-1])
        await self._sign_in(lines, "操作员号:", who.no, who.pin)

    async def _on_supervisor(self, lines: list[str]) -> None:
        supervisor = self._till.operators[-1]
        await self._sign_in(lines, "主管号:", supervisor.no, supervisor.pin)

    async def _sign_in(self, lines: list[str], label: str, no: str, pin: str) -> None:
        line = next((one for one in lines if label in one), "")
        secret = next((one for one in lines if "密码:" in one), "")
        if line.rstrip().endswith("_"):
            if line.partition(label)[2].strip() != "_":
                await self._press("CLEAR", "CLEAR")
            await self._press(*no)
            await self._enter()
        elif secret.partition(":")[2].strip() == "_":
            await self._press_secret(pin)
            await self._enter()
        elif "*" in secret:
            await self._press(*["CLEAR"] * len(pin))

    async def _on_resume(self, _lines: list[str]) -> None:
        if self._random.random() < 0.7:
            await self._enter()
        else:
            await self._press("CANCEL")

    async def _on_abandon(self, _lines: list[str]) -> None:
        await self._enter()

    async def _on_menu(self, _lines: list[str]) -> None:
        if self.to_look_up:
            await self._look_up(self.to_look_up.pop(0))
            return
        if self.is_idle:
            return
        roll = self._random.random()
        if roll < 0.06:
            await self._scan(self._pay_codes[self._random.randrange(len(self._pay_codes))], "payment_code")
        elif roll < 0.10:
            await self._press("3")
        elif roll < 0.20 and self._known:
            self.to_look_up.append(self._random.choice(self._known))
        else:
            sale = self._sales[self._next % len(self._sales)]
            self._next += 1
            await self._scan(sale["order_no"], sale["sale_id"])

    async def _look_up(self, tail: str) -> None:
        await self._press("2")
        await asyncio.sleep(0.1)
        if not any("查询申请" in line for line in self._till.lines()):
            # A result that waited to be seen comes first.
            self.to_look_up.append(tail)
            return
        await self._press(*tail)
        await asyncio.sleep(_DEAD_DEFAULT_S)
        await self._press("ENTER")
        await self._wait_other(1.5)

    async def _on_sale(self, _lines: list[str]) -> None:
        if self._random.random() < 0.25:
            await self._press("2")
        else:
            await self._enter()

    async def _on_amount(self, lines: list[str]) -> None:
        await self._press(*str(self._random.randint(1, 4)))
        await self._enter()

    async def _on_paid(self, _lines: list[str]) -> None:
        """Type what the customer's bill says."""
        paid_minor = int(self._sales[(self._next - 1) % len(self._sales)]["paid_minor"])
        await self._press(*str(paid_minor // 100), "DOT", *f"{paid_minor % 100:02d}")
        await self._enter()

    async def _on_reason(self, _lines: list[str]) -> None:
        await self._press("1")
        await self._wait_other(0.6)

    async def _on_confirm(self, lines: list[str]) -> None:
        amount = re.search(r"￥(\d+)\.(\d\d)", "\n".join(lines))
        if amount is None:
            return
        self._history.add("confirm", till=self._till.name, amount_minor=int(amount[1] + amount[2]))
        await self._enter()

    async def _on_no_lookup(self, _lines: list[str]) -> None:
        await asyncio.sleep(0.3)
        await self._press(self._random.choice(("1", "2", "2", "CANCEL")))
        await self._wait_other(1.0)

    async def _on_withdraw(self, _lines: list[str]) -> None:
        await self._enter()

    async def _on_result(self, lines: list[str]) -> None:
        seen = read_screen(lines)
        if seen is not None and seen.request_id[-6:] not in self._known:
            self._known.append(seen.request_id[-6:])
        await self._enter()

    async def _on_record(self, lines: list[str]) -> None:
        await asyncio.sleep(0.2)
        if "1撤回" in "\n".join(lines) and self._random.random() < 0.2:
            await self._press("1")
        else:
            await self._press("CANCEL")
        await self._wait_other(1.0)

    async def _on_other(self, _lines: list[str]) -> None:
        if time.monotonic() - self._since_s > 0.5:
            self._since_s = time.monotonic()
            await self._press("CANCEL")
            await self._wait_other(0.5)
