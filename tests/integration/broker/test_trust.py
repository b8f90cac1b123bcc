"""D15: whoever owns the broker can delay and drop, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from pos_agent.domain.events import LookUpAnswered, RefundChanged, RequestHeld, RequestStored
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundState
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.journal.records import OutboxStatus
from pos_agent.protocol import codec
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE, seal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    DownMessage,
    RefundStateMessage,
    SaleAnswerMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic
from tests.fakes.broker_client import Client, running, until
from tests.fakes.broker_office import OFFICE_KID, Office, open_office
from tests.fakes.broker_till import TillUnderTest, open_till
from tests.fakes.samples import START, make_request, make_update
from tests.fixtures_broker import Broker

pytestmark = pytest.mark.broker
TILL = "t-test-1"


class Scene:
    """A till and a mute back office, and somebody with full rights on the broker and keys of their own."""

    def __init__(self, till: TillUnderTest, office: Office, evil: Client) -> None:
        self.till, self.office, self.evil = till, office, evil
        self.evil_key = PrivateKey.generate()

    def forged(self, message: DownMessage, kid: str = OFFICE_KID) -> bytes:
        return seal(codec.encode(message), payload_type=DOWN_TYPE, kid=kid, key=self.evil_key)

    async def inject(self, leaf: Leaf, payload: bytes) -> None:
        await self.evil.connection.publish(terminal_topic(TILL, leaf), payload)

    def refused(self) -> int:
        names = ("unsigned", "malformed", "foreign", "unsupported", "stale")
        return sum(self.till.service.counters.get(name, 0) for name in names)

    async def until_refused(self, count: int) -> None:
        await until(lambda: self.refused() >= count)


@pytest_asyncio.fixture
async def scene(broker: Broker, tmp_path: Path, device_key: PrivateKey, office_key: PrivateKey) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        made = Office(broker.settings("bo-1"), office_key, {"d-1": device_key.public_key()})
        office = await stack.enter_async_context(open_office(made))
        evil = await stack.enter_async_context(running(Client(broker.settings("evil-1"), "pos/v1/#")))
        till = await stack.enter_async_context(
            open_till(tmp_path / "journal", broker.settings(TILL), device_key, office_key.public_key())
        )
        await until(lambda: till.service.is_back_office_present)
        yield Scene(till, office, evil)


def ack(rid: str, status: AckStatus = AckStatus.STORED, terminal_id: str = TILL) -> AppAckMessage:
    return AppAckMessage(
        terminal_id=terminal_id, refund_request_id=rid, kind="refund.request", rev=1, status=status, epoch=1, at=START
    )


async def test_forged_messages_change_nothing(scene: Scene) -> None:
    till = scene.till
    scene.office.is_mute = True
    request = await till.journal.commit_refund(make_request(), [])
    rid = request.refund_request_id
    before = len(till.events)
    head = await till.journal.sync_head()
    reply = SyncReplyMessage(
        terminal_id=TILL,
        boot_id="boot-1",
        conn_seq=till.connection.link.conn_seq,
        page=1,
        epoch=9,
        token="evil",
        highest_seq=999,
        at=START,
    )
    found = LookUpResult(lookup_id="q-1", outcome=LookUpOutcome.NOT_FOUND)
    till.service.look_up.look_up("q-1", OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "O"), "01")
    forgeries = [
        (Leaf.DOWN_ACK, scene.forged(ack(rid))),
        (Leaf.DOWN_ACK, scene.forged(ack(rid, AckStatus.CONFLICT), kid="d-1")),
        (Leaf.DOWN_ACK, scene.forged(reply)),
        (Leaf.DOWN_REFUND, scene.forged(RefundStateMessage(terminal_id=TILL, update=make_update(rid)))),
        (Leaf.DOWN_ANSWER, scene.forged(SaleAnswerMessage(terminal_id=TILL, result=found, at=START))),
        (Leaf.DOWN_ACK, codec.encode(ack(rid))),
    ]
    for leaf, payload in forgeries:
        await scene.inject(leaf, payload)
    offline = scene.office.presence(is_online=False, conn_seq=99)
    await scene.evil.connection.publish(BACK_OFFICE_STATE, scene.forged(offline), is_retained=True)
    await scene.until_refused(len(forgeries) + 1)
    assert till.service.counters["unsigned"] + till.service.counters.get("malformed", 0) == len(forgeries) + 1
    assert till.events[before:] == []
    [row] = await till.journal.outbox_rows()
    assert row.status in (OutboxStatus.QUEUED, OutboxStatus.SENT)
    assert await till.journal.sync_head() == head
    assert till.service.is_back_office_present


async def test_message_signed_for_another_terminal_is_refused(scene: Scene) -> None:
    scene.office.is_mute = True
    request = await scene.till.journal.commit_refund(make_request(), [])
    for message in (ack(request.refund_request_id, terminal_id="t-other"),):
        await scene.inject(Leaf.DOWN_ACK, scene.office.sealed(message))
    await scene.until_refused(1)
    assert scene.till.service.counters["foreign"] == 1
    assert len(await scene.till.journal.outbox_rows()) == 1


async def test_up_message_sent_back_down_is_no_message_of_the_back_office(scene: Scene) -> None:
    till_key = seal(codec.encode(ack("98")), payload_type=UP_TYPE, kid=OFFICE_KID, key=scene.office.key)
    await scene.inject(Leaf.DOWN_ACK, till_key)
    await scene.until_refused(1)
    assert scene.till.service.counters["unsigned"] == 1


async def test_replayed_acks_and_states_change_nothing(scene: Scene) -> None:
    till = scene.till
    request = await till.journal.commit_refund(make_request(), [])
    rid = request.refund_request_id
    await until(lambda: bool(till.of(RequestStored)))
    await scene.office.decide(TILL, rid, RefundState.EXECUTING, seq=2)
    await scene.office.decide(TILL, rid, RefundState.SUCCEEDED, seq=3)
    await until(lambda: len(scene.office.state_acks) == 2)
    overheard = [m for m in scene.evil.messages if m.topic.startswith(f"pos/v1/t/{TILL}/down/")]
    assert len(overheard) >= 4, "sync reply, ack and two states"
    before = [event for event in till.events if isinstance(event, RequestStored | RefundChanged | RequestHeld)]
    second = await till.journal.commit_refund(make_request(2), [])
    await until(lambda: len(till.of(RequestStored)) == 2)
    for _ in range(2):
        for message in overheard:
            await scene.evil.connection.publish(message.topic, message.payload)
    await until(lambda: till.service.counters.get("ack_without_row", 0) >= 2)
    await until(lambda: len(scene.office.state_acks) >= 6)
    after = [event for event in till.events if isinstance(event, RequestStored | RefundChanged | RequestHeld)]
    assert after == [*before, RequestStored(second.refund_request_id)]
    record = await till.journal.refund(rid)
    assert record is not None
    assert record.state is RefundState.SUCCEEDED
    assert len(await till.journal.slips(rid)) == 1


async def test_replayed_online_presence_does_not_bring_back_a_dead_back_office(scene: Scene) -> None:
    till = scene.till
    online = next(m for m in scene.evil.messages if m.topic == BACK_OFFICE_STATE)
    await scene.office.say_presence(is_online=False)
    await until(lambda: not till.service.is_back_office_present)
    await scene.evil.connection.publish(BACK_OFFICE_STATE, online.payload, is_retained=True)
    await until(lambda: till.service.counters.get("stale", 0) >= 1)
    assert not till.service.is_back_office_present


async def test_old_presence_of_an_earlier_instance_is_ignored(scene: Scene) -> None:
    old = msgspec.structs.replace(
        scene.office.presence(is_online=False, conn_seq=7), instance="i-0", at=START - timedelta(days=1)
    )
    await scene.evil.connection.publish(BACK_OFFICE_STATE, scene.office.sealed(old))
    await until(lambda: scene.till.service.counters.get("stale", 0) >= 1)
    assert scene.till.service.is_back_office_present


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe\x00",
        b"{}",
        b"[1,2",
        b'{"payloadType":"x","payload":"!","signatures":[]}',
        b"x" * 200_000,
        "不是报文".encode(),
    ],
    ids=["empty", "binary", "object", "cut", "no base64", "oversize", "text"],
)
async def test_garbage_is_counted_acknowledged_and_survived(scene: Scene, payload: bytes) -> None:
    for _ in range(30):  # more than the receive window: each is acknowledged
        await scene.inject(Leaf.DOWN_REFUND, payload)
    await scene.until_refused(30)
    request = await scene.till.journal.commit_refund(make_request(), [])
    await until(lambda: bool(scene.till.of(RequestStored)))
    assert scene.office.requests == {request.refund_request_id: request}


async def test_signed_but_unknown_type_or_version_is_refused(scene: Scene) -> None:
    for payload in (b'{"type":"coffee","v":1}', b'{"type":"ack","v":2}', b'{"type":"ack","v":1}'):
        data = seal(payload, payload_type=DOWN_TYPE, kid=OFFICE_KID, key=scene.office.key)
        await scene.inject(Leaf.DOWN_ACK, data)
    await scene.until_refused(3)
    assert scene.till.service.counters["unsupported"] == 2
    assert scene.till.service.counters["malformed"] == 1


async def test_answer_to_no_question_is_dropped(scene: Scene) -> None:
    result = LookUpResult(lookup_id="q-unasked", outcome=LookUpOutcome.NOT_FOUND)
    answer = SaleAnswerMessage(terminal_id=TILL, result=result, at=START)
    await scene.office.say(TILL, Leaf.DOWN_ANSWER, answer)
    await until(lambda: scene.till.service.counters["unasked_answer"] == 1)
    assert scene.till.of(LookUpAnswered) == []


async def test_dropped_acks_delay_only(scene: Scene) -> None:
    scene.office.is_mute = True
    request = await scene.till.journal.commit_refund(make_request(), [])
    async with asyncio.timeout(5):
        while (await scene.till.journal.outbox_rows())[0].attempts == 0:  # noqa: ASYNC110 - told by the journal
            await asyncio.sleep(0.005)
    scene.office.is_mute = False
    await scene.office.say(TILL, Leaf.DOWN_ACK, ack(request.refund_request_id))
    await until(lambda: scene.till.of(RequestStored) == [RequestStored(request.refund_request_id)])
