"""Port 9100: addresses, deadlines, and connections that died without a word."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from drivers.links import tcp_printer
from drivers.links.opener import Opener
from drivers.links.tcp_printer import TcpPrinterLink, parse_tcp_address
from pos_agent.errors import ConfigValueError, NoHardwareError, OfflineError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.9", ("10.0.0.9", 9100)),
        ("printer.shop:9101", ("printer.shop", 9101)),
        ("[fe80::1]:9100", ("fe80::1", 9100)),
        ("[fe80::1]", ("fe80::1", 9100)),
        ("fe80::1", ("fe80::1", 9100)),
    ],
)
def test_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert parse_tcp_address(text) == address


@pytest.mark.parametrize("text", ["", ":9100", "host:", "host:0", "host:70000", "host:x"])
def test_address_that_is_none_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigValueError):
        parse_tcp_address(text)


def make(port: int, host: str = "127.0.0.1") -> TcpPrinterLink:
    return TcpPrinterLink(host, port, opener=Opener(), on_idle=lambda *_: None)


async def test_host_that_refuses_is_no_hardware() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NoHardwareError, match="refused"):
            await make(unused.getsockname()[1]).open()


async def test_name_that_nobody_knows_is_no_hardware_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoHardwareError, match="Name or service not known"):
        await make(9100, "printer.shop").open()


async def test_host_that_does_not_answer_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp_printer, "CONNECT_TIMEOUT_S", 0.05)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full backlog drops further SYNs, as a dead host does
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(full.getsockname())
        try:
            async with asyncio.timeout(2):
                with pytest.raises(NoHardwareError):
                    await make(full.getsockname()[1]).open()
        finally:
            for filler in fillers:
                filler.close()


@asynccontextmanager
async def connected(host: str = "127.0.0.1") -> AsyncIterator[tuple[TcpPrinterLink, socket.socket]]:
    """Open a link; yield it and the printer's end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        link = make(listener.getsockname()[1], host)
        await link.open()
        connection, _ = listener.accept()
        try:
            with connection:
                yield link, connection
        finally:
            await link.close()


async def test_name_is_resolved_outside_the_event_loop() -> None:
    async with connected("localhost") as (link, connection):
        assert await link.write(b"slip") == 4
        assert connection.recv(9) == b"slip"
        connection.close()
        assert isinstance(await asyncio.wait_for(link.wait_lost(), 5), OfflineError)


async def test_connection_watches_itself_idle_and_with_data_under_way() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        link = make(listener.getsockname()[1])
        await link.open()
        with socket.socket(fileno=socket.dup(link._fd)) as copy:
            assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        listener.accept()[0].close()
        await link.close()


async def test_half_open_connection_is_noticed_by_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The printer was switched off and on: it sent nothing, and knows nothing of the connection."""
    monkeypatch.setattr(tcp_printer, "KEEP_IDLE_S", 1)
    monkeypatch.setattr(tcp_printer, "KEEP_INTERVAL_S", 1)
    async with connected() as (link, connection):
        try:
            # A socket closed in repair mode disappears without FIN or RST. Source: tcp(7), Linux TCP_REPAIR = 19.
            connection.setsockopt(socket.IPPROTO_TCP, 19, 1)
        except PermissionError:
            pytest.skip("TCP_REPAIR needs CAP_NET_ADMIN")
        connection.close()
        await asyncio.sleep(0)
        assert link.is_open, "nobody has said anything yet"
        assert isinstance(await asyncio.wait_for(link.wait_lost(), 10), OfflineError)


async def test_closing_lets_the_last_bytes_arrive() -> None:
    async with connected() as (link, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
        assert await link.write(b"last") == 4
        await link.close()
        assert (connection.recv(9), connection.recv(9)) == (b"last", b"")
