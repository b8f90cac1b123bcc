"""A USB printer for the event loop: one worker thread owns the device, everybody else awaits (D1).

Idle, the worker waits on its job queue, so that a job is taken at once, and every 2 s reads GET_PORT_STATUS, then what
the printer sent (field.md 11). That poll is also how an unplugged cable is noticed.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from drivers.links.usb_backend import check_override, load_backend
from drivers.links.usb_device import UsbAddress, UsbDevice, open_usb_device
from pos_agent.errors import DeviceError, DeviceTimeoutError, NoHardwareError, OfflineError

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
IDLE_POLL_S = 2.0
IDLE_READ_MS = 20
#: Opening is a few control transfers; a wedged device needs 5 s for one (field.md 14).
OPEN_TIMEOUT_S = 3.0
#: `close` returns within this time; a worker stuck in the kernel is left behind (it is a daemon thread).
CLOSE_TIMEOUT_S = 1.5
_DEVICE = "printer"

#: Called in the event loop with GET_PORT_STATUS (None = not answered) and received bytes, when either is news.
IdleListener = Callable[[int | None, bytes], None]


class UsbBulkLink:
    """Bytes to and from one USB printer.

    A link may be opened again after `close`; each opening has its own thread.

    Args:
        address: Which device.
        on_idle: See `IdleListener`.
        allow_backend_override: False in production, see `drivers.links.usb_backend`.
        idle_poll_s: Time between polls while nothing is printed; None = `IDLE_POLL_S`.
    Raises:
        ConfigValueError: The environment names a backend although that is not allowed.
    """

    def __init__(
        self,
        address: UsbAddress,
        *,
        on_idle: IdleListener,
        allow_backend_override: bool,
        idle_poll_s: float | None = None,
    ) -> None:
        check_override(is_allowed=allow_backend_override)
        self._address = address
        self._on_idle = on_idle
        self._allow_backend_override = allow_backend_override
        self._idle_poll_s = IDLE_POLL_S if idle_poll_s is None else idle_poll_s
        self._worker: _Worker | None = None
        self._identity = ""
        self._stuck: _Worker | None = None

    @property
    def is_open(self) -> bool:
        """Return True between `open` and `close` or loss."""
        return self._worker is not None and not self._worker.lost.done()

    @property
    def identity(self) -> str:
        """Return vendor, product, release, serial number and port of the device opened last."""
        return self._identity

    @property
    def unsent_bytes(self) -> int:
        """Return 0: a bulk transfer counts what the printer took."""
        return 0

    async def open(self) -> None:
        """Find and claim the device, in the worker thread.

        Raises:
            DeviceError: See `drivers.links.usb_device.open_usb_device`.
            DeviceTimeoutError: The kernel does not come back, now or from an earlier opening or closing.
            ConfigValueError: The backend that the environment names does not exist.
        """
        await self.close()
        if self._stuck is not None and not self._stuck.has_ended:
            raise DeviceTimeoutError(_DEVICE, "stuck in an earlier attempt")
        worker = _Worker(asyncio.get_running_loop(), self._on_idle, self._idle_poll_s)
        self._worker = worker
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await worker.start(self._open_device)
        except TimeoutError as error:
            await self.close()
            raise DeviceTimeoutError(_DEVICE, f"did not open within {OPEN_TIMEOUT_S:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Release the device and end the thread; idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop(CLOSE_TIMEOUT_S)
            self._stuck = None if worker.has_ended else worker

    async def wait_lost(self) -> DeviceError:
        """Return when the open device has gone away."""
        if self._worker is None:
            return OfflineError(_DEVICE, "not open")
        return await asyncio.shield(self._worker.lost)

    async def write(self, data: bytes) -> int:
        """Return how many bytes of one transfer were accepted; 0 = none within 250 ms.

        Raises:
            OfflineError: The device is gone; bytes of this transfer may have arrived.
        """
        return await self._call(lambda device: device.write(data))

    async def read(self, timeout_ms: int) -> bytes:
        """Return received bytes, b"" after the time-out.

        Raises:
            OfflineError: The device is gone.
        """
        return await self._call(lambda device: device.read(timeout_ms))

    async def port_status(self) -> int | None:
        """Return GET_PORT_STATUS, None if the printer does not answer it.

        Raises:
            OfflineError: The device is gone.
        """
        worker = self._worker
        return await self._call(worker.port_status if worker else UsbDevice.port_status)

    async def _call(self, job: Callable[[UsbDevice], _T]) -> _T:
        if self._worker is None:
            raise OfflineError(_DEVICE, "not open")
        return await self._worker.call(job)

    def _open_device(self) -> UsbDevice:
        backend = load_backend(is_allowed=self._allow_backend_override)
        device = open_usb_device(self._address, backend)
        self._identity = device.identity
        return device


class _Worker:
    """The thread that owns one opened device."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_idle: IdleListener, idle_poll_s: float) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._idle_poll_s = idle_poll_s
        self._jobs: queue.SimpleQueue[Callable[[UsbDevice], None] | None] = queue.SimpleQueue()
        self._last_status: int | None = None
        self._stopped: asyncio.Future[None] = loop.create_future()
        self._thread: threading.Thread | None = None
        self.lost: asyncio.Future[DeviceError] = loop.create_future()

    async def start(self, opener: Callable[[], UsbDevice]) -> None:
        """Run `opener` in the new thread; raise what it raises."""
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(opener, opened), name="usb-printer", daemon=True)
        self._thread.start()
        await opened

    @property
    def has_ended(self) -> bool:
        """Return whether the thread has let go of the device."""
        return self._stopped.done()

    async def stop(self, timeout_s: float) -> None:
        """End the thread; give up waiting after `timeout_s`."""
        self._jobs.put(None)
        self._lose(OfflineError(_DEVICE, "closed"))
        if self._thread is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._stopped)
        if not self._stopped.done():
            _LOG.warning("usb worker stuck, left behind device=%s", _DEVICE)
            return
        self._thread.join()

    async def call(self, job: Callable[[UsbDevice], _T]) -> _T:
        """Run `job` in the thread and return its result. A cancelled call still runs to its own time-out."""
        if self.lost.done():
            raise OfflineError(_DEVICE, "link lost")
        answer: asyncio.Future[_T] = self._loop.create_future()

        def run(device: UsbDevice) -> None:
            try:
                result = job(device)
            except DeviceError as error:
                self._post(_fail, answer, error)
                raise
            self._post(_succeed, answer, result)

        self._jobs.put(run)
        either: list[asyncio.Future[Any]] = [answer, self.lost]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        raise OfflineError(_DEVICE, "link lost")

    # -- in the thread ----------------------------------------------------------------------------------------

    def _run(self, opener: Callable[[], UsbDevice], opened: "asyncio.Future[None]") -> None:
        device: UsbDevice | None = None
        try:
            device = opener()
            self._post(_succeed, opened, None)
            self._serve(device)
        except DeviceError as error:
            self._post(_fail, opened, error)
            self._post(self._lose, error)
        except Exception as error:  # noqa: BLE001 - the supervisor of this thread: nothing else would see it
            self._post(_fail, opened, error)
            self._post(self._lose, NoHardwareError(_DEVICE, f"{type(error).__name__}: {error}"))
        finally:
            if device is not None:
                with suppress(OSError):
                    device.close()
            self._post(_succeed, self._stopped, None)

    def _serve(self, device: UsbDevice) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._idle_poll_s)
            except queue.Empty:
                self._poll(device)
                continue
            if job is None:
                return
            job(device)

    def _poll(self, device: UsbDevice) -> None:
        known = self._last_status
        status = self.port_status(device)
        data = device.read(IDLE_READ_MS)
        if status != known or data:
            self._post(self._on_idle, status, data)

    def port_status(self, device: UsbDevice) -> int | None:
        """Read GET_PORT_STATUS and remember it: the next idle poll reports only what differs from it."""
        self._last_status = device.port_status()
        return self._last_status

    def _post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function` in the event loop; a loop that is closed has nobody left to tell."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _lose(self, error: DeviceError) -> None:
        if not self.lost.done():
            self.lost.set_result(error)


def _succeed(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        # Whoever waited may be gone (cancelled): then nobody retrieves it, and that is right.
        future.exception()
