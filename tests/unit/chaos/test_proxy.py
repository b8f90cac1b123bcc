"""The proxy breaks a connection in each of its ways, and mends it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hil.chaos.proxy import Proxy

TIMEOUT_S = 5.0


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1024):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.close()
    server.close()
    await asyncio.sleep(0)


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def said(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(TIMEOUT_S):
        return await reader.readexactly(count)


async def test_proxy_passes_bytes_both_ways(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"hello")
    assert await said(reader, 5) == b"hello"
    writer.close()


async def test_proxy_half_open_keeps_bytes_until_mended(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"1")
    assert await said(reader, 1) == b"1"
    proxy.set_mode("half_open")
    writer.write(b"2")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)
    proxy.set_mode("pass")
    assert await said(reader, 1) == b"2"
    writer.close()


async def test_proxy_reset_ends_standing_connections(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    writer.write(b"1")
    assert await said(reader, 1) == b"1"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(TIMEOUT_S):
            await reader.read(1)
    writer.close()


async def test_proxy_refuse_resets_new_connections(proxy: Proxy) -> None:
    proxy.set_mode("refuse")
    reader, writer = await connect(proxy)
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(TIMEOUT_S):
            await reader.read(1)
    writer.close()


async def test_proxy_slow_still_delivers_in_order(proxy: Proxy) -> None:
    proxy.set_mode("slow")
    reader, writer = await connect(proxy)
    data = bytes(range(256)) * 2
    writer.write(data)
    assert await said(reader, len(data)) == data
    writer.close()
