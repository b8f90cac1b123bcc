"""Slips on paper, through every layer: documents, encoder, pyusb, USB packets, the printer's own parser, PNG."""

import io
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from hil.simulators.printer import PrinterSpec
from pos_agent.domain.refund import RefundState
from pos_agent.domain.slip import PrintOutcome
from pos_agent.printing.rescue import RescueCodes
from pos_agent.protocol import rescue
from pos_agent.protocol.ed25519 import PrivateKey
from tests.fakes.slip_samples import REQUEST_ID, maker, request, update
from tests.integration.printing.rig import WAIT_S, observed, running

PROVED, SENT, UNKNOWN = PrintOutcome.CONFIRMED, PrintOutcome.SENT, PrintOutcome.UNKNOWN
SLIPS = maker().request_slips(request())
MARK = "重打印凭证 DUPLICATED COPY 1"


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.escpos.printer.READY_POLL_S", 0.05)
    monkeypatch.setattr("drivers.links.usb_bulk.IDLE_POLL_S", 0.05)


async def test_request_slips_come_out_with_text_and_a_code_that_scanners_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as till:
        till.add(*SLIPS)
        await till.until(lambda: till.outcomes() == [PROVED, PROVED])
        merchant, customer = await till.sim.wait_slips(2, WAIT_S)
        assert "商户存根 MERCHANT COPY" in merchant.lines
        assert "顾客存根 CUSTOMER COPY" in customer.lines
        for slip in (merchant, customer):
            assert {"RMB 3.00", "人民币 叁元整", "申请已保存 待上传"} <= {line.strip() for line in slip.lines}
            assert [code.data for code in slip.codes] == [REQUEST_ID]
            assert not slip.unknown
            found = zxingcpp.read_barcodes(Image.open(io.BytesIO(slip.png)).convert("L"))
            assert [code.text for code in found] == [REQUEST_ID]
        assert till.pauses() == []
        counters = till.sim.counters
        assert (counters.resets, counters.set_configurations, counters.detaches) == (0, 0, 1)
        assert counters.longest_write_bytes <= 4096


@pytest.mark.parametrize(("profile", "width_dots"), [("generic-80mm", 576), ("generic-58mm", 384)])
async def test_generic_printer_prints_the_same_and_claims_sent_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, width_dots: int
) -> None:
    spec = PrinterSpec(width_dots=width_dots, answers=frozenset())
    async with running(tmp_path, monkeypatch, profile=profile, spec=spec) as till:
        till.add(SLIPS[1])
        await till.until(lambda: till.outcomes() == [SENT])
        await till.sim.wait_idle(WAIT_S)
        slip = till.sim.slips[0] if till.sim.slips else till.sim.tear()
        assert slip is not None
        assert "退款申请单" in slip.text
        assert [code.data for code in slip.codes] == [REQUEST_ID]
        assert not slip.unknown


async def test_drawn_slip_holds_a_readable_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch, profile="raster-80mm") as till:
        till.add(SLIPS[1])
        await till.until(lambda: till.outcomes() == [SENT])
        (slip,) = await till.sim.wait_slips(1, WAIT_S)
        assert not slip.unknown
        assert not any(line.strip() for line in slip.lines)
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(slip.png)).convert("L"))
        assert [code.text for code in found] == [REQUEST_ID]


@pytest.mark.parametrize("buffer_bytes", [45, 256, 4096])
async def test_tiny_buffer_loses_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer_bytes: int) -> None:
    async with running(tmp_path, monkeypatch, spec=PrinterSpec(buffer_bytes=buffer_bytes)) as till:
        till.add(SLIPS[0])
        await till.until(lambda: till.outcomes() == [PROVED])
        (slip,) = await till.sim.wait_slips(1, WAIT_S)
        expected = till.printer.render(SLIPS[0])
        questions = len(b"\x1da\xff") + len(b"\x1d(H\x06\x0000IDID")
        assert till.sim.accepted_byte_count == len(expected) + questions
        assert not slip.unknown


@pytest.mark.parametrize("is_nak_when_offline", [False, True])
async def test_paper_out_before_the_job_prints_the_original_after_refill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_nak_when_offline: bool
) -> None:
    spec = PrinterSpec(nak_when_offline=is_nak_when_offline)
    async with running(tmp_path, monkeypatch, spec=spec) as till:
        await till.until(lambda: till.codes() == [""])
        till.sim.set_fault("paper_end")
        till.add(SLIPS[1])
        await till.until(lambda: till.pauses() == ["EPTR_REC_EMPTY"])
        till.sim.refill()
        await till.until(lambda: till.outcomes() == [PROVED])
        (slip,) = await till.sim.wait_slips(1, WAIT_S)
        assert "DUPLICATED" not in slip.text


