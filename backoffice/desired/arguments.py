"""What ``pos-backoffice fleet-key`` and ``pos-backoffice config`` take."""

import argparse
from pathlib import Path

from backoffice.command_line import CommandGroup

_FROM_FD = "read the passphrase from this open file descriptor, not from the terminal"


def add_desired(root: CommandGroup) -> None:
    """Add both groups."""
    _add_keys(root)
    config = root.group("config", "signed configuration of tills")
    _add_signing(config)
    _add_pushing(config)


def _add_keys(root: CommandGroup) -> None:
    keys = root.group("fleet-key", "keys that sign configuration, on a machine without network")
    new = keys.offline(
        "new",
        "make a fleet key",
        "Its file is encrypted with a passphrase and never overwritten. Prints what tills and back office pin.",
        "pos-backoffice fleet-key new fleet-a.key --kid fleet-2026a",
    )
    new.add_argument("file", type=Path)
    new.add_argument("--kid", required=True, help="its name: a-z, 0-9, dot, dash, underscore")
    new.add_argument("--passphrase-fd", type=int, help=_FROM_FD)
    show = keys.offline("show", "print the public part of a fleet key", "", "pos-backoffice fleet-key show fleet-a.key")
    show.add_argument("file", type=Path)


def _add_signing(config: CommandGroup) -> None:
    sign = config.offline(
        "sign",
        "sign a configuration for the tills of a plan, each with its undo",
        "Shows what would change at which\ntills and asks. The undo has the next number and brings back what each till "
        "runs now.",
        "pos-backoffice config sign plan.json change.toml --key fleet-a.key --out bundle.json",
    )
    sign.add_argument("plan", type=Path, help="written by 'config plan'")
    sign.add_argument("change", type=Path, nargs="?", help="TOML: sections and keys of terminal.toml")
    sign.add_argument("--rollout", default="", help="its name; default = made from the date")
    sign.add_argument("--title", default="", help="for people")
    sign.add_argument("--whole", action="store_true", help="the file is all; default = over what each till has now")
    sign.add_argument("--drop", action="append", default=[], metavar="KEY", help="back to the till's own file")
    sign.add_argument("--valid-days", type=int, default=30, help="later it is not begun any more (%(default)s)")
    sign.add_argument("--undo-valid-days", type=int, default=730, help="the same of the undo (%(default)s)")
    sign.add_argument("--min-agent", default="", help="oldest version of the agent that understands it")
    sign.add_argument("--confirm-within-s", type=int, default=120, help="length of the trial (%(default)s)")
    sign.add_argument("--needs-ack", action="store_true", help="confirm only after the back office has answered")
    _add_signer(sign)
    second = config.offline(
        "countersign",
        "add a second person's signature to a bundle",
        "Needed where broker, trust, limits or merchant change.",
        "pos-backoffice config countersign bundle.json --key fleet-b.key --pin fleet-2026a=BASE64 --out signed.json",
    )
    second.add_argument("bundle", type=Path)
    _add_signer(second)
    show = config.offline(
        "show",
        "show what a bundle changes, and who signed it",
        "",
        "pos-backoffice config show bundle.json --pin fleet-2026a=BASE64",
    )
    show.add_argument("bundle", type=Path)
    _add_pins(show)


def _add_pins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pin", action="append", default=[], metavar="KID=BASE64", help="public key of another signer; may be repeated"
    )


def _add_signer(parser: argparse.ArgumentParser) -> None:
    _add_pins(parser)
    parser.add_argument("--key", type=Path, required=True, help="file of the private fleet key")
    parser.add_argument("--out", type=Path, required=True, help="bundle to write; never overwritten")
    parser.add_argument("--passphrase-fd", type=int, help=_FROM_FD)
    parser.add_argument(
        "--yes", action="store_true", help="sign without asking; the difference is printed all the same"
    )


def _add_pushing(config: CommandGroup) -> None:
    plan = config.command(
        "plan",
        "write down what a signer needs: the next free number of each till, and what it runs",
        "",
        "pos-backoffice config plan --terminal t-shop-01 --out plan.json",
    )
    plan.add_argument("--terminal", action="append", default=[], metavar="ID", help="may be repeated; default = all")
    plan.add_argument("--out", type=Path, required=True, help="file to write; never overwritten")
    push = config.command(
        "push",
        "take a signed bundle; nothing goes out yet",
        "Refuses what the tills would refuse, and a number that is not free.",
        "pos-backoffice config push bundle.json",
    )
    push.add_argument("bundle", type=Path)
    push.add_argument("--by", default="", help="who pushes; default = the name of the account")
    push.add_argument("--again", action="store_true", help="after a restore: its numbers may be known to the tills")
    release = config.command(
        "release",
        "let tills have it, wave after wave",
        "Which tills are in the first 1 % is decided by rollout and till alone. A till that is offline gets it when it "
        "is back.",
        "pos-backoffice config release r20261123-4f2a --wave 1%",
    )
    release.add_argument("rollout")
    share = release.add_mutually_exclusive_group(required=True)
    share.add_argument("--wave", default="", metavar="SHARE", help="such as 1%%, 10%%, 100%% of the tills")
    share.add_argument("--terminal", action="append", default=[], metavar="ID", help="these tills; may be repeated")
    release.add_argument("--if-success", type=float, metavar="PERCENT", help="only if so many of the answers are good")
    release.add_argument("--if-answered", type=int, default=1, metavar="N", help="and so many answered (%(default)s)")
    for name, words, more in (
        ("pause", "let nothing more of a rollout out", ""),
        ("resume", "end a pause", ""),
        ("undo", "send every till that got it back to what it ran before", "Signed with the rollout; needs no key."),
    ):
        config.command(name, words, more).add_argument("rollout")
    status = config.command(
        "status", "say how far rollouts are", "", "pos-backoffice config status r20261123-4f2a --json"
    )
    status.add_argument("rollout", nargs="?", default="", help="with its tills; none = all rollouts in sums")
