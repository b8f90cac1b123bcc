"""Seals messages with the device key and publishes them on the terminal's own topics."""

from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.messages import Properties, PublishResult
from pos_agent.protocol import codec
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import UpMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from pos_agent.sync.keys import SyncKeys


class Sender:
    """Everything that a terminal says passes here."""

    def __init__(self, connection: MqttConnection, keys: SyncKeys, terminal_id: str) -> None:
        self._connection = connection
        self._keys = keys
        self.terminal_id = terminal_id

    @property
    def window(self) -> int:
        """Return how many publishes may be un-acked."""
        return self._connection.window

    def sealed(self, payload: bytes) -> bytes:
        """Return the envelope of a payload."""
        return seal(payload, payload_type=UP_TYPE, kid=self._keys.device_key_id, key=self._keys.device_key)

    async def send(self, leaf: Leaf, message: UpMessage, *, is_retained: bool = False) -> PublishResult:
        """Publish a message; see `MqttConnection.publish` for what is raised."""
        return await self.send_payload(leaf, codec.encode(message), is_retained=is_retained)

    async def send_payload(
        self, leaf: Leaf | str, payload: bytes, *, is_retained: bool = False, expiry_s: int | None = None, tag: str = ""
    ) -> PublishResult:
        """Publish a payload that is encoded already.

        Args:
            leaf: Last part of the topic.
            payload: The message's JSON.
            is_retained: Kept by the broker for whoever comes later.
            expiry_s: With a question: when nobody waits for the answer any more.
            tag: Correlation data of a question.
        """
        properties = Properties(content_type=UP_TYPE, message_expiry_s=expiry_s)
        if tag:
            answers = terminal_topic(self.terminal_id, Leaf.DOWN_ANSWER)
            properties = Properties(UP_TYPE, answers, tag.encode(), expiry_s)
        topic = terminal_topic(self.terminal_id, leaf)
        return await self._connection.publish(
            topic, self.sealed(payload), is_retained=is_retained, properties=properties
        )
