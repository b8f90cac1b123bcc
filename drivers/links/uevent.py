"""A nudge when udev has finished with a device: makes re-opening instant. Not parsed; the retry timer stays the rule.

Source: Linux NETLINK_KOBJECT_UEVENT; group 2 carries udev's own messages, sent after rules and modes are set
(systemd src/libsystemd/sd-device/device-monitor.c, MONITOR_GROUP_UDEV).
"""

import asyncio
import logging
import socket
from collections.abc import Callable

_log = logging.getLogger(__name__)
_NETLINK_KOBJECT_UEVENT = 15
_GROUP_UDEV = 2


class UeventSocket:
    """Listens to udev while attached to the running event loop."""

    def __init__(self, on_event: Callable[[], None]) -> None:
        self._on_event = on_event
        self._socket: socket.socket | None = None

    def attach(self) -> bool:
        """Start listening; False = not permitted here (container, sandbox): only the retry timer works then."""
        try:
            listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_KOBJECT_UEVENT)
        except OSError as error:
            _log.info("uevent=off cause=%s", error)
            return False
        try:
            listener.setblocking(False)
            listener.bind((0, _GROUP_UDEV))
        except OSError as error:
            listener.close()
            _log.info("uevent=off cause=%s", error)
            return False
        self._socket = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._on_readable)
        return True

    def detach(self) -> None:
        """Stop listening; idempotent."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _on_readable(self) -> None:
        if self._socket is None:
            return
        try:
            while self._socket.recv(8192):
                pass
        except BlockingIOError:
            pass
        except OSError as error:  # ENOBUFS: events were lost, which is a reason to look as well
            _log.debug("uevent=overrun cause=%s", error)
        self._on_event()
