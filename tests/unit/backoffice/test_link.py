"""The link: replies only after the commit, presence on each connection, states until acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from backoffice.ingest.context import Incoming
from backoffice.ingest.receiver import Receiver
from backoffice.link import Link
from backoffice.signing import Signer
from backoffice.store.schema import Refund
from pos_agent.errors import BrokerUnreachableError
from pos_agent.mqtt.connection import Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Properties, PublishResult
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, unseal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    BackOfficePresenceMessage,
    DownMessage,
    RefundRequestMessage,
    RefundStateMessage,
    SaleAnswerMessage,
    SaleLookUpMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic
from tests.unit.backoffice.world import TERMINAL, World


class MemoryTransport:
    """A broker connection in memory."""

    def __init__(self) -> None:
        self.key = PrivateKey.generate()
        self.session: Session | None = None
        self.published: list[tuple[str, DownMessage, bool, Properties]] = []
        self.acked: list[str] = []
        self.is_up = False

    def attach(self, session: Session) -> None:
        self.session = session

    async def run(self) -> None:
        await asyncio.Event().wait()

    def connect(self, conn_seq: int) -> None:
        assert self.session is not None
        self.is_up = True
        self.session.on_link(LinkState(is_connected=True, conn_seq=conn_seq))

    def lose(self, conn_seq: int) -> None:
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
                is_retained=False,
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
        self.published.append((topic, self._open(payload), is_retained, properties or Properties()))
        return PublishResult(0)

    def _open(self, payload: bytes) -> DownMessage:
        return decode_down(unseal(payload, payload_type=DOWN_TYPE, keys={"bo": self.key.public_key()})[0])

    def of(self, kind: type[DownMessage]) -> list[DownMessage]:
        return [message for _, message, _, _ in self.published if isinstance(message, kind)]


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


@asynccontextmanager
async def _running(world: World, transport: MemoryTransport) -> AsyncIterator[Link]:
    receiver = Receiver(world.database, world.context)
    signer = Signer(transport.key, "bo")
    link = Link(transport, world.database, receiver, signer, now=world.context.now, instance="i1")
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - work of database threads
            await asyncio.sleep(0.002)


def _deliver(world: World, transport: MemoryTransport, request_count: int = 1) -> None:
    for number in range(request_count):
        message = RefundRequestMessage(terminal_id=TERMINAL, request=world.request(amount_minor=10 + number))
        transport.deliver(terminal_topic(TERMINAL, Leaf.UP_REFUND), world.sealed(message))


async def test_link_connected_says_online_retained_and_again_after_a_loss(
    world: World, transport: MemoryTransport
) -> None:
    async with _running(world, transport) as link:
        transport.connect(1)
        await _until(lambda: len(transport.published) == 1)
        transport.lose(1)
        transport.connect(2)
        await _until(lambda: len(transport.published) == 2)
        await link.say_offline()
    presences = [(topic, message, retained) for topic, message, retained, _ in transport.published]
    assert [topic for topic, _, _ in presences] == [BACK_OFFICE_STATE] * 3
    assert all(retained for _, _, retained in presences)
    said = [(m.is_online, m.conn_seq) for _, m, _ in presences if isinstance(m, BackOfficePresenceMessage)]
    assert said == [(True, 1), (True, 2), (False, 2)]


async def test_link_will_is_signed_offline_at_once(world: World, transport: MemoryTransport) -> None:
    async with _running(world, transport):
        assert transport.session is not None
        assert transport.session.will is not None
        will = transport.session.will(7)
        message = transport._open(will.payload)
        assert isinstance(message, BackOfficePresenceMessage)
        assert (message.is_online, message.conn_seq, will.delay_s, will.is_retained) == (False, 7, 0, True)


async def test_link_answers_and_acknowledges_only_after_the_commit(world: World, transport: MemoryTransport) -> None:
    async with _running(world, transport):
        transport.connect(1)
        _deliver(world, transport, 5)
        await _until(lambda: len(transport.of(AppAckMessage)) == 5)
    assert len(transport.acked) == 5
    assert len(world.rows(Refund)) == 5
    acks = [message for message in transport.of(AppAckMessage) if isinstance(message, AppAckMessage)]
    assert {ack.status for ack in acks} == {AckStatus.STORED}


async def test_link_commit_that_fails_answers_nothing_and_spares_the_next(
    world: World, transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Receiver.receive
    failures = [True, True]

    def flaky(self: Receiver, batch: list[Incoming]) -> object:
        if failures and failures.pop():
            raise RuntimeError("disk full")
        return real(self, batch)

    monkeypatch.setattr(Receiver, "receive", flaky)
    async with _running(world, transport):
        transport.connect(1)
        _deliver(world, transport)
        await _until(lambda: len(transport.acked) == 1)
        assert transport.of(AppAckMessage) == []
        _deliver(world, transport)
        await _until(lambda: len(transport.of(AppAckMessage)) == 1)


async def test_link_states_queued_while_away_are_sent_on_connect(world: World, transport: MemoryTransport) -> None:
    request = world.request()
    world.submit(request)
    async with _running(world, transport):
        transport.connect(1)
        await _until(lambda: len(transport.of(RefundStateMessage)) == 1)
        transport.lose(1)
        transport.connect(2)
        await _until(lambda: len(transport.of(RefundStateMessage)) == 2)
    assert world.outbox(request.refund_request_id) is not None


async def test_link_state_changed_by_a_person_is_sent_when_woken(world: World, transport: MemoryTransport) -> None:
    request = world.request()
    world.submit(request)
    async with _running(world, transport) as link:
        transport.connect(1)
        await _until(lambda: len(transport.of(RefundStateMessage)) == 1)
        await world.database.run(lambda: world.decide(request.refund_request_id, "reject", reason="no"))
        link.wake()
        await _until(lambda: len(transport.of(RefundStateMessage)) == 2)


async def test_link_look_up_answer_expires(world: World, transport: MemoryTransport) -> None:
    async with _running(world, transport):
        transport.connect(1)
        reference = world.request().original_reference
        message = SaleLookUpMessage(terminal_id=TERMINAL, lookup_id="q", reference=reference, operator_no="01")
        transport.deliver(terminal_topic(TERMINAL, Leaf.UP_QUERY), world.sealed(message))
        await _until(lambda: len(transport.of(SaleAnswerMessage)) == 1)
    expiries = [
        properties.message_expiry_s for _, m, _, properties in transport.published if isinstance(m, SaleAnswerMessage)
    ]
    assert expiries == [10]
