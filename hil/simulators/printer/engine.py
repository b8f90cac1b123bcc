"""The moving parts: receive buffer, paper transport at mm/s, knife, sensors, and answers. Knows nothing of USB.

Bytes come in through `offer` (packet by packet; a packet that is not taken is NAKed), real-time commands act as they
arrive, everything else when it is executed; answers wait in `replies`.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from hil.simulators.printer import status
from hil.simulators.printer.bell import Bell
from hil.simulators.printer.interpreter import Effect, Interpreter
from hil.simulators.printer.paper import Paper
from hil.simulators.printer.realtime import RealTimeScanner
from hil.simulators.printer.slip import Slip
from hil.simulators.printer.spec import PrinterSpec
from hil.simulators.printer.tokens import Token, Tokenizer, TokenKind

_CHUNK_BYTES = 256
_SHORTEST_SLEEP_S = 0.001
_REPLY_LIMIT_BYTES = 4096


class PrintEngine:
    """A printer without its plug.

    Attributes:
        condition: The sensors; change them through the methods, so that everyone hears of it.
        faults: Those switched on: `busy`, `nak`, `silent`, `garbage`, `half_frame`, `cutter_jam`.
        remaining_mm: Paper left.
        accepted_byte_count: Bytes taken from the host since power-on, ever.
        paper_bytes: The roll is out when so many more bytes are taken; for tests that count bytes, not millimetres.
        tape: The bytes themselves, if somebody wants them.
    """

    def __init__(
        self, spec: PrinterSpec, *, bell: Bell, on_slip: Callable[[Slip], None], speed_factor: float, seed: int
    ) -> None:
        self.spec = spec
        self.condition = status.Condition()
        self.faults: set[str] = set()
        self.remaining_mm = spec.roll_mm
        self.accepted_byte_count = 0
        self.drawer_kicks = 0
        self.replies = bytearray()
        self.tape: bytearray | None = None
        self.paper_bytes: int | None = None
        self.is_moving = False
        self.speed_factor = speed_factor
        self._bell = bell
        self._on_slip = on_slip
        self._random = random.Random(seed)
        self._slip_count = 0
        self.paper = Paper(spec.width_dots)
        self._power_up()

    # Power

    def _power_up(self) -> None:
        self.buffer = bytearray()
        self.replies.clear()
        self._tokenizer = Tokenizer()
        self._real_time = RealTimeScanner()
        self._interpreter = Interpreter(
            self.paper,
            is_kanji_default=self.spec.is_kanji_default,
            has_four_byte_kanji=self.spec.has_four_byte_kanji,
        )
        self._asb_mask = 0
        self._asb_seen: tuple[bool, ...] = ()
        self._raster_rows_charged = 0
        self._debt_s = 0.0
        self._executed_bytes = 0
        self._kicks_at_cut = self.drawer_kicks
        self.is_moving = False

    def power_cycle(self) -> None:
        """Forget buffers, modes and unsent answers; the paper keeps what is printed. The caller restarts `run`."""
        self._power_up()
        self.condition.has_fatal_error = False
        self.changed()

    # The host's side

    @property
    def has_room(self) -> bool:
        """Return whether the next packet is taken (ACK) or refused (NAK)."""
        if "nak" in self.faults or (self.spec.nak_when_offline and self.condition.is_offline):
            return False
        return len(self.buffer) <= self.spec.buffer_bytes

    def offer(self, packet: bytes) -> bool:
        """Take one packet of at most 64 bytes; False = NAK."""
        if not self.has_room:
            return False
        self.buffer += packet
        self.accepted_byte_count += len(packet)
        if self.tape is not None:
            self.tape += packet
        if self.paper_bytes is not None:
            self._use_up(len(packet))
        for command, argument in self._real_time.feed(packet):
            self._do_real_time(command, argument)
        self._bell.ring()
        return True

    def _use_up(self, count: int) -> None:
        self.paper_bytes = (self.paper_bytes or 0) - count
        if self.paper_bytes <= 0:
            self.paper_bytes = None
            self.remaining_mm = 0.0
            self.changed()

    def _do_real_time(self, command: str, argument: int) -> None:
        match command:
            case "status" if "dle_eot" in self.spec.answers:
                self._reply(status.real_time_status(self.condition, argument))
            case "recover":
                if "cutter_jam" not in self.faults:
                    self.condition.has_cutter_error = False
                if argument == 2:
                    self._clear_buffers()
                self.changed()
            case "pulse":
                self.drawer_kicks += 1
            case "clear":
                self._clear_buffers()

    def _clear_buffers(self) -> None:
        self.buffer.clear()
        self._tokenizer = Tokenizer()
        self._raster_rows_charged = 0

    def _reply(self, data: bytes) -> None:
        if "silent" in self.faults or not data:
            return
        if "garbage" in self.faults:
            data = self._random.randbytes(len(data))
        if "half_frame" in self.faults:
            data = data[: len(data) // 2]
        self.replies += data
        del self.replies[:-_REPLY_LIMIT_BYTES]
        self._bell.ring()

    # Sensors

    def changed(self) -> None:
        """Tell everyone that condition, faults or paper changed; sends ASB when it is enabled for the change."""
        self.condition.is_paper_end = self.remaining_mm <= 0
        self.condition.is_near_end = self.remaining_mm <= self.spec.near_end_mm
        seen = status.watched_part(self.condition, self._asb_mask)
        if self._asb_mask and seen != self._asb_seen:
            self._asb_seen = seen
            self._reply(status.automatic_status(self.condition))
        self._bell.ring()

    # The mechanics

    @property
    def is_idle(self) -> bool:
        """Return whether everything received has been executed."""
        return not self.buffer and not self.is_moving

    @property
    def can_print(self) -> bool:
        """Return whether the next command is executed now."""
        return not self.condition.is_offline and "busy" not in self.faults

    async def run(self) -> None:
        """Execute what is in the buffer, for ever."""
        while True:
            while not (self.buffer and self.can_print):
                await self._bell.wait()
            self.is_moving = True
            chunk = bytes(self.buffer[:_CHUNK_BYTES])
            del self.buffer[:_CHUNK_BYTES]
            self._bell.ring()
            for token in self._tokenizer.feed(chunk):
                await self._until_can_print()
                await self._execute(token)
            self._charge_raster(self._tokenizer.pending_raster_rows)
            await self._settle(at_once=not self.buffer)
            self.is_moving = False
            self._bell.ring()

    async def _until_can_print(self) -> None:
        while not self.can_print:
            await self._bell.wait()

    async def _execute(self, token: Token) -> None:
        before = self.paper.fed_dots
        self._executed_bytes += len(token.data)
        if token.name in self.spec.prints:
            token = Token(TokenKind.TEXT, bytes(byte for byte in token.data if byte >= 0x20))
        effects = self._interpreter.execute(token)
        charged, self._raster_rows_charged = self._raster_rows_charged, 0
        self._charge(max(0, self.paper.fed_dots - before - charged))
        await self._settle()
        for effect in effects:
            await self._until_can_print()
            await self._perform(effect)

    def _charge_raster(self, rows: int) -> None:
        """Charge the rows of a raster that is still coming in: it is printed as it comes."""
        self._charge(max(0, rows - self._raster_rows_charged))
        self._raster_rows_charged = max(rows, self._raster_rows_charged)

    def _charge(self, dots: int) -> None:
        if not dots:
            return
        length_mm = dots / self.spec.dots_per_mm
        self._debt_s += length_mm / self.spec.speed_mm_s
        was = (self.remaining_mm <= 0, self.remaining_mm <= self.spec.near_end_mm)
        self.remaining_mm -= length_mm
        if was != (self.remaining_mm <= 0, self.remaining_mm <= self.spec.near_end_mm):
            self.changed()

    async def _settle(self, *, at_once: bool = False) -> None:
        """Let the time of the charged movement pass; short ones are added up."""
        due_s = self._debt_s / self.speed_factor
        if due_s >= _SHORTEST_SLEEP_S or (at_once and due_s > 0):
            self._debt_s = 0.0
            await asyncio.sleep(due_s)

    async def _perform(self, effect: Effect) -> None:
        match effect.kind:
            case "feed_to_cutter":
                self._feed(self._knife_dots)
            case "feed":
                self._feed(effect.args[0] if effect.args else 0)
            case "cut":
                await self._cut(effect.args.decode())
            case "drawer":
                self.drawer_kicks += 1
            case "asb":
                self._enable_asb(effect.args[0])
            case "status" if "gs_r" in self.spec.answers:
                await self._settle(at_once=True)
                self._reply(status.transmitted_status(self.condition, effect.args[0]))
            case "identify" if "gs_i" in self.spec.answers:
                self._reply(self._identity(effect.args[0]))
            case "process_id" if "gs_h" in self.spec.answers:
                await self._settle(at_once=True)
                if effect.args[:2] == b"\x30\x30" and len(effect.args) == 6:
                    self._reply(status.process_id(effect.args[2:]))

    @property
    def _knife_dots(self) -> int:
        return round(self.spec.head_to_cutter_mm * self.spec.dots_per_mm)

    def _feed(self, dots: int) -> None:
        self.paper.feed(dots)
        self._charge(dots)

    async def _cut(self, kind: str) -> None:
        await self._settle(at_once=True)
        while "cutter_jam" in self.faults or self.condition.has_cutter_error:
            if not self.condition.has_cutter_error:
                self.condition.has_cutter_error = True
                self.changed()
            await self._bell.wait()
        await asyncio.sleep(self.spec.cut_s / self.speed_factor)
        self.deliver(kind, self._knife_dots)

    def deliver(self, kind: str, behind_head_dots: int) -> None:
        """Separate the sheet and hand it out."""
        sheet = self.paper.cut(behind_head_dots)
        self._slip_count += 1
        slip = Slip(
            id=self._slip_count,
            lines=sheet.lines,
            codes=sheet.codes,
            cut=kind,
            raw_byte_count=self._executed_bytes,
            unknown=tuple(self._interpreter.unknown),
            drawer_kicks=self.drawer_kicks - self._kicks_at_cut,
            printed_at=time.monotonic(),
            image=sheet.image,
        )
        self._executed_bytes, self._kicks_at_cut = 0, self.drawer_kicks
        self._interpreter.unknown.clear()
        self._on_slip(slip)
        self._bell.ring()

    def _enable_asb(self, mask: int) -> None:
        if "asb" not in self.spec.answers:
            return
        self._asb_mask = mask
        self._asb_seen = status.watched_part(self.condition, mask)
        if mask:
            self._reply(status.automatic_status(self.condition))

    def _identity(self, kind: int) -> bytes:
        """Return the answer to `GS I n`: one byte, or `_` text NUL. Source: Epson ESC/POS command reference, GS I."""
        texts = {65: "1.00 ESC/POS", 66: self.spec.manufacturer, 67: self.spec.product, 68: self.spec.serial_number}
        if kind in texts:
            return b"_" + texts[kind].encode("ascii") + b"\0"
        with contextlib.suppress(KeyError):
            return {1: b"\x20", 49: b"\x20", 2: b"\x02", 50: b"\x02", 3: b"\x01", 51: b"\x01"}[kind]
        return b""

    @property
    def pending_text(self) -> str:
        """Return the text of the line that is not printed yet."""
        return self._interpreter.pending_text
