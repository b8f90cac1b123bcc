"""Databases and cards that go back in time, and cards of which there are two (trust.md 8).

What happens here is written into the history with the time that the older copy was made: the checker knows from that
what may be forgotten, and nothing else may.
"""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Final

from hil.chaos.till import Till
from hil.chaos.world import World
from pos_agent.protocol.control import Status

#: Two restores of one copy within ten seconds may get one epoch when the database between them is unreadable.
_RESTORE_GAP_S: Final = 15.0
#: A copied card is used long enough to be refused, even on a loaded machine.
_COPY_RUNS_S: Final = 6.0
_UP_WITHIN_S: Final = 8.0
#: How the text of a slip's code begins; docs/reliability.md.
RESCUE_CODE: Final = "PR1."


class Restorer:
    """Makes copies and puts them back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._folder = world.folder / "copies"
        self._backup: tuple[float, Path] | None = None
        self._restored_s = float("-inf")
        self._images: dict[str, tuple[float, Path]] = {}
        self._count = 0

    async def back_up_office(self) -> None:
        """Copy the back office's database while it is in use."""
        began = time.time()
        path = self._new("office")
        await self._world.back_up(path)
        self._backup = (began, path)
        self._world.history.add("backup", began=round(began, 4))

    async def restore_office(self) -> None:
        """Kill the back office, put an older database back, start it again."""
        world = self._world
        if self._backup is None or time.monotonic() - self._restored_s < _RESTORE_GAP_S:
            await self.back_up_office()
            return
        made, path = self._backup
        await world.bo.kill()
        world.history.add("kill", what="office")
        await world.restore(path)
        self._restored_s = time.monotonic()
        world.history.add("restore", made=round(made, 4))
        await world.start_office()

    async def image_card(self, till: Till) -> None:
        """Cut a till's power, copy its card, switch it on."""
        await till.cut()
        self._images[till.name] = (time.time(), self._copy_card(till))
        till.power_on()

    async def old_card(self, till: Till) -> None:
        """Put an older picture of its card into a till, and bring its newer slips to the back office.

        What was not acknowledged yet is gone with the card but for the code on the shop's slip.
        """
        if till.name not in self._images:
            await self.image_card(till)
            return
        made, path = self._images.pop(till.name)
        await till.cut()
        shutil.rmtree(till.pos.data_dir)
        shutil.copytree(path, till.pos.data_dir)
        self._world.history.add("old_card", till=till.name, made=round(made, 4))
        till.power_on()
        await self._rescue(till, made)

    async def _rescue(self, till: Till, since: float) -> None:
        slips = [one for one in self._world.history.told if one["kind"] == "slip" and one["till"] == till.name]
        codes = [code for one in slips if one["t"] >= since for code in one["codes"] if code.startswith(RESCUE_CODE)]
        if codes:
            file = self._new("codes")
            file.write_text("\n".join(codes) + "\n", "ascii")
            await self._world.rescue(file)
            self._world.history.add("rescue", till=till.name, codes=len(codes))

    async def clone_card(self, till: Till) -> None:
        """Copy a till's card; when the till has moved on, start a second till on the copy."""
        world = self._world
        await till.cut()
        path = self._copy_card(till)
        # The token of the connection before the newest one is good: its answer may have been lost (trust.md 8).
        for _ in range(2):
            till.power_on()
            if not await till.wait_present(15.0):
                return
            await till.cut()
        till.power_on()
        if not await till.wait_present(15.0):
            return
        self._count += 1
        copy = await world.copy_of(till, self._count)
        try:
            shutil.rmtree(copy.pos.data_dir)
            shutil.copytree(path, copy.pos.data_dir)
            started = time.time()  # what it says before we know its boot id is the copy's word already
            copy.power_on()
            status = await self._status(copy)
            boot_id = status.boot_id if status is not None else ""
            world.history.add("clone", till=till.name, copy=copy.name, boot_id=boot_id, started=started)
            await asyncio.sleep(_COPY_RUNS_S)
        finally:
            await copy.cut()
            world.history.add("clone_end", till=till.name, copy=copy.name)
            await copy.stop()

    def _copy_card(self, till: Till) -> Path:
        path = self._new(till.name)
        shutil.copytree(till.pos.data_dir, path)
        return path

    def _new(self, name: str) -> Path:
        self._folder.mkdir(exist_ok=True)
        self._count += 1
        return self._folder / f"{name}-{self._count}"

    @staticmethod
    async def _status(till: Till) -> Status | None:
        deadline = time.monotonic() + _UP_WITHIN_S
        while time.monotonic() < deadline:
            if (status := await till.pos.status()) is not None:
                return status
            await asyncio.sleep(0.05)
        return None
