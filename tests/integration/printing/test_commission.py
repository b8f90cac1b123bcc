"""Commissioning on the simulated printer: a full model, a clone that prints what it does not know, one that lies."""

import asyncio
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from drivers.escpos import memory
from drivers.escpos.build import build, load_profile, make_link
from drivers.escpos.overlay import NAME, Overlay, overlay_text, parse_overlay
from drivers.escpos.probe import Question
from drivers.escpos.profile import Buzzer, CutMode, DrawerSensor, TextMode, Tier
from drivers.links.opener import Opener
from drivers.links.usb_backend import VARIABLE
from hil.simulators.printer import CLONE_PRINTS, PrinterSpec, SimPrinter
from pos_agent.app.commission_printer import find_out
from pos_agent.cli import main
from pos_agent.domain.config import PrinterConfig
from pos_agent.domain.slip import PrintOutcome
from pos_agent.i18n.commissioning import COMMISSIONING
from tests.fakes.slip_samples import maker, request
from tests.fakes.waiting import until
from tests.integration.printing.rig import PROFILES, running

CLONE = PrinterSpec(
    answers=frozenset(), prints=CLONE_PRINTS, manufacturer="POS", product="POS80", serial_number="", near_end_mm=0.0
)
FULL = PrinterSpec()
_SOCKET = "POS_AGENT_SIM_USB_SOCKET"


class Technician:
    """Looks at the simulated paper and answers; `blind`: answers of a person who sees something else."""

    def __init__(self, sim: SimPrinter, blind: Mapping[Question, bool] | None = None) -> None:
        self._sim = sim
        self._blind = blind or {}
        self.asked: list[tuple[Question, str]] = []

    async def __call__(self, question: Question, about: str) -> bool:
        self.asked.append((question, about))
        if question is Question.STRAY:
            await until(lambda: any(line.startswith(about) for line in self._sim.current_lines()))
        elif question in (Question.COVER_IS_OPEN, Question.IS_DRAWER_OPEN):
            await self._sim.wait_idle(10)
        elif question is Question.IS_RULER_WHOLE:
            await until(lambda: any(line.startswith("1 34") for slip in self._sim.slips for line in slip.lines))
        return self.answer(question, about)

    def answer(self, question: Question, about: str) -> bool:
        if question in self._blind:
            return self._blind[question]
        if question is Question.STRAY:
            (line,) = [line for line in self._sim.current_lines() if line.startswith(about)]
            return line.rstrip() != f"{about}:"
        done = self._HANDS.get(question)
        return done(self._sim) if done is not None else True

    _HANDS: ClassVar[Mapping[Question, Callable[[SimPrinter], bool]]] = {
        Question.COVER_IS_OPEN: lambda sim: _set_cover(sim, is_open=True),
        Question.COVER_IS_SHUT: lambda sim: _set_cover(sim, is_open=False),
        Question.IS_RULER_WHOLE: lambda sim: any(_is_ruler(line) for line in sim.slips[-1].lines),
        Question.IS_HAN_RIGHT: lambda sim: "2 退款小票 中文 ￥12.34" in sim.slips[-1].lines,
        Question.IS_BARCODE_THERE: lambda sim: any(code.symbology == "CODE128" for code in sim.slips[-1].codes),
        Question.IS_QR_THERE: lambda sim: any(code.symbology.startswith("QR") for code in sim.slips[-1].codes),
        Question.IS_CUT: lambda sim: sim.slips[-1].cut in ("full", "partial"),
        Question.IS_DRAWER_OPEN: lambda sim: _set_drawer(sim, is_open=sim.drawer_kicks > 0),
        Question.IS_DRAWER_SHUT: lambda sim: not _set_drawer(sim, is_open=False),
        Question.IS_BEEP_HEARD: lambda _: False,
    }


def _set_cover(sim: SimPrinter, *, is_open: bool) -> bool:
    if is_open:
        sim.set_fault("cover_open")
    else:
        sim.clear_fault("cover_open")
    return True


