"""A receipt printer in the network: raw bytes to port 9100, without a thread.

A cable pulled or a printer switched off says nothing: TCP's own clocks must notice, idle (keep-alive) and with data
under way (user time-out). Source: tcp(7), TCP_KEEPIDLE, TCP_USER_TIMEOUT; RFC 5482.
"""

import asyncio
import contextlib
import errno
import ipaddress
import socket

from drivers.links import node
from drivers.links.fd_printer import FdPrinterLink, IdleListener
from drivers.links.opener import Opener
from pos_agent.errors import ConfigValueError

#: The port of raw printing ("JetDirect"). Source: IANA, pdl-datastream.
DEFAULT_PORT = 9100
CONNECT_TIMEOUT_S = 3.0
RESOLVE_TIMEOUT_S = 2.0
#: A dead printer is noticed after KEEP_IDLE_S + KEEP_COUNT × KEEP_INTERVAL_S = 11 s.
KEEP_IDLE_S, KEEP_INTERVAL_S, KEEP_COUNT = 5, 2, 3
#: Bytes that nobody acknowledged for so long: lost. A printer without paper still acknowledges (its window is zero).
USER_TIMEOUT_MS = 10_000
#: How long a printer may take to let go.
CLOSE_WAIT_S = 0.3
_READ_BYTES = 4096
#: Small, so that "taken by the kernel" is soon "taken by the printer".
SEND_BUFFER_BYTES = 4096


def parse_tcp_address(text: str) -> tuple[str, int]:
    """Read ``host``, ``host:port``, ``[v6]:port`` or a bare v6 address.

    Raises:
        ConfigValueError: Anything else.
    """
    has_port = "]:" in text if text.startswith("[") else text.count(":") == 1
    host, _, port = text.rpartition(":") if has_port else (text, "", str(DEFAULT_PORT))
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigValueError(
            f"not a network address: {text!r}",
            key="devices.printer.path",
            origin="config",
            hint="such as 10.0.0.9:9100",
        )
    return host, int(port)


class _TcpPort:
    """A connected socket as `drivers.links.fd_printer.PrinterPort`."""

    has_port_status = False

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    @property
    def path(self) -> str:
        return f"tcp:{self.host}:{self.port}"

    @property
    def identity(self) -> str:
        return ""  # an address is no printer

    def is_present(self) -> bool:
        return True

    def release(self, fd: int) -> None:
        """Say that we are done, and wait until the printer says so too: it lets nobody else in before."""
        with contextlib.suppress(OSError), socket.socket(fileno=fd) as closing:
            closing.shutdown(socket.SHUT_WR)
            closing.settimeout(CLOSE_WAIT_S)
            while closing.recv(_READ_BYTES):
                pass

    def port_status(self, fd: int) -> int | None:
        return None

    def is_held(self, fd: int) -> bool:
        return False

    def unsent_bytes(self, fd: int) -> int:
        """Return what the printer has not acknowledged."""
        return node.unsent_bytes(fd)

    def is_end(self, fd: int) -> bool:
        return True


class TcpPrinterLink(FdPrinterLink):
    """See `drivers.escpos.link.PrinterLink`. The connection is ours alone while it is open, as port 9100 has it."""

    def __init__(self, host: str, port: int, *, opener: Opener, on_idle: IdleListener) -> None:
        self._address = _TcpPort(host, port)
        super().__init__(self._address, opener=opener, on_idle=on_idle)

    async def _acquire(self) -> int:
        family, address = await self._resolve()
        connecting = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            _watch(connecting)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().sock_connect(connecting, address)
        except TimeoutError as error:
            connecting.close()
            raise OSError(errno.ENXIO, "no answer") from error
        except BaseException:
            connecting.close()
            raise
        return connecting.detach()

    async def _resolve(self) -> tuple[int, tuple[str, int]]:
        """Return family and address; a name is looked up in the opener thread, an address costs nothing."""
        host, port = self._address.host, self._address.port
        with contextlib.suppress(ValueError):
            is_v6 = ipaddress.ip_address(host).version == 6
            return (socket.AF_INET6 if is_v6 else socket.AF_INET), (host, port)
        found = await self._opener.run(
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
            port=f"dns {host}",
            timeout_s=RESOLVE_TIMEOUT_S,
        )
        return found[0][0], (str(found[0][4][0]), port)


def _watch(connecting: socket.socket) -> None:
    connecting.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connecting.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    for option, value in (
        (socket.TCP_KEEPIDLE, KEEP_IDLE_S),
        (socket.TCP_KEEPINTVL, KEEP_INTERVAL_S),
        (socket.TCP_KEEPCNT, KEEP_COUNT),
        (socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
        (socket.TCP_NODELAY, 1),
    ):
        connecting.setsockopt(socket.IPPROTO_TCP, option, value)
