"""What every receipt printer promises to the spooler."""

import asyncio

import pytest

from drivers.contract.conformance import rule
from drivers.contract.rig import PrinterRig, settle, until
from pos_agent.domain.slip import Cut, PrintOutcome, SlipDocument, SlipKind, Text
from pos_agent.errors import DeviceError

DOCUMENT = SlipDocument(kind=SlipKind.POLICY, blocks=(Text("退款须知 refund policy"), Cut()))
_WHOLE = {PrintOutcome.CONFIRMED, PrintOutcome.PROCESSED, PrintOutcome.SENT_CLEAN, PrintOutcome.SENT}


def _ignore(_: str) -> None:
    """Take nothing."""


@rule("design.md D12", "The same slip gives the same bytes.")
async def test_printer_render_is_pure_and_not_empty(printer_rig: PrinterRig) -> None:
    data = printer_rig.device.render(DOCUMENT)

    assert data
    assert printer_rig.device.render(DOCUMENT) == data
    assert printer_rig.device.profile_id


@rule("design.md D13", "A whole job reaches the printer exactly once, byte for byte, and is claimed.")
async def test_printer_whole_job_is_accepted_exactly_once(printer_rig: PrinterRig) -> None:
    printer_rig.plug()
    await printer_rig.device.open()
    await printer_rig.device.wait_ready()
    data = printer_rig.device.render(DOCUMENT)

    report = await printer_rig.device.print_job(data, on_paused=_ignore)

    assert report.outcome in _WHOLE
    assert (report.accepted_bytes, report.was_interrupted) == (len(data), False)
    await printer_rig.see_printed_once(data)


@rule("design.md D13", "Without a printer a job is refused before its first byte.")
async def test_printer_not_open_refuses_before_the_first_byte(printer_rig: PrinterRig) -> None:
    with pytest.raises(DeviceError):
        await printer_rig.device.print_job(b"slip", on_paused=_ignore)


@rule("field.md 13", "It is ready once it is there, without anybody asking.")
async def test_printer_not_plugged_in_is_not_ready(printer_rig: PrinterRig) -> None:
    waiting = asyncio.create_task(printer_rig.device.wait_ready())
    await settle()
    assert not waiting.done()
    assert not printer_rig.device.status.is_online

    printer_rig.plug()
    await printer_rig.device.open()
    async with asyncio.timeout(5):
        await waiting


@rule(
    "devices.md 9",
    "Paper that ends inside a slip is told, the rest follows, no byte is lost, and the slip is not claimed.",
)
async def test_printer_paper_ends_inside_it_pauses_says_so_and_goes_on(printer_rig: PrinterRig) -> None:
    printer_rig.plug()
    await printer_rig.device.open()
    data = printer_rig.filler + printer_rig.device.render(DOCUMENT)
    printer_rig.end_paper_after(len(data) // 2)
    codes: list[str] = []
    job = asyncio.create_task(printer_rig.device.print_job(data, on_paused=codes.append))
    await until(lambda: codes or job.done(), timeout_s=printer_rig.patience_s)
    assert set(codes) <= printer_rig.stop_codes
    assert codes
    assert not job.done()

    await printer_rig.refill()
    async with asyncio.timeout(printer_rig.patience_s):
        report = await job

    assert report.was_interrupted
    assert report.accepted_bytes == len(data)
    await printer_rig.see_printed_once(data)


@rule("design.md D13", "A slip that a pulled cable broke off is unknown.")
async def test_printer_unplugged_inside_a_job_is_unknown(printer_rig: PrinterRig) -> None:
    printer_rig.plug()
    await printer_rig.device.open()
    data = printer_rig.filler + printer_rig.device.render(DOCUMENT)
    printer_rig.end_paper_after(len(data) // 2)
    codes: list[str] = []
    job = asyncio.create_task(printer_rig.device.print_job(data, on_paused=codes.append))
    await until(lambda: codes or job.done(), timeout_s=printer_rig.patience_s)
    assert not job.done()

    printer_rig.unplug()
    async with asyncio.timeout(printer_rig.patience_s):
        report = await job

    assert report.outcome is PrintOutcome.UNKNOWN
    assert 0 < report.accepted_bytes < len(data)
