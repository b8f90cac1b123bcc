"""A keypad on event nodes (or on the bench's FIFO): `pos_agent.devices.interfaces.POSKeyboard`.

Keys are never logged: they may be digits of a PIN.
"""

import asyncio
import logging
from collections.abc import Mapping

from drivers.keypad.bell import BELL_S, Bell
from drivers.keypad.burst import GAP_S, BurstGuard
from drivers.keypad.decoder import EvdevDecoder, KeyDown
from drivers.keypad.keycodes import KEY_NUMLOCK
from drivers.keypad.keymap import Keymap
from drivers.keypad.nodes import find_nodes, is_event_node
from drivers.keypad.strangers import Strangers
from drivers.links.evdev_port import EvdevPort, keys_down
from drivers.links.faults import open_error
from drivers.links.fd_link import FdLink
from drivers.links.opener import Opener
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import KeypadConfig
from pos_agent.domain.events import DeviceName, DeviceStatusChanged, Key, KeyPressed
from pos_agent.errors import DeviceError

_log = logging.getLogger(__name__)
KEYBOARD_MODE, STUCK_KEY, UNEXPECTED_KEYBOARD = "keyboard_mode", "stuck_key", "unexpected_keyboard"
#: Nobody holds a key of a till this long; something lies on it, or it does not come up again.
STUCK_S = 10.0


