"""`pos-agent devices commission printer`: asks the till's own printer what it can do, and the person what came out.

What is found lies over the profile from the daemon's next start on (`drivers.escpos.overlay`). Nobody else may hold the
printer: the daemon must be stopped.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from drivers.escpos import memory
from drivers.escpos import overlay as overlay_module
from drivers.escpos.build import load_profile, make_link
from drivers.escpos.link import PrinterLink
from drivers.escpos.overlay import Overlay, OverlayFacts, overlay_text
from drivers.escpos.probe import Ask, Question, facts_of, probe, send, sources_of
from drivers.escpos.profile import Profile
from drivers.escpos.python_escpos import Proposal, propose, second_opinion
from drivers.escpos.sheet import JUDGED, joined, judge, judge_equipment
from drivers.inventory import take_inventory
from drivers.links.opener import Opener
from pos_agent.app.attached import make_report, units_holders
from pos_agent.app.clock import SystemClock
from pos_agent.app.commissioning import Commissioned, NothingFoundError, refuse_held, refuse_if_held
from pos_agent.domain.config import Config, PrinterConfig
from pos_agent.errors import ClaimedError, ConfigValueError
from pos_agent.files import replace_file
from pos_agent.i18n.commissioning import COMMISSIONING, both
from pos_agent.settings import DataFinder, load_config


def commission_printer(options: argparse.Namespace) -> Commissioned:
    """Commission the printer that the configuration or the command line names.

    Raises:
        PosAgentError: It is not there, held, takes nothing; or nobody answers the questions.
    """
    data = DataFinder(options.data_dir)
    config = load_config(options.config, policy_path=data.find("policy.toml")).config
    printer = _named(config.devices.printer, options)
    _refuse_in_use(printer, options, data)
    folder = Path(config.terminal.data_dir)
    overlay = asyncio.run(_find_out(config, printer, data, Person(), compare=options.compare))
    path = folder / overlay_module.NAME
    replace_file(path, overlay_text(overlay).encode())
    kept = msgspec.structs.replace(
        memory.load(folder / memory.NAME), accepted=overlay.identity, accepted_for=overlay.base
    )
    replace_file(folder / memory.NAME, msgspec.json.encode(kept))
    tier = overlay.facts.tier or "sent"
    return Commissioned(
        toml=section(printer),
        why=f"{' '.join(overlay.models) or 'the printer'} is commissioned, tier {tier}; written to {path}",
    )


def _named(configured: PrinterConfig, options: argparse.Namespace) -> PrinterConfig:
    """Return the configuration with what the command line says instead."""
    said = {
        key: value for key in ("link", "usb", "path", "baud", "flow", "profile") if (value := options.__dict__[key])
    }
    printer = msgspec.structs.replace(configured, **said)
    if not (printer.usb if printer.link in ("usb", "libusb") else printer.path):
        raise ConfigValueError(
            "no printer is named", key="devices.printer", origin="config", hint="--usb 04b8:0e28, or --link and --path"
        )
    return printer


def _refuse_in_use(printer: PrinterConfig, options: argparse.Namespace, data: DataFinder) -> None:
    """Raise if anybody has the printer; a daemon that runs has it, or will take it.

    Raises:
        ClaimedError, NoHardwareError: Held, or not there.
    """
    report = make_report(options.config, data=data, root=options.root)
    if report.daemon_pid:
        raise ClaimedError("printer", f"pos-agent runs (pid {report.daemon_pid}): systemctl stop pos-agent first")
    inventory = take_inventory(options.root)
    if printer.link in ("usb", "libusb"):
        holders, _ = units_holders(f"usb:{printer.usb}", inventory)
        refuse_held("printer", printer.usb, holders, report)
    elif printer.link != "tcp":
        refuse_if_held("printer", printer.path, report, inventory, options.root)


async def _find_out(config: Config, printer: PrinterConfig, data: DataFinder, ask: Ask, *, compare: bool) -> Overlay:
    base = load_profile(printer, data.find(f"devices/{printer.profile}.toml"), None)
    unasked = bytearray()
    link = make_link(
        printer,
        base,
        opener=Opener(),
        on_idle=lambda _, said: unasked.extend(said),
        allow_backend_override=not config.terminal.production,
    )
    await link.open()
    try:
        return await find_out(link, base, ask=ask, unasked=unasked, compare=compare)
    finally:
        await link.close()


async def find_out(link: PrinterLink, base: Profile, *, ask: Ask, unasked: bytearray, compare: bool = False) -> Overlay:
    """Find out what the printer on an open link can do.

    Args:
        link: Open; nobody else may use it.
        base: Profile that the configuration names.
        ask: Asks the person beside the printer.
        unasked: Where the link's `on_idle` puts what nobody reads.
        compare: Print what python-escpos makes of a bar code and a picture, too.
    Raises:
        DeviceError: The printer went away, or takes nothing.
    """
    findings = await probe(link, ask=ask, title=COMMISSIONING["title"][0], unasked=unasked)
    proposal = propose((*findings.models, *_words_of(link.identity)))
    guess = proposal.facts if proposal is not None else OverlayFacts()
    asked = facts_of(findings)
    guessed = Overlay(base=base.profile_id, commissioned_at="", facts=joined(asked, guess)).over(base)
    if compare and proposal is not None:
        await send(link, second_opinion(proposal.model))
    judged = await judge(link, guessed, ask=ask, sample=COMMISSIONING["sample"][0])
    equipment = await judge_equipment(link, guessed, findings, ask=ask)
    return Overlay(
        base=base.profile_id,
        commissioned_at=SystemClock().now().astimezone().isoformat(timespec="seconds"),
        identity=link.identity,
        models=findings.models,
        facts=joined(asked, judged, equipment),
        source={**sources_of(findings), **dict.fromkeys(JUDGED, _how_judged(proposal))},
    )


def _words_of(identity: str) -> tuple[str, ...]:
    """Return the names in an identity: fields of the IEEE 1284 device id."""
    return tuple(field.partition(":")[2] for part in identity.split(";") for field in (part, part.partition(":")[2]))


def _how_judged(proposal: Proposal | None) -> str:
    words = "commissioning: seen on the test sheet"
    return f"{words}; first guess: python-escpos {proposal.model}" if proposal is not None else words


class Person:
    """Asks at the terminal, in both languages; 1 or 2 and ENTER, as on the till's own keypad."""

    def __init__(self, read: Callable[[], str] | None = None) -> None:
        self._read = read or sys.stdin.readline

    async def __call__(self, question: Question, about: str) -> bool:
        """Return True for 1, False for 2.

        Raises:
            NothingFoundError: The input has ended: nothing is written.
        """
        while True:
            print(f"\n{both(question.value, about=about)}\n> ", end="", file=sys.stderr, flush=True)
            answer: str = await asyncio.to_thread(self._read)
            if not answer:
                raise NothingFoundError("nobody answered: nothing was written, the printer stays as it was")
            if answer.strip() in ("1", "2"):
                return answer.strip() == "1"


def section(printer: PrinterConfig) -> str:
    """Return the section that configures this printer."""
    keys = ("link", "usb", "profile") if printer.link in ("usb", "libusb") else ("link", "path", "profile")
    serial = ("baud", "flow") if printer.link == "serial" else ()
    rows = "".join(f"{key} = {msgspec.json.encode(getattr(printer, key)).decode()}\n" for key in (*keys, *serial))
    return f"[devices.printer]\n{rows}"
