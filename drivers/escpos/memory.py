"""What the till remembers of its printers over restarts: which one a person put there, and what each has done.

One small file, replaced in one step and written rarely (`Keeper`): losing its last version costs a few counts of paper.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from drivers.escpos.wear import Wear
from drivers.links.opener import Opener
from pos_agent.files import replace_file

_LOG = logging.getLogger(__name__)
NAME: Final = "printer.json"
#: A card lives longer if it is written rarely.
SAVE_EVERY_S: Final = 600.0
#: How long a stalling card may take; the counts go on in memory.
_SAVE_S: Final = 1.0
#: The printer, those that stood in for it while it was repaired, and no more.
_MAX_PRINTERS: Final = 4


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        accepted: Identity of the printer that a person put there (field.md 18); "" = none yet, or none can be told.
        accepted_for: Profile that the configuration named then: a person who names another one has put another printer
            there.
        wears: What each printer has done, the latest last.
    """

    accepted: str = ""
    accepted_for: str = ""
    wears: tuple[Wear, ...] = ()

    def wear_of(self, identity: str) -> Wear:
        """Return what this printer has done."""
        return next((wear for wear in self.wears if wear.identity == identity), Wear(identity=identity))

    def with_wear(self, wear: Wear) -> "Memory":
        """Return the memory with the newest count of one printer."""
        others = tuple(one for one in self.wears if one.identity != wear.identity)
        return msgspec.structs.replace(self, wears=(*others, wear)[-_MAX_PRINTERS:])


def load(path: Path) -> Memory:
    """Return what the file says; a missing or broken one says nothing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except (OSError, ValueError, RecursionError):  # a power cut can leave any bytes here
        return Memory()


def save(path: Path, memory: Memory) -> None:
    """Replace the file in one step.

    Raises:
        OSError: The disk is full or read-only.
    """
    replace_file(path, msgspec.json.encode(memory), is_durable=False)


class Keeper:
    """Keeps the memory of a running till.

    Args:
        path: Of the file; None = nothing is kept.
        profile_id: Profile that the configuration names.
        opener: Writes the file, so that a stalling card freezes no key (D1).
        save_every_s: At most so often a count is worth a write.
        commissioned: Identity of the printer that was commissioned for this profile; counts if the file says nothing.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        profile_id: str,
        opener: Opener,
        save_every_s: float = SAVE_EVERY_S,
        commissioned: str = "",
    ) -> None:
        self._path = path
        self._profile_id = profile_id
        self._opener = opener
        self._save_every_s = save_every_s
        self._saved_at_s = float("-inf")
        self._memory = load(path) if path is not None else Memory()
        self._saved = self._memory
        self._refused: Memory | None = None
        if not self._memory.accepted:
            self._memory = msgspec.structs.replace(self._memory, accepted=commissioned, accepted_for=profile_id)

    def wear_of(self, identity: str) -> Wear:
        """Return what this printer has done."""
        return self._memory.wear_of(identity)

    def is_accepted(self, identity: str) -> bool:
        """Return whether this is the printer that a person put there; the first one is, and one that cannot be told."""
        memory = self._memory
        is_first = not memory.accepted or memory.accepted_for != self._profile_id
        return not identity or is_first or identity == memory.accepted

    async def accept(self, identity: str) -> None:
        """Remember this printer as the till's."""
        self._memory = msgspec.structs.replace(self._memory, accepted=identity, accepted_for=self._profile_id)
        await self._write()

    async def note(self, wear: Wear) -> None:
        """Remember a count; on the card now and then."""
        self._memory = self._memory.with_wear(wear)
        if asyncio.get_running_loop().time() - self._saved_at_s >= self._save_every_s:
            await self._write()

    async def flush(self) -> None:
        """Write what is not on the card yet; what the card refused once waits for something new."""
        if self._memory not in (self._saved, self._refused):
            await self._write()

    async def _write(self) -> None:
        """Write the file; a card that does not take it is a state of its own (E-DISK), not the printer's."""
        self._saved_at_s = asyncio.get_running_loop().time()
        if self._path is None or self._memory == self._saved:
            return
        memory, write = self._memory, self._writer(self._path, self._memory)
        try:
            await self._opener.run(write, port=str(self._path), timeout_s=_SAVE_S, must_run=True)
        except OSError as error:  # a card that stalls among them
            self._refused = memory
            _LOG.warning("printer memory not written cause=%s", error)
        else:
            self._saved = memory

    @staticmethod
    def _writer(path: Path, memory: Memory) -> Callable[[], None]:
        return lambda: save(path, memory)
