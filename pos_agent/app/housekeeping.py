"""Looks after the journal's disk: tells the menu when no refund may begin, and once a day lets go what is old."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.clock import Clock
from pos_agent.domain.events import StorageChanged
from pos_agent.errors import JournalCorruptError, JournalError
from pos_agent.journal.store import Journal

_log = logging.getLogger(__name__)
#: The reserve covers what a shop can begin in this time.
LOOK_S: Final = 60.0
#: A till that is switched on each morning has done its day's work before the first customer leaves.
FIRST_S: Final = 600.0
DAY_S: Final = 86_400.0
#: Of a day: 2,000 requests at 100 a step. A shop that refunds more a day needs another till.
_MOST_STEPS: Final = 20
_MOST_PAGE_STEPS: Final = 40
_PAUSE_S: Final = 1.0
_BUSY_S: Final = 60.0


class Housekeeping:
    """Runs beside the workflow.

    Args:
        journal: Whose disk.
        clock: An untrusted one lets nothing go (D19).
        sink: Takes `StorageChanged`.
        is_idle: Whether nobody is in the middle of a refund.
        retention_days: Age at which a closed request leaves; 0 = never.
        sign: Signs the new beginning of the audit chain, base64; None = not signed.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        clock: Clock,
        sink: EventSink,
        is_idle: Callable[[], bool],
        retention_days: int,
        sign: Callable[[bytes], str] | None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._sink = sink
        self._is_idle = is_idle
        self._retention_days = retention_days
        self._sign = sign
        self._told = ""

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_disk(), name="disk watch")
            group.create_task(self._work_daily(), name="journal upkeep")

    async def _watch_disk(self) -> None:
        while True:
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._journal.storage_troubled.wait()

    async def look(self) -> None:
        """Look at the disk; tell the menu what changed, and the log once."""
        code = await self._journal.upkeep.storage_code()
        if code == self._told:
            return
        if code:
            _log.error("storage code=%s no refund may begin", code)
        else:
            _log.info("storage is well again")
        self._told = code
        self._sink(StorageChanged(code))

    async def _work_daily(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self.work()
            except JournalCorruptError as error:
                _log.critical("journal code=%s %s", error.code, error)
                await self.look()
            except JournalError as error:
                _log.error("journal upkeep failed code=%s %s", error.code, error)
            await asyncio.sleep(DAY_S)

    async def work(self) -> None:
        """Do a day's work: read the pages of a large journal, let go what is old, give its room back.

        Raises:
            JournalCorruptError: Damaged pages, or an audit chain that does not verify.
        """
        await self._when_idle()
        while not await self._journal.upkeep.check_pages():
            await self._when_idle()
        requests = lines = 0
        for _ in range(_MOST_STEPS if self._may_purge() else 0):
            await self._when_idle()
            before = self._clock.now() - timedelta(days=self._retention_days)
            purged = await self._journal.upkeep.purge(before=before, sign=self._sign)
            requests, lines = requests + purged.requests, lines + purged.audit_lines
            if purged.is_done:
                break
        for _ in range(_MOST_PAGE_STEPS):
            if not await self._journal.upkeep.give_back():
                break
            await self._when_idle()
        if requests or lines:
            _log.info("journal purged requests=%d audit_lines=%d", requests, lines)

    def _may_purge(self) -> bool:
        return self._retention_days > 0 and self._clock.is_trusted()

    async def _when_idle(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        while not self._is_idle():  # noqa: ASYNC110 - once a minute, once a day; no event would be worth its wiring
            await asyncio.sleep(_BUSY_S)
