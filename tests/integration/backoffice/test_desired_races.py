"""Signed configuration on both databases: the whole way, and two of everything at once."""

import asyncio

from backoffice.desired import progress, reports, rollouts, waiting
from backoffice.desired.bundle import BundleError
from backoffice.desired.publisher import Publisher
from backoffice.ingest.context import Incoming
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport
from backoffice.web import fleet as fleet_page
from pos_agent.protocol.codec import encode
from pos_agent.protocol.desired import ConfigReported
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.fakes.fleet import Fleet, etags, report
from tests.integration.backoffice.racing import race, world
from tests.unit.backoffice.desired.test_publisher import MemoryTransport
from tests.unit.backoffice.world import TERMINAL, World

__all__ = ["world"]


def _incoming(world: World, reported: ConfigReported) -> Incoming:
    sealed = seal(encode(reported), payload_type=UP_TYPE, kid="d1", key=world.keys[reported.terminal_id])
    return Incoming(terminal_topic(reported.terminal_id, Leaf.CFG_REPORTED), sealed)


def _push(world: World, fleet: Fleet, rollout: str = "r1", number: int = 1) -> tuple[str, str]:
    bundle = fleet.sign(fleet.plan((TERMINAL, number)), fleet.wish(rollout))
    with world.database.writing() as session:
        rollouts.push(session, bundle, fleet.pins, now=world.context.now, by="li")
    return etags(bundle, fleet, TERMINAL)


def test_rollout_goes_its_whole_way_on_either_database(world: World) -> None:
    fleet = Fleet()
    etag, undo_etag = _push(world, fleet)
    with world.database.writing() as session:
        assert rollouts.release(session, "r1", now=world.context.now, share=rollouts.ALL) == (1, [])
        waiting.offer_unanswered(session)
    with world.database.writing() as session:
        waiting.note_published(session, waiting.take(session), world.context.now)
    for seq, state in enumerate(("staged", "trial", "confirmed"), 1):
        with world.database.writing() as session:
            said = report(TERMINAL, seq=seq, running=(1, etag), attempted=(1, etag, state, ""), highest_version=2**40)
            reports.receive(session, world.context, [_incoming(world, said), Incoming("x", b"x")])
    with world.database.reading() as session:
        assert progress.of(session, "r1").counts == {"confirmed": 1}
        assert waiting.highest_numbers(session, [TERMINAL]) == {TERMINAL: 2**40}
    with world.database.writing() as session:
        assert rollouts.undo(session, "r1", now=world.context.now) == 1
        said = report(TERMINAL, seq=9, attempted=(2, undo_etag, "rolled_back", "health"))
        reports.receive(session, world.context, [_incoming(world, said)])
    with world.database.reading() as session:
        assert [line.problems for line in fleet_page.fleet(session, view="problems").rows] == [["config"]]


def test_two_who_push_the_same_number_at_once_are_told_apart(world: World) -> None:
    fleet = Fleet()

    def push(rollout: str) -> str:
        try:
            _push(world, fleet, rollout)
        except BundleError as error:
            return str(error)
        return ""

    results = race(lambda: push("r1"), lambda: push("r2"))
    good, refused = sorted(map(str, results))
    assert good == ""
    assert "make a new plan" in refused
    assert len(world.rows(ConfigDocument)) == 2


async def test_two_workers_who_hear_the_same_first_report_keep_one(world: World) -> None:
    names = [f"t-race-{number:02d}" for number in range(8)]
    for name in names:
        world.enrol(name)
    batch = [_incoming(world, report(name, highest_version=3)) for name in names]
    workers = [
        Publisher(MemoryTransport(), world.database, context=world.context, holder=holder) for holder in ("one", "two")
    ]
    await asyncio.gather(workers[0]._store(batch), workers[1]._store(batch[::-1]))
    assert sorted(row.terminal_id for row in world.rows(ConfigReport)) == names
    assert {row.highest for row in world.rows(ConfigReport)} == {3}
