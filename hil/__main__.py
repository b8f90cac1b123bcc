"""``python -m hil``: the bench from the command line."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hil.rig.ports import DEFAULT_PORT

DEFAULT_STATE_DIR = Path(__file__).resolve().parents[1] / ".demo"


def make_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m hil", description="The bench: a till without hardware.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="start broker, back office, acquirer, daemon and devices, and serve one page",
        epilog="examples: python -m hil demo; python -m hil demo --script full_refund; python -m hil demo --headless",
    )
    demo.add_argument("--headless", action="store_true", help="print one JSON line when ready, run until SIGTERM")
    demo.add_argument("--script", metavar="NAME", help="play a story, exit 0 or 1; 'list' names them all")
    _add_bench(demo)
    demo.add_argument("--pin-digits", type=int, default=4, help="length of the operators' PINs")
    demo.add_argument(
        "--spy", action="store_true", help="give one more client every right at the broker, for tests of a hostile one"
    )
    replay = commands.add_parser(
        "replay",
        help="do an incident of a till again: its keys, scans, cables, paper and network, to a bench of its own",
        epilog="exit status: 0 the bench's till did the same; 1 it went another way; 2 no incident file",
    )
    replay.add_argument("file", type=Path, metavar="FILE", help="such as incidents/incident-000001.jsonl")
    replay.add_argument("--speed", type=float, default=1.0, help="how many times faster than it happened (%(default)g)")
    replay.add_argument(
        "--longest-pause-s",
        type=float,
        default=3.0,
        metavar="N",
        help="cut pauses between inputs to this (%(default)g)",
    )
    _add_bench(replay)
    replay.set_defaults(headless=True, script=None, spy=False)
    return parser


def _add_bench(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen for any bench."""
    parser.add_argument("--port", type=int, help=f"of the page (default {DEFAULT_PORT} if free; 0 = any free one)")
    parser.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="data and logs (default .demo)")
    parser.add_argument("--fast", action="store_true", help="paper moves 20 times faster than real")
    parser.add_argument("--locale", choices=("zh-CN", "en"), default="zh-CN", help="the till's language at start")
    parser.add_argument(
        "--display", choices=("40x12", "20x4", "framebuffer"), default="40x12", help="the operator display"
    )
    parser.add_argument(
        "--printer-link",
        choices=("usb", "usblp", "serial", "tcp"),
        default="usb",
        help="how the receipt printer is connected",
    )
    parser.add_argument("--log-level", choices=("DEBUG", "INFO"), default="INFO", help="of the daemon")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = make_parser().parse_args(arguments)
    from hil.demo import run_demo, run_replay  # noqa: PLC0415 - `--help` needs none of it

    return run_replay(options) if options.command == "replay" else run_demo(options)


if __name__ == "__main__":
    sys.exit(main())
