"""The command line of `pos-agent`: arguments in, exit code out; the work is in `pos_agent.app`.

Exit codes: 0 done, 1 fault, 2 usage or configuration, 78 (EX_CONFIG) only when not even the SAFE state can start.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from pos_agent import __version__

DEFAULT_CONFIG = Path("/etc/pos-agent/terminal.toml")
#: Where commands are added, and what gives each the arguments that many share.
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_Parents: TypeAlias = Sequence[argparse.ArgumentParser]
EXIT_OK, EXIT_FAULT, EXIT_USAGE = 0, 1, 2

_EPILOG = """\
examples:
  pos-agent run --config /etc/pos-agent/terminal.toml
  pos-agent check-config --config terminal.toml
  pos-agent operator add --no 01 --name "Li Na" --role cashier     (asks for the PIN)
  pos-agent outbox list                                            (has money moved? per request)
  pos-agent devices                                                (what is attached, and what it is)

exit codes: 0 done, 1 fault, 2 usage or configuration, 78 only if not even the SAFE state can start
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; docs/commands.md is generated from it."""
    parser = argparse.ArgumentParser(
        prog="pos-agent",
        description="The agent of a point-of-sale terminal: scan-code refunds that survive power cuts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pos-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="configuration file (default: %(default)s)")
    common.add_argument("--data-dir", type=Path, help="folder of shipped data: keymaps, device profiles, reasons")
    machine = argparse.ArgumentParser(add_help=False)
    machine.add_argument("--json", action="store_true", help="print JSON for machines")

    run = commands.add_parser("run", parents=[common], help="run the daemon until SIGTERM")
    run.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parents = [common, machine]
    commands.add_parser("check-config", parents=parents, help="say whether the configuration is valid")
    commands.add_parser("show-config", parents=parents, help="print every value and where it came from")
    commands.add_parser("status", parents=parents, help="ask the running daemon how it is")
    commands.add_parser("version", parents=[machine], help="print the version")
    _add_devices(commands, parents)
    _add_enrol(commands, parents)
    _add_replay(commands, machine)
    _add_operator(commands, parents)
    _add_outbox(commands, parents)
    _add_audit(commands, parents)
    return parser


def _group(commands: _Commands, name: str, purpose: str) -> _Commands:
    """Add a command that is nothing without an action."""
    command = commands.add_parser(name, help=purpose)
    return command.add_subparsers(dest="action", required=True, metavar="ACTION")


_DEVICES = """\
List what is attached (USB units, serial ports, keyboards, printers, cameras, framebuffers), which profile of
config/devices fits each and why, what the configuration names and whether it is there, and who holds a port. Opens no
device and sends nothing; works without a daemon and beside one. A scanner in keyboard or HID-POS mode is named, with
the set-up barcode that makes it a serial one.

