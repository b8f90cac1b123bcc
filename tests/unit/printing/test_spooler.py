"""The spooler: order, pauses, expiry, outcomes (D6, D13)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from pos_agent.devices.interfaces import PrintReport
from pos_agent.domain.slip import PrintOutcome, SlipKind
from pos_agent.errors import OfflineError, PaperEndError
from pos_agent.printing import spooler as spooler_module
from pos_agent.workflow.ports import SpoolerPort
from tests.unit.printing.rig import BROKEN, Room


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooler_module, "READY_GRACE_S", 0.01)
    monkeypatch.setattr(spooler_module, "REFUSED_PAUSE_S", 0.001)


async def test_job_is_rendered_started_printed_and_ended_in_this_order() -> None:
    room = Room()
    port: SpoolerPort = room.spooler
    port.allow_results(False)
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.jobs.log == [("rendered", 1), ("started", 1), ("ended", 1)]
    assert room.printer.printed == [b"p/1 slip"]
    assert room.ended() == [(1, PrintOutcome.SENT_CLEAN)]
    assert room.paused() == []


async def test_request_slips_print_before_results_and_results_only_when_allowed() -> None:
    room = Room()
    room.add("result", SlipKind.RESULT)
    room.add("reject", SlipKind.REJECT)
    room.add("request")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 1)
        assert room.printer.printed == [b"p/1 request"]
        room.spooler.allow_results(True)
        await room.until(lambda: len(room.ended()) == 3)
    assert room.printer.printed == [b"p/1 request", b"p/1 result", b"p/1 reject"]


async def test_no_byte_accepted_prints_the_same_job_again_unmarked() -> None:
    room = Room()
    room.printer.results.extend([PaperEndError("printer", "no paper"), OfflineError("printer", "gone")])
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.printer.printed == [b"p/1 slip"]
    assert len(room.jobs.jobs) == 1
    assert [what for what, _ in room.jobs.log] == [
        "rendered",
        *["started", "not_started"] * 2,
        "started",
        "ended",
    ]
    assert room.paused() == [(1, "EPTR_REC_EMPTY")]


async def test_stopped_inside_ends_unknown_and_one_marked_copy_follows() -> None:
    room = Room()
    room.printer.results.append(BROKEN)
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.UNKNOWN), (2, PrintOutcome.SENT_CLEAN)]
    assert room.paused() == [(1, "EPTR_COVER_OPEN")]
    copy = room.jobs.jobs[2]
    assert (copy.copy_no, copy.document.copy_no) == (1, 1)
    assert b"COPY 1" in room.printer.printed[1]


async def test_copy_stopped_inside_is_not_followed_by_another() -> None:
    room = Room()
    room.printer.results.extend([BROKEN, BROKEN])
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 2)
        room.add("next")
        await room.until(lambda: len(room.ended()) == 3)
    assert room.jobs.outcomes() == [PrintOutcome.UNKNOWN, PrintOutcome.UNKNOWN, PrintOutcome.SENT_CLEAN]


async def test_copy_number_goes_on_after_earlier_copies() -> None:
    room = Room()
    first = room.add("slip", copy_no=4)
    await room.jobs.record_job_ended(first, PrintOutcome.SENT)
    room.printer.results.append(BROKEN)
    room.add("slip")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.jobs.jobs[3].copy_no == 5


async def test_printer_not_ready_pauses_the_job_once_and_goes_on_afterwards() -> None:
    room = Room()
    room.printer.ready.clear()
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "EPTR_REC_EMPTY")])
        assert ("started", 1) not in room.jobs.log
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 1)
    assert room.paused() == [(1, "EPTR_REC_EMPTY")]


async def test_request_slip_that_came_during_a_long_wait_goes_first() -> None:
    room = Room()
    room.spooler.allow_results(True)
    room.printer.ready.clear()
    async with room.running():
        room.add("result", SlipKind.RESULT)
        await room.until(lambda: len(room.paused()) == 1)
        room.add("request")
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 2)
    assert room.printer.printed == [b"p/1 request", b"p/1 result"]


async def test_jobs_that_grew_old_during_an_outage_expire_instead_of_flooding() -> None:
    room = Room(expiry_s=600)
    room.printer.ready.clear()
    async with room.running():
        for _ in range(3):
            room.add("old")
        await room.until(lambda: len(room.paused()) == 1)
        room.clock.wall += timedelta(hours=2)
        room.clock.boottime += 7200
        room.printer.ready.set()
        await room.until(lambda: len(room.ended()) == 3)
        room.add("new")
        await room.until(lambda: len(room.ended()) == 4)
    assert [outcome for _, outcome in room.ended()] == [PrintOutcome.EXPIRED] * 3 + [PrintOutcome.SENT_CLEAN]
    assert room.printer.printed == [b"p/1 new"]


async def test_clock_that_jumps_ahead_does_not_expire_a_fresh_job() -> None:
    room = Room(expiry_s=600)
    room.add("slip")
    room.clock.wall += timedelta(days=300)
    room.clock.boottime += 5
    async with room.running():
        await room.until(lambda: len(room.ended()) == 1)
    assert room.ended() == [(1, PrintOutcome.SENT_CLEAN)]


async def test_job_of_an_earlier_run_expires_by_its_age() -> None:
    room = Room(expiry_s=600)
    room.add("old", age_s=601)
    room.add("young", age_s=599)
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.EXPIRED), (2, PrintOutcome.SENT_CLEAN)]


async def test_slip_that_cannot_be_shown_is_refused_and_the_next_prints() -> None:
    room = Room()
    room.printer.refused = True
    async with room.running():
        room.add("slip")
        await room.until(lambda: len(room.ended()) == 1)
        room.printer.refused = False
        room.add("next")
        await room.until(lambda: len(room.ended()) == 2)
    assert room.ended() == [(1, PrintOutcome.REFUSED), (2, PrintOutcome.SENT_CLEAN)]
    assert room.printer.printed == [b"p/1 next"]


async def test_stored_bytes_are_used_and_rendered_again_for_another_profile() -> None:
    room = Room()
    same, other = room.add("same"), room.add("other")
    await room.jobs.record_job_rendered(same, b"stored", "p/1")
    await room.jobs.record_job_rendered(other, b"stored", "p/0")
    async with room.running():
        await room.until(lambda: len(room.ended()) == 2)
    assert room.printer.printed == [b"stored", b"p/1 other"]


async def test_till_without_a_printer_reports_it_and_expires_the_job() -> None:
    room = Room(has_printer=False, expiry_s=600)
    async with room.running():
        room.add("slip")
        await room.until(lambda: room.paused() == [(1, "E_NOHARDWARE")])
        room.clock.wall += timedelta(hours=1)
        room.clock.boottime += 3600
        room.add("second")
        await room.until(lambda: len(room.ended()) == 1)
    assert room.ended() == [(1, PrintOutcome.EXPIRED)]


async def test_d17_only_a_slip_on_its_way_to_the_printer_counts_as_printing() -> None:
    """A new configuration waits for a slip in the printer; one that waits for paper may wait on behind the restart."""
    room = Room()
    room.printer.ready.clear()
    seen: list[bool] = []
    send = room.printer.print_job

    async def watched(data: bytes, *, on_paused: Callable[[str], None]) -> PrintReport:
        seen.append(room.spooler.is_printing)
        return await send(data, on_paused=on_paused)

    room.printer.print_job = watched  # type: ignore[method-assign]
    room.printer.results.append(OfflineError("printer", "gone"))
    room.add("slip")
    async with room.running():
        await room.until(lambda: bool(room.paused()))
        assert not room.spooler.is_printing
        room.printer.ready.set()
        await room.until(lambda: bool(room.ended()))
        assert not room.spooler.is_printing
    assert seen == [True, True]
