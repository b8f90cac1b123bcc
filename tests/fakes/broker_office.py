"""A back office of a page: keeps requests in RAM, answers with signed messages; for tests over a real broker."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from pos_agent.domain.refund import RefundRequest, RefundState, RefundUpdate
from pos_agent.domain.sale import LookUpOutcome, LookUpResult
from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Subscription, Will
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.protocol import codec
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE, seal, unseal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    BackOfficePresenceMessage,
    DownMessage,
    PresenceMessage,
    RefundRequestMessage,
    RefundStateMessage,
    RefundWithdrawMessage,
    SaleAnswerMessage,
    SaleLookUpMessage,
    StateAckMessage,
    SyncMessage,
    SyncReplyMessage,
    UpMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic
from tests.fakes.samples import START, make_update

OFFICE_KID = "bo-2026"


class Office:
    """The other side of the wire contract.

    Attributes:
        refusals: refund_request_id → status to answer instead of storing.
        is_mute: Take messages, answer nothing.
        unanswered: What came while it was mute.
    """

    def __init__(
        self,
        settings: MqttSettings,
        key: PrivateKey,
        terminals: Mapping[str, PublicKey],
        instance: str = "i-1",
    ) -> None:
        self.connection = MqttConnection(settings)
        self.key = key
        self.terminals = terminals
        self.instance = instance
        self.started = START
        self.requests: dict[str, RefundRequest] = {}
        self.deliveries: list[str] = []
        self.withdrawn: list[str] = []
        self.state_acks: list[StateAckMessage] = []
        self.syncs: list[SyncMessage] = []
        self.presences: list[PresenceMessage] = []
        self.refusals: dict[str, AckStatus] = {}
        self.wanted: tuple[str, ...] = ()
        self.epoch = 1
        self.highest_seq = 0
        self.is_mute = False
        self.unanswered: list[UpMessage] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection.attach(
            Session(
                subscriptions=(
                    Subscription(topic_filter="pos/v1/t/+/up/#"),
                    Subscription(topic_filter="pos/v1/t/+/state"),
                ),
                on_message=self._take,
                on_link=self._take_link,
                will=self._will,
            )
        )

    @property
    def is_connected(self) -> bool:
        return self.connection.link.is_connected

    def sealed(self, message: DownMessage) -> bytes:
        return seal(codec.encode(message), payload_type=DOWN_TYPE, kid=OFFICE_KID, key=self.key)

    async def say(self, terminal_id: str, leaf: Leaf, message: DownMessage) -> None:
        await self.connection.publish(terminal_topic(terminal_id, leaf), self.sealed(message))

    async def tell(self, terminal_id: str, update: RefundUpdate) -> None:
        await self.say(terminal_id, Leaf.DOWN_REFUND, RefundStateMessage(terminal_id=terminal_id, update=update))

    def presence(self, *, is_online: bool, conn_seq: int) -> BackOfficePresenceMessage:
        return BackOfficePresenceMessage(
            is_online=is_online, instance=self.instance, conn_seq=conn_seq, epoch=self.epoch, at=self.started
        )

    async def say_presence(self, *, is_online: bool) -> None:
        message = self.presence(is_online=is_online, conn_seq=self.connection.link.conn_seq)
        await self.connection.publish(BACK_OFFICE_STATE, self.sealed(message), is_retained=True)

    def _will(self, conn_seq: int) -> Will:
        payload = self.sealed(self.presence(is_online=False, conn_seq=conn_seq))
        return Will(topic=BACK_OFFICE_STATE, payload=payload, delay_s=0)

    def _take_link(self, link: LinkState) -> None:
        if link.is_connected:
            self._spawn(self.say_presence(is_online=True))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take(self, message: InboundMessage) -> None:
        message.ack()
        payload, _ = unseal(message.payload, payload_type=UP_TYPE, keys=self.terminals)
        found = codec.decode_up(payload)
        if isinstance(found, PresenceMessage):
            self.presences.append(found)
        elif self.is_mute:
            self.unanswered.append(found)
        else:
            self._answer(found)

    def _answer(self, found: UpMessage) -> None:
        match found:
            case RefundRequestMessage():
                rid = found.request.refund_request_id
                self.deliveries.append(rid)
                status = self.refusals.get(rid, AckStatus.DUPLICATE if rid in self.requests else AckStatus.STORED)
                if rid not in self.refusals:
                    self.requests[rid] = found.request
                    self.highest_seq = max(self.highest_seq, found.request.seq)
                self._ack(found.terminal_id, rid, "refund.request", found.rev, status)
            case RefundWithdrawMessage():
                self.withdrawn.append(found.refund_request_id)
                self._ack(found.terminal_id, found.refund_request_id, "refund.withdraw", found.rev, AckStatus.STORED)
            case StateAckMessage():
                self.state_acks.append(found)
            case SyncMessage():
                self.syncs.append(found)
                self._reply(found)
            case SaleLookUpMessage():
                result = LookUpResult(lookup_id=found.lookup_id, outcome=LookUpOutcome.NOT_FOUND)
                answer = SaleAnswerMessage(terminal_id=found.terminal_id, result=result, at=START)
                self._spawn(self.say(found.terminal_id, Leaf.DOWN_ANSWER, answer))
            case _:
                raise AssertionError(found)

    def _ack(self, terminal_id: str, rid: str, kind: str, rev: int, status: AckStatus) -> None:
        ack = AppAckMessage(
            terminal_id=terminal_id,
            refund_request_id=rid,
            kind=kind,
            rev=rev,
            status=status,
            epoch=self.epoch,
            at=START + timedelta(seconds=1),
        )
        self._spawn(self.say(terminal_id, Leaf.DOWN_ACK, ack))

    def _reply(self, sync: SyncMessage) -> None:
        reply = SyncReplyMessage(
            terminal_id=sync.terminal_id,
            boot_id=sync.boot_id,
            conn_seq=sync.conn_seq,
            nonce=sync.nonce,
            page=sync.page,
            epoch=self.epoch,
            token=f"token-{len(self.syncs)}",
            highest_seq=self.highest_seq,
            at=START,
            wanted=self.wanted,
        )
        self._spawn(self.say(sync.terminal_id, Leaf.DOWN_ACK, reply))

    async def decide(self, terminal_id: str, rid: str, state: RefundState, seq: int) -> None:
        await self.tell(terminal_id, make_update(rid, state, epoch=self.epoch, seq=seq))

    async def settle(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_office(office: Office) -> AsyncIterator[Office]:
    """Run an office until it is stopped cleanly, without a word of goodbye."""
    task = asyncio.create_task(office.connection.run(), name="office")
    try:
        async with asyncio.timeout(10):
            while not office.is_connected:  # noqa: ASYNC110 - told by another thread
                await asyncio.sleep(0.002)
        yield office
    finally:
        await office.settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
