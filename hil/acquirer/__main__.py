"""``python -m hil.acquirer --port 0 --ledger FILE``: run the simulated acquirer until SIGTERM."""

import argparse
import asyncio
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvicorn

from hil.acquirer.ledger import Ledger
from hil.acquirer.service import Acquirer


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hil.acquirer", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 = any free one (default)")
    where.add_argument("--socket", type=Path, help="Unix socket instead of a port")
    parser.add_argument("--ledger", type=Path, required=True, help="append-only file, fsynced; made if missing")
    parser.add_argument("--processing-s", type=float, default=30.0, help="a 'processing' refund succeeds after this")
    parser.add_argument("--hang-s", type=float, default=30.0, help="how long a 'timeout' keeps the caller waiting")
    return parser.parse_args(argv)


def _listen(arguments: argparse.Namespace) -> tuple[socket.socket, str]:
    if arguments.socket is not None:
        listener = socket.socket(socket.AF_UNIX)
        arguments.socket.unlink(missing_ok=True)
        listener.bind(str(arguments.socket))
        return listener, f"unix:{arguments.socket}"
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


async def _serve(arguments: argparse.Namespace) -> None:
    ledger = Ledger(arguments.ledger)
    acquirer = Acquirer(
        ledger,
        now=lambda: datetime.fromtimestamp(time.time(), UTC),
        processing_s=arguments.processing_s,
        hang_s=arguments.hang_s,
    )
    listener, url = _listen(arguments)
    listener.listen(64)
    server = uvicorn.Server(uvicorn.Config(acquirer.app(), log_level="warning", timeout_graceful_shutdown=1))
    sys.stdout.write(msgspec.json.encode({"ready": True, "url": url}).decode() + "\n")
    sys.stdout.flush()
    try:
        await server.serve(sockets=[listener])
    finally:
        listener.close()
        ledger.close()


def main(argv: list[str] | None = None) -> int:
    """Run until told to stop."""
    asyncio.run(_serve(_arguments(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