class EvdevKeypad:
    """Puts `KeyPressed` for keys of the key map; says `keyboard_mode` when a scanner types, `stuck_key` when one hangs.

    A stuck key gives one press and no more: the kernel's auto-repeat is ignored, the other keys go on working.

    Every other keyboard of the machine is grabbed and ignored while the keypad is open: `unexpected_keyboard`.

    Counters: KeyPressedCount; UnknownKeyCount (not in the key map); KeyboardModeBurstCount and
    KeyboardModeDroppedKeyCount; EventsDroppedCount (the kernel's buffer ran over); KeyBounceCount;
    UnexpectedKeyboardCount (held now).
    """

    def __init__(self, config: KeypadConfig, *, keymap: Keymap, sink: EventSink, opener: Opener) -> None:
        self._sink = sink
        self._path = config.path
        self._opener = opener
        self._keys: Mapping[int, Key] = keymap.keys_by_code()
        self._links: list[FdLink] = []
        self._decoders: list[EvdevDecoder] = []
        self._guard = BurstGuard()
        self._strangers = Strangers(opener=opener, on_change=self._on_strangers, on_scan=self._on_strange_scan)
        self._is_alone = not config.grab_others
        self._bell: Bell | None = None
        self._bell_timer: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held_timer: asyncio.TimerHandle | None = None
        self._codes: set[str] = set()
        self._reported_burst_count = 0
        self._pressed_count = 0
        self._unknown_count = 0

    @property
    def name(self) -> DeviceName:
        """Return the role in the till."""
        return DeviceName.KEYPAD

    @property
    def counters(self) -> Mapping[str, int]:
        """Return statistics."""
        return {
            "KeyPressedCount": self._pressed_count,
            "UnknownKeyCount": self._unknown_count,
            "KeyboardModeBurstCount": self._guard.burst_count,
            "KeyboardModeDroppedKeyCount": self._guard.dropped_key_count,
            "EventsDroppedCount": sum(decoder.dropped_count for decoder in self._decoders),
            "KeyBounceCount": sum(decoder.bounce_count for decoder in self._decoders),
            "UnexpectedKeyboardCount": len(self._strangers.names),
        }

    async def open(self) -> None:
        """Open and grab every node of the keypad; keys pressed before are gone."""
        try:
            nodes = find_nodes(self._path)
        except OSError as error:
            raise open_error(DeviceName.KEYPAD, self._path, error) from error
        self._guard.reset()
        self._codes.clear()
        for index, node in enumerate(nodes):
            if index == len(self._decoders):
                self._decoders.append(EvdevDecoder())
            self._decoders[index].reset()
            await self._open_node(index, node)
        if is_event_node(nodes[0]):
            self._bell = Bell(nodes[0])
            if not self._is_alone:
                self._strangers.start(nodes)

    async def close(self) -> None:
        """Release the nodes."""
        self._stop_timer()
        self._stop_held_timer()
        self._end_bell()
        await self._strangers.close()
        links, self._links = self._links, []
        for link in links:
            await link.close()

    async def wait_lost(self) -> DeviceError:
        """Return when a node of the keypad has gone."""
        waiting = [asyncio.ensure_future(link.wait_lost()) for link in self._links]
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def beep(self) -> bool:
        """Ring the keypad's bell, if it has one; see `pos_agent.devices.interfaces.Sounder`."""
        if self._bell is None or not self._bell.on or not self._links or not self._links[0].is_open:
            return False
        self._end_bell()
        self._links[0].write(self._bell.on)
        self._bell_timer = asyncio.get_running_loop().call_later(BELL_S, self._end_bell)
        return True

    def _end_bell(self) -> None:
        if self._bell_timer is not None and self._bell is not None:
            self._bell_timer.cancel()
            self._bell_timer = None
            self._links[0].write(self._bell.off)

    async def _open_node(self, index: int, node: str) -> None:
        decoder = self._decoders[index]
        link: FdLink

        def on_bytes(data: bytes) -> None:
            self._on_bytes(link, decoder, data)

        link = FdLink(DeviceName.KEYPAD, EvdevPort(node), opener=self._opener, on_bytes=on_bytes)
        try:
            await link.open()
        except BaseException:
            await self.close()
            raise
        self._links.append(link)

    def _on_bytes(self, link: FdLink, decoder: EvdevDecoder, data: bytes) -> None:
        keys = [key for key in decoder.feed(data) if key.code != KEY_NUMLOCK]
        if decoder.is_stale:
            decoder.resync(keys_down(link.descriptor))
        self._watch_held()
        if not keys:
            return
        self._stop_timer()
        self._put(self._guard.feed(keys))
        if self._guard.has_held:
            self._timer = asyncio.get_running_loop().call_later(GAP_S, self._on_silence)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_silence(self) -> None:
        """End a run; keys that wait in the kernel while the loop was late belong to it."""
        self._timer = None
        for link in self._links:
            link.read_now()
        if self._timer is None:
            self._put(self._guard.end_of_silence())

    def _put(self, keys: list[KeyDown]) -> None:
        self._say_mode(has_keys=bool(keys))
        now_s = asyncio.get_running_loop().time()
        for key in keys:
            logical = self._keys.get(key.code)
            if logical is None:
                self._unknown_count += 1
                continue
            self._pressed_count += 1
            self._sink(KeyPressed(logical, now_s))

    # -- what is wrong with it --------------------------------------------------------------------------------

    def _say_mode(self, *, has_keys: bool) -> None:
        """Report a burst once, and take the report back with the next key that a person presses."""
        if self._guard.burst_count != self._reported_burst_count:
            self._reported_burst_count = self._guard.burst_count
            self._report(KEYBOARD_MODE, is_on=True)
        elif has_keys and KEYBOARD_MODE in self._codes:
            self._report(KEYBOARD_MODE, is_on=False)

    def _on_strangers(self) -> None:
        is_on = bool(self._strangers.names)
        if is_on != (UNEXPECTED_KEYBOARD in self._codes):
            self._report(UNEXPECTED_KEYBOARD, is_on=is_on)

    def _on_strange_scan(self) -> None:
        """A scanner in keyboard mode typed into a node of its own; what it typed is gone."""
        if KEYBOARD_MODE not in self._codes:
            self._report(KEYBOARD_MODE, is_on=True)

    def _watch_held(self) -> None:
        """Time the longest hold: one timer while any key is down, none otherwise."""
        is_held = any(decoder.down for decoder in self._decoders)
        if is_held and self._held_timer is None:
            self._held_timer = asyncio.get_running_loop().call_later(STUCK_S, self._on_stuck, self._down())
        elif not is_held:
            self._stop_held_timer()
            if STUCK_KEY in self._codes:
                self._report(STUCK_KEY, is_on=False)

    def _on_stuck(self, since: frozenset[int]) -> None:
        still = since & self._down()
        if still and STUCK_KEY not in self._codes:
            self._report(STUCK_KEY, is_on=True)
        self._held_timer = None
        if not still:
            self._watch_held()

    def _down(self) -> frozenset[int]:
        return frozenset[int]().union(*(decoder.down for decoder in self._decoders))

    def _stop_held_timer(self) -> None:
        if self._held_timer is not None:
            self._held_timer.cancel()
            self._held_timer = None

    def _report(self, code: str, *, is_on: bool) -> None:
        if is_on and code not in self._codes:
            _log.warning("device=keypad state=%s: %s", code, _ADVICE[code])
        (self._codes.add if is_on else self._codes.discard)(code)
        worst = next((known for known in _ADVICE if known in self._codes), "")
        self._sink(DeviceStatusChanged(DeviceName.KEYPAD, is_online=True, code=worst))


#: What to do, the worst first.
_ADVICE = {
    KEYBOARD_MODE: "a scanner types as a keyboard; set it to serial mode",
    STUCK_KEY: "a key is held down for over 10 s; free it or change the keypad",
    UNEXPECTED_KEYBOARD: "a keyboard that is not the keypad is grabbed and ignored; unplug it",
}
