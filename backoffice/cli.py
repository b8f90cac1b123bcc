"""``pos-backoffice``: the back office's commands. Each imports what it needs when it runs."""

import argparse
import logging
import sys

from backoffice.arguments import make_parser
from pos_agent.errors import ConfigError, PosAgentError


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
    try:
        return _run(arguments)
    except ConfigError as error:
        sys.stderr.write(f"pos-backoffice: {error}\n")
        return 2
    except (PosAgentError, ValueError, OSError) as error:
        sys.stderr.write(f"pos-backoffice: {error}\n")
        return 1


def _run(arguments: argparse.Namespace) -> int:
    """Import what the command needs: start-up of --help and version stays short, and a signer's machine has no more."""
    from backoffice.desired import offline  # noqa: PLC0415 - see above

    if arguments.command == "fleet-key" or (arguments.command == "config" and arguments.action in offline.ACTIONS):
        return offline.run(arguments)
    from backoffice import commands  # noqa: PLC0415 - see above

    return commands.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
