"""What passes between the loop and the network thread."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pos_agent.mqtt.messages import Properties, PublishResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish and settle the future on the loop."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    properties: Properties
    future: "asyncio.Future[PublishResult]"


@dataclass(frozen=True, slots=True)
class SendAck:
    """Acknowledge a message of one connection; dropped if that one is gone: the broker sends the message again."""

    owner: object
    mid: int
    qos: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Disconnect cleanly and end the thread."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Disconnect cleanly and connect again, with the certificate files as they are now."""


Command = Publish | SendAck | Reconnect | Stop


class Outlet:
    """Calls for the loop, handed over in batches: one wake-up for many."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: list[tuple[Callable[..., None], tuple[object, ...]]] = []

    def post(self, function: Callable[..., None], *args: object) -> None:
        """Keep a call until `flush`."""
        self._calls.append((function, args))

    def flush(self) -> None:
        """Hand the calls over."""
        if not self._calls:
            return
        calls, self._calls = self._calls, []
        try:
            self._loop.call_soon_threadsafe(_run_all, calls)
        except RuntimeError:
            _log.warning("mqtt event loop is gone")


def _run_all(calls: list[tuple[Callable[..., None], tuple[object, ...]]]) -> None:
    for function, args in calls:
        try:
            function(*args)
        except Exception:  # noqa: BLE001 - the next call belongs to somebody else
            _log.exception("mqtt callback failed")


def settle(future: "asyncio.Future[PublishResult]", result: PublishResult) -> None:
    """Give a result to a publish that may have been cancelled."""
    if not future.done():
        future.set_result(result)


def settle_error(future: "asyncio.Future[PublishResult]", error: Exception) -> None:
    """Give an error to a publish that may have been cancelled."""
    if not future.done():
        future.set_exception(error)
