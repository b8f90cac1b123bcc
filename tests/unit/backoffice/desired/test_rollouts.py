"""Rollouts: numbers, refusals, waves, pause, undo; over the real database."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backoffice.desired import progress, reports, rollouts, waiting
from backoffice.desired.bundle import Bundle, BundleError
from backoffice.desired.fleet_keys import FleetKey
from backoffice.desired.rollouts import Skipped
from backoffice.store.rollout_tables import ConfigDocument, Rollout
from pos_agent.errors import SignatureError
from pos_agent.protocol.desired import ConfigReported
from pos_agent.protocol.ed25519 import PrivateKey
from tests.fakes.fleet import LIMITS, Fleet, etags, report, tampered
from tests.unit.backoffice.world import TERMINAL, World

pytestmark = pytest.mark.slow

OTHER = "t-shop-02"


def _push(world: World, fleet: Fleet, bundle: Bundle, **options: Any) -> int:
    with world.database.writing() as session:
        return rollouts.push(session, bundle, fleet.pins, now=world.context.now, by="li", **options)


def _release(world: World, rollout: str = "r1", **options: Any) -> tuple[int, list[Skipped]]:
    with world.database.writing() as session:
        return rollouts.release(session, rollout, now=world.context.now, **options)


def _undo(world: World, rollout: str = "r1") -> int:
    with world.database.writing() as session:
        return rollouts.undo(session, rollout, now=world.context.now)


def _waiting(world: World) -> list[tuple[str, int]]:
    with world.database.reading() as session:
        return sorted((row.terminal_id, row.version) for row in waiting.take(session))


def _published(world: World) -> None:
    with world.database.writing() as session:
        waiting.note_published(session, waiting.take(session), world.context.now)


def _hear(world: World, reported: ConfigReported) -> None:
    with world.database.writing() as session:
        reports.note(session, world.context, [reported])


def _plan(world: World, *terminal_ids: str) -> tuple[list[tuple[str, int]], list[Skipped]]:
    with world.database.reading() as session:
        made, skipped = rollouts.plan(session, list(terminal_ids), world.context.now)
    return [(till.terminal_id, till.version) for till in made.tills], skipped


def _states(world: World, rollout: str = "r1") -> dict[str, str]:
    with world.database.reading() as session:
        return {till.terminal_id: till.state for till in progress.of(session, rollout).tills}


def test_numbers_are_taken_from_max_of_own_and_reported_plus_1(world: World, fleet: Fleet) -> None:
    """trust.md 13: the back office numbers from max(own, reported) + 1."""
    assert _plan(world, TERMINAL) == ([(TERMINAL, 1)], [])
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1))))
    assert _plan(world, TERMINAL) == ([(TERMINAL, 3)], []), "version 1 and its undo 2 are taken"
    _hear(world, report(TERMINAL, highest_version=40))
    assert _plan(world, TERMINAL) == ([(TERMINAL, 41)], []), "the till accepted 40 of an earlier back office"
    _hear(world, report(TERMINAL, seq=2, highest_version=3))
    assert _plan(world, TERMINAL) == ([(TERMINAL, 41)], []), "what it said once counts for ever"


def test_number_of_a_rejected_document_is_not_taken(world: World) -> None:
    """Whoever can publish could otherwise use up all numbers of a till with one document that nobody signed."""
    _hear(world, report(TERMINAL, attempted=(2**53 - 1, "f" * 64, "rejected", "signature")))
    assert _plan(world, TERMINAL)[0] == [(TERMINAL, 1)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_push_of_a_number_that_is_not_free_names_the_right_one(world: World, fleet: Fleet, number: int) -> None:
    _hear(world, report(TERMINAL, highest_version=3))
    with pytest.raises(BundleError, match=f"version {number} is not free, the next one is 4"):
        _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, number))))
    assert world.rows(Rollout) == []


def test_push_of_a_number_far_above_is_refused_as_the_till_would(world: World, fleet: Fleet) -> None:
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 999_999))))
    with pytest.raises(BundleError, match="not free"):
        _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 2_000_001)), fleet.wish("r2")))


def test_push_takes_all_of_a_bundle_or_nothing(world: World, fleet: Fleet) -> None:
    world.enrol(OTHER)
    good = fleet.sign(fleet.plan((TERMINAL, 1), (OTHER, 1)))
    bad = msgspec.structs.replace(
        good.pairs[1], config=tampered(good.pairs[1].config, b'"payload":"ey', b'"payload":"fy')
    )
    with pytest.raises(SignatureError):
        _push(world, fleet, msgspec.structs.replace(good, pairs=(good.pairs[0], bad)))
    assert world.rows(ConfigDocument) == []
    assert _push(world, fleet, good) == 2
    with pytest.raises(BundleError, match="here already"):
        _push(world, fleet, good)


def test_push_without_the_second_signature_that_limits_need_is_refused(world: World, fleet: Fleet) -> None:
    once = fleet.sign(fleet.plan((TERMINAL, 1)), fleet.wish(change=LIMITS))
    with pytest.raises(BundleError, match="second person"):
        _push(world, fleet, once)
    assert _push(world, fleet, fleet.countersign(once)) == 1
    assert world.rows(Rollout)[0].signers == ["fleet-a", "fleet-b"]


def test_push_judges_by_the_rules_of_the_till(world: World, fleet: Fleet) -> None:
    needing = fleet.sign(fleet.plan((TERMINAL, 1)), fleet.wish(min_agent="0.3.0"))
    _hear(world, report(TERMINAL))
    with pytest.raises(BundleError, match=r"min_agent: agent 0\.2\.0, needed 0\.3\.0"):
        _push(world, fleet, needing)
    _hear(world, report(TERMINAL, seq=2, agent="0.3.1"))
    assert _push(world, fleet, needing) == 1


def test_push_refuses_strangers_keys_other_tills_and_expired_ones(world: World, fleet: Fleet) -> None:
    with pytest.raises(SignatureError):
        _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1)), key=FleetKey("fleet-a", PrivateKey.generate())))
    with pytest.raises(BundleError, match="not enrolled: t-nobody"):
        _push(world, fleet, fleet.sign(fleet.plan(("t-nobody", 1))))
    moved = fleet.sign(fleet.plan((OTHER, 1)))
    moved = msgspec.structs.replace(moved, pairs=(msgspec.structs.replace(moved.pairs[0], terminal_id=TERMINAL),))
    with pytest.raises(BundleError, match=f"is for {OTHER}"):
        _push(world, fleet, moved)
    renamed = msgspec.structs.replace(fleet.sign(fleet.plan((TERMINAL, 1))), rollout="r9")
    with pytest.raises(BundleError, match="signed for rollout r1"):
        _push(world, fleet, renamed)
    late = fleet.sign(fleet.plan((TERMINAL, 1)))
    world.later(days=31)
    with pytest.raises(BundleError, match="expired"):
        _push(world, fleet, late)


def test_push_releases_n_and_its_undo_n_plus_1_without_any_key(world: World, fleet: Fleet) -> None:
    """trust.md 14: version N and its undo N+1 were signed together; the back office only lets them out."""
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    _push(world, fleet, bundle)
    assert _waiting(world) == [], "nothing is out before it is released"
    assert _release(world, share=rollouts.ALL) == (1, [])
    assert _waiting(world) == [(TERMINAL, 1)]
    with world.database.reading() as session:
        assert waiting.take(session)[0].envelope == bytes(bundle.pairs[0].config), "the signed bytes, not made again"
    _published(world)
    assert _states(world) == {TERMINAL: "sent"}
    assert _undo(world) == 1
    assert _waiting(world) == [(TERMINAL, 2)]
    with world.database.reading() as session:
        assert waiting.take(session)[0].envelope == bytes(bundle.pairs[0].undo)
    with pytest.raises(BundleError, match="undone already"):
        _undo(world)
    with pytest.raises(BundleError, match="is undone"):
        _release(world, share=rollouts.ALL)


def test_undo_before_publishing_lets_the_configuration_itself_never_out(world: World, fleet: Fleet) -> None:
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1))))
    _release(world, share=rollouts.ALL)
    _undo(world)
    assert _waiting(world) == [(TERMINAL, 2)]


def _many(world: World, fleet: Fleet, count: int = 100) -> list[str]:
    names = [f"t-many-{number:03d}" for number in range(count)]
    for name in names:
        world.enrol(name)
    _push(world, fleet, fleet.sign(fleet.plan(*((name, 1) for name in names))))
    return names


def test_wave_takes_its_share_and_the_next_one_only_the_others(world: World, fleet: Fleet) -> None:
    names = _many(world, fleet)
    expected = {name for name in names if rollouts.cohort("r1", name) < 2_000}
    assert 5 < len(expected) < 40
    assert _release(world, share=2_000)[0] == len(expected)
    assert {terminal_id for terminal_id, _ in _waiting(world)} == expected
    assert _release(world, share=2_000)[0] == 0
    assert _release(world, share=rollouts.ALL)[0] == len(names) - len(expected)
    assert _undo(world) == len(names)


def test_undo_goes_only_to_tills_that_were_given_the_configuration(world: World, fleet: Fleet) -> None:
    names = _many(world, fleet, 20)
    _release(world, terminal_ids=names[:3])
    assert _undo(world) == 3
    assert _waiting(world) == [(name, 2) for name in names[:3]]


def test_cohort_is_sha256_of_rollout_and_till_modulo_10000() -> None:
    """Golden: `printf r1t-shop-01 | sha256sum` = e5925356…058f4eccc161b6, modulo 10,000."""
    digest = "e5925356471ab823ab601c220de4ccb06c0b9131e33b91beed058f4eccc161b6"
    assert rollouts.cohort("r1", "t-shop-01") == int(digest, 16) % 10_000 == 3_158
    spread = [rollouts.cohort("r1", f"t-{number}") for number in range(4_000)]
    assert all(0 <= each < rollouts.ALL for each in spread)
    assert 0.22 < sum(each < 2_500 for each in spread) / len(spread) < 0.28
    assert [rollouts.cohort("r2", f"t-{number}") for number in range(9)] != spread[:9]


def test_release_to_named_tills_refuses_one_that_is_not_in_it(world: World, fleet: Fleet) -> None:
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1))))
    with pytest.raises(BundleError, match="not in r1: t-nobody"):
        _release(world, terminal_ids=[TERMINAL, "t-nobody"])
    assert _waiting(world) == []


def test_paused_rollout_lets_nothing_more_out_until_it_goes_on(world: World, fleet: Fleet) -> None:
    _many(world, fleet, 10)
    with pytest.raises(BundleError, match="is pushed"), world.database.writing() as session:
        rollouts.pause(session, "r1", now=world.context.now)
    _release(world, share=rollouts.ALL)
    with world.database.writing() as session:
        rollouts.pause(session, "r1", now=world.context.now)
    assert _waiting(world) == []
    with pytest.raises(BundleError, match="is paused"):
        _release(world, share=rollouts.ALL)
    with world.database.writing() as session:
        rollouts.resume(session, "r1", now=world.context.now)
    assert len(_waiting(world)) == 10


def test_release_leaves_out_a_till_whose_number_was_taken_meanwhile(world: World, fleet: Fleet) -> None:
    world.enrol(OTHER)
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1), (OTHER, 1))))
    _hear(world, report(OTHER, highest_version=5))
    assert _release(world, share=rollouts.ALL) == (
        1,
        [Skipped(OTHER, "knows version 5 already, this is 1")],
    )
    assert _waiting(world) == [(TERMINAL, 1)]


def test_newer_configuration_replaces_one_that_still_waits(world: World, fleet: Fleet) -> None:
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 1))))
    _push(world, fleet, fleet.sign(fleet.plan((TERMINAL, 3)), fleet.wish("r2")))
    _release(world, share=rollouts.ALL)
    _release(world, "r2", share=rollouts.ALL)
    assert _waiting(world) == [(TERMINAL, 3)]


def test_plan_carries_what_the_till_runs_as_the_fleet_signed_it(world: World, fleet: Fleet) -> None:
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    etag, _ = etags(bundle, fleet, TERMINAL)
    _push(world, fleet, bundle)
    _release(world, share=rollouts.ALL)
    assert _plan(world, TERMINAL) == ([], [Skipped(TERMINAL, "a configuration is out and it has never reported")])
    _hear(world, report(TERMINAL, running=(1, etag), attempted=(1, etag, "trial", "")))
    assert _plan(world, TERMINAL) == ([], [Skipped(TERMINAL, "version 1 is trial: wait for its end")])
    _hear(world, report(TERMINAL, seq=2, running=(1, etag), attempted=(1, etag, "confirmed", "")))
    with world.database.reading() as session:
        made, _ = rollouts.plan(session, [TERMINAL], world.context.now)
    assert made.tills[0].base is not None
    assert bytes(made.tills[0].base) == bytes(bundle.pairs[0].config)
    second = fleet.sign(made, fleet.wish("r2", change={"printing": {"copies_merchant": 2}}))
    assert _push(world, fleet, second) == 1


def test_plan_leaves_out_a_till_that_runs_what_is_not_ours(world: World, fleet: Fleet) -> None:
    """After a restore: its bundle is pushed once more, and all goes on."""
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)))
    etag, _ = etags(bundle, fleet, TERMINAL)
    _hear(world, report(TERMINAL, running=(1, etag), attempted=(1, etag, "confirmed", "")))
    numbers, skipped = _plan(world, TERMINAL)
    assert numbers == []
    assert "is not ours" in skipped[0].why
    with pytest.raises(BundleError, match="the next one is 2"):
        _push(world, fleet, bundle)
    assert _push(world, fleet, bundle, is_again=True) == 1
    assert _plan(world, TERMINAL) == ([(TERMINAL, 3)], [])


def test_plan_of_a_till_that_is_not_enrolled_is_refused(world: World) -> None:
    with pytest.raises(BundleError, match="not enrolled: t-nobody"):
        _plan(world, TERMINAL, "t-nobody")


def test_progress_follows_what_each_till_says(world: World, fleet: Fleet) -> None:
    names = _many(world, fleet, 6)
    with world.database.reading() as session:
        etag = {row.terminal_id: row.etag for row in session.query(ConfigDocument).filter_by(is_undo=False)}
    _release(world, terminal_ids=names[:5])
    _published(world)
    for name, state in zip(names, ("staged", "trial", "confirmed", "rolled_back"), strict=False):
        running = (1, etag[name]) if state in ("trial", "confirmed") else (0, "")
        _hear(world, report(name, running=running, attempted=(1, etag[name], state, "health")))
    states = _states(world)
    assert [states[name] for name in names] == ["staged", "trial", "confirmed", "rolled_back", "sent", "held"]
    with world.database.reading() as session:
        found = progress.of(session, "r1")
        assert found.answered == 2
        assert found.tills[3].reason == "health"
        assert found.tills[3].at is not None
        assert abs(found.tills[3].at - world.now) < timedelta(days=1)
        assert progress.rollouts(session) == ["r1"]
    with pytest.raises(BundleError, match="no rollout r7"), world.database.reading() as session:
        progress.of(session, "r7")
