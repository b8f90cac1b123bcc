"""What tills report: believed with their signature, kept, alarmed once, and the reason to offer a document again."""

import msgspec
import pytest

from backoffice.desired import progress, reports, rollouts, waiting
from backoffice.ingest.context import Incoming
from backoffice.store.rollout_tables import ConfigReport
from backoffice.store.schema import EventRow, RefusedBytes
from backoffice.web import fleet as fleet_page
from pos_agent.domain.desired import ConfigState
from pos_agent.protocol.codec import encode
from pos_agent.protocol.desired import ConfigAttempt, ConfigReported
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.fakes.fleet import Fleet, etags, report
from tests.unit.backoffice.world import START, TERMINAL, World

pytestmark = pytest.mark.slow


def _receive(world: World, *payloads: bytes, terminal_id: str = TERMINAL) -> None:
    topic = terminal_topic(terminal_id, Leaf.CFG_REPORTED)
    with world.database.writing() as session:
        reports.receive(session, world.context, [Incoming(topic, payload) for payload in payloads])


def _sealed(world: World, reported: ConfigReported, *, key: PrivateKey | None = None) -> bytes:
    return seal(encode(reported), payload_type=UP_TYPE, kid="d1", key=key or world.keys[TERMINAL])


def _hear(world: World, reported: ConfigReported) -> None:
    _receive(world, _sealed(world, reported))


def _row(world: World) -> ConfigReport:
    (row,) = world.rows(ConfigReport)
    assert isinstance(row, ConfigReport)
    return row


def _alarms(world: World) -> list[str]:
    return [row.name for row in world.rows(EventRow) if row.is_alarm]


@pytest.fixture
def released(world: World, fleet: Fleet) -> tuple[str, str]:
    """Return the etags of a configuration that is out at our till, and of its undo."""
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    with world.database.writing() as session:
        rollouts.push(session, bundle, fleet.pins, now=world.context.now, by="li")
        rollouts.release(session, "r1", now=world.context.now, share=rollouts.ALL)
        waiting.note_published(session, waiting.take(session), world.context.now)
    return etags(bundle, fleet, TERMINAL)


def _waiting(world: World) -> list[int]:
    with world.database.reading() as session:
        return [row.version for row in waiting.take(session)]


def test_report_is_stored_with_running_and_attempted_apart(world: World, released: tuple[str, str]) -> None:
    etag, _ = released
    _hear(world, report(TERMINAL, attempted=(1, etag, "rolled_back", "health")))
    row = _row(world)
    assert (row.running_version, row.attempted_version, row.state, row.reason) == (0, 1, "rolled_back", "health")
    assert (row.at, row.reported_at, row.agent) == (START, world.now, "0.2.0")
    with world.database.reading() as session:
        found = progress.tills(session, [TERMINAL])[TERMINAL]
    assert (found.running, found.desired, found.state, found.is_wrong) == (0, 1, "rolled_back", True)


@pytest.mark.parametrize(("state", "name"), [("rolled_back", "config_rolled_back"), ("rejected", "config_rejected")])
def test_document_that_went_wrong_is_alarmed_once(
    world: World, released: tuple[str, str], state: str, name: str
) -> None:
    for seq in (1, 2, 3):
        _hear(world, report(TERMINAL, seq=seq, attempted=(1, released[0], state, "health")))
    assert _alarms(world) == [name]
    _hear(world, report(TERMINAL, seq=4, attempted=(2, released[1], state, "health")))
    assert _alarms(world) == [name, name], "another document is another alarm"


def test_document_that_is_not_ours_is_alarmed_once_a_day(world: World) -> None:
    for seq in range(1, 6):
        _hear(world, report(TERMINAL, seq=seq, attempted=(seq, f"{seq:064x}", "rejected", "signature")))
    assert _alarms(world) == ["config_not_ours"]
    world.later(days=1)
    _hear(world, report(TERMINAL, seq=9, attempted=(9, f"{9:064x}", "rejected", "signature")))
    assert _alarms(world) == ["config_not_ours"] * 2


@pytest.mark.parametrize("state", ["staged", "trial", "confirmed"])
def test_document_that_goes_well_is_no_alarm(world: World, released: tuple[str, str], state: str) -> None:
    _hear(world, report(TERMINAL, attempted=(1, released[0], state, "")))
    assert _alarms(world) == []