async def test_paper_out_inside_a_slip_is_followed_by_one_marked_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as till:
        till.sim.set_fault("paper_end", after_mm=30)
        till.add(SLIPS[1])
        await till.until(lambda: till.outcomes() == [UNKNOWN])
        assert till.pauses()[0] == "EPTR_REC_EMPTY"
        till.sim.refill()
        await till.until(lambda: till.outcomes() == [UNKNOWN, PROVED])
        slips = await till.sim.wait_slips(2, WAIT_S)
        assert [slip.text.count(MARK) for slip in slips] == [0, 2]
        assert not slips[-1].unknown


async def test_cover_opened_inside_a_slip_is_named_and_followed_by_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, spec=PrinterSpec(buffer_bytes=256)) as till:
        till.sim.set_fault("slow", factor=0.05)
        till.add(SLIPS[1])
        await observed(lambda: bool(till.sim.current_lines()))
        till.sim.set_fault("cover_open")
        await till.until(lambda: "EPTR_COVER_OPEN" in till.pauses())
        till.sim.clear_fault("slow")
        till.sim.clear_fault("cover_open")
        await till.until(lambda: till.outcomes() == [UNKNOWN, PROVED])
        assert "EPTR_COVER_OPEN" in till.codes()
        slips = await till.sim.wait_slips(2, WAIT_S)
        assert MARK in slips[-1].text


async def test_cable_pulled_inside_a_slip_is_followed_by_a_copy_at_the_new_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch, spec=PrinterSpec(buffer_bytes=256)) as till:
        till.sim.set_fault("busy")
        till.add(SLIPS[1])
        await observed(lambda: till.sim.buffered_byte_count >= 200)
        address = till.sim.address
        till.sim.unplug()
        await till.until(lambda: till.outcomes() == [UNKNOWN])
        till.sim.clear_fault("busy")
        await till.sim.power_cycle()
        assert till.sim.address != address
        await till.until(lambda: till.outcomes() == [UNKNOWN, PROVED])
        await observed(lambda: any(MARK in slip.text for slip in till.sim.slips))


async def test_printer_plugged_in_later_prints_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch, is_plugged=False) as till:
        till.add(SLIPS[1])
        await till.until(lambda: till.pauses() == ["E_NOHARDWARE"])
        till.sim.plug()
        await till.until(lambda: till.outcomes() == [PROVED])
        (slip,) = await till.sim.wait_slips(1, WAIT_S)
        assert "DUPLICATED" not in slip.text


async def test_idle_printer_unplugged_is_noticed_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as till:
        await till.until(lambda: till.codes() == [""])
        till.sim.unplug()
        await till.until(lambda: till.codes()[-1] == "E_NOHARDWARE")
        till.sim.plug()
        await till.until(lambda: till.codes()[-1] == "")


async def test_idle_printer_tells_open_cover_and_near_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch) as till:
        await till.until(lambda: till.codes() == [""])
        till.sim.set_fault("cover_open")
        await till.until(lambda: till.codes()[-1] == "EPTR_COVER_OPEN")
        till.sim.clear_fault("cover_open")
        await till.until(lambda: till.codes()[-1] == "")
        till.sim.set_fault("near_end")
        await till.until(lambda: till.codes()[-1] == "EPTR_REC_NEAR_END")


async def test_halted_endpoint_is_cleared_once_and_the_slip_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as till:
        await till.until(lambda: till.codes() == [""])
        till.sim.set_fault("stall")
        till.add(SLIPS[1])
        await till.until(lambda: till.outcomes() == [PROVED])
        assert till.sim.counters.clear_halts == 1
        (slip,) = await till.sim.wait_slips(1, WAIT_S)
        assert "DUPLICATED" not in slip.text


@pytest.mark.parametrize("fault", ["garbage", "half_frame", "silent"])
async def test_printer_that_answers_nonsense_still_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async with running(tmp_path, monkeypatch) as till:
        await till.until(lambda: till.codes() == [""])
        till.sim.set_fault(fault)
        slip = maker().result_slip(request(), update(RefundState.SUCCEEDED))
        assert slip is not None
        till.add(slip)
        await till.until(lambda: len(till.outcomes()) == 1)
        slips = await till.sim.wait_slips(1, WAIT_S)
        assert "退款成功" in slips[0].text


@pytest.mark.parametrize("profile", ["generic-58mm", "generic-80mm"])
async def test_rescue_code_on_paper_is_read_back_by_an_independent_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    key = PrivateKey.generate()
    slips = RescueCodes(kid="d1", key=key)(request(), SLIPS)
    spec = PrinterSpec(width_dots=384 if profile == "generic-58mm" else 576, answers=frozenset())
    async with running(tmp_path, monkeypatch, profile=profile, spec=spec) as till:
        till.add(slips[0])
        await till.until(lambda: till.outcomes() == [SENT])
        await till.sim.wait_idle(WAIT_S)
        slip = till.sim.slips[0] if till.sim.slips else till.sim.tear()
        assert slip is not None
        assert not slip.unknown
        found = [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(slip.png)).convert("L"))]
    [text] = [text for text in found if text.startswith(rescue.PREFIX)]
    assert rescue.read(text, keys={"d1": key.public_key()}).request == request()
    assert REQUEST_ID in found
