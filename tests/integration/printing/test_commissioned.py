"""What commissioning leaves behind: the overlay, the command that writes it, and the daemon that starts with it."""

import asyncio
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.escpos import memory
from drivers.escpos.build import build, load_profile
from drivers.escpos.overlay import NAME, Overlay, overlay_text, parse_overlay
from drivers.escpos.profile import TextMode, Tier
from pos_agent.cli import main
from pos_agent.domain.config import PrinterConfig
from pos_agent.domain.slip import PrintOutcome
from tests.fakes.slip_samples import maker, request
from tests.integration.printing.rig import PROFILES, running
from tests.integration.printing.technician import FULL, Technician, commission, printer


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
