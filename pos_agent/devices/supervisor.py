"""Keeps every device open: opens it, waits until it is lost, says so, and opens it again when it is back.

One named task a device; one shared retry timer while anything is absent. Knows no driver.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from pos_agent.devices.interfaces import Device, EventSink, PrinterStatus
from pos_agent.domain.events import DeviceName, DeviceStatusChanged
from pos_agent.errors import DeviceError, FailureError, NoHardwareError, OfflineError
from pos_agent.protocol.control import DeviceStatus

_log = logging.getLogger(__name__)
#: How long an absent device waits for the next attempt (field.md 13: taken up within 2.5 s of plug-in).
RETRY_S = 2.0
#: Nudges come in showers (a USB device is a dozen uevents); one attempt for all of them.
_NUDGE_DELAY_S = 0.05


@runtime_checkable
class _ReportsStatus(Protocol):
    """A device that knows more about itself than open or not."""

    @property
    def status(self) -> PrinterStatus:
        """Return the newest status, without I/O."""


class _Retry:
    """The shared timer: runs only while somebody waits, fires for all of them at once."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._waiters: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._nudge: asyncio.TimerHandle | None = None
        self.generation = 0

    async def wait(self, generation: int) -> None:
        """Return at the next firing; at once if it fired since `generation` (a nudge during the attempt counts)."""
        if generation != self.generation:
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        if self._timer is None:
            self._timer = loop.call_later(self._period_s, self._fire)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if not self._waiters:
                self._stop_timer()

    def nudge(self) -> None:
        """Fire soon."""
        if self._nudge is None:
            self._nudge = asyncio.get_running_loop().call_later(_NUDGE_DELAY_S, self._on_nudge)

    def stop(self) -> None:
        """Cancel the timers."""
        self._stop_timer()
        if self._nudge is not None:
            self._nudge.cancel()
            self._nudge = None

    def _on_nudge(self) -> None:
        self._nudge = None
        self._fire()

    def _fire(self) -> None:
        self.generation += 1
        self._stop_timer()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Slot:
    """One device and what is known about it."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.is_online = False
        self.code = ""
        self.is_reported = False


class DeviceSupervisor:
    """Owns the life of all devices.

    Args:
        devices: Built, not open. Nobody else opens or closes them.
        sink: Takes `DeviceStatusChanged`: at start for every device, then on every change.
        retry_s: Pause between attempts for what is absent.
    """

    def __init__(self, devices: Iterable[Device], *, sink: EventSink, retry_s: float = RETRY_S) -> None:
        self._slots: Sequence[_Slot] = tuple(_Slot(device) for device in devices)
        self._sink = sink
        self._retry_s = retry_s
        self._retry = _Retry(retry_s)

    async def run(self) -> None:
        """Keep the devices open until cancelled; then close them."""
        try:
            async with asyncio.TaskGroup() as group:
                for slot in self._slots:
                    group.create_task(self._keep_open(slot), name=f"device-{slot.device.name}")
                if not self._slots:
                    await asyncio.get_running_loop().create_future()  # a till without devices is no reason to end
        finally:
            self._retry.stop()

    def nudge(self) -> None:
        """Try what is absent at once: something was plugged in. Cheap; call it as often as you like."""
        if any(not slot.is_online for slot in self._slots):
            self._retry.nudge()

    def is_online(self, name: DeviceName) -> bool:
        """Return whether the device of this role is open."""
        return any(slot.is_online for slot in self._slots if slot.device.name == name)

    def statuses(self) -> tuple[DeviceStatus, ...]:
        """Return all devices for the control socket."""
        return tuple(_status(slot) for slot in self._slots)

    async def _keep_open(self, slot: _Slot) -> None:
        try:
            while True:
                generation = self._retry.generation
                opened_at_s = asyncio.get_running_loop().time()
                error = await self._open_until_lost(slot)
                self._down(slot, error)
                await self._close(slot)
                # One that was open for a while is tried again at once; one that flaps waits like an absent one.
                if asyncio.get_running_loop().time() - opened_at_s < self._retry_s:
                    await self._retry.wait(generation)
        finally:
            slot.is_online = False
            await self._close(slot)

    async def _open_until_lost(self, slot: _Slot) -> DeviceError:
        """Open the device and wait until it is lost; a driver's bug counts as a loss, and is logged with its place."""
        try:
            await slot.device.open()
            self._up(slot)
            return await slot.device.wait_lost()
        except DeviceError as error:
            return error
        except Exception as error:  # noqa: BLE001 - supervisor: one broken driver must not stop the others
            _log.exception("device=%s driver failed", slot.device.name)
            return FailureError(slot.device.name, f"driver failed: {error!r}")

    async def _close(self, slot: _Slot) -> None:
        try:
            await slot.device.close()
        except Exception:  # noqa: BLE001 - see above
            _log.exception("device=%s close failed", slot.device.name)

    def _up(self, slot: _Slot) -> None:
        slot.is_online, slot.code, slot.is_reported = True, "", True
        _log.info("device=%s state=online", slot.device.name)
        self._sink(DeviceStatusChanged(slot.device.name, is_online=True))

    def _down(self, slot: _Slot, error: DeviceError) -> None:
        # For the cashier "unplugged just now" and "not plugged in" are the same thing, and are said once.
        code = NoHardwareError.code if isinstance(error, OfflineError) else error.code
        is_news = slot.is_online or not slot.is_reported or slot.code != code
        slot.is_online, slot.code, slot.is_reported = False, code, True
        _log.log(logging.WARNING if is_news else logging.DEBUG, "state=offline code=%s %s", code, error)
        if is_news:
            self._sink(DeviceStatusChanged(slot.device.name, is_online=False, code=code))


def _status(slot: _Slot) -> DeviceStatus:
    code = slot.code
    if slot.is_online and isinstance(slot.device, _ReportsStatus):
        code = slot.device.status.shown_code
    counters = dict(slot.device.counters)
    return DeviceStatus(name=slot.device.name, is_online=slot.is_online, code=code, counters=counters)
