"""The fleet's connection: retained documents out, reports in, nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Update, create_engine, event
from sqlalchemy.orm import Session as SqlSession

from backoffice.desired import publisher as publishing
from backoffice.desired import reports, rollouts, waiting
from backoffice.desired.bundle import Bundle
from backoffice.desired.publisher import Publisher
from backoffice.ingest.context import Context, Incoming
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport
from backoffice.store.schema import Base
from pos_agent.mqtt.messages import Properties, PublishResult
from pos_agent.protocol.codec import encode
from pos_agent.protocol.desired import CONFIG_TYPE
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.fakes.broker_client import until
from tests.fakes.fleet import Fleet, etags, report
from tests.unit.backoffice.connection import MemoryConnection
from tests.unit.backoffice.world import TERMINAL, World

pytestmark = pytest.mark.slow

TOPIC = terminal_topic(TERMINAL, Leaf.CFG_DESIRED)


class MemoryTransport(MemoryConnection):
    """A connection that can refuse."""

    def __init__(self) -> None:
        super().__init__(is_retained=True)
        self.published: list[tuple[str, bytes, bool, str]] = []
        self.reason_code = 0

    def take(self, topic: str, payload: bytes, *, is_retained: bool, properties: Properties) -> PublishResult:
        self.published.append((topic, payload, is_retained, properties.content_type))
        return PublishResult(self.reason_code)


@asynccontextmanager
async def _running(world: World, transport: MemoryTransport, holder: str = "one") -> AsyncIterator[Publisher]:
    made = Publisher(transport, world.database, context=world.context, holder=holder)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


def _release(world: World, fleet: Fleet) -> Bundle:
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    with world.database.writing() as session:
        rollouts.push(session, bundle, fleet.pins, now=world.context.now, by="li")
        rollouts.release(session, "r1", now=world.context.now, share=rollouts.ALL)
    return bundle


def _document(world: World, version: int = 1) -> ConfigDocument:
    found = next(row for row in world.rows(ConfigDocument) if row.version == version)
    assert isinstance(found, ConfigDocument)
    return found


async def test_publisher_publishes_the_signed_bytes_retained_once(world: World, fleet: Fleet) -> None:
    bundle, transport = _release(world, fleet), MemoryTransport()
    async with _running(world, transport):
        transport.connect()
        await until(lambda: _document(world).published_at is not None)
    assert transport.published == [(TOPIC, bytes(bundle.pairs[0].config), True, CONFIG_TYPE)]


async def test_publisher_subscribes_to_reports_and_to_nothing_else(world: World) -> None:
    transport = MemoryTransport()
    Publisher(transport, world.database, context=world.context, holder="one")
    assert transport.session is not None
    assert [each.topic_filter for each in transport.session.subscriptions] == ["pos/v1/t/+/cfg/reported"]
    assert transport.session.will is None


async def test_publisher_sees_what_a_command_released_while_it_runs(world: World, fleet: Fleet) -> None:
    transport = MemoryTransport()
    async with _running(world, transport) as made:
        transport.connect()
        assert await made.round() == 0
        _release(world, fleet)
        await until(lambda: len(transport.published) == 1)


async def test_document_that_the_broker_refuses_or_never_gets_stays_waiting(world: World, fleet: Fleet) -> None:
    _release(world, fleet)
    transport = MemoryTransport()
    made = Publisher(transport, world.database, context=world.context, holder="one")
    assert await made.round() == 0
    transport.is_up, transport.reason_code = True, 0x87
    assert await made.round() == 0
    assert _document(world).is_waiting
    transport.reason_code = 0
    assert await made.round() == 1
    assert not _document(world).is_waiting


async def test_new_connection_publishes_again_what_no_till_has_answered(world: World, fleet: Fleet) -> None:
    bundle, transport = _release(world, fleet), MemoryTransport()
    etag, _ = etags(bundle, fleet, TERMINAL)
    made = Publisher(transport, world.database, context=world.context, holder="one")
    for count in (1, 2):
        transport.connect(count)
        assert await made.round() == 1, "the broker may have lost everything"
    reported = report(TERMINAL, running=(1, etag), attempted=(1, etag, "confirmed", ""))
    async with _running(world, transport):
        transport.deliver(
            terminal_topic(TERMINAL, Leaf.CFG_REPORTED),
            seal(encode(reported), payload_type=UP_TYPE, kid="d1", key=world.keys[TERMINAL]),
        )
        await until(lambda: len(transport.acked) == 1)
    assert world.rows(ConfigReport)[0].running_version == 1
    transport.connect(3)
    assert await made.round() == 0


async def test_report_is_acknowledged_only_after_it_is_stored(world: World) -> None:
    transport = MemoryTransport()
    async with _running(world, transport):
        transport.deliver(terminal_topic(TERMINAL, Leaf.CFG_REPORTED), b"garbage")
        assert len(transport.acked) == 0
        await until(lambda: len(transport.acked) == 1)


async def test_of_two_workers_one_publishes(world: World, fleet: Fleet) -> None:
    transports = (MemoryTransport(), MemoryTransport())
    leader, other = (
        Publisher(transport, world.database, context=world.context, holder=holder)
        for transport, holder in zip(transports, ("leader", "other"), strict=True)
    )
    for transport, worker in zip(transports, (leader, other), strict=True):
        transport.connect()
        assert await worker.round() == 0
    _release(world, fleet)
    assert await other.round() == 0
    assert await leader.round() == 1
    assert await other.round() == 0
    world.later(seconds=publishing._LEASE_S + 1)
    assert await other.round() == 1, "whoever takes over offers again what no till has answered"
    assert [len(transport.published) for transport in transports] == [1, 1]


async def test_reports_that_come_one_after_the_other_under_load_share_a_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_GATHER_S", 0.5)
    sizes: list[int] = []
    receive = reports.receive

    def counted(session: SqlSession, context: Context, batch: Sequence[Incoming]) -> None:
        sizes.append(len(batch))
        receive(session, context, batch)

    monkeypatch.setattr(reports, "receive", counted)
    transport, topic = MemoryTransport(), terminal_topic(TERMINAL, Leaf.CFG_REPORTED)
    async with _running(world, transport):
        for _ in range(publishing._BUSY):
            transport.deliver(topic, b"garbage")
        await until(lambda: len(transport.acked) == publishing._BUSY)
        for _ in range(3):
            transport.deliver(topic, b"garbage")
            await asyncio.sleep(0.01)
        await until(lambda: len(transport.acked) == publishing._BUSY + 3)
    assert sizes == [publishing._BUSY, 3]


async def test_worker_that_may_not_publish_remembers_its_new_connection(world: World, fleet: Fleet) -> None:
    """The broker may have lost everything while the one who published is dead and its lease still runs."""
    _release(world, fleet)
    leader_transport, transport = MemoryTransport(), MemoryTransport()
    leader = Publisher(leader_transport, world.database, context=world.context, holder="leader")
    other = Publisher(transport, world.database, context=world.context, holder="other")
    leader_transport.connect()
    assert await leader.round() == 1
    transport.connect()
    assert await other.round() == 0
    world.later(seconds=publishing._LEASE_S + 1)
    assert await other.round() == 1


@pytest.mark.parametrize("statement", [waiting._SETTLED, waiting._OUTDATED])
def test_word_of_a_few_tills_is_no_walk_through_all_documents_that_wait(statement: Update) -> None:
    engine, ran = create_engine("sqlite://"), []
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: ran.append(args[2:4]))
        connection.execute(statement, {"tills": [TERMINAL]})
        sql, values = ran[0]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
    engine.dispose()
    assert "(terminal_id=?)" in plan[0].detail
