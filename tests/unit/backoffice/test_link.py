"""The link: replies only after the commit, presence on each connection, states until acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from backoffice import leadership
from backoffice.ingest.context import Incoming
from backoffice.ingest.receiver import Receiver
from backoffice.leadership import Gone, Worker
from backoffice.link import Link
from backoffice.signing import Signer
from backoffice.store.schema import Refund, Terminal
from pos_agent.mqtt.messages import Properties, PublishResult, Will
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, unseal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    BackOfficePresenceMessage,
    DownMessage,
    PresenceMessage,
    RefundRequestMessage,
    RefundStateMessage,
    SaleAnswerMessage,
    SaleLookUpMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic
from tests.unit.backoffice.connection import MemoryConnection
from tests.unit.backoffice.world import START, TERMINAL, World


class MemoryTransport(MemoryConnection):
    """A connection whose broker keeps wills, and reads what the back office signed."""

    def __init__(self) -> None:
        super().__init__()
        self.key = PrivateKey.generate()
        self.published: list[tuple[str, DownMessage, bool, Properties]] = []
        self.wills: list[Will | None] = []
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        await super().run()

    def connect(self, conn_seq: int = 1) -> None:
        assert self.session is not None
        self.wills.append(self.session.will(conn_seq) if self.session.will else None)
        super().connect(conn_seq)

    def take(self, topic: str, payload: bytes, *, is_retained: bool, properties: Properties) -> PublishResult:
        self.published.append((topic, self._open(payload), is_retained, properties))
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
    link = Link(transport, world.database, receiver, signer, now=world.context.now, worker=Worker("bo-1", "i1"))
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        await _until(lambda: transport.runs == 1)
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
        await link.presence.say_offline()
    presences = [(topic, message, retained) for topic, message, retained, _ in transport.published]
    assert [topic for topic, _, _ in presences] == [BACK_OFFICE_STATE] * 3
    assert all(retained for _, _, retained in presences)
    said = [(m.is_online, m.conn_seq) for _, m, _ in presences if isinstance(m, BackOfficePresenceMessage)]
    assert said == [(True, 1), (True, 2), (False, 2)]


async def test_link_will_is_signed_offline_at_once(world: World, transport: MemoryTransport) -> None:
    async with _running(world, transport):
        transport.connect(7)
        will = transport.wills[-1]
        assert will is not None
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


def _word(transport: MemoryTransport, **changes: object) -> bytes:
    """Return a word about the back office, as another worker or an earlier connection says it."""
    word = BackOfficePresenceMessage(is_online=False, instance="i0", conn_seq=1, epoch=1, at=START, term=1)
    return Signer(transport.key, "bo").seal(msgspec.structs.replace(word, **changes))


def _led_by_another(world: World) -> None:
    with world.database.writing() as session:
        worker = Worker("bo-2", "i0")
        assert leadership.stand(session, worker, lease_s=60, now=world.context.now) == 1


def _said(transport: MemoryTransport) -> list[tuple[bool, int]]:
    words = transport.of(BackOfficePresenceMessage)
    return [(word.is_online, word.term) for word in words if isinstance(word, BackOfficePresenceMessage)]


async def test_link_does_not_lead_has_no_will_says_nothing_and_leaves_presence(
    world: World, transport: MemoryTransport
) -> None:
    _led_by_another(world)
    async with _running(world, transport) as link:
        transport.connect(1)
        here = PresenceMessage(
            terminal_id=TERMINAL, is_online=True, boot_id="b1", conn_seq=1, agent_version="1", at=START
        )
        transport.deliver(terminal_topic(TERMINAL, Leaf.STATE), world.sealed(here))
        _deliver(world, transport)
        await _until(lambda: len(transport.of(AppAckMessage)) == 1)
        await link.presence.say_offline()
    assert transport.wills == [None]
    assert _said(transport) == []
    assert len(transport.acked) == 2
    assert not any(row.is_online for row in world.rows(Terminal))


async def test_link_hears_that_the_leader_is_gone_connects_anew_with_a_will_and_speaks(
    world: World, transport: MemoryTransport
) -> None:
    _led_by_another(world)
    async with _running(world, transport):
        transport.connect(1)
        transport.deliver(BACK_OFFICE_STATE, _word(transport))
        await _until(lambda: transport.runs == 2)
        transport.connect(2)
        await _until(lambda: _said(transport) == [(True, 2)])
    assert [will is not None for will in transport.wills] == [False, True]


async def test_link_hears_an_older_leaders_end_and_goes_on_waiting(world: World, transport: MemoryTransport) -> None:
    _led_by_another(world)
    with world.database.writing() as session:
        leadership.leave(session, Worker("bo-2", "i0"), world.context.now)
        assert leadership.stand(session, Worker("bo-3", "i3"), lease_s=60, now=world.context.now) == 2
    async with _running(world, transport) as link:
        transport.connect(1)
        transport.deliver(BACK_OFFICE_STATE, _word(transport))
        _deliver(world, transport)
        await _until(lambda: len(transport.of(AppAckMessage)) == 1)
        assert not link.presence.is_leading
    assert transport.runs == 1


async def test_link_that_leads_answers_a_late_will_and_no_echo_of_its_own(
    world: World, transport: MemoryTransport
) -> None:
    async with _running(world, transport):
        transport.connect(1)
        await _until(lambda: _said(transport) == [(True, 1)])
        own = _word(transport, is_online=True, instance="i1")
        transport.deliver(BACK_OFFICE_STATE, own)
        transport.deliver(BACK_OFFICE_STATE, _word(transport))
        await _until(lambda: _said(transport) == [(True, 1)] * 2)
        transport.deliver(BACK_OFFICE_STATE, own)
        transport.deliver(BACK_OFFICE_STATE, b"no envelope")
        await _until(lambda: _said(transport) == [(True, 1)] * 3)


async def test_link_that_lost_the_lease_takes_its_will_back(world: World, transport: MemoryTransport) -> None:
    async with _running(world, transport):
        transport.connect(1)
        await _until(lambda: _said(transport) == [(True, 1)])
        with world.database.writing() as session:
            taken = leadership.stand(
                session, Worker("bo-2", "i2"), lease_s=60, now=world.context.now, gone=Gone("i1", 1)
            )
        assert taken == 2
        transport.deliver(BACK_OFFICE_STATE, _word(transport, is_online=True, instance="i2", term=2))
        await _until(lambda: transport.runs == 2)
        transport.connect(2)
    assert [will is not None for will in transport.wills] == [True, False]
    assert _said(transport) == [(True, 1)]
