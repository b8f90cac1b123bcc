"""`SimPrinter`: the printer as the bench handles it, with its paper, its faults and its plug."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from hil.simulators.printer.bell import Bell
from hil.simulators.printer.engine import PrintEngine
from hil.simulators.printer.server import UsbServer
from hil.simulators.printer.slip import Slip
from hil.simulators.printer.spec import PrinterSpec
from hil.simulators.printer.status import Condition
from hil.simulators.printer.stream_plug import Plug, PtyPlug, TcpPlug
from hil.simulators.printer.usb_gadget import Counters, UsbGadget

#: Every fault by its name, with what it does.
FAULTS = {
    "paper_end": "the roll is out, at once or after_mm",
    "near_end": "the near-end sensor trips",
    "cover_open": "the cover is open: offline",
    "cutter_jam": "the knife sticks at the next cut: offline until cleared",
    "fatal": "an error that only switching off and on ends",
    "busy": "nothing is executed; the buffer fills up, then NAK",
    "nak": "bulk OUT is refused for ever",
    "stall": "bulk OUT is halted until clear_halt (sticky=True: for good)",
    "silent": "no answer to any question",
    "garbage": "answers are random bytes",
    "half_frame": "answers are cut in half",
    "open_hangs": "opening the device does not return",
    "close_hangs": "giving the interface back does not return",
    "claimed": "another program holds the interface",
    "access": "no permission to open",
    "slow": "the motor runs at `factor` of its speed",
}
_ENGINE_FAULTS = {"busy", "nak", "silent", "garbage", "half_frame", "cutter_jam"}


class _UsbPlug:
    """The USB socket of the printer."""

    def __init__(self, gadget: UsbGadget, server: UsbServer) -> None:
        self._gadget, self._server = gadget, server

    @property
    def is_attached(self) -> bool:
        return self._gadget.attachment is not None

    @property
    def is_claimed(self) -> bool:
        return self._gadget.attachment is not None and self._gadget.attachment.owner is not None

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        self._gadget.detach()
        await self._server.close()

    def attach(self) -> None:
        self._gadget.attach()

    def detach(self) -> None:
        self._gadget.detach()


class SimPrinter:
    """A printer with a Unix socket for a USB plug, a pty for usblp or a serial line, or a TCP port.

    Attributes:
        slips: What came out, oldest first; the newest 200 are kept.
        on_slip: Called with each slip, in the event loop.
        on_change: Called after faults, plug and paper were changed by hand.
        faults: Faults that are on, with their parameters.
    """

    def __init__(
        self,
        socket_path: Path,
        *,
        width_dots: int = 576,
        speed_factor: float = 1.0,
        spec: PrinterSpec | None = None,
        on_slip: Callable[[Slip], None] | None = None,
        seed: int = 0,
        link: str = "usb",
    ) -> None:
        """Make a printer.

        Args:
            socket_path: Where `usb_backend` finds it (at most 100 bytes long), or the symlink of the pty.
            width_dots: Print area; ignored when `spec` is given.
            speed_factor: 1.0 = real time; 50 for fast tests.
            spec: The model.
            on_slip: See the attribute.
            seed: For `garbage`.
            link: ``usb``, ``tcp``, ``usblp``, or ``serial-`` with ``rtscts``, ``xonxoff`` or ``none``.
        """
        self.spec = spec or PrinterSpec(width_dots=width_dots)
        self.slips: list[Slip] = []
        self.on_slip = on_slip
        self.on_change: Callable[[], None] | None = None
        self.faults: dict[str, dict[str, Any]] = {}
        self._speed_factor = speed_factor
        self._bell = Bell()
        self._engine = PrintEngine(
            self.spec, bell=self._bell, on_slip=self._deliver, speed_factor=speed_factor, seed=seed
        )
        self._gadget = UsbGadget(self.spec, self._engine, self._bell, self.faults)
        self._plug = self._make_plug(link, socket_path)
        self._task: asyncio.Task[None] | None = None
        self._is_powered = False

    def _make_plug(self, link: str, path: Path) -> Plug:
        if link == "usb":
            return _UsbPlug(self._gadget, UsbServer(self._gadget, path))
        if link == "tcp":
            return TcpPlug(self._engine, self._bell)
        return PtyPlug(self._engine, self._bell, path=path, flow=link.removeprefix("serial-"))

    # Life

    async def start(self) -> None:
        """Switch on and plug in."""
        await self._plug.start()
        self._switch_on()
        self.plug()

    async def close(self) -> None:
        """Take the printer away for good; idempotent."""
        self._plug.detach()
        await self._switch_off()
        await self._plug.close()

    def plug(self) -> None:
        """Put the USB cable in: the device appears at a new address, if it has power."""
        if self._is_powered and not self.is_plugged:
            self._plug.attach()
            self._note_change()

    def unplug(self) -> None:
        """Pull the USB cable; the printer keeps its power, and prints what it has."""
        if self.is_plugged:
            self._plug.detach()
            self._note_change()

    async def power_cycle(self) -> None:
        """Switch off and on: the buffer is lost, the paper keeps what is printed, the address is new."""
        self.power_off()
        await self.power_on()

    def power_off(self) -> None:
        """Pull the power cord: gone from the bus, everything unprinted lost."""
        self.unplug()
        self._is_powered = False
        if self._task is not None:
            self._task.cancel()
        self.faults.pop("fatal", None)
        self._engine.power_cycle()

    async def power_on(self) -> None:
        """Put the power cord back."""
        await self._switch_off()
        self._switch_on()
        self.plug()

    def _switch_on(self) -> None:
        self._is_powered = True
        self._task = asyncio.get_running_loop().create_task(self._engine.run(), name="sim-printer-engine")

    async def _switch_off(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def is_plugged(self) -> bool:
        """Return whether the device is on the bus."""
        return self._plug.is_attached

    @property
    def is_claimed(self) -> bool:
        """Return whether a program holds the interface."""
        return self._plug.is_claimed

    @property
    def tcp_port(self) -> int:
        """Return where it listens; 0 for other links and before `start`."""
        return self._plug.port if isinstance(self._plug, TcpPlug) else 0

    @property
    def address(self) -> int | None:
        """Return the USB address, None while unplugged."""
        return None if self._gadget.attachment is None else self._gadget.attachment.address

    # Faults and paper

    def set_fault(self, name: str, **params: Any) -> None:
        """Switch a fault on.

        Args:
            name: A key of `FAULTS`.
            params: `after_mm` for paper_end and near_end, `factor` for slow, `sticky` for stall.
        Raises:
            KeyError: No such fault.
        """
        if name not in FAULTS:
            raise KeyError(name)
        self.faults[name] = params
        self._apply(name, is_on=True)

    def clear_fault(self, name: str) -> None:
        """Switch a fault off; a cleared paper fault is a new roll; one that is not on is no error."""
        if self.faults.pop(name, None) is not None:
            self._apply(name, is_on=False)

    def end_paper_after(self, count: int) -> None:
        """Let the paper end when `count` more bytes are taken from the host."""
        self._engine.paper_bytes = count

    def refill(self) -> None:
        """Put in a new roll and close the cover."""
        for name in ("paper_end", "near_end", "cover_open"):
            self.faults.pop(name, None)
        self._engine.remaining_mm = self.spec.roll_mm
        self._engine.condition.is_cover_open = False
        self._engine.changed()
        self._note_change()

    def _apply(self, name: str, *, is_on: bool) -> None:
        engine = self._engine
        params = self.faults.get(name, {})
        match name:
            case "paper_end":
                engine.remaining_mm = float(params.get("after_mm", 0.0)) if is_on else self.spec.roll_mm
            case "near_end":
                default = self.spec.near_end_mm
                engine.remaining_mm = default + float(params.get("after_mm", 0.0)) if is_on else self.spec.roll_mm
            case "cover_open":
                engine.condition.is_cover_open = is_on
            case "fatal":
                engine.condition.has_fatal_error = is_on
            case "stall" if self._gadget.attachment is not None:
                self._gadget.attachment.is_halted = is_on
            case "slow":
                engine.speed_factor = self._speed_factor * (float(params.get("factor", 0.1)) if is_on else 1.0)
        if name in _ENGINE_FAULTS:
            (engine.faults.add if is_on else engine.faults.discard)(name)
        if name == "cutter_jam" and not is_on:
            engine.condition.has_cutter_error = False
        engine.changed()
        self._note_change()

    def _note_change(self) -> None:
        if self.on_change is not None:
            self.on_change()

    # What came out

    def current_lines(self) -> list[str]:
        """Return the text on the paper that is not cut yet, with the line that is still in the print buffer."""
        pending = self._engine.pending_text
        return [*self._engine.paper.lines, *([pending] if pending else [])]

    def current_image(self) -> Image.Image:
        """Return the picture of the paper that is not cut yet."""
        return self._engine.paper.snapshot()

    def tear(self) -> Slip | None:
        """Tear off what is printed and not cut, at the head; None when there is nothing."""
        if self._engine.paper.is_blank:
            return None
        self._engine.deliver("none", 0)
        return self.slips[-1]

    async def wait_slips(self, count: int, timeout_s: float) -> Sequence[Slip]:
        """Return the slips as soon as there are `count`.

        Raises:
            TimeoutError: There are fewer after `timeout_s` seconds.
        """
        async with asyncio.timeout(timeout_s):
            while len(self.slips) < count:
                await self._bell.wait()
        return self.slips

    async def wait_idle(self, timeout_s: float) -> None:
        """Return when everything received is executed.

        Raises:
            TimeoutError: Not yet after `timeout_s` seconds.
        """
        async with asyncio.timeout(timeout_s):
            while not self._engine.is_idle:
                await self._bell.wait()

    @property
    def condition(self) -> Condition:
        """Return the sensors."""
        return self._engine.condition

    @property
    def counters(self) -> Counters:
        """Return the USB statistics."""
        return self._gadget.counters

    @property
    def accepted_byte_count(self) -> int:
        """Return the bytes taken from the host so far."""
        return self._engine.accepted_byte_count

    def record(self) -> bytearray:
        """Start to keep the bytes taken from the host; returns where they are kept."""
        self._engine.tape = bytearray()
        return self._engine.tape

    @property
    def buffered_byte_count(self) -> int:
        """Return the bytes that wait in the receive buffer."""
        return len(self._engine.buffer)

    @property
    def drawer_kicks(self) -> int:
        """Return the cash drawer pulses so far."""
        return self._engine.drawer_kicks

    @property
    def remaining_mm(self) -> float:
        """Return the paper left, in mm."""
        return self._engine.remaining_mm

    def _deliver(self, slip: Slip) -> None:
        self.slips.append(slip)
        del self.slips[:-200]
        if self.on_slip is not None:
            self.on_slip(slip)
