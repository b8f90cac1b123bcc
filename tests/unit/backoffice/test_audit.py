"""Chains of both sides: checked, compared, and their first difference named (I6, trust.md 21)."""

import json
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, update

from backoffice import anchors, audit, cli
from backoffice.store.schema import Anchor, AuditLine, EventRow, Refund
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import make_request
from tests.unit.backoffice.world import TERMINAL, World

HEAD = "ab" * 32


def _verify(world: World) -> audit.Verdict:
    with world.database.reading() as session:
        return audit.verify(session)


def _alarms(world: World) -> list[str]:
    return [row.name for row in world.rows(EventRow) if row.is_alarm]


def _sync(world: World, lines: int, head: str, *, conn_seq: int) -> None:
    world.compare(world.sync_page(conn_seq=conn_seq, audit_lines=lines, audit_head=head))


async def test_i6_verify_of_whole_chains_gives_one_head_over_all(world: World) -> None:
    request_id = world.approved(amount_minor=100)
    before = _verify(world)
    assert (before.requests, before.lines, before.differences) == (1, 2, {})
    await world.run_until(request_id, "succeeded")
    after = _verify(world)
    assert after.differences == {}
    assert after.head != before.head


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (update(AuditLine).where(AuditLine.number == 2).values(actor="person:nobody"), "line 2 differs"),
        (update(AuditLine).where(AuditLine.number == 1).values(detail="x"), "line 1 differs"),
        (delete(AuditLine).where(AuditLine.number == 1), "line 1 is missing"),
        (delete(AuditLine).where(AuditLine.number == 2), "the last line says reviewing, the request approved"),
        (delete(AuditLine), "has no lines"),
        (update(Refund).values(state="succeeded"), "the last line says approved, the request succeeded"),
    ],
)
def test_i6_verify_names_what_was_changed_behind_our_back(world: World, change: object, says: str) -> None:
    request_id = world.approved()
    with world.database.writing() as session:
        session.execute(change)  # type: ignore[call-overload]
    assert _verify(world).differences == {request_id: says}


def test_i6_two_requests_after_one_head_are_a_fork_and_alarmed_once(world: World) -> None:
    first, second = (world.request(amount_minor=amount, audit_head=HEAD) for amount in (1, 2))
    world.submit(first)
    assert _alarms(world) == []
    world.submit(second)
    world.submit(second)
    assert _alarms(world) == ["audit_fork"]


def test_i6_requests_after_different_heads_are_no_fork(world: World) -> None:
    for number in range(3):
        world.submit(world.request(amount_minor=number + 1, audit_head=f"{number:064x}"))
    assert _alarms(world) == []
    assert len(world.rows(Anchor)) == 3


@pytest.mark.parametrize("head", ["", "no head", "AB" * 32])
def test_head_that_is_none_is_not_kept(world: World, head: str) -> None:
    world.submit(world.request(audit_head=head))
    assert world.rows(Anchor) == []


def test_i6_sync_with_a_longer_chain_is_kept_and_a_shorter_or_other_one_alarmed(world: World) -> None:
    _sync(world, 5, HEAD, conn_seq=1)
    _sync(world, 7, "cd" * 32, conn_seq=2)
    forks = [name for name in _alarms(world) if name == "audit_fork"]
    assert forks == []
    _sync(world, 6, "ef" * 32, conn_seq=3)
    _sync(world, 7, "01" * 32, conn_seq=4)
    forks = [name for name in _alarms(world) if name == "audit_fork"]
    assert forks == ["audit_fork"] * 2


async def test_i6_chain_of_a_real_journal_agrees_and_a_rewritten_one_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    journal = await Journal.open(tmp_path / "till", terminal_id=TERMINAL, boot_id="b", clock=ManualClock())
    try:
        for number in (1, 2, 3):
            request = make_request(number, terminal_id=TERMINAL, amount_minor=number)
            committed = await journal.commit_refund(msgspec.structs.replace(request, merchant_id="M1"), ())
            world.submit(committed)
        _sync(world, *await journal.audit_head(), conn_seq=1)
        heads = await journal.audit_heads()
    finally:
        await journal.close()
    with world.database.reading() as session:
        same = anchors.compare(session, TERMINAL, heads)
        cut = anchors.compare(session, TERMINAL, heads[:1])
        purged = anchors.compare(session, TERMINAL, ["", *heads[1:]])
        purged_and_rewritten = anchors.compare(session, TERMINAL, ["", heads[1], "f" * 64])
    assert (same.lines, same.known, same.agreed, same.difference) == (3, 4, 4, "")
    assert cut.agreed == 2
    assert make_request(3).refund_request_id in cut.difference
    assert (purged.agreed, purged.purged, purged.difference) == (3, 1, ""), "what left with its time is no difference"
    assert "line 3" in purged_and_rewritten.difference


def test_audit_commands_tell_whole_from_not_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "backoffice.toml"
    config.write_text("")
    assert cli.main(["init", "--config", str(config)]) == 0
    capsys.readouterr()
    assert cli.main(["audit", "verify", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == {}
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps({"terminal_id": TERMINAL, "heads": [HEAD]}))
    assert cli.main(["audit", "compare", "--config", str(config), str(heads)]) == 0
    assert HEAD in capsys.readouterr().out
    heads.write_text("{}")
    assert cli.main(["audit", "compare", "--config", str(config), str(heads)]) == 1
