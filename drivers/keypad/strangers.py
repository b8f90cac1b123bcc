"""Keyboards that nobody bound: grabbed, so that what they type reaches no console, and ignored (field.md 10).

A scanner in keyboard mode is one of them: ungrabbed, the payment codes that it types would go to tty1. What is typed is
looked at for one thing, whether a scanner did it, and kept nowhere. A power button or a remote control is no keyboard.

Source: Linux Documentation/input/event-codes.rst; sysfs: eventN/device/capabilities/key is the key bitmap in hex words,
the highest first.
"""

import asyncio
import contextlib
import logging
import os
import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, NamedTuple

from drivers.keypad.burst import GAP_S, BurstGuard
from drivers.keypad.decoder import EvdevDecoder
from drivers.keypad.keycodes import KEY_CODES
from drivers.keypad.nodes import DEVICES, SYSTEM
from drivers.links import inotify
from drivers.links.evdev_port import EvdevPort
from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from pos_agent.domain.events import DeviceName
from pos_agent.errors import DeviceError

_log = logging.getLogger(__name__)
#: udev makes several changes to a new node; one look for all of them.
_SETTLE_S: Final = 0.2
#: Digits and ENTER of the main block: every keyboard and every scanner that types has them.
_KEYBOARD_KEYS: Final = (*(KEY_CODES[f"KEY_{digit}"] for digit in range(10)), KEY_CODES["KEY_ENTER"])
_WORD_BITS: Final = struct.calcsize("l") * 8
_CHANGES: Final = inotify.CREATE | inotify.ATTRIB | inotify.MOVED_TO | inotify.DELETE


class Strangers:
    """Holds every keyboard but the keypad's own nodes, those too that are plugged in later.

    Args:
        opener: Opens and closes the nodes.
        on_change: Called when one was grabbed or has gone.
        on_scan: Called when one of them typed as a scanner does.
        system: Where the kernel lists its event nodes.
        devices: Where their device nodes are.
    """

    def __init__(
        self,
        *,
        opener: Opener,
        on_change: Callable[[], None],
        on_scan: Callable[[], None],
        system: Path = SYSTEM,
        devices: Path = DEVICES,
    ) -> None:
        self._opener, self._on_change, self._on_scan = opener, on_change, on_scan
        self._system, self._devices = system, devices
        self._own: frozenset[Path] = frozenset()
        self._held: dict[str, _Held] = {}
        self._watch = -1
        self._due = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the event nodes that are held, such as ``event4``."""
        return tuple(self._held)

    def start(self, own: Collection[str]) -> None:
        """Begin to hold all keyboards but these nodes; returns at once.

        Args:
            own: Nodes of the keypad.
        """
        self._own = frozenset(Path(node).resolve() for node in own)
        self._due.set()
        with contextlib.suppress(OSError):  # without a watch, those that are there now
            self._watch = inotify.watch_folder(self._devices, _CHANGES)
            asyncio.get_running_loop().add_reader(self._watch, self._on_folder)
        self._looking = asyncio.create_task(self._keep_looking(), name="keypad-strangers")

    async def close(self) -> None:
        """Let all of them go; idempotent."""
        if self._watch >= 0:
            asyncio.get_running_loop().remove_reader(self._watch)
            os.close(self._watch)
            self._watch = -1
        tasks = [] if self._looking is None else [self._looking]
        self._looking = None
        held, self._held = self._held, {}
        tasks += [one.task for one in held.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in held.values():
            one.ear.close()
            await one.link.close()

    def _on_folder(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._watch, 65_536)
        self._due.set()

    async def _keep_looking(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            for name in sorted(keyboards(self._system) - self._held.keys()):
                if (self._devices / name).resolve() not in self._own:
                    await self._hold(name)
            await asyncio.sleep(_SETTLE_S)

    async def _hold(self, name: str) -> None:
        ear = _Ear(self._on_scan)
        link = FdLink(DeviceName.KEYPAD, EvdevPort(str(self._devices / name)), opener=self._opener, on_bytes=ear.hear)
        try:
            await link.open()
        except DeviceError as error:  # held by another program, not readable yet, or gone again
            _log.info("device=keypad unexpected_keyboard=%s not grabbed: %s", name, error)
            return
        task = asyncio.create_task(self._until_gone(name, link, ear), name=f"keypad-stranger-{name}")
        self._held[name] = _Held(link, ear, task)
        _log.warning("device=keypad unexpected_keyboard=%s: grabbed and ignored", name)
        self._on_change()

    async def _until_gone(self, name: str, link: FdLink, ear: "_Ear") -> None:
        await link.wait_lost()
        del self._held[name]
        ear.close()
        await link.close()
        self._on_change()


class _Ear:
    """Hears whether a scanner types; remembers no key."""

    def __init__(self, on_scan: Callable[[], None]) -> None:
        self._on_scan = on_scan
        self._decoder, self._guard = EvdevDecoder(), BurstGuard()
        self._timer: asyncio.TimerHandle | None = None
        self._known_count = 0

    def hear(self, data: bytes) -> None:
        """Take events of the node."""
        self._guard.feed(self._decoder.feed(data))
        if self._decoder.is_stale:
            self._decoder.resync(())
        self.close()
        self._timer = asyncio.get_running_loop().call_later(GAP_S, self._on_silence)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_silence(self) -> None:
        self._timer = None
        self._guard.end_of_silence()
        if self._guard.burst_count != self._known_count:
            self._known_count = self._guard.burst_count
            self._on_scan()


class _Held(NamedTuple):
    link: FdLink
    ear: _Ear
    task: "asyncio.Task[None]"


def keyboards(system: Path) -> set[str]:
    """Return the event nodes that can type digits and ENTER."""
    names = [entry.name for entry in system.iterdir() if entry.name.startswith("event")] if system.is_dir() else []
    return {name for name in names if _is_keyboard(system / name / "device" / "capabilities" / "key")}


def _is_keyboard(bitmap: Path) -> bool:
    try:
        words = bitmap.read_text("ascii").split()
        keys = sum(int(word, 16) << _WORD_BITS * place for place, word in enumerate(reversed(words)))
    except (OSError, ValueError):
        return False
    return all(keys >> code & 1 for code in _KEYBOARD_KEYS)
