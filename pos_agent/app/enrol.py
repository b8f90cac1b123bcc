"""`pos-agent enrol` and `pos-agent renew`."""

import argparse
import asyncio
import getpass
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from pos_agent import __version__
from pos_agent.app.clock import SystemClock
from pos_agent.app.identity import load_device_key, read_boot_id
from pos_agent.domain.config import Config, DevicesConfig, ScannerConfig, TerminalConfig
from pos_agent.domain.identifiers import is_terminal_id
from pos_agent.enrolment.place import place_config, place_files
from pos_agent.enrolment.renew import renew
from pos_agent.enrolment.steps import Enrolment, Places
from pos_agent.errors import ConfigError, EnrolmentError, PosAgentError
from pos_agent.i18n import text
from pos_agent.journal.store import Journal
from pos_agent.protocol.enrolment import (
    EnrolmentDocument,
    Invitation,
    State,
    Supervisor,
    clean_code,
    clean_fingerprint,
    clean_url,
    parse_invitation,
    refusal,
)
from pos_agent.settings import DataFinder, load_config

#: Where the unit's StateDirectory is.
_DATA_DIR = Path("/var/lib/pos-agent")
EXIT_WAITING = 3


def enrol(options: argparse.Namespace) -> int:
    """Enrol this till, or go on with what was begun; 0 enrolled, 1 refused or fault, 2 usage, 3 nobody accepted yet."""
    places = Places(_data_dir(options))
    try:
        found = _enrolment(options, places)
    except ValueError as error:
        print(f"pos-agent: {error}", file=sys.stderr)
        return 2
    try:
        found.begin()
        _tell(options, f"{found.invitation.terminal_id} at {found.invitation.url}")
        _tell(options, f"key fingerprint of this till:\n\n    {found.fingerprint}\n")
        _print(options, found)
        _tell(
            options, "The operator compares it at the back office and accepts. Waiting … (may be stopped and run again)"
        )
        document = found.await_document(wait_s=options.wait * 60.0, tell=lambda word: _progress(options, word))
    except EnrolmentError as error:
        return _refused(options, error)
    _put_in_place(options, document, places)
    found.finish()
    facts = {"state": "enrolled", "terminal_id": document.terminal_id, "config": str(options.config)}
    words = f"enrolled. Configuration: {options.config}. Next: pos-agent devices, then start the daemon"
    _say(options, facts, words)
    return 0


def _data_dir(options: argparse.Namespace) -> Path:
    """Return the folder of the till's data: given, or as its configuration says."""
    if options.state_dir is not None:
        return Path(options.state_dir)
    known = _known(options.config)
    return Path(known.data_dir) if known is not None else _DATA_DIR


def _known(path: Path) -> TerminalConfig | None:
    """Return who this till was; None if it is new, or its configuration cannot be used."""
    try:
        return load_config(path).config.terminal
    except ConfigError:
        return None


def _enrolment(options: argparse.Namespace, places: Places) -> Enrolment:
    """Return what is to be done: by file, by address and code, by a scanned text, or what was begun.

    Raises:
        ValueError: What was given is no invitation.
    """
    if options.file is not None:
        return Enrolment(places, parse_invitation(options.file.read_text("ascii")), version=__version__)
    begun = Enrolment.resume(places, version=__version__)
    if begun is not None and not options.again:
        return begun
    if options.scan is not None:
        return Enrolment(places, _scan(options), version=__version__)
    if options.url is None:
        return Enrolment(places, parse_invitation(_ask("invitation (scan it, or paste it): ")), version=__version__)
    known = _known(options.config)
    terminal_id = options.terminal or (known.terminal_id if known is not None else "")
    if not is_terminal_id(terminal_id):
        raise ValueError("say which till this is: --terminal t-…")
    if not options.ca_fingerprint:
        raise ValueError("give --ca-fingerprint as the invitation says")
    invitation = Invitation(
        url=clean_url(options.url),
        ca_fingerprint=clean_fingerprint(options.ca_fingerprint),
        terminal_id=terminal_id,
        code=clean_code(_ask("code: ")),
    )
    return Enrolment(places, invitation, version=__version__)


def _scan(options: argparse.Namespace) -> Invitation:
    """Read the invitation with the scanner that is configured, or on the port that was named.

    Raises:
        ValueError: Neither.
    """
    devices = _devices(options)
    if options.scan:
        devices.scanner = ScannerConfig(path=options.scan)
    if not devices.scanner.path:
        raise ValueError("no scanner is configured yet; name its port: --scan /dev/…")
    from pos_agent.app.enrol_devices import scan_invitation  # noqa: PLC0415 - drivers are read for this alone

    data = DataFinder(options.data_dir)
    return asyncio.run(scan_invitation(devices, data, tell=lambda words: _tell(options, words)))


