"""Status over a Unix socket: one JSON line a connection, read only (`pos_agent.protocol.control.Status`)."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from pos_agent.protocol.control import Status

log = logging.getLogger(__name__)

SOCKET_NAME = "status.sock"
#: sun_path of sockaddr_un, unix(7).
_MAX_PATH_BYTES = 107
_CLIENT_TIMEOUT_S = 2.0


class ControlServer:
    """Serves the status.

    Args:
        runtime_dir: Folder of the socket; made if missing, 0o700.
        status: Makes the status at the moment of asking.
    """

    def __init__(self, runtime_dir: Path, status: Callable[[], Awaitable[Status]]) -> None:
        self._path = runtime_dir / SOCKET_NAME
        self._status = status
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left by a dead daemon is replaced.

        Raises:
            OSError: The folder cannot be used.
        """
        if len(bytes(self._path)) > _MAX_PATH_BYTES:
            raise OSError(f"{self._path}: longer than {_MAX_PATH_BYTES} bytes; choose a shorter terminal.runtime_dir")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path=self._path)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLIENT_TIMEOUT_S):
                    await self._server.wait_closed()
            self._server = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CLIENT_TIMEOUT_S):
                writer.write(msgspec.json.encode(await self._status()) + b"\n")
                await writer.drain()
        except (OSError, TimeoutError) as error:
            log.debug("status client gone error=%s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def read_status(runtime_dir: Path, *, timeout_s: float = 2.0) -> Status:
    """Ask a running daemon.

    Raises:
        OSError: No daemon listens there.
        msgspec.DecodeError: Something else answered.
    """
    import socket  # noqa: PLC0415 - only the command line needs it

    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout_s)
        client.connect(str(runtime_dir / SOCKET_NAME))
        data = b""
        while not data.endswith(b"\n"):
            chunk = client.recv(65_536)
            if not chunk:
                break
            data += chunk
    return msgspec.json.decode(data, type=Status)
