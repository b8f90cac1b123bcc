"""A simulated technician: sees the alarms and the tills that were stopped, and lets the shop's own card go on."""

import asyncio
import contextlib
import time
from http import HTTPStatus
from typing import Final

import httpx

from hil.chaos.till import Till
from hil.chaos.world import World
from hil.rig.process import ProcessFailedError

_LOOK_S: Final = 1.0
_CLONE: Final = "clone_suspected"
#: What a till's screen shows while its submissions are refused.
_STOPPED: Final = ("E-PROTO", "报文错误")
#: A till is left alone this long after it was switched on again.
_PATIENCE_S: Final = 15.0


class Technician:
    """Looks until cancelled.

    Attributes:
        reads: How often the alarms were read.
    """

    def __init__(self, world: World) -> None:
        self.reads = 0
        self._seen: set[str] = set()
        self._suspects: set[str] = set()
        self._world = world
        self._client = httpx.AsyncClient(base_url=world.bo.url, timeout=5.0, trust_env=False)
        self._is_signed_in = False
        self._last_s: dict[str, float] = {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def run(self) -> None:
        """Look, and act."""
        while True:
            await asyncio.sleep(_LOOK_S)
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                await self._read_alarms()
            for till in self._world.tills:
                if till.name in self._suspects or _is_stopped(till):
                    await self._clear(till)

    async def _read_alarms(self) -> None:
        """Read the newest alarms; a suspicion of a copied card is looked into."""
        if not self._is_signed_in:
            user = self._world.bo.users[0]
            call = {"user": user.name, "password": user.password}
            (await self._client.post("/api/login", json=call)).raise_for_status()
            self._is_signed_in = True
        answer = await self._client.get("/api/alarms")
        if answer.status_code != HTTPStatus.OK:
            self._is_signed_in = False
            return
        for alarm in reversed(answer.json()["alarms"]):
            if alarm["alarm_id"] in self._seen:
                continue
            self._seen.add(alarm["alarm_id"])
            name, till, boot_id = alarm["name"], alarm["terminal_id"], alarm["data"].get("boot_id", "")
            self._world.history.add("alarm", made=alarm["at"], name=name, till=till, boot_id=boot_id)
            if name == _CLONE:
                self._suspects.add(till)
        self.reads += 1

    async def _clear(self, till: Till) -> None:
        """Say at the back office that this till's card is the right one, and start the till again."""
        if till.hands.locked() or time.monotonic() - self._last_s.get(till.name, -_PATIENCE_S) < _PATIENCE_S:
            return
        async with till.hands:
            try:
                await self._world.clear_terminal(till.name)
            except ProcessFailedError:
                return  # the database is away: again at the next look
            self._suspects.discard(till.name)
            self._world.history.add("cleared", till=till.name)
            await till.cut()
            till.power_on()
            self._last_s[till.name] = time.monotonic()


def _is_stopped(till: Till) -> bool:
    return any(words in line for line in till.lines() for words in _STOPPED)