def _devices(options: argparse.Namespace) -> DevicesConfig:
    """Return the devices that were commissioned: the rest of the configuration may be missing still.

    Raises:
        ValueError: The section cannot be used.
    """
    try:
        section = tomllib.loads(options.config.read_text("utf-8")).get("devices", {})
        return msgspec.convert(section, DevicesConfig)
    except FileNotFoundError:
        return DevicesConfig()
    except (OSError, ValueError) as error:
        raise ValueError(f"{options.config}: {error}") from error


def _print(options: argparse.Namespace, found: Enrolment) -> None:
    """Print the fingerprint where a printer is configured; without paper the screen has to do."""
    try:
        devices = _devices(options)
        if not (devices.printer.usb or devices.printer.path):
            return
        from pos_agent.app.enrol_devices import print_fingerprint  # noqa: PLC0415 - as in _scan

        asyncio.run(
            print_fingerprint(
                devices,
                DataFinder(options.data_dir),
                terminal_id=found.invitation.terminal_id,
                fingerprint=found.fingerprint,
                tell=lambda words: _tell(options, words),
            )
        )
    except (ValueError, ConfigError) as error:
        _tell(options, f"not printed: {error}")


def _ask(prompt: str) -> str:
    """Read a secret that a person or a scanner types; never an argument, which others could read."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()


def _put_in_place(options: argparse.Namespace, document: EnrolmentDocument, places: Places) -> None:
    place_files(document, places)
    place_config(document, places, options.config)
    if document.supervisor is None:
        return
    _become_owner(places.data_dir)
    asyncio.run(_add_supervisor(load_config(options.config).config, document.supervisor))


def _become_owner(folder: Path) -> None:
    """Make the journal as the daemon's user, where root runs this."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


async def _add_supervisor(config: Config, first: Supervisor) -> None:
    terminal = config.terminal
    journal = await Journal.open(
        Path(terminal.data_dir),
        terminal_id=terminal.terminal_id,
        boot_id=read_boot_id(production=terminal.production),
        clock=SystemClock(),
        is_owner=False,
    )
    try:
        await journal.put_operator(
            operator_no=first.operator_no,
            person_id=first.person_id,
            name=first.name,
            role="supervisor",
            pin_hash=first.pin_hash,
        )
    finally:
        await journal.close()


def _progress(options: argparse.Namespace, word: str) -> None:
    if not options.json and sys.stdout.isatty():
        sys.stdout.write("." if word == "waiting" else "?")
        sys.stdout.flush()


def _refused(options: argparse.Namespace, error: EnrolmentError) -> int:
    sentence = f"{text(error.code, 'zh-CN')} / {text(error.code, 'en')}"
    if options.json:
        _print_json({"state": "waiting" if error.retryable else "refused", "code": error.code})
    print(f"pos-agent: {error.code} {sentence}: {error}", file=sys.stderr)
    return EXIT_WAITING if error.retryable else 1


def renew_now(options: argparse.Namespace) -> int:
    """Ask for a new certificate now; 0 renewed, 1 refused or fault, 3 waits for a click or for the network."""
    try:
        config = load_config(options.config).config
        answer = renew(config, load_device_key(config.trust))
    except EnrolmentError as error:
        return _refused(options, error)
    except (PosAgentError, OSError) as error:
        return _refused(options, EnrolmentError(str(error), code="E-RENEW"))
    if answer.state is State.REFUSED:
        return _refused(options, EnrolmentError("the back office refuses", code=refusal(answer, "E-RENEW")))
    words = {
        State.ACCEPTED: "a new certificate is installed",
        State.WAITING: "expired: somebody must let it renew on the back office's page of tills, then run this again",
    }
    _say(options, {"state": answer.state}, words[answer.state])
    return 0 if answer.state is State.ACCEPTED else EXIT_WAITING


def _tell(options: argparse.Namespace, words: str) -> None:
    """Say something on the way: with --json on standard error, so that standard output is one line."""
    print(words, file=sys.stderr if options.json else sys.stdout, flush=True)


def _say(options: argparse.Namespace, facts: dict[str, Any], words: str) -> None:
    if options.json:
        _print_json(facts)
    else:
        print(words)


def _print_json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
