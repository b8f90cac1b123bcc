"""The printer: what it refuses to start, how it pauses, and what it claims at the end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from drivers.escpos.profile import Tier
from pos_agent.devices.interfaces import POSPrinter
from pos_agent.domain.events import DeviceName
from pos_agent.domain.slip import PrintOutcome, SlipDocument, SlipKind, Text
from pos_agent.errors import CoverOpenError, NoHardwareError, OfflineError, PaperEndError, PrinterError
from tests.fakes.waiting import until
from tests.unit.drivers.escpos.rig import (
    ASB_COVER,
    ASB_END,
    ASB_READY,
    FAST,
    JOB,
    PAPER_OUT,
    READY,
    Bench,
    looked_again,
)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench(FAST)
    await made.printer.open()
    yield made
    await made.printer.close()


@pytest.fixture
async def asb() -> AsyncIterator[Bench]:
    import msgspec

    made = Bench(msgspec.structs.replace(FAST, has_asb=True))
    made.link.answers[b"\x1da\xff"] = ASB_READY
    await made.printer.open()
    yield made
    await made.printer.close()


def test_printer_is_a_pos_printer() -> None:
    printer: POSPrinter = Bench(FAST).printer
    assert printer.name is DeviceName.PRINTER
    assert printer.profile_id == "fast/gb18030/576"


async def test_job_in_portions_arrives_byte_for_byte(bench: Bench) -> None:
    bench.link.writes.extend([1, 0, 63, 5, 0, 0, 64])
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert bytes(bench.link.received) == JOB
    assert (report.outcome, report.accepted_bytes) == (PrintOutcome.SENT_CLEAN, len(JOB))
    assert bench.pauses == []


async def test_job_on_a_printer_of_the_lowest_tier_claims_sent_only() -> None:
    import msgspec

    bench = Bench(msgspec.structs.replace(FAST, tier=Tier.SENT))
    await bench.printer.open()
    assert (await bench.printer.print_job(JOB, on_paused=bench.pauses.append)).outcome is PrintOutcome.SENT
    await bench.printer.close()


async def test_job_without_paper_is_refused_before_any_byte(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.escpos.printer.FRESH_S", 0.0)
    bench.link.port = PAPER_OUT
    with pytest.raises(PaperEndError):
        await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert not bench.link.received
    assert bench.codes() == ["EPTR_REC_EMPTY"]


async def test_job_with_open_cover_is_refused_before_any_byte(asb: Bench) -> None:
    asb.printer.take_idle(READY, ASB_COVER)
    with pytest.raises(CoverOpenError):
        await asb.printer.print_job(JOB, on_paused=asb.pauses.append)
    assert asb.codes() == ["EPTR_COVER_OPEN"]


async def test_job_on_a_printer_with_an_error_is_refused(bench: Bench) -> None:
    bench.printer.take_idle(0x10, b"")
    with pytest.raises(PrinterError):
        await bench.printer.print_job(JOB, on_paused=bench.pauses.append)


async def test_paper_out_while_no_byte_was_accepted_gives_the_job_back(bench: Bench) -> None:
    bench.link.writes.extend([0, 0])
    bench.link.ports.extend([READY, PAPER_OUT])
    with pytest.raises(PaperEndError):
        await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert not bench.link.received


async def test_paper_out_inside_pauses_sends_the_rest_and_ends_unknown(bench: Bench) -> None:
    bench.link.writes.extend([64, 0, 0])
    bench.link.ports.extend([PAPER_OUT, PAPER_OUT, READY])
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert bench.pauses == ["EPTR_REC_EMPTY"]
    assert bytes(bench.link.received) == JOB
    assert (report.outcome, report.was_interrupted) == (PrintOutcome.UNKNOWN, True)


async def test_cover_opened_while_the_buffer_prints_ends_unknown(asb: Bench) -> None:
    asb.link.reply_when_received = (len(JOB), ASB_COVER)
    report = await asb.printer.print_job(JOB, on_paused=asb.pauses.append)
    assert (report.outcome, report.was_interrupted) == (PrintOutcome.UNKNOWN, True)
    assert asb.pauses == ["EPTR_COVER_OPEN"]


async def test_unplugged_inside_ends_unknown_with_what_was_accepted(bench: Bench) -> None:
    bench.link.writes.extend([64, "gone"])
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert (report.outcome, report.accepted_bytes, report.was_interrupted) == (PrintOutcome.UNKNOWN, 64, True)


async def test_unplugged_inside_the_first_transfer_is_never_called_nothing_accepted(bench: Bench) -> None:
    bench.link.writes.append("gone")
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert report.outcome is PrintOutcome.UNKNOWN
    assert report.accepted_bytes >= 1


async def test_unplugged_before_the_job_raises_offline(bench: Bench) -> None:
    bench.link.unplug()
    with pytest.raises(OfflineError):
        await bench.printer.print_job(JOB, on_paused=bench.pauses.append)


async def test_stall_without_a_known_cause_is_told_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.escpos.job.STALL_S", 0.0)
    bench.link.writes.extend([64, *[0] * 20])
    report = await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert bench.pauses == ["E_BUSY"]
    assert report.outcome is PrintOutcome.SENT_CLEAN


async def test_wait_ready_returns_when_the_cover_is_closed(asb: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.escpos.printer.READY_POLL_S", 0.005)
    asb.printer.take_idle(READY, ASB_COVER)
    waiting = asyncio.create_task(asb.printer.wait_ready())
    await looked_again(asb)
    assert not waiting.done()
    asb.printer.take_idle(READY, ASB_READY)
    await asyncio.wait_for(waiting, 2)
    assert asb.codes() == ["EPTR_COVER_OPEN", ""]


async def test_wait_ready_sees_new_paper_without_being_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.escpos.printer.READY_POLL_S", 0.005)
    bench.link.port = PAPER_OUT
    waiting = asyncio.create_task(bench.printer.wait_ready())
    await looked_again(bench)
    assert not waiting.done()
    bench.link.port = READY
    await asyncio.wait_for(waiting, 2)


async def test_wait_ready_of_an_absent_printer_returns_after_it_was_opened() -> None:
    bench = Bench(FAST)
    bench.link.is_plugged = False
    with pytest.raises(NoHardwareError):
        await bench.printer.open()
    waiting = asyncio.create_task(bench.printer.wait_ready())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    bench.link.is_plugged = True
    await bench.printer.open()
    await asyncio.wait_for(waiting, 2)
    await bench.printer.close()


async def test_wait_ready_on_a_ready_printer_does_not_poll_again(bench: Bench) -> None:
    polls = bench.link.port_polls
    await bench.printer.wait_ready()
    assert bench.link.port_polls == polls + 1


async def test_lost_printer_is_told_and_its_status_forgotten(bench: Bench) -> None:
    waiting = asyncio.create_task(bench.printer.wait_lost())
    await asyncio.sleep(0)
    bench.link.unplug()
    assert isinstance(await waiting, OfflineError)
    assert bench.printer.status.code == "E_NOHARDWARE"
    assert bench.printer.status.is_online is False


async def test_open_without_paper_tells_it_after_the_opening() -> None:
    bench = Bench(FAST)
    bench.link.port = PAPER_OUT
    await bench.printer.open()
    assert bench.codes() == [], "told before whoever opened the printer could say that it is there"
    await asyncio.sleep(0)
    assert bench.codes() == ["EPTR_REC_EMPTY"]
    await bench.printer.close()


async def test_near_end_is_a_notice_and_no_reason_to_stop(asb: Bench) -> None:
    asb.printer.take_idle(READY, b"\x10\x00\x03\x00")
    assert asb.codes() == ["EPTR_REC_NEAR_END"]
    assert asb.printer.status.is_online
    assert (await asb.printer.print_job(JOB, on_paused=asb.pauses.append)).outcome is PrintOutcome.SENT_CLEAN


async def test_dle_eot_names_the_open_cover_where_the_profile_trusts_it() -> None:
    import msgspec

    bench = Bench(msgspec.structs.replace(FAST, has_dle_eot=True))
    ready = {b"\x10\x04\x01": b"\x12", b"\x10\x04\x02": b"\x12", b"\x10\x04\x03": b"\x12", b"\x10\x04\x04": b"\x12"}
    bench.link.answers = {**ready, b"\x10\x04\x02": b"\x16"}
    await bench.printer.open()
    assert bench.printer.status.code == "EPTR_COVER_OPEN"
    bench.link.answers = ready
    await asyncio.wait_for(bench.printer.wait_ready(), 2)
    await bench.printer.close()


async def test_garbled_asb_report_is_corrected_by_asking() -> None:
    import msgspec

    bench = Bench(msgspec.structs.replace(FAST, has_asb=True, has_dle_eot=True))
    bench.link.answers = {
        b"\x1da\xff": ASB_COVER,  # what a garbled answer may say
        b"\x10\x04\x01": b"\x12",
        b"\x10\x04\x02": b"\x12" + ASB_READY,
        b"\x10\x04\x03": b"\x12",
        b"\x10\x04\x04": b"\x1e",
    }
    await bench.printer.open()
    await asyncio.wait_for(bench.printer.wait_ready(), 2)
    assert bench.printer.status.cover_open is False
    await bench.printer.close()


async def test_printer_that_answers_no_dle_eot_is_ready_by_its_port_status(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    monkeypatch.setattr("drivers.escpos.status_watch.REPLY_TIMEOUT_S", 0.005)
    bench = Bench(msgspec.structs.replace(FAST, has_dle_eot=True))
    await bench.printer.open()
    await asyncio.wait_for(bench.printer.wait_ready(), 2)
    await bench.printer.close()


async def test_opening_that_fails_half_way_leaves_the_link_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(FAST)

    async def vanish() -> int | None:
        bench.link.unplug()
        raise OfflineError("printer", "gone")

    monkeypatch.setattr(bench.link, "port_status", vanish)
    with pytest.raises(OfflineError):
        await bench.printer.open()
    assert not bench.link.is_open
    assert not bench.printer.status.is_online


async def test_asb_refused_at_opening_is_enabled_later() -> None:
    import msgspec

    bench = Bench(msgspec.structs.replace(FAST, has_asb=True))
    bench.link.writes.append(0)
    await bench.printer.open()
    bench.link.answers[b"\x1da\xff"] = ASB_END
    waiting = asyncio.create_task(bench.printer.wait_ready())
    await until(lambda: bench.printer.status.code == "EPTR_REC_EMPTY")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await bench.printer.close()


async def test_counters_have_their_names(bench: Bench) -> None:
    await bench.printer.print_job(JOB, on_paused=bench.pauses.append)
    assert bench.printer.counters["ReceiptJobCount"] == 1
    assert bench.printer.counters["ReceiptBytesAccepted"] == len(JOB)


def test_render_uses_the_profile() -> None:
    document = SlipDocument(kind=SlipKind.RESULT, blocks=(Text("退款"),))
    assert Bench(FAST).printer.render(document) == b"\x1b@\x1c.\x1c&\xcd\xcb\xbf\xee\x1c.\n"
