"""The link under load: what shares a transaction, what is sent once, whom it wakes (ADR 0026)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import event

from backoffice.ingest.receiver import Receiver
from backoffice.leadership import Worker
from backoffice.link import Link
from backoffice.signing import Signer
from backoffice.store.schema import OutboxRow
from pos_agent.protocol.messages import AppAckMessage, RefundStateMessage, RefundWithdrawMessage, StateAckMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.unit.backoffice.test_link import MemoryTransport, _deliver, _until
from tests.unit.backoffice.world import TERMINAL, World


@asynccontextmanager
async def _connected(world: World, transport: MemoryTransport, received: list[str]) -> AsyncIterator[None]:
    link = Link(
        transport,
        world.database,
        Receiver(world.database, world.context),
        Signer(transport.key, "bo"),
        now=world.context.now,
        worker=Worker("bo-1", "i1"),
        on_received=lambda: received.append("executor"),
    )
    task = asyncio.create_task(link.run(), name="link under test")
    try:
        await _until(lambda: transport.runs == 1)
        transport.connect(1)
        await _until(lambda: bool(transport.published))
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_first_states_go_once_each_and_new_requests_wake_no_executor(world: World) -> None:
    transport, received = MemoryTransport(), list[str]()
    async with _connected(world, transport, received):
        _deliver(world, transport, 6)
        await _until(lambda: len(transport.of(RefundStateMessage)) == 6)
        for message in transport.of(RefundStateMessage):
            assert isinstance(message, RefundStateMessage)
            update = message.update
            ack = StateAckMessage(
                terminal_id=TERMINAL, refund_request_id=update.refund_request_id, epoch=update.epoch, seq=update.seq
            )
            transport.deliver(terminal_topic(TERMINAL, Leaf.UP_ACK), world.sealed(ack))
        await _until(lambda: world.rows(OutboxRow) == [])
    assert len(transport.of(RefundStateMessage)) == 6
    assert received == []


async def test_withdrawal_wakes_the_executor_and_its_state_is_sent(world: World) -> None:
    transport, received = MemoryTransport(), list[str]()
    request = world.request()
    world.submit(request)
    withdraw = RefundWithdrawMessage(
        terminal_id=TERMINAL, refund_request_id=request.refund_request_id, rev=1, operator_no="01", at=world.now
    )
    async with _connected(world, transport, received):
        transport.deliver(terminal_topic(TERMINAL, Leaf.UP_REFUND), world.sealed(withdraw))
        await _until(lambda: 2 in _seqs(transport))
    assert received == ["executor"]


def _seqs(transport: MemoryTransport) -> list[int]:
    return [each.update.seq for each in transport.of(RefundStateMessage) if isinstance(each, RefundStateMessage)]


async def test_messages_that_come_together_share_few_transactions(world: World) -> None:
    transport, received = MemoryTransport(), list[str]()
    commits: list[object] = []
    event.listen(world.database.engine, "commit", commits.append)
    async with _connected(world, transport, received):
        commits.clear()
        _deliver(world, transport, 100)
        await _until(lambda: len(transport.of(AppAckMessage)) == 100)
        assert len(commits) <= 3, "a hundred requests, and the outbox was looked at without a commit"
