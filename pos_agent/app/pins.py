"""The PIN worker (D22): argon2id in a short-lived thread, failures committed before comparing."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from pos_agent.app.threads import in_own_thread
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.events import PinChecked
from pos_agent.domain.pins import MEMORY_KIB, PARALLELISM, TIME_COST, check_strength
from pos_agent.errors import JournalError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from pos_agent.journal.records import OperatorRecord
    from pos_agent.journal.store import Journal

log = logging.getLogger(__name__)

MAX_TRIES = 5


def hash_pin(pin: str) -> str:
    """Return the argon2id hash of a PIN that passed `check_strength`."""
    check_strength(pin)
    return _hasher().hash(pin)


def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - 15 ms that only a sign-in needs

    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=PARALLELISM)


class PinWorker:
    """Compares PINs off the loop; answers with `PinChecked`.

    A journal that cannot commit the failure refuses the sign-in: otherwise a full disk would give endless tries.
    """

    def __init__(self, journal: "Journal", sink: EventSink) -> None:
        self._journal = journal
        self._sink = sink
        self._tasks: set[asyncio.Task[None]] = set()
        # One at a time: each costs 19 MiB and most of a core.
        self._turn = asyncio.Lock()

    def check(self, attempt_id: int, operator_no: str, pin: str) -> None:
        """Start comparing; never blocks."""
        task = asyncio.get_running_loop().create_task(self._answer(attempt_id, operator_no, pin), name="pin")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, attempt_id: int, operator_no: str, pin: str) -> None:
        try:
            async with self._turn:
                result = await self._compare(attempt_id, operator_no, pin)
        except JournalError as error:
            log.error("pin check refused operator=%s code=%s", operator_no, error.code)
            result = PinChecked(attempt_id, operator_no, is_right=False)
        self._sink(result)

    async def _compare(self, attempt_id: int, operator_no: str, pin: str) -> PinChecked:
        operator = await self._journal.operator(operator_no)
        if operator is None:
            # As slow as a wrong PIN, so that numbers cannot be found out by time.
            await _in_thread(_verify, hash_of_nothing(), pin)
            return PinChecked(attempt_id, operator_no, is_right=False)
        if operator.locked_s > 0:
            return PinChecked(attempt_id, operator_no, is_right=False, locked_s=operator.locked_s)
        counted = await self._journal.record_pin_failure(operator_no)
        if not await _in_thread(_verify, operator.pin_hash, pin):
            return _wrong(attempt_id, counted)
        await self._journal.record_pin_success(operator_no)
        return PinChecked(attempt_id, operator_no, is_right=True, role=operator.role, person_id=operator.person_id)


def _wrong(attempt_id: int, counted: "OperatorRecord") -> PinChecked:
    return PinChecked(
        attempt_id,
        counted.operator_no,
        is_right=False,
        locked_s=counted.locked_s,
        tries_left=max(0, MAX_TRIES - counted.failures),
    )


def _verify(pin_hash: str, pin: str) -> bool:
    from argon2.exceptions import Argon2Error, InvalidHashError  # noqa: PLC0415 - see _hasher

    try:
        return _hasher().verify(pin_hash, pin)
    except (Argon2Error, InvalidHashError):
        return False


@cache
def hash_of_nothing() -> str:
    """Return a hash that no PIN matches, made once."""
    return _hasher().hash("no such operator")


async def _in_thread(verify: Callable[[str, str], bool], pin_hash: str, pin: str) -> bool:
    return await in_own_thread(lambda: verify(pin_hash, pin), name="pin")
