"""A broker connection in memory, for the tests of whatever speaks over one."""

import asyncio
from abc import ABC, abstractmethod

from pos_agent.errors import BrokerUnreachableError
from pos_agent.mqtt.connection import Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Properties, PublishResult


class MemoryConnection(ABC):
    """A connection that can be lost; `take` gets what is published.

    Args:
        is_retained: Whether messages that come are retained ones.
    """

    def __init__(self, *, is_retained: bool = False) -> None:
        self.session: Session | None = None
        self.acked: list[str] = []
        self.is_up = False
        self._is_retained = is_retained

    def attach(self, session: Session) -> None:
        self.session = session

    async def run(self) -> None:
        await asyncio.Event().wait()

    def connect(self, conn_seq: int = 1) -> None:
        assert self.session is not None
        self.is_up = True
        self.session.on_link(LinkState(is_connected=True, conn_seq=conn_seq))

    def lose(self, conn_seq: int = 1) -> None:
        assert self.session is not None
        self.is_up = False
        self.session.on_link(LinkState(is_connected=False, conn_seq=conn_seq, code="E-NET"))

    def deliver(self, topic: str, payload: bytes) -> None:
        assert self.session is not None
        self.session.on_message(
            InboundMessage(
                topic=topic,
                payload=payload,
                qos=1,
                is_retained=self._is_retained,
                is_duplicate=False,
                properties=Properties(),
                ack=lambda: self.acked.append(topic),
            )
        )

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        is_retained: bool = False,
        properties: Properties | None = None,
    ) -> PublishResult:
        if not self.is_up:
            raise BrokerUnreachableError("away")
        assert qos == 1
        return self.take(topic, payload, is_retained=is_retained, properties=properties or Properties())

    @abstractmethod
    def take(self, topic: str, payload: bytes, *, is_retained: bool, properties: Properties) -> PublishResult:
        """Take what was published; returns the broker's answer."""