def _is_ruler(line: str) -> bool:
    return line.startswith("1 34") and line.endswith("|")


def _set_drawer(sim: SimPrinter, *, is_open: bool) -> bool:
    sim.condition.is_drawer_open = is_open
    return is_open


@asynccontextmanager
async def printer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spec: PrinterSpec, link: str = "usb"
) -> AsyncIterator[SimPrinter]:
    path = folder / "p"
    monkeypatch.setenv(VARIABLE, "hil.simulators.usb_backend:get_backend")
    monkeypatch.setenv(_SOCKET, str(path))
    sim = SimPrinter(path, speed_factor=2_000, spec=spec, link=link)
    await sim.start()
    yield sim
    await sim.close()


async def commission(
    sim: SimPrinter, technician: Technician, config: PrinterConfig | None = None, *, compare: bool = False
) -> Overlay:
    config = config or PrinterConfig(usb="04b8:0e28")
    base = load_profile(config, PROFILES / f"{config.profile}.toml", None)
    unasked = bytearray()
    link = make_link(
        config,
        base,
        opener=Opener(),
        on_idle=lambda _, said: unasked.extend(said),
        allow_backend_override=True,
    )
    await link.open()
    try:
        return await find_out(link, base, ask=technician, unasked=unasked, compare=compare)
    finally:
        await link.close()


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


# -- the daemon's next start -----------------------------------------------------------------------------------------


async def test_commissioned_printer_is_used_as_such_from_the_next_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slip = maker().request_slips(request())[1]
    async with running(tmp_path, monkeypatch, profile="generic-80mm") as till:
        till.add(slip)
        await till.until(lambda: len(till.outcomes()) == 1)
        assert till.outcomes() == [PrintOutcome.SENT], "before: an unknown model"
        await till.printer.close()
    async with printer(tmp_path, monkeypatch, FULL) as sim:
        overlay = await commission(sim, Technician(sim))
    (tmp_path / NAME).write_text(overlay_text(overlay), "utf-8")
    async with running(tmp_path, monkeypatch, profile="generic-80mm", state_dir=tmp_path) as till:
        till.add(slip)
        await till.until(lambda: len(till.outcomes()) == 1)
        assert till.outcomes() == [PrintOutcome.CONFIRMED]
        assert "generic-80mm+20" in till.printer.profile_id, "older bytes are rendered again"


def test_overlay_of_another_profile_or_a_spoilt_one_is_not_used(tmp_path: Path) -> None:
    config = PrinterConfig(usb="04b8:0e28")
    path = PROFILES / "generic-80mm.toml"
    plain = load_profile(config, path, tmp_path)
    assert plain.profile_id == "generic-80mm"
    for text in (
        'base = "raster-80mm"\ncommissioned_at = "x"\n',
        'base = "generic-80mm"\ncommissioned_at = "x"\n[facts]\nwidth_dots = 577\n',
        'base = "generic-80mm"\ncommissioned_at = "x"\n[facts]\nspeed_mm_s = 1\n',
        "\0\0\0",
    ):
        (tmp_path / NAME).write_text(text)
        assert load_profile(config, path, tmp_path) == plain


