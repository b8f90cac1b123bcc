"""The printer on a Unix socket: one connection = one open device file; closing it, or dying, closes the file.

Frame, both ways: `!II` = length of JSON, length of data; then JSON, then data. Requests name `op`; answers hold `value`
or `errno`. See `hil.simulators.usb_backend` for the other end.
"""

import asyncio
import contextlib
import json
import struct
from pathlib import Path
from typing import Any

from hil.simulators.printer.usb_gadget import Handle, UsbFaultError, UsbGadget

_HEADER = struct.Struct("!II")
_LIMIT_BYTES = 8 * 1024 * 1024


class UsbServer:
    """Serves one gadget."""

    def __init__(self, gadget: UsbGadget, path: Path) -> None:
        self._gadget = gadget
        self._path = path
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; a socket left by a killed bench is replaced."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, self._path)

    async def close(self) -> None:
        """Stop listening and drop every connection; idempotent."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
        self._path.unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="sim-usb-connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handle = Handle()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    request, data = await _receive(reader)
                    value, answer = await self._answer_while_connected(reader, handle, request, data)
                    head = json.dumps(value).encode()
                    writer.write(_HEADER.pack(len(head), len(answer)) + head + answer)
                    await writer.drain()
        finally:
            self._gadget.close_handle(handle)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer_while_connected(
        self, reader: asyncio.StreamReader, handle: Handle, request: dict[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytes]:
        """Answer, unless the client dies first: the kernel cancels the transfers of a killed process."""
        if request["op"] == "enumerate" or (request["timeout_ms"] and request["op"] != "open"):
            return await self._answer(handle, request, data)
        answering = asyncio.ensure_future(self._answer(handle, request, data))
        # The client never pipelines: anything that can be read now is the end of the connection.
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ConnectionResetError("the client died")
            return answering.result()
        finally:
            for task in (answering, gone):
                task.cancel()
            await asyncio.gather(answering, gone, return_exceptions=True)

    async def _answer(self, handle: Handle, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        if request["op"] == "enumerate":
            return {"value": self._gadget.enumerate()}, b""
        try:
            value = await self._gadget.call(handle, request["op"], request, data)
        except UsbFaultError as error:
            return {"errno": error.code}, b""
        return ({"value": None}, value) if isinstance(value, bytes) else ({"value": value}, b"")


async def _receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    head_length, data_length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if head_length + data_length > _LIMIT_BYTES:
        raise ConnectionError("frame too long")
    request: dict[str, Any] = json.loads(await reader.readexactly(head_length))
    return request, await reader.readexactly(data_length)
