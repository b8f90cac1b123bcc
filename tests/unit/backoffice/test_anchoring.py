"""Anchors (I6): what a rewritten database cannot hide from a signed file outside of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from backoffice import anchoring, audit
from backoffice.signing import Signer
from backoffice.store.schema import AuditLine, Refund
from pos_agent.protocol.ed25519 import PrivateKey
from tests.unit.backoffice.world import World

KEY = PrivateKey.generate()
SIGNER = Signer(KEY, "backoffice")
KEYS = {"backoffice": KEY.public_key()}


def _append(world: World, path: Path) -> int:
    with world.database.reading() as session:
        return anchoring.append(session, path, SIGNER, world.context.now)


def _verify(world: World, path: Path) -> anchoring.AnchorVerdict:
    with world.database.reading() as session:
        return anchoring.verify(session, path, KEYS)


def test_i6_anchor_names_only_the_chains_that_grew(world: World, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    world.approved()
    world.later(minutes=11)
    assert _append(world, path) == 1
    world.later(hours=1)
    assert _append(world, path) == 0
    world.later(hours=1)
    world.submit(world.request(amount_minor=1))
    assert _append(world, path) == 1
    found = _verify(world, path)
    assert (found.lines, found.heads, found.difference) == (3, 2, "")
    assert found.last_at == world.now


def test_i6_chain_rewritten_with_all_its_hashes_is_found_by_the_anchor_alone(world: World, tmp_path: Path) -> None:
    path, request_id = tmp_path / "anchors.jsonl", world.approved()
    _append(world, path)
    with world.database.writing() as session:
        previous = audit.ROOT
        for line in session.query(AuditLine).order_by(AuditLine.number):
            line.actor = "person:somebody-else"
            line.previous_hash = previous
            line.line_hash = previous = audit.line_hash(line)
    with world.database.reading() as session:
        assert audit.verify(session).differences == {}, "the chain by itself shows nothing"
    assert request_id in _verify(world, path).difference
    assert "differs" in _verify(world, path).difference


def test_i6_request_taken_away_is_found(world: World, tmp_path: Path) -> None:
    path, request_id = tmp_path / "anchors.jsonl", world.approved()
    _append(world, path)
    with world.database.writing() as session:
        session.query(AuditLine).delete()
    assert f"request {request_id}: line 2" in _verify(world, path).difference
    assert "is gone" in _verify(world, path).difference


@pytest.mark.parametrize("fault", ["changed", "removed", "swapped", "foreign"])
def test_i6_anchor_file_that_was_edited_is_found(world: World, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "anchors.jsonl"
    for _ in range(3):
        world.submit(world.request(amount_minor=1))
        _append(world, path)
        world.later(hours=1)
    lines = path.read_bytes().splitlines()
    if fault == "changed":
        lines[1] = lines[1].replace(b'"payload":"e', b'"payload":"f', 1)
    elif fault == "removed":
        del lines[1]
    elif fault == "swapped":
        lines[0], lines[1] = lines[1], lines[0]
    else:
        other = Signer(PrivateKey.generate(), "backoffice")
        lines[2] = other.seal_anchor(b"{}")
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert _verify(world, path).difference


def test_i6_anchor_line_torn_by_a_power_cut_is_cut_off_and_the_file_goes_on(world: World, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    world.submit(world.request(amount_minor=1))
    _append(world, path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    world.later(hours=1)
    _append(world, path)
    found = _verify(world, path)
    assert (found.lines, found.difference) == (2, "")


def test_i6_many_heads_are_split_into_lines_that_fit_an_envelope(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "_BATCH", 2)
    path = tmp_path / "anchors.jsonl"
    for _ in range(5):
        world.submit(world.request(amount_minor=1))
        world.later(minutes=30)
    assert _append(world, path) == 5
    assert (_verify(world, path).lines, _verify(world, path).heads) == (3, 5)


def test_i6_line_written_late_by_a_worker_whose_clock_is_behind_is_anchored_next_time(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "anchors.jsonl"
    _append(world, path)
    world.now -= timedelta(minutes=5)
    world.submit(world.request(amount_minor=1))
    world.now += timedelta(hours=1)
    assert _append(world, path) == 1
    with world.database.reading() as session:
        assert session.query(Refund).count() == 1
