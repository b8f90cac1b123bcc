"""A TCP proxy between a client and the broker that breaks in the ways networks do."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

MODES: Final = ("pass", "half_open", "slow", "refuse")
_BLOCK = 65536
#: SO_LINGER on, 0 s: close() sends RST. Source: socket(7).
_RESET = struct.pack("ii", 1, 0)
_SLOW_BLOCK, _SLOW_PAUSE_S = 256, 0.05


class Proxy:
    """Listens on loopback and passes bytes on.

    Attributes:
        mode: ``pass``; ``half_open`` (both sides stay connected and nothing arrives); ``slow`` (about 5 kB a second);
            ``refuse`` (new connections are reset).
    """

    def __init__(self, target_port: int) -> None:
        self.mode = "pass"
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._pairs: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    @property
    def url(self) -> str:
        """Return where clients connect to."""
        return f"mqtts://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections and stop listening."""
        if self._server is not None:
            self._server.close()
        self.set_mode("pass")
        self.reset()
        tasks = list(self._pairs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set_mode(self, mode: str) -> None:
        """Break the network, or mend it."""
        assert mode in MODES
        self.mode = mode
        if mode == "half_open":
            self._open.clear()
        else:
            self._open.set()

    def reset(self) -> None:
        """Reset all connections that stand, both ways."""
        for writers in tuple(self._pairs.values()):
            for writer in writers:
                _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs[task] = (writer,)
        try:
            # Only `close` cancels; a stream's callback in Python 3.11 takes a cancelled handler for an error.
            with contextlib.suppress(asyncio.CancelledError):
                await self._join(task, reader, writer)
        finally:
            for one in self._pairs.pop(task):
                _abort(one)

    async def _join(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "refuse":
            return
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._pairs[task] = (writer, far_writer)
            pipes = [asyncio.ensure_future(self._pipe(*ends)) for ends in ((reader, far_writer), (far_reader, writer))]
            try:
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pipe in pipes:
                    pipe.cancel()
                await asyncio.gather(*pipes, return_exceptions=True)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_SLOW_BLOCK if self.mode == "slow" else _BLOCK):
                await self._open.wait()
                if self.mode == "slow":
                    await asyncio.sleep(_SLOW_PAUSE_S)
                writer.write(data)
                await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