exit codes: 0 all that is configured is there, 1 something is absent or held by another process, 2 configuration
"""
_COMMISSION_SCANNER = """\
Ask the scanner on one port who it is, at one speed after the other, and print the section for the configuration. A few
identify commands are sent to the port that you name and to no other; a port that the daemon or anybody else holds is
refused. For a scanner that never answers use --listen and scan codes of goods: only how readable they were is looked
at.
"""
_COMMISSION_KEYPAD = """\
Print the section that binds the keypad: by --unit (this model, in whatever port) or by --port (whatever is in this
port). A scanner that types like a keyboard is refused: it would enter amounts.
"""
_COMMISSION_PRINTER = """\
Ask the configured printer, one question at a time, what it answers: a model that does not know a question prints it, so
you are asked whether stray characters came out. Then a test sheet: width, Chinese, picture, codes, knife, buzzer, cash
drawer. Answer with 1 or 2 and ENTER; the till's keypad will do. What was found is written to printer.toml in the data
folder and used from the next start on; until then an unknown model is asked nothing. Stop the daemon first.
"""


def _add_devices(commands: _Commands, parents: _Parents) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    look = argparse.ArgumentParser(add_help=False)
    look.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    parents = [*parents, look]
    devices = commands.add_parser(
        "devices",
        parents=parents,
        help="what is attached, what it is, and who holds it",
        description=_DEVICES,
        formatter_class=raw,
    )
    actions = devices.add_subparsers(dest="action", metavar="ACTION")
    devices.set_defaults(action="list")
    listing = actions.add_parser(
        "list", help="the same as without an action", description=_DEVICES, formatter_class=raw
    )
    # Without defaults of its own: what was given before the action stays.
    listing.add_argument("--config", type=Path, default=argparse.SUPPRESS, help="configuration file")
    listing.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="folder of shipped data")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for machines")
    listing.add_argument("--root", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    commission = actions.add_parser("commission", help="find out about one device that you name; prints TOML to paste")
    targets = commission.add_subparsers(dest="target", required=True, metavar="DEVICE")
    scanner = targets.add_parser(
        "scanner",
        parents=parents,
        help="family and speed of a serial scanner",
        description=_COMMISSION_SCANNER,
        formatter_class=raw,
    )
    scanner.add_argument("--port", required=True, help="such as /dev/ttyUSB0 or /dev/serial/by-path/…")
    scanner.add_argument("--baud", type=int, action="append", help="try this speed only; may be repeated")
    scanner.add_argument("--listen", action="store_true", help="if nobody answers, listen while you scan")
    keypad = targets.add_parser(
        "keypad",
        parents=parents,
        help="bind a USB keypad by model or by port",
        description=_COMMISSION_KEYPAD,
        formatter_class=raw,
    )
    which = keypad.add_mutually_exclusive_group(required=True)
    which.add_argument("--unit", metavar="VID:PID[:SERIAL]", help="such as 04d9:1203; pos-agent devices shows it")
    which.add_argument("--port", help="event node, best /dev/input/by-path/…")
    _add_commission_printer(targets, parents)


def _add_commission_printer(targets: _Commands, parents: _Parents) -> None:
    printer = targets.add_parser(
        "printer",
        parents=parents,
        help="what the till's printer answers and prints",
        description=_COMMISSION_PRINTER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    printer.add_argument("--link", choices=["usb", "libusb", "usblp", "serial", "tcp"], help="else as configured")
    printer.add_argument("--usb", metavar="VID:PID[:SERIAL]", help="such as 04b8:0e28; pos-agent devices shows it")
    printer.add_argument("--path", help="node for usblp and serial, host:port for tcp")
    printer.add_argument("--baud", type=int, help="for serial")
    printer.add_argument("--flow", choices=["rtscts", "xonxoff", "dsrdtr", "none"], help="for serial")
    printer.add_argument("--profile", metavar="NAME", help="profile of config/devices to begin with")
    printer.add_argument(
        "--compare",
        action="store_true",
        help="print a bar code and a picture by python-escpos, too (extra escpos; models of its database only)",
    )


_ENROL = """\
Make this machine a till of a shop: makes its keys, shows their fingerprint, waits until an operator of the back office
has compared and accepted it, then writes certificate, keys and configuration, and the first supervisor. The invitation
comes from 'pos-backoffice terminal invite': scanned (--scan) or pasted when asked, as a --file, or as URL, --terminal
and --ca-fingerprint with the code typed when asked. May be stopped, or lose its power, at any time: run it again
without arguments to go on. On a till that is enrolled already, journal, outbox, devices and policy stay.

exit codes: 0 enrolled, 1 refused or fault, 2 usage, 3 nobody has accepted yet
"""
_RENEW = """\
Ask the back office for a new certificate now. The daemon does it by itself; after an expiry somebody must let the till
renew on the back office's page of tills first.

