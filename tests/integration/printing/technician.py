"""A printer to be commissioned, and the technician who looks at its paper."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from drivers.escpos.build import load_profile, make_link
from drivers.escpos.overlay import Overlay
from drivers.escpos.probe import Question
from drivers.links.opener import Opener
from drivers.links.usb_backend import VARIABLE
from hil.simulators.printer import CLONE_PRINTS, PrinterSpec, SimPrinter
from pos_agent.app.commission_printer import find_out
from pos_agent.domain.config import PrinterConfig
from tests.fakes.waiting import until
from tests.integration.printing.rig import PROFILES

CLONE = PrinterSpec(
    answers=frozenset(), prints=CLONE_PRINTS, manufacturer="POS", product="POS80", serial_number="", near_end_mm=0.0
)
FULL = PrinterSpec()
SOCKET_VARIABLE = "POS_AGENT_SIM_USB_SOCKET"


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
    monkeypatch.setenv(SOCKET_VARIABLE, str(path))
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
