"""An `MqttConnection` in a test: runs as a task, keeps what it got, waits for conditions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Subscription, Will
from pos_agent.mqtt.settings import MqttSettings

TIMEOUT_S = 10.0


async def until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    """Return once a condition holds; TimeoutError otherwise."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - conditions of several threads and processes
            await asyncio.sleep(0.002)


class Client:
    """A connection and what happened to it."""

    def __init__(
        self,
        settings: MqttSettings,
        *filters: str,
        will: Callable[[int], Will] | None = None,
        is_acking: bool = True,
    ) -> None:
        self.connection = MqttConnection(settings)
        self.messages: list[InboundMessage] = []
        self.links: list[LinkState] = []
        self._is_acking = is_acking
        self.connection.attach(
            Session(
                subscriptions=tuple(Subscription(topic_filter=one) for one in filters),
                on_message=self._take,
                on_link=self.links.append,
                will=will,
            )
        )

    def _take(self, message: InboundMessage) -> None:
        self.messages.append(message)
        if self._is_acking:
            message.ack()

    @property
    def is_connected(self) -> bool:
        return self.connection.link.is_connected


@asynccontextmanager
async def running(client: Client, *, wait: bool = True) -> AsyncIterator[Client]:
    """Run a client for a while."""
    task = asyncio.create_task(client.connection.run(), name="mqtt client")
    try:
        if wait:
            await until(lambda: client.is_connected)
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
