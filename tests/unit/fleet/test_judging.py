"""A configuration that arrives in a running till: taken or refused, and told (D17; trust.md 13, 15, 16)."""

import asyncio
from datetime import timedelta

import pytest

from pos_agent.domain import desired_book as books
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.protocol.desired import ConfigDesired
from pos_agent.protocol.envelope import MAX_ENVELOPE_BYTES
from tests.unit.fleet.scene import MALLORY, NOW, Scene, desired, in_trial, signed


def test_trust_13_same_digest_again_changes_and_writes_nothing() -> None:
    book = books.confirm(in_trial(desired(5)), at=NOW)
    scene = Scene(book)

    async def story() -> None:
        await asyncio.sleep(1)
        for _ in range(5):
            scene.give(signed(desired(5)))
            await asyncio.sleep(1)

    scene.play(story)
    assert scene.service.book == book
    assert (scene.till.log, len(scene.office.reports), scene.acks) == ([], 1, 5)


def test_trust_13_rolled_back_document_that_comes_again_is_reported_and_not_tried() -> None:
    rolled_back = books.roll_back(in_trial(desired(5)), reason=Reason.HEALTH, detail="printer", at=NOW)
    scene = Scene(rolled_back)

    async def story() -> None:
        await asyncio.sleep(1)
        scene.give(signed(desired(5)))
        await asyncio.sleep(1)

    scene.play(story)
    assert [report.attempted and report.attempted.reason for report in scene.office.reports] == [Reason.HEALTH] * 2
    assert scene.till.log == []


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (b" " * (MAX_ENVELOPE_BYTES + 1), Reason.TOO_LARGE),
        (b"{}", Reason.MALFORMED),
        (signed(desired(5), key=MALLORY), Reason.SIGNATURE),
        (signed(desired(5, terminal_id="t-b2")), Reason.OTHER_TERMINAL),
        (signed(desired(5, {"broker": {"keep_alive_s": 9}})), Reason.SECOND_SIGNATURE),
    ],
)
def test_trust_13_what_is_not_from_the_fleet_for_this_till_is_told_once_and_not_remembered(
    envelope: bytes, reason: Reason
) -> None:
    scene = Scene()

    async def story() -> None:
        await asyncio.sleep(1)
        for _ in range(3):
            scene.give(envelope)
            await asyncio.sleep(1)

    scene.play(story)
    assert scene.till.log == []
    assert (len(scene.office.reports), scene.service.counters) == (2, {reason: 3})
    last = scene.office.reports[-1]
    assert last.attempted is not None
    assert (last.attempted.state, last.attempted.reason, last.highest_version) == (ConfigState.REJECTED, reason, 0)


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (desired(5, {"printing": {"copies": 1}}), "printing.copies"),
        (desired(5, {"terminal": {"locale": 7}}), "locale"),
        (desired(5, {"trust": {"device_key_file": "/tmp/x"}}), "trust.device_key_file"),
        (desired(5, {"devices": {"operator_display": {"path": "/var/lib/pos-agent/journal.db"}}}), "/dev alone"),
        (desired(5, {"devices": {"scanner": {"path": "/dev/../etc/passwd"}}}), "devices.scanner.path"),
        (desired(5, {"devices": {"operator_display": {"console": "var/lib/x"}}}), "operator_display.console"),
        (desired(5, confirm_within_s=1), "confirm_within_s"),
        (desired(0), "version 0"),
        (desired(5, schema=2), "schema 2"),
        (desired(5, not_after=NOW), "since 2026"),
    ],
)
def test_trust_13_content_that_cannot_be_used_is_rejected_and_remembered(document: ConfigDesired, word: str) -> None:
    scene = Scene()

    async def story() -> None:
        await asyncio.sleep(1)
        scene.give(signed(document))
        await asyncio.sleep(1)

    scene.play(story)
    attempt = scene.service.book.attempts[-1] if scene.service.book.attempts else None
    reported = scene.office.reports[-1].attempted
    assert reported is not None
    assert reported.state is ConfigState.REJECTED
    assert word in reported.detail
    if document.version > 0:
        assert attempt is not None
        assert scene.till.saved == scene.service.book


def test_trust_16_document_that_ends_the_examination_does_not_end_the_till() -> None:
    """The broker keeps it: what ended the daemon would end it at every start."""
    scene = Scene()

    async def story() -> None:
        scene.till.is_free = False
        scene.give(signed(desired(5)))
        await asyncio.sleep(2)
        scene.till.defect = ZeroDivisionError("a driver's")
        scene.till.is_free = True
        await asyncio.sleep(2)
        assert scene.service.book.attempts[-1].reason == Reason.SCHEMA
        scene.give(signed(desired(6)))
        await asyncio.sleep(2)

    scene.play(story)
    last = scene.office.reports[-1].attempted
    assert last is not None
    assert (last.reason, "ZeroDivisionError" in last.detail, scene.acks) == (Reason.MALFORMED, True, 2)
    assert "restart" not in scene.till.log


def test_d16_document_that_unpins_all_who_signed_it_is_rejected() -> None:
    for keys in ({}, {"new": MALLORY.public_key().base64}):
        scene = Scene()

        async def story(scene: Scene = scene, keys: dict[str, str] = keys) -> None:
            scene.give(signed(desired(5, {"fleet": {"keys": keys}}), is_endorsed=True))
            await asyncio.sleep(2)

        scene.play(story)
        assert scene.service.book.attempts[-1].state is ConfigState.REJECTED
        assert "stays pinned" in scene.service.book.attempts[-1].detail


def test_d19_untrusted_clock_takes_a_document_whose_time_is_over() -> None:
    scene = Scene()
    scene.clock.is_right = False

    async def story() -> None:
        scene.give(signed(desired(5, not_after=NOW)))
        await asyncio.sleep(3)

    scene.play(story)
    assert scene.till.log[-1] == "restart"
    assert not scene.office.reports[0].is_clock_trusted


def test_document_whose_time_ran_out_while_it_waited_is_not_begun() -> None:
    scene = Scene()
    scene.till.is_free = False

    async def story() -> None:
        await asyncio.sleep(1)
        scene.give(signed(desired(5, not_after=NOW + timedelta(minutes=5))))
        await asyncio.sleep(400)
        scene.till.is_free = True
        await asyncio.sleep(3)

    scene.play(story)
    assert "restart" not in scene.till.log
    assert scene.service.book.attempts[-1].reason == Reason.EXPIRED


def test_retained_document_that_is_deleted_asks_for_nothing() -> None:
    scene = Scene()

    async def story() -> None:
        await asyncio.sleep(1)
        scene.give(b"")
        await asyncio.sleep(1)

    scene.play(story)
    assert (scene.till.log, len(scene.office.reports), scene.acks) == ([], 1, 1)


def test_report_that_was_lost_is_sent_with_the_next_connection() -> None:
    scene = Scene()
    scene.office.is_losing = True

    async def story() -> None:
        await asyncio.sleep(5)
        assert scene.office.reports == []
        scene.office.is_losing = False
        scene.service.connected()
        await asyncio.sleep(1)

    scene.play(story)
    assert [report.seq for report in scene.office.reports] == [0]


def test_idle_room_sleeps() -> None:
    scene = Scene()

    async def story() -> None:
        await asyncio.sleep(86_400)

    scene.play(story)
    assert len(scene.office.reports) == 1