exit codes: 0 renewed, 1 refused or fault, 2 configuration, 3 waits for that click, or for the network
"""


def _add_enrol(commands: _Commands, parents: _Parents) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    enrol = commands.add_parser(
        "enrol", parents=parents, help="make this machine a till of a shop", description=_ENROL, formatter_class=raw
    )
    enrol.add_argument("url", nargs="?", metavar="URL", help="https address of the back office")
    enrol.add_argument("--ca-fingerprint", default="", help="SHA-256 of its CA, as the invitation says")
    enrol.add_argument("--terminal", default="", metavar="ID", help="t-… as invited; default = the configured one")
    enrol.add_argument("--file", type=Path, help="invitation as a file, from 'terminal invite --out'")
    enrol.add_argument(
        "--scan",
        nargs="?",
        const="",
        metavar="PORT",
        help="read the invitation with the configured scanner, or one on PORT; the daemon must not run",
    )
    enrol.add_argument("--again", action="store_true", help="drop what was begun and use another invitation")
    enrol.add_argument("--wait", type=float, default=60.0, metavar="MIN", help="how long (%(default)s minutes)")
    enrol.add_argument("--state-dir", type=Path, help="data folder of a till that has no configuration yet")
    commands.add_parser(
        "renew", parents=parents, help="ask for a new certificate now", description=_RENEW, formatter_class=raw
    )


def _add_replay(commands: _Commands, machine: argparse.ArgumentParser) -> None:
    replay = commands.add_parser(
        "replay",
        parents=[machine],
        help="run an incident file again on this version's refund menu",
        description="Run an incident file (FN 9, then 1, at the till; or written by a crash) again on the refund menu "
        "without devices, step by step. Exit code 1 if it goes another way than recorded. Payment codes, PINs and "
        "typed numbers are not in the file: stand-ins of the same length are.",
    )
    replay.add_argument("file", type=Path, metavar="FILE", help="such as incidents/incident-000001.jsonl")
    replay.add_argument("--quiet", action="store_true", help="print differences only")


def _add_operator(commands: _Commands, parents: _Parents) -> None:
    actions = _group(commands, "operator", "manage the operators of this till")
    add = actions.add_parser(
        "add",
        parents=parents,
        help="add or replace an operator",
        description="Add or replace an operator. The PIN is asked for, or read as one line from standard input; it is "
        "never an argument. 4 to 8 digits; PINs that everybody knows are refused.",
    )
    add.add_argument("--no", required=True, help="operator number, two digits, such as 01")
    add.add_argument("--name", required=True, help="name, for records")
    add.add_argument("--role", required=True, choices=["cashier", "supervisor"])
    add.add_argument("--person", help="person id in the back office; the default is terminal id and operator number")
    actions.add_parser("list", parents=parents, help="list operators (no PINs)")
    badge = actions.add_parser(
        "badge",
        parents=parents,
        help="print the text of an operator's badge",
        description="Print the text of a badge: print it as Code 128 on a card. Scanned at sign-in it types the "
        "operator number; the PIN is still asked, for a badge can be copied.",
    )
    badge.add_argument("--no", required=True, help="operator number, such as 01")


def _add_outbox(commands: _Commands, parents: _Parents) -> None:
    actions = _group(commands, "outbox", "what has not reached the back office, and whether money has moved")
    listing = actions.add_parser("list", parents=parents, help="one line a request")
    listing.add_argument("--all", action="store_true", help="with requests that the back office has acknowledged")
    show = actions.add_parser("show", parents=parents, help="one request in full")
    show.add_argument("request", help="refund request number, or its last 6 digits")
    export = actions.add_parser(
        "export",
        parents=parents,
        help="write what was not acknowledged to a signed file for 'pos-backoffice rescue'",
        description="For a till that cannot send any more: reads journals of older and newer builds, damaged ones that "
        "were set aside, and another card's (--journal), as far as each can be read. Nothing is marked as sent; taken "
        "twice, a request is one request. Exit code 1: something could not be read.",
    )
    export.add_argument("file", type=Path, help="file to write")
    export.add_argument("--all", action="store_true", help="with requests that the back office has acknowledged")
    export.add_argument(
        "--journal", type=Path, action="append", metavar="FILE", help="read this journal instead; may repeat"
    )
    export.add_argument("--device-key", type=Path, metavar="FILE", help="sign with this key, such as the dead card's")
    release = actions.add_parser(
        "release",
        parents=parents,
        help="let a new journal begin beside a damaged one that was set aside (E-JOURNAL)",
        description="Show the damaged journals that were set aside and, once confirmed, let the till begin a new one. "
        "The files are kept. Who and why are written to the new audit chain. Exit code 1: nothing was released.",
    )
    release.add_argument("--by", default="", help="who takes the responsibility")
    release.add_argument("--why", default="", help="why, such as the number of the repair order")
    release.add_argument("--yes", action="store_true", help="do not ask")


def _add_audit(commands: _Commands, parents: _Parents) -> None:
    actions = _group(commands, "audit", "the hash chain over everything that this till has done")
    verify = actions.add_parser(
        "verify",
        parents=parents,
        help="check the whole chain; exit code 1 names the first line that differs",
        description="Check the whole chain, and every request against its line. The head is what the shift slip prints "
        "and what the back office compares. The chain cannot show lines that were never written or never sent.",
    )
    verify.add_argument(
        "--heads", type=Path, metavar="FILE", help="write the head of every line, for 'pos-backoffice audit compare'"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    if options.command == "run":
        from pos_agent.app.daemon import run_daemon

        return run_daemon(options.config, data_dir=options.data_dir, log_level=options.log_level)
    from pos_agent.app.commands import perform
    from pos_agent.errors import ConfigError, PosAgentError

    try:
        return perform(options)
    except ConfigError as error:
        print(f"pos-agent: {error.code}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except (PosAgentError, OSError) as error:
        print(f"pos-agent: {error}", file=sys.stderr)
        return EXIT_FAULT


if __name__ == "__main__":
    sys.exit(main())
