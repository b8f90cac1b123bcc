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
    demo.add_argument("--port", type=int, help=f"of the page (default {DEFAULT_PORT} if free; 0 = any free one)")
    demo.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, help="data and logs (default .demo)")
    demo.add_argument("--fast", action="store_true", help="paper moves 20 times faster than real")
    demo.add_argument("--locale", choices=("zh-CN", "en"), default="zh-CN", help="the till's language at start")
    demo.add_argument(
        "--display", choices=("40x12", "20x4", "framebuffer"), default="40x12", help="the operator display"
    )
    demo.add_argument(
        "--printer-link",
        choices=("usb", "usblp", "serial", "tcp"),
        default="usb",
        help="how the receipt printer is connected",
    )
    demo.add_argument("--log-level", choices=("DEBUG", "INFO"), default="INFO", help="of the daemon")
    demo.add_argument("--pin-digits", type=int, default=4, help="length of the operators' PINs")
    demo.add_argument(
        "--spy", action="store_true", help="give one more client every right at the broker, for tests of a hostile one"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = make_parser().parse_args(arguments)
    from hil.demo import run_demo  # noqa: PLC0415 - `--help` needs none of it

    return run_demo(options)


if __name__ == "__main__":
    sys.exit(main())
