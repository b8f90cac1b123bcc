"""``python -m hil.chaos --seconds 60 --seed 1``: break everything and count; ``check DIR``: judge a kept run again."""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from hil.chaos.checker import check_folder
from hil.chaos.schedule import WEIGHTS
from hil.chaos.verdict import Report

_MOST_SHOWN = 40


def make_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m hil.chaos",
        description="Two real tills, broker, back office and acquirer under seeded faults, then a judgement.",
        epilog="exit status: 0 nothing lost, doubled, untrue or leaked; 1 something was; 2 wrong usage",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of faults; quiet time comes on top (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="fixes the fault schedule (%(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite", help="of the back office")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep history, ledger, data and logs here")
    parser.add_argument("--calm", action="store_true", help="no faults: what the rig itself is worth")
    parser.add_argument("--faults", default="", metavar="LIST", help="only these, by commas; see hil/chaos/faults.py")
    parser.add_argument("--quiet-s", type=float, default=120.0, help="longest wait for everything to settle")
    parser.add_argument("--plant", metavar="BUG", default="", help="plant a bug of hil/chaos/planted into the children")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    again = commands.add_parser("check", help="judge a kept run again")
    again.add_argument("folder", type=Path)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = make_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    unknown = set(filter(None, options.faults.split(","))) - set(WEIGHTS)
    if unknown:
        sys.stderr.write(f"no fault {', '.join(sorted(unknown))}; there are: {', '.join(WEIGHTS)}\n")
        return 2
    if options.command == "check":
        return _tell(check_folder(options.folder), f"{options.folder}")
    from hil.chaos.planted import environment  # noqa: PLC0415 - `check` needs none of it
    from hil.chaos.run import Options, run  # noqa: PLC0415 - as above

    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pos-agent-chaos-") as temporary:
        folder = options.keep or Path(temporary) / "run"
        wanted = Options(
            folder=folder,
            seconds=options.seconds,
            seed=options.seed,
            database=options.database,
            faults=tuple(filter(None, options.faults.split(","))),
            is_calm=options.calm,
            quiet_s=options.quiet_s,
            planted=environment(options.plant) if options.plant else {},
        )
        report = run(wanted)
        title = f"seed={options.seed} database={options.database} took_s={time.monotonic() - began_s:.0f}"
        return _tell(report, title)


def _tell(report: Report, title: str) -> int:
    sys.stdout.write(f"chaos {title}\n{report.summary()}\n")
    for one in report.violations[:_MOST_SHOWN]:
        sys.stdout.write(f"  {one.kind} {one.invariant} {one.request_id} {one.text}\n")
    if len(report.violations) > _MOST_SHOWN:
        sys.stdout.write(f"  … and {len(report.violations) - _MOST_SHOWN} more\n")
    if not report.refunds:
        sys.stdout.write("  no refund was made: nothing is proved\n")
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
