"""The watch: requests that wait too long are alarmed once, chains are anchored each hour, by one worker."""

from pathlib import Path

from backoffice import anchoring
from backoffice.signing import Signer
from backoffice.store.schema import EventRow
from backoffice.watch import Watch
from pos_agent.protocol.ed25519 import PrivateKey
from tests.unit.backoffice.world import World


def _watch(world: World, path: Path | None, holder: str = "one") -> Watch:
    watch = Watch(world.database, world.context, holder=holder, anchor_file=path)
    watch.sign_with(Signer(PrivateKey.generate(), "backoffice"))
    return watch


def _alarms(world: World) -> list[str]:
    return [row.name for row in world.rows(EventRow) if row.is_alarm]


async def test_request_waiting_longer_than_the_limit_is_alarmed_once(world: World) -> None:
    watch = _watch(world, None)
    world.submit(world.request())
    world.later(hours=47)
    await watch.round()
    assert _alarms(world) == []
    world.later(hours=2)
    await watch.round()
    await watch.round()
    assert _alarms(world) == ["review_overdue"]


async def test_request_decided_in_time_is_never_alarmed(world: World) -> None:
    watch = _watch(world, None)
    world.approved()
    world.later(hours=100)
    await watch.round()
    assert _alarms(world) == []


async def test_i6_chains_are_anchored_each_hour_and_not_more_often(world: World, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    watch = _watch(world, path)
    world.approved()
    for _ in range(5):
        await watch.round()
        world.later(minutes=30)
    last = anchoring.last_line(path)
    assert last is not None
    assert last[0].number == 3


async def test_only_one_worker_watches(world: World, tmp_path: Path) -> None:
    first, second = _watch(world, tmp_path / "one"), _watch(world, tmp_path / "two", "two")
    await first.round()
    await second.round()
    assert (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


async def test_anchor_file_that_cannot_be_written_is_alarmed_once_a_day(world: World, tmp_path: Path) -> None:
    watch = _watch(world, tmp_path / "no-such-folder" / "anchors.jsonl")
    await watch.round()
    await watch.round()
    assert _alarms(world) == ["chains_not_anchored"]
