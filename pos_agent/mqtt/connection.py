"""The asyncio face of an MQTT 5 connection that is always being kept up."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pos_agent.errors import BrokerError, BrokerUnreachableError, LocalProtocolError
from pos_agent.mqtt._commands import Publish, Reconnect, Stop
from pos_agent.mqtt._network import Network
from pos_agent.mqtt.messages import InboundMessage, LinkState, Properties, PublishResult, Subscription, Will
from pos_agent.mqtt.settings import MqttSettings

_log = logging.getLogger(__name__)
#: Publishes that may wait for the window before `publish` refuses.
_MOST_WAITING: Final = 10_000
#: How long a stop waits for the thread, which may be inside a name look-up.
_STOP_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the user of a connection wants of it.

    Attributes:
        subscriptions: Asked for at each connect.
        on_message: Called on the loop; must not block; the message is acknowledged by its `ack`.
        on_link: Called on the loop at each change and each failed attempt.
        will: Makes the will for a connection number, None = none; called on the network thread.
        next_conn_seq: Gives the number of the next connection, rising; called on the network thread. None = 1, 2, 3 …
    """

    subscriptions: tuple[Subscription, ...]
    on_message: Callable[[InboundMessage], None]
    on_link: Callable[[LinkState], None]
    will: Callable[[int], Will | None] | None = None
    next_conn_seq: Callable[[], int] | None = None


class MqttConnection:
    """A connection that is made again until `run` is cancelled.

    QoS 1 only by default, clean start off, manual acknowledgement, a fresh client per connection. Nothing is queued
    while the broker is away: what must not be lost belongs in an outbox, not here.
    """

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._network: Network | None = None
        self._link = LinkState(is_connected=False, conn_seq=0, code="E-NET", detail="not started")
        self._waiting = 0

    @property
    def link(self) -> LinkState:
        """Return the newest state of the link."""
        return self._link

    @property
    def window(self) -> int:
        """Return how many publishes may be un-acked: at most 16 and at most the broker's Receive Maximum."""
        return self._settings.window if self._network is None else self._network.window

    def attach(self, session: Session) -> None:
        """Say what is wanted; once, before `run`."""
        if self._session is not None:
            raise LocalProtocolError("the connection has a session already")
        self._session = session

    async def run(self) -> None:
        """Keep the connection up; when cancelled, disconnect cleanly (the will is not published) and return."""
        session = self._session
        if session is None:
            raise LocalProtocolError("attach a session first")
        network = Network(
            self._settings,
            subscriptions=session.subscriptions,
            make_will=session.will,
            next_conn_seq=session.next_conn_seq,
            on_message=session.on_message,
            on_link=self._take_link,
        )
        self._network = network
        ended = network.start()
        try:
            await asyncio.shield(ended)
        finally:
            self._network = None
            await self._stop(network, ended)

    async def _stop(self, network: Network, ended: "asyncio.Future[None]") -> None:
        network.submit(Stop())
        done, _ = await asyncio.wait([ended], timeout=_STOP_TIMEOUT_S)
        if done:
            network.join()
        else:
            _log.warning("mqtt thread does not stop, abandoned")
        if self._link.is_connected:
            self._take_link(LinkState(is_connected=False, conn_seq=self._link.conn_seq, code="E-NET", detail="stopped"))

    def _take_link(self, link: LinkState) -> None:
        was = self._link
        self._link = link
        if link.is_connected:
            _log.info("mqtt connected client_id=%s conn_seq=%d", self._settings.client_id, link.conn_seq)
        elif was.is_connected or was.code != link.code or was.conn_seq == 0:
            _log.warning("mqtt away client_id=%s code=%s detail=%s", self._settings.client_id, link.code, link.detail)
        else:
            _log.debug("mqtt still away code=%s detail=%s", link.code, link.detail)
        if self._session is not None:
            self._session.on_link(link)

    def reconnect(self) -> None:
        """Connect again, cleanly, with the certificate files as they are now; nothing if it is not connected."""
        if self._network is not None and self._link.is_connected:
            self._network.submit(Reconnect())

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        is_retained: bool = False,
        properties: Properties | None = None,
    ) -> PublishResult:
        """Publish and wait for the PUBACK (QoS 0: until it is written).

        Returns:
            The broker's reason code, also when it refused: the caller decides.
        Raises:
            BrokerUnreachableError: Not connected, or lost before the PUBACK: it may or may not have arrived.
            BrokerRefusedError: Larger than this broker takes.
            BrokerError: Too many publishes wait already.
            LocalProtocolError: Larger than `MAXIMUM_PACKET_BYTES`, or QoS 2.
        """
        network = self._network
        if network is None or not self._link.is_connected:
            raise BrokerUnreachableError("not connected to the broker")
        if qos not in (0, 1):
            raise LocalProtocolError("QoS 2 is never used")
        if self._waiting >= _MOST_WAITING:
            raise BrokerError("too many publishes wait for the broker")
        future: asyncio.Future[PublishResult] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        try:
            network.submit(Publish(topic, payload, qos, is_retained, properties or Properties(), future))
            return await future
        finally:
            self._waiting -= 1
