"""All of sync as one thing that app starts."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, Protocol

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import Config
from pos_agent.errors import BrokerError
from pos_agent.journal.store import Journal
from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Subscription
from pos_agent.protocol.topics import BACK_OFFICE_STATE, DOWN_FILTER, Leaf, terminal_topic
from pos_agent.sync._link import LinkView
from pos_agent.sync._sender import Sender
from pos_agent.sync.downlink import Downlink, ResultSlips
from pos_agent.sync.keys import SyncKeys
from pos_agent.sync.lookup import LookUp
from pos_agent.sync.presence import Presence
from pos_agent.sync.uplink import Uplink

_log = logging.getLogger(__name__)
_GOODBYE_S: Final = 1.0


class ConfigurationPort(Protocol):
    """Takes desired configuration; `pos_agent.fleet` behind it."""

    def take(self, message: InboundMessage) -> None:
        """Take a message of ``cfg/desired`` and acknowledge it once it is dealt with; never blocks."""

    def connected(self) -> None:
        """The broker is there (again)."""


class SyncService:
    """Uplink, downlink, look-up and presence over one connection.

    Attributes:
        look_up: Implements `pos_agent.workflow.ports.LookUpPort`.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        connection: MqttConnection,
        config: Config,
        keys: SyncKeys,
        sink: EventSink,
        clock: Clock,
        boot_id: str,
        result_slips: ResultSlips,
        version: str,
        on_signed_time: Callable[[datetime], None] | None = None,
        configuration: ConfigurationPort | None = None,
    ) -> None:
        terminal_id = config.terminal.terminal_id
        self._journal = journal
        self._connection = connection
        self._version = version
        self._group: asyncio.TaskGroup | None = None
        self._link = LinkView(sink)
        self._configuration = configuration
        self._desired_topic = terminal_topic(terminal_id, Leaf.CFG_DESIRED)
        sender = self._sender = Sender(connection, keys, terminal_id)
        self._uplink = Uplink(journal, sender, self._link, clock=clock, sink=sink)
        self._presence = Presence(
            journal,
            sender,
            self._link,
            clock=clock,
            boot_id=boot_id,
            version=version,
            on_signed_time=on_signed_time,
        )
        self.look_up = LookUp(sender, self._link, sink=sink, spawn=self._spawn)
        self._downlink = Downlink(
            journal,
            sender,
            self._link,
            keys=keys,
            uplink=self._uplink,
            presence=self._presence,
            look_up=self.look_up,
            result_slips=result_slips,
            clock=clock,
            sink=sink,
        )
        connection.attach(
            Session(
                subscriptions=self._subscriptions(terminal_id),
                on_message=self._take_message,
                on_link=self._take_link,
                will=self._presence.will,
                next_conn_seq=self._presence.next_conn_seq,
            )
        )

    def _subscriptions(self, terminal_id: str) -> tuple[Subscription, ...]:
        filters = [terminal_topic(terminal_id, DOWN_FILTER), BACK_OFFICE_STATE]
        if self._configuration is not None:
            filters.append(self._desired_topic)
        return tuple(Subscription(topic_filter=one) for one in filters)

    @property
    def is_broker_connected(self) -> bool:
        """Return True while the broker is there."""
        return self._link.is_connected

    def reconnect(self) -> None:
        """Connect again, with the certificate files as they are now."""
        self._connection.reconnect()

    @property
    def is_back_office_present(self) -> bool:
        """Return True while the back office is there, as proved on this connection."""
        return self._link.is_present

    @property
    def counters(self) -> dict[str, int]:
        """Return what was refused, late or unasked for, by cause."""
        return {**self._uplink.counters, **self._downlink.counters, "unasked_answer": self.look_up.unasked}

    async def report_configuration(self, payload: bytes) -> None:
        """Publish the configuration's report, signed and retained; see `MqttConnection.publish` for what is raised."""
        result = await self._sender.send_payload(Leaf.CFG_REPORTED, payload, is_retained=True)
        if result.is_refused:
            _log.error("broker refuses cfg/reported reason_code=0x%02x", result.reason_code)

    async def run(self) -> None:
        """Work until cancelled; then say offline and disconnect."""
        await self._journal.note_version(self._version)
        transport = asyncio.create_task(self._connection.run(), name="mqtt")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(_passing_on(transport), name="mqtt watch")
                group.create_task(self._uplink.watch(), name="outbox watch")
                group.create_task(self._uplink.run(), name="uplink")
                group.create_task(self._presence.run(), name="presence")
        finally:
            self._group = None
            self.look_up.give_up_all()
            await self._say_goodbye(transport)

    async def _say_goodbye(self, transport: "asyncio.Task[None]") -> None:
        with contextlib.suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._presence.say_offline()
        transport.cancel()
        await asyncio.gather(transport, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Begin work, or leave it: a message that comes while we stop is not acknowledged and comes again."""
        try:
            if self._group is not None:
                self._group.create_task(work, name=name)
                return
        except RuntimeError:  # the group is ending and takes no more
            _log.debug("stopping, not begun: %s", name)
        work.close()

    def _take_message(self, message: InboundMessage) -> None:
        if self._configuration is not None and message.topic == self._desired_topic:
            self._configuration.take(message)
            return
        self._spawn(self._downlink.take(message), f"message {message.topic[-40:]}")

    def _take_link(self, link: LinkState) -> None:
        was_connected = self._link.is_connected
        self._link.take_link(link)
        if not link.is_connected:
            self.look_up.give_up_all()
        if link.is_connected or was_connected:
            self._uplink.reset()
        if link.is_connected:
            self._presence.compare()
            if self._configuration is not None:
                self._configuration.connected()


async def _passing_on(transport: "asyncio.Task[None]") -> None:
    """Let the end of the transport, which is a defect, end the whole: nothing would connect again."""
    await asyncio.shield(transport)
    raise BrokerError("the network thread has ended")
