"""The network thread: connects, backs off, connects again; everything it tells goes to the loop in batches.

Why a thread of our own: a slow name look-up, a blocking TLS handshake or a defect in a callback must never stall the
keypad, and paho's own thread dies of an exception without a word.
"""

import asyncio
import logging
import os
import random
import select
import ssl
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from pos_agent.errors import BrokerUnreachableError
from pos_agent.mqtt import _tls
from pos_agent.mqtt._attempt import Attempt, AttemptLostError
from pos_agent.mqtt._commands import Command, Outlet, Publish, Stop, settle_error
from pos_agent.mqtt.messages import InboundMessage, LinkState, Subscription, Will
from pos_agent.mqtt.settings import MqttSettings

_log = logging.getLogger(__name__)
#: A connection that lived shorter does not reset the back-off: two clients with one id throw each other off.
_STABLE_S = 10.0


@dataclass(slots=True)
class _Mailbox:
    """Commands from the loop to the thread, with a descriptor that wakes it."""

    commands: deque[Command]
    event_fd: int

    def wake(self) -> None:
        """Wake the thread: there are commands."""
        os.eventfd_write(self.event_fd, 1)

    def take(self) -> list[Command]:
        """Return what was put; the descriptor is reset first, so that nothing put later goes unnoticed."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        taken = []
        while self.commands:
            taken.append(self.commands.popleft())
        return taken


class Network:
    """The thread and what the loop may do with it."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        subscriptions: tuple[Subscription, ...],
        make_will: Callable[[int], Will | None] | None,
        next_conn_seq: Callable[[], int] | None,
        on_message: Callable[[InboundMessage], None],
        on_link: Callable[[LinkState], None],
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._make_will = make_will
        self._next_conn_seq = next_conn_seq
        self._on_message = on_message
        self._on_link = on_link
        self._loop = asyncio.get_running_loop()
        self._outlet = Outlet(self._loop)
        self._mailbox = _Mailbox(deque(), os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        self._thread = threading.Thread(target=self._main, name="mqtt-network", daemon=True)
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._conn_seq = 0
        self._failures = 0
        self._is_stopping = False
        self._is_joined = False
        self._is_waking = False
        self.window = settings.window

    def start(self) -> "asyncio.Future[None]":
        """Start the thread; the future is done when it ended."""
        self._thread.start()
        return self._ended

    def submit(self, command: Command) -> None:
        """Give a command to the thread."""
        if self._is_joined:
            _refuse([command], self._outlet)
            self._outlet.flush()
            return
        self._mailbox.commands.append(command)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        """Wake the thread once for all commands of this turn of the loop; each wake-up costs two changes of thread."""
        self._is_waking = False
        if not self._is_joined:
            self._mailbox.wake()

    def join(self) -> None:
        """Wait for the thread that has ended, and close what it used."""
        self._thread.join()
        self._is_joined = True
        os.close(self._mailbox.event_fd)

    # -- on the network thread ----------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._is_stopping:
                self._live_once()
                self._back_off()
        finally:
            _refuse(self._mailbox.take(), self._outlet)
            self._outlet.post(_finish, self._ended)
            self._outlet.flush()

    def _live_once(self) -> None:
        """Supervise one connection from name look-up to loss."""
        self._conn_seq = self._conn_seq + 1 if self._next_conn_seq is None else self._next_conn_seq()
        up_since: float | None = None

        def when_up(window: int) -> None:
            nonlocal up_since
            up_since = monotonic()
            self.window = window
            self._outlet.post(self._on_link, LinkState(is_connected=True, conn_seq=self._conn_seq))

        try:
            self._connect_and_serve(when_up)
            return
        except AttemptLostError as lost:
            code, detail = lost.code, lost.detail
        except Exception:  # noqa: BLE001 - a defect in a callback or in paho costs this connection, never the thread
            _log.exception("mqtt connection failed unexpectedly")
            code, detail = _tls.CODE_NET, "unexpected error"
        is_stable = up_since is not None and monotonic() - up_since >= _STABLE_S
        self._failures = 1 if is_stable else self._failures + 1
        self._outlet.post(
            self._on_link, LinkState(is_connected=False, conn_seq=self._conn_seq, code=code, detail=detail)
        )
        self._outlet.flush()

    def _connect_and_serve(self, when_up: Callable[[int], None]) -> None:
        context = self._context() if self._settings.is_encrypted else None
        will = None if self._make_will is None else self._make_will(self._conn_seq)
        attempt = Attempt(
            self._settings,
            context=context,
            will=will,
            subscriptions=self._subscriptions,
            outlet=self._outlet,
            on_message=self._on_message,
            when_up=when_up,
            submit=self.submit,
        )
        try:
            self._connect(attempt)
            self._is_stopping = attempt.serve(self._mailbox.event_fd, self._mailbox.take)
        finally:
            attempt.close()
            if context is not None:
                context.close_last()

    def _context(self) -> _tls.ClosingContext:
        try:
            return _tls.make_context(self._settings)
        except OSError as error:  # SSLError is one
            raise AttemptLostError(_tls.CODE_CERT, f"certificate files: {error}") from error

    def _connect(self, attempt: Attempt) -> None:
        try:
            attempt.connect()
        except OSError as error:
            code = _tls.classify(error)
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError):
                code = _tls.own_certificate_code(self._settings.cert_file, _tls.wall_time_s()) or code
            raise AttemptLostError(code, str(error)) from error

    def _back_off(self) -> None:
        """Wait with jitter; publishes of this time are refused at once."""
        settings = self._settings
        pause_s = min(settings.backoff_cap_s, settings.backoff_first_s * 2 ** min(self._failures - 1, 16))
        until = monotonic() + pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        poller = select.poll()
        poller.register(self._mailbox.event_fd, select.POLLIN)
        while not self._is_stopping and (left_s := until - monotonic()) > 0:
            poller.poll(left_s * 1000)
            self._is_stopping |= _refuse(self._mailbox.take(), self._outlet)
            self._outlet.flush()


def _refuse(commands: list[Command], outlet: Outlet) -> bool:
    """Answer commands without a connection; return True if a stop was among them."""
    for command in commands:
        if isinstance(command, Publish):
            outlet.post(settle_error, command.future, BrokerUnreachableError("not connected to the broker"))
    return any(isinstance(command, Stop) for command in commands)


def _finish(ended: "asyncio.Future[None]") -> None:
    if not ended.done():
        ended.set_result(None)