def test_overlay_is_limited_by_the_tills_configuration(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(
        'base = "generic-80mm"\ncommissioned_at = "x"\n[facts]\ntier = "confirmed"\nhas_process_id = true\n'
    )
    config = PrinterConfig(usb="04b8:0e28", tier="sent_clean", text_mode="raster")
    profile = load_profile(config, PROFILES / "generic-80mm.toml", tmp_path)
    assert (profile.tier, profile.text_mode, profile.has_process_id) == (Tier.SENT_CLEAN, TextMode.RASTER, True)


def test_overlay_text_is_read_back_with_what_a_printer_may_say() -> None:
    overlay = Overlay(
        base="generic-80mm",
        commissioned_at="2026-11-23T16:00:00+08:00",
        identity='04b8:0e28:0100:"\\\x7f中:MFG:A;MDL:B:1.2',
        models=('a"b', "c\\d"),
        source={"tier": "x\ny"},
    )
    assert parse_overlay(overlay_text(overlay)) == overlay


def test_every_question_is_asked_in_both_languages_with_its_keys() -> None:
    for question in Question:
        zh, en = COMMISSIONING[question.value]
        assert ("{about}" in zh) == ("{about}" in en)
        assert "1" in zh
        assert "1" in en


# -- the command -----------------------------------------------------------------------------------------------------

_CONFIG = """\
[terminal]
terminal_id = "t-demo-01"
merchant_id = "1"
merchant_name = "Shop"
data_dir = "{folder}"
runtime_dir = "{folder}/run"

[broker]
url = "mqtt://127.0.0.1:1"

[trust]
device_key_file = "k"
device_key_id = "k"
back_office_keys = {{}}

[devices.printer]
usb = "04b8:0e28"
"""


class Typed:
    """Standard input: the technician's answers, made while the printer is looked at; "" ends it."""

    def __init__(self, answer: Callable[[], str]) -> None:
        self.readline = answer


async def test_command_writes_the_overlay_and_the_printers_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "terminal.toml").write_text(_CONFIG.format(folder=tmp_path), "utf-8")
    arguments = ["devices", "commission", "printer", "--config", str(tmp_path / "terminal.toml")]
    answers = iter(["2", "what?", "2", "2", "2", "2", "2", "1", "1", "1", "1", "1", "1", "2", "2"])
    monkeypatch.setattr(sys, "stdin", Typed(lambda: next(answers, "") + "\n"))
    async with printer(tmp_path, monkeypatch, FULL):
        code = await asyncio.to_thread(main, [*arguments, "--data-dir", str(PROFILES.parent)])
        await asyncio.get_running_loop().shutdown_default_executor()

    out, err = capsys.readouterr()
    assert code == 0, err
    assert tomllib.loads(out)["devices"]["printer"] == {"link": "usb", "usb": "04b8:0e28", "profile": "generic-80mm"}
    assert "EPSON TM-T20III 1.00 ESC/POS is commissioned, tier confirmed" in out
    assert "纸上 1 DLE EOT 那一行后面有奇怪字符? 1有 2无" in err
    assert "Stray characters behind 1 DLE EOT? 1 yes 2 no" in err
    overlay = parse_overlay((tmp_path / NAME).read_text("utf-8"))
    assert memory.load(tmp_path / memory.NAME).accepted == overlay.identity != ""


async def test_command_without_answers_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "terminal.toml").write_text(_CONFIG.format(folder=tmp_path), "utf-8")
    arguments = ["devices", "commission", "printer", "--config", str(tmp_path / "terminal.toml")]
    monkeypatch.setattr(sys, "stdin", Typed(lambda: ""))
    async with printer(tmp_path, monkeypatch, FULL):
        code = await asyncio.to_thread(main, [*arguments, "--data-dir", str(PROFILES.parent)])
        await asyncio.get_running_loop().shutdown_default_executor()
    assert code == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / NAME).exists()


async def test_daemon_with_a_fresh_card_knows_the_commissioned_printer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """printer.json was lost: the printer of the overlay is the till's own, not whichever is there first."""
    text = 'base = "generic-80mm"\ncommissioned_at = "x"\nidentity = "another"\n'
    (tmp_path / NAME).write_text(text)
    async with printer(tmp_path, monkeypatch, FULL):
        device = build(
            PrinterConfig(usb="04b8:0e28"),
            sink=lambda _: None,
            profile_path=PROFILES / "generic-80mm.toml",
            allow_backend_override=True,
            state_dir=tmp_path,
        )
        await device.open()
        assert device.status.notice == "printer_swapped"
        await device.close()
