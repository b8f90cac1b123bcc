"""``pos-backoffice``: the back office's commands. Each imports what it needs when it runs."""

import argparse
import logging
import sys
from datetime import date
from pathlib import Path

from pos_agent.errors import ConfigError, PosAgentError

_EPILOG = """\
first steps:
  pos-backoffice keys   --config backoffice.toml        make the signing key; prints what tills pin
  pos-backoffice init   --config backoffice.toml        create or migrate the database
  pos-backoffice person add --config backoffice.toml --login li --name "Li Na" --role finance < password.txt
  pos-backoffice terminal add --config backoffice.toml --id t-shop-01 --merchant M1 --device-kid d1 --device-key BASE64
  pos-backoffice operator map --config backoffice.toml --merchant M1 --no 01 --person li
  pos-backoffice sales import --config backoffice.toml sales.csv
  pos-backoffice serve  --config backoffice.toml        prints {"ready": true, "url": …} once it serves

exit status: 0 done, 1 a fault, 2 wrong usage or configuration
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="pos-backoffice",
        description="Review, approval, execution and results of refund requests that tills send.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=Path("backoffice.toml"), help="TOML file (%(default)s)")
    common.add_argument("--json", action="store_true", help="print JSON for machines")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("serve", parents=[common], help="run pages, ingest and executor until SIGTERM")
    commands.add_parser("init", parents=[common], help="create or migrate the database")
    commands.add_parser("keys", parents=[common], help="make the Ed25519 signing key; never overwrites")
    demo = commands.add_parser("demo-data", parents=[common], help="import sales to learn and test with")
    demo.add_argument("--today", help="YYYY-MM-DD, to which the sales' dates are relative; default today")
    demo.add_argument("--merchant", default="", help="merchant id of the sales; default = the only one there is")
    demo.add_argument("--acquirer", default="simulated", help="acquirer id of the sales (%(default)s)")
    demo.add_argument("--terminal", default="", help="terminal id of the sales; default = none")
    _add_groups(commands, common)
    _add_upkeep(commands, common)
    version = commands.add_parser("version", help="print the version")
    version.add_argument("--json", action="store_true", help="print JSON for machines")
    return parser


def _add_groups(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    person = commands.add_parser("person", help="persons and their sign-ins").add_subparsers(
        dest="action", required=True
    )
    add = person.add_parser("add", parents=[common], help="add a person; the password comes on standard input")
    add.add_argument("--login", required=True)
    add.add_argument("--name", default="", help="as people read it; default = the login")
    add.add_argument("--role", required=True, choices=["viewer", "approver", "finance", "manager"])
    add.add_argument("--person", help="person id; default = the login. Give an existing one for a second account")
    deny = person.add_parser("deny", parents=[common], help="shut a person out at once; open sign-ins end")
    deny.add_argument("--person", required=True)
    allow = person.add_parser("allow", parents=[common], help="let a person in again")
    allow.add_argument("--person", required=True)
    terminal = commands.add_parser("terminal", help="tills").add_subparsers(dest="action", required=True)
    add = terminal.add_parser("add", parents=[common], help="enrol a till, or give it another key")
    add.add_argument("--id", required=True, help="t-… as in the certificate")
    add.add_argument("--merchant", required=True)
    add.add_argument("--merchant-name", default="")
    add.add_argument("--device-kid", required=True)
    add.add_argument("--device-key", required=True, help="base64 of the raw 32-byte Ed25519 public key")
    deny = terminal.add_parser("deny", parents=[common], help="revoke a till: its requests are held")
    deny.add_argument("--id", required=True)
    clear = terminal.add_parser("clear", parents=[common], help="end a suspicion or a revocation")
    clear.add_argument("--id", required=True)
    operator = commands.add_parser("operator", help="operator numbers of tills").add_subparsers(
        dest="action", required=True
    )
    mapping = operator.add_parser("map", parents=[common], help="say which person an operator number is")
    mapping.add_argument("--merchant", required=True)
    mapping.add_argument("--no", required=True)
    mapping.add_argument("--person", required=True, help="person id; made if missing, then --name is needed")
    mapping.add_argument("--name", default="")
    sales = commands.add_parser("sales", help="the sale ledger").add_subparsers(dest="action", required=True)
    load = sales.add_parser("import", parents=[common], help="import or correct sales from .csv or .json")
    load.add_argument("file", type=Path)


def _add_upkeep(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    copy = commands.add_parser("backup", parents=[common], help="copy the SQLite database while it is in use")
    copy.add_argument("file", type=Path, help="where to; never overwritten")
    restore = commands.add_parser(
        "restore",
        parents=[common],
        help="put a copy back and start a new epoch",
        description="Put a copy in the place of the database, which is kept beside it, and start a new epoch: until "
        "the tills have offered their requests again and the acquirers were asked about every refund, nothing is "
        "executed or decided. Stop all back offices first.",
    )
    restore.add_argument(
        "file", type=Path, nargs="?", help="copy made by 'backup'; none = the database was put back by other means"
    )
    bill = commands.add_parser(
        "reconcile",
        parents=[common],
        help="compare an acquirer's bill with the record",
        description="Every difference opens a case for two persons, once: running it again opens nothing new. A bill "
        "is CSV or JSON with refund_no, amount_minor, sale_ref, currency, at.",
    )
    bill.add_argument("bill", type=Path, nargs="?", help="the bill; none = ask the (simulated) acquirer itself")
    bill.add_argument("--acquirer", default="simulated", help="whose bill it is (%(default)s)")
    for flag, name, what in (
        ("--from", "first", "first day that it covers; default = the days of its lines"),
        ("--to", "last", "last day that it covers; default = the first"),
    ):
        bill.add_argument(flag, dest=name, type=date.fromisoformat, metavar="YYYY-MM-DD", help=what)
    chains = commands.add_parser("audit", help="the hash chains").add_subparsers(dest="action", required=True)
    chains.add_parser("verify", parents=[common], help="check the chain of every request; exit status 1 names faults")
    chain = chains.add_parser(
        "compare", parents=[common], help="compare a till's chain with the heads that the till told over time"
    )
    chain.add_argument("file", type=Path, help="written by 'pos-agent audit verify --heads FILE'")
    resume = commands.add_parser("resume", parents=[common], help="say how far a restore is, or end it by hand")
    resume.add_argument("--anyway", action="store_true", help="end it although something could not be checked")
    resume.add_argument("--by", default="", help="with --anyway: who answers for it")


def _print_version(*, is_json: bool) -> int:
    from pos_agent import __version__  # noqa: PLC0415 - see main

    sys.stdout.write((f'{{"version":"{__version__}"}}' if is_json else __version__) + "\n")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = make_parser().parse_args(argv)
    if arguments.command == "resume" and arguments.anyway and not arguments.by:
        sys.stderr.write("pos-backoffice: --anyway needs --by NAME: somebody answers for it\n")
        return 2
    if arguments.command == "version":
        return _print_version(is_json=arguments.json)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in ("alembic", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    from backoffice import commands  # noqa: PLC0415 - start-up of --help and version stays short

    try:
        return commands.run(arguments)
    except ConfigError as error:
        sys.stderr.write(f"pos-backoffice: {error}\n")
        return 2
    except (PosAgentError, ValueError, OSError) as error:
        sys.stderr.write(f"pos-backoffice: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
