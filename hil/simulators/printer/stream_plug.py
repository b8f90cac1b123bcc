"""The printer on a stream instead of USB: a TCP port (9100), or a pty that stands for usblp or a serial line.

The kernel's hidden buffers are kept out of the picture: what comes is taken from the kernel at once, and the printer's
own rules (room, NAK, flow control) decide when more may come.
"""

import asyncio
import contextlib
import os
import socket
import struct
import termios
from pathlib import Path
from typing import Protocol

from hil.simulators.port import SerialPort
from hil.simulators.printer.bell import Bell
from hil.simulators.printer.engine import PrintEngine

PACKET_BYTES = 64
_READ_BYTES = 4096
#: Smallest receive buffer that Linux gives a socket. Source: socket(7), SO_RCVBUF.
_RECEIVE_BUFFER_BYTES = 2304
#: Closing resets the connection.
_RESET = struct.pack("ii", 1, 0)
_XON, _XOFF = b"\x11", b"\x13"
#: Ways a line is held: ``usblp`` one request at a time, ``rtscts`` by CTS, ``xonxoff`` by bytes, ``none`` not at all.
FLOWS = ("usblp", "rtscts", "xonxoff", "none")


class Plug(Protocol):
    """One way into a printer."""

    @property
    def is_attached(self) -> bool:
        """Return whether a host can reach it."""

    @property
    def is_claimed(self) -> bool:
        """Return whether a host has it open."""

    async def start(self) -> None:
        """Make the node or the port."""

    async def close(self) -> None:
        """Take it away for good; idempotent."""

    def attach(self) -> None:
        """Put the cable in."""

    def detach(self) -> None:
        """Pull the cable: what the printer has not taken is lost."""


class _Pump:
    """Moves packets from the line into the printer as it takes them, and its answers back."""

    def __init__(self, engine: PrintEngine, bell: Bell) -> None:
        self.line = bytearray()
        self._engine = engine
        self._bell = bell

    def offer(self) -> None:
        """Give the printer what it takes now."""
        while self.line and self._engine.offer(bytes(self.line[:PACKET_BYTES])):
            del self.line[:PACKET_BYTES]

    def answers(self) -> bytes:
        """Take what the printer has to say."""
        data = bytes(self._engine.replies)
        self._engine.replies.clear()
        return data

    async def wait(self) -> None:
        """Return when something has changed."""
        await self._bell.wait()


class TcpPlug:
    """A print server card: one connection at a time; another one is refused.

    Attributes:
        port: Where it listens on loopback; chosen at `start` if 0.
    """

    def __init__(self, engine: PrintEngine, bell: Bell, *, port: int = 0) -> None:
        self.port = port
        self._engine, self._bell = engine, bell
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self._connection: socket.socket | None = None
        self._ending: list[asyncio.Task[None]] = []

    @property
    def is_attached(self) -> bool:
        """Return whether it listens."""
        return self._listener is not None

    @property
    def is_claimed(self) -> bool:
        """Return whether a host is connected."""
        return self._connection is not None

    async def start(self) -> None:
        """Choose a port."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop the connection."""
        serving = self._serving
        self.detach()
        for task in (serving, *self._ending):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)
        self._ending.clear()

    def attach(self) -> None:
        """Listen."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(1)
        self._listener = listener
        self._serving = asyncio.get_running_loop().create_task(self._serve(listener), name="sim-tcp-printer")

    def detach(self) -> None:
        """Go away. On loopback the host hears a reset, which a pulled network cable would not send."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._connection is not None:
            # SO_LINGER with time 0: reset, and unread bytes are gone. Source: socket(7).
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._serving is not None:
            self._serving.cancel()
            self._ending.append(self._serving)
            self._serving = None
        self._engine.replies.clear()

    async def _serve(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            self._connection = connection
            refusing = loop.create_task(_refuse(listener), name="sim-tcp-refuse")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._receive(connection))
                    group.create_task(self._answer(connection))
            except* OSError:
                pass  # the host is gone
            finally:
                refusing.cancel()
                await asyncio.gather(refusing, return_exceptions=True)
                self._connection = None
                connection.close()

    async def _receive(self, connection: socket.socket) -> None:
        loop, pump = asyncio.get_running_loop(), _Pump(self._engine, self._bell)
        while data := await loop.sock_recv(connection, PACKET_BYTES):
            pump.line += data
            pump.offer()
            while pump.line:
                await pump.wait()
                pump.offer()
        raise ConnectionResetError("closed by the host")

    async def _answer(self, connection: socket.socket) -> None:
        loop, pump = asyncio.get_running_loop(), _Pump(self._engine, self._bell)
        while True:
            if data := pump.answers():
                await loop.sock_sendall(connection, data)
            else:
                await pump.wait()


async def _refuse(listener: socket.socket) -> None:
    while True:
        other, _ = await asyncio.get_running_loop().sock_accept(listener)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        other.close()


class PtyPlug:
    """A pty behind a stable symlink, held as `flow` says."""

    def __init__(self, engine: PrintEngine, bell: Bell, *, path: Path, flow: str) -> None:
        assert flow in FLOWS
        self.path = path
        self._engine, self._bell, self._flow = engine, bell, flow
        self._pump = _Pump(engine, bell)
        self._port = SerialPort(path, on_data=self._take)
        self._is_held = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_attached(self) -> bool:
        """Return whether the node is there."""
        return self._port.is_plugged

    @property
    def is_claimed(self) -> bool:
        """Return whether a process has the node open."""
        return self._port.is_plugged and self._port.is_open

    async def start(self) -> None:
        """Begin to move bytes."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="sim-pty-printer")

    async def close(self) -> None:
        """Remove the node."""
        self.detach()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def attach(self) -> None:
        """Make the node."""
        self._is_held = False
        self._port.plug()

    def detach(self) -> None:
        """Remove the node: whoever has it open gets a hang-up."""
        self._port.unplug()
        self._pump.line.clear()
        self._engine.replies.clear()

    def _take(self, data: bytes) -> None:
        self._pump.line += data
        self._move()

    async def _run(self) -> None:
        while True:
            self._move()
            await self._bell.wait()

    def _move(self) -> None:
        self._pump.offer()
        if not self._port.is_plugged:
            return
        self._hold(is_held=bool(self._pump.line) or (self._flow != "usblp" and not self._engine.has_room))
        if self._port.is_open:
            with contextlib.suppress(OSError):
                os.write(self._port.master, self._pump.answers())

    def _hold(self, *, is_held: bool) -> None:
        if is_held == self._is_held or self._flow == "none":
            return
        self._is_held = is_held
        if self._flow == "xonxoff":
            os.write(self._port.master, _XOFF if is_held else _XON)
        else:
            self._port.flow(termios.TCOOFF if is_held else termios.TCOON)
