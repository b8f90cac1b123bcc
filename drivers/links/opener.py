"""The opener: the one thread in which devices are opened, configured and closed, under a deadline (D1, D20).

Opening or closing a tty can block for seconds in the kernel (USB control transfers to a wedged adapter,
`closing_wait`). Here it blocks a thread that may be abandoned; the keypad never waits. The thread lives only while
there is work.

Source: Linux drivers/tty/tty_port.c (`closing_wait`, 30 s by default); drivers/usb/serial (time-outs up to 5 s).
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
#: Longest wait for a thread that has delivered its last result and only has to return.
_JOIN_S = 0.1


class PortStuckError(TimeoutError):
    """A port did not open or close in time, or is still stuck in an earlier attempt (quarantined)."""


class _Job:
    """One blocking call and where its result goes."""

    def __init__(self, call: Callable[[], Any], *, port: str, discard: Callable[[Any], None] | None) -> None:
        self.call = call
        self.port = port
        self.discard = discard
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.worker: threading.Thread | None = None
        self.is_abandoned = False


class Opener:
    """Runs blocking calls one after the other in a thread of its own.

    A call that is late is abandoned: its port is quarantined until the kernel lets go; a fresh thread serves the rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._worker: threading.Thread | None = None
        self._stuck_ports: set[str] = set()

    @property
    def stuck_ports(self) -> frozenset[str]:
        """Return the ports in quarantine."""
        with self._lock:
            return frozenset(self._stuck_ports)

    async def run(
        self,
        call: Callable[[], _T],
        *,
        port: str,
        timeout_s: float,
        discard: Callable[[_T], None] | None = None,
        must_run: bool = False,
    ) -> _T:
        """Run `call` in the opener thread.

        Args:
            call: Blocks; its exceptions are raised here.
            port: Path of the port, for the quarantine.
            timeout_s: From now, waiting for earlier calls included.
            discard: Called in the thread with a result that came too late for anybody to take.
            must_run: Run it even if the caller no longer waits (closing).
        Raises:
            PortStuckError: Not done in time, or the port is in quarantine.
        """
        job = _Job(call, port=port, discard=discard)
        with self._lock:
            if port in self._stuck_ports and not must_run:
                raise PortStuckError(f"{port} is stuck in an earlier attempt")
            self._jobs.append(job)
            if self._worker is None:
                self._start_worker()
        try:
            done, _ = await asyncio.wait({job.future}, timeout=timeout_s)
        except asyncio.CancelledError:
            self._abandon(job, must_run=must_run)
            raise
        if not done:
            self._abandon(job, must_run=must_run)
            _log.warning("opener port=%s state=stuck", port)
            raise PortStuckError(f"{port} did not answer within {timeout_s:g} s")
        self._join(job)
        result: _T = job.future.result()
        return result

    def _start_worker(self) -> None:
        """Start a worker; the lock is held."""
        self._worker = threading.Thread(target=self._work, name="opener", daemon=True)
        self._worker.start()

    def _join(self, job: _Job) -> None:
        """Wait for a thread that is on its way out, so that an idle daemon has no opener thread at all."""
        with self._lock:
            is_leaving = job.worker is not None and job.worker is not self._worker
        if is_leaving and job.worker is not None:
            job.worker.join(_JOIN_S)

    def _abandon(self, job: _Job, *, must_run: bool) -> None:
        with self._lock:
            if job.worker is None:
                if not must_run:
                    self._jobs.remove(job)
                job.is_abandoned = True
                return
            job.is_abandoned = True
            if job.future.done():  # settled, and the caller was cancelled in the same turn of the loop
                self._discard_settled(job)
                return
            self._stuck_ports.add(job.port)
            if self._worker is job.worker:
                self._worker = None
                if self._jobs:
                    self._start_worker()

    @staticmethod
    def _discard_settled(job: _Job) -> None:
        error = job.future.exception()
        if error is None:
            _discard_in_thread(job, job.future.result())

    def _take(self) -> _Job | None:
        """Return the next job for this thread, or None if it shall end."""
        current = threading.current_thread()
        with self._lock:
            if self._worker is not current:
                return None
            if not self._jobs:
                self._worker = None
                return None
            job = self._jobs.popleft()
            job.worker = current
            return job

    def _work(self) -> None:
        job = self._take()
        while job is not None:
            result, error = _call(job)
            following = self._take()
            self._deliver(job, result, error)
            job = following

    def _deliver(self, job: _Job, result: Any, error: Exception | None) -> None:
        with self._lock:
            is_abandoned = job.is_abandoned
            if is_abandoned:
                self._stuck_ports.discard(job.port)
        if not is_abandoned:
            try:
                job.loop.call_soon_threadsafe(self._settle, job, result, error)
            except RuntimeError:  # the loop was closed meanwhile: nobody is left to take it
                is_abandoned = True
        if is_abandoned:
            _discard(job, result, error)

    def _settle(self, job: _Job, result: Any, error: Exception | None) -> None:
        """Hand over in the event loop; the caller may have given up between delivery and now."""
        with self._lock:
            is_abandoned = job.is_abandoned
            if is_abandoned:
                self._stuck_ports.discard(job.port)
        if is_abandoned:
            if error is None:
                _discard_in_thread(job, result)
        elif error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


def _call(job: _Job) -> tuple[Any, Exception | None]:
    try:
        return job.call(), None
    except Exception as error:  # noqa: BLE001 - raised again in the caller's task
        return None, error


def _discard_in_thread(job: _Job, result: Any) -> None:
    threading.Thread(target=_discard, args=(job, result, None), name="opener", daemon=True).start()


def _discard(job: _Job, result: Any, error: Exception | None) -> None:
    if error is None and job.discard is not None:
        job.discard(result)