def test_report_forged_damaged_or_of_another_till_is_kept_and_changes_nothing(world: World) -> None:
    world.enrol("t-shop-02")
    forged = _sealed(world, report(TERMINAL), key=PrivateKey.generate())
    other = seal(encode(report("t-shop-02")), payload_type=UP_TYPE, kid="d1", key=world.keys[TERMINAL])
    not_utf8 = seal(b'{"type":"config.reported","\xff"', payload_type=UP_TYPE, kid="d1", key=world.keys[TERMINAL])
    _receive(world, forged, other, not_utf8, b"{}", b"", b"\xff", forged)
    _receive(world, forged, terminal_id="t-nobody")
    assert world.rows(ConfigReport) == []
    causes = sorted((row.cause, row.count) for row in world.rows(RefusedBytes))
    assert [count for _, count in causes].count(2) == 1
    assert ("unknown_terminal", 1) in causes
    assert len(causes) == 6


def test_bad_report_in_a_batch_spares_the_others(world: World) -> None:
    _receive(world, b"garbage", _sealed(world, report(TERMINAL, highest_version=3)), b"garbage too")
    assert _row(world).highest == 3


def test_old_report_that_the_broker_repeats_is_not_believed(world: World) -> None:
    _hear(world, report(TERMINAL, seq=5, highest_version=7, running=(7, "a" * 64)))
    _hear(world, report(TERMINAL, seq=4, running=(6, "b" * 64)))
    assert _row(world).running_version == 7
    _hear(world, report(TERMINAL, seq=1, book_id="book-2"))
    assert _row(world).running_version == 0, "a new card begins a new record"
    assert _row(world).highest == 7
    _hear(world, report(TERMINAL, seq=6, running=(7, "a" * 64)))
    assert _row(world).running_version == 0, "the record that ended is not believed again"


def test_till_that_lost_its_card_is_offered_the_configuration_again(world: World, released: tuple[str, str]) -> None:
    etag, _ = released
    _hear(world, report(TERMINAL, running=(1, etag), attempted=(1, etag, "confirmed", "")))
    assert _waiting(world) == []
    _hear(world, report(TERMINAL, book_id="book-2"))
    assert _waiting(world) == [1]
    _hear(world, report(TERMINAL, book_id="book-2", seq=2, attempted=(1, etag, "staged", "")))
    assert _waiting(world) == [], "it has it"


@pytest.mark.parametrize("state", ["rolled_back", "rejected"])
def test_document_that_went_wrong_is_not_offered_again_by_itself(
    world: World, released: tuple[str, str], state: str
) -> None:
    _hear(world, report(TERMINAL, attempted=(1, released[0], state, "health")))
    with world.database.writing() as session:
        waiting.offer_unanswered(session)
    assert _waiting(world) == []


def test_unanswered_documents_are_offered_again_after_a_lost_broker(world: World, released: tuple[str, str]) -> None:
    assert released
    assert _waiting(world) == []
    with world.database.writing() as session:
        waiting.offer_unanswered(session)
    assert _waiting(world) == [1]


def test_older_document_is_never_offered_to_a_till_that_knows_a_newer_one(
    world: World, released: tuple[str, str]
) -> None:
    """After a restore the newest document that we have may be one that the till left behind long ago."""
    assert released
    with world.database.writing() as session:
        waiting.offer_unanswered(session)
    _hear(world, report(TERMINAL, running=(9, "c" * 64)))
    assert _waiting(world) == []
    with world.database.writing() as session:
        waiting.offer_unanswered(session)
    assert _waiting(world) == []


def test_words_of_a_till_that_are_too_long_are_cut_not_refused(world: World, released: tuple[str, str]) -> None:
    attempt = ConfigAttempt(
        version=1, etag=released[0], state=ConfigState.REJECTED, at=START, reason="r" * 500, detail="d" * 5000
    )
    _hear(world, msgspec.structs.replace(report(TERMINAL), attempted=attempt))
    _hear(world, msgspec.structs.replace(report(TERMINAL, seq=2), attempted=attempt, book_id="b" * 500))
    assert (len(_row(world).reason), len(_row(world).detail), len(_row(world).book_id)) == (40, 200, 64)


@pytest.mark.parametrize(
    ("attempted", "is_wrong"),
    [
        ((1, "own", "rolled_back", "health"), True),
        ((1, "own", "rejected", "expired"), True),
        ((1, "own", "trial", ""), False),
        ((0, "f" * 64, "rejected", "signature"), False),
        ((9, "f" * 64, "rolled_back", "health"), True),
    ],
)
def test_till_whose_newest_configuration_did_not_stay_is_a_problem_in_list_and_filter_alike(
    world: World, released: tuple[str, str], attempted: tuple[int, str, str, str], is_wrong: bool
) -> None:
    version, name, state, reason = attempted
    _hear(world, report(TERMINAL, attempted=(version, released[0] if name == "own" else name, state, reason)))
    with world.database.reading() as session:
        listed = fleet_page.fleet(session, view="problems")
        (line,) = fleet_page.fleet(session).rows
    assert [row.terminal_id for row in listed.rows] == ([TERMINAL] if is_wrong else [])
    assert line.problems == (["config"] if is_wrong else [])
