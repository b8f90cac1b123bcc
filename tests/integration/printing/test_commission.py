"""Commissioning: what a printer is found to be able to do, by asking it and by asking the technician."""

from pathlib import Path

import pytest

from drivers.escpos.probe import Question
from drivers.escpos.profile import Buzzer, CutMode, DrawerSensor, TextMode, Tier
from hil.simulators.printer import PrinterSpec
from pos_agent.domain.config import PrinterConfig
from pos_agent.i18n.commissioning import COMMISSIONING
from tests.integration.printing.technician import CLONE, FULL, Technician, commission, printer


async def test_full_model_is_found_out_and_confirms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with printer(tmp_path, monkeypatch, FULL) as sim:
        technician = Technician(sim)
        overlay = await commission(sim, technician)

    facts = overlay.facts
    assert (facts.has_port_status, facts.has_asb, facts.has_dle_eot) == (True, True, True)
    assert (facts.has_transmit_status, facts.has_process_id, facts.tier) == (True, True, Tier.CONFIRMED)
    assert (facts.width_dots, facts.text_mode, facts.cut) == (576, TextMode.GB18030, CutMode.FEED_AND_CUT)
    assert (facts.has_code128, facts.has_qr, facts.has_raster) == (True, True, True)
    assert (facts.drawer_pin, facts.drawer_sensor, facts.buzzer) == (2, DrawerSensor.HIGH, Buzzer.NONE)
    assert overlay.models == ("EPSON", "TM-T20III", "1.00 ESC/POS")
    assert overlay.identity.startswith("04b8:0e28:0100:X4SIM000001:MFG:EPSON;MDL:TM-T20III")
    assert overlay.source["has_asb"] == "commissioning: answered 10 00 00 00, told the open cover"
    assert [about for question, about in technician.asked if question is Question.STRAY] == [
        "1 DLE EOT",
        "2 GS a",
        "3 GS r",
        "4 GS I",
        "5 GS ( H",
    ], "one at a time, what harms least first"
    assert "COMMISSIONING - NOT A RECEIPT" in sim.slips[0].lines[0]


async def test_clone_that_prints_what_it_does_not_know_stays_at_the_lowest_that_it_proves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with printer(tmp_path, monkeypatch, CLONE) as sim:
        technician = Technician(sim)
        overlay = await commission(sim, technician)
        strip = sim.slips[0].lines

    facts = overlay.facts
    assert "2 GS a: a" in "\n".join(strip), "the letters stand where the question was asked"
    assert (facts.has_asb, facts.has_dle_eot, facts.has_process_id, facts.has_transmit_status) == (False,) * 4
    assert (facts.has_port_status, facts.tier) == (True, Tier.SENT_CLEAN), "a request of the class prints nothing"
    assert overlay.source["has_process_id"] == "commissioning: no answer, printed stray letters"
    assert overlay.models == ()


async def test_clone_that_answers_and_prints_all_the_same_is_not_asked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = PrinterSpec(prints=frozenset())
    async with printer(tmp_path, monkeypatch, spec) as sim:
        overlay = await commission(sim, Technician(sim, blind={Question.STRAY: True}))
    facts = overlay.facts
    assert (facts.has_asb, facts.has_process_id, facts.tier) == (False, False, Tier.SENT_CLEAN)
    assert "printed stray letters" in overlay.source["has_asb"]


async def test_status_that_never_changes_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many clones answer 0x18 for ever: the cover was opened, and nobody told."""
    async with printer(tmp_path, monkeypatch, CLONE) as sim:
        overlay = await commission(sim, Technician(sim, blind={Question.COVER_IS_OPEN: True}))
    assert (overlay.facts.has_port_status, overlay.facts.tier) == (False, Tier.SENT)
    assert "did not tell the open cover" in overlay.source["has_port_status"]


async def test_cover_that_nobody_opens_leaves_the_answers_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with printer(tmp_path, monkeypatch, FULL) as sim:
        technician = Technician(sim, blind={Question.COVER_IS_OPEN: False})
        overlay = await commission(sim, technician)
    assert (overlay.facts.has_asb, overlay.facts.tier) == (True, Tier.CONFIRMED)
    assert overlay.source["has_asb"] == "commissioning: answered 10 00 00 00"
    assert (Question.COVER_IS_SHUT, "") not in technician.asked


async def test_busy_rule_that_refuses_everything_off_line_still_tells_by_the_other_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with printer(tmp_path, monkeypatch, PrinterSpec(nak_when_offline=True)) as sim:
        overlay = await commission(sim, Technician(sim))
    facts = overlay.facts
    assert (facts.has_port_status, facts.has_asb, facts.has_dle_eot) == (True, True, False)
    assert facts.tier == Tier.CONFIRMED


async def test_narrow_paper_without_han_and_knife_is_seen_on_the_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {
        Question.IS_RULER_WHOLE: False,
        Question.IS_HAN_RIGHT: False,
        Question.IS_BARCODE_THERE: False,
        Question.IS_QR_THERE: False,
        Question.IS_CUT: False,
        Question.HAS_DRAWER: False,
    }
    async with printer(tmp_path, monkeypatch, CLONE) as sim:
        overlay = await commission(sim, Technician(sim, blind=seen))
    facts = overlay.facts
    assert (facts.width_dots, facts.text_mode, facts.cut) == (384, TextMode.RASTER, CutMode.NONE)
    assert (facts.has_code128, facts.has_qr, facts.has_raster, facts.drawer_pin) == (False, False, True, 0)


@pytest.mark.parametrize(
    ("link", "config"),
    [
        ("tcp", PrinterConfig(link="tcp", path="127.0.0.1:{port}")),
        ("usblp", PrinterConfig(link="usblp", path="{path}")),
        ("serial-rtscts", PrinterConfig(link="serial", path="{path}", baud=115_200, flow="rtscts")),
    ],
)
async def test_printer_on_every_link_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, config: PrinterConfig
) -> None:
    import msgspec

    async with printer(tmp_path, monkeypatch, FULL, link) as sim:
        path = config.path.format(port=sim.tcp_port, path=tmp_path / "p")
        overlay = await commission(sim, Technician(sim), msgspec.structs.replace(config, path=path))
    facts = overlay.facts
    assert (facts.has_asb, facts.has_dle_eot, facts.has_process_id) == (True, True, True)
    assert (facts.tier, overlay.identity) == (Tier.CONFIRMED, ""), "these links cannot tell printers apart"


async def test_model_of_the_database_is_guessed_from_python_escpos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = PrinterSpec(manufacturer="Zjiang", product="POS5890", width_dots=384)
    async with printer(tmp_path, monkeypatch, spec) as sim:
        overlay = await commission(sim, Technician(sim), compare=True)
    assert overlay.facts.width_dots == 384, "the database's width, and the ruler was whole"
    assert overlay.source["width_dots"].endswith("first guess: python-escpos POS-5890")
    assert any("python-escpos POS-5890" in line for slip in sim.slips for line in slip.lines), "its own sheet was asked"


def test_every_question_is_asked_in_both_languages_with_its_keys() -> None:
    for question in Question:
        zh, en = COMMISSIONING[question.value]
        assert ("{about}" in zh) == ("{about}" in en)
        assert "1" in zh
        assert "1" in en
