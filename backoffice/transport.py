"""What `Link` needs of an MQTT connection; `pos_agent.mqtt.MqttConnection` is one, tests bring another."""

from typing import Protocol

from pos_agent.mqtt.connection import Session
from pos_agent.mqtt.messages import Properties, PublishResult


class Transport(Protocol):
    """A connection to a broker that is kept up."""

    def attach(self, session: Session) -> None:
        """Say what is wanted; once, before `run`."""

    async def run(self) -> None:
        """Keep the connection up until cancelled."""

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        is_retained: bool = False,
        properties: Properties | None = None,
    ) -> PublishResult:
        """Publish and wait for the PUBACK."""
