"""Tell systemd how we are: READY, STATUS, STOPPING, WATCHDOG.

Source:
    sd_notify(3): a datagram of ``NAME=value`` lines to the Unix socket in NOTIFY_SOCKET ("@" = abstract).
"""

import os
import socket


class Notifier:
    """Sends to the service manager; does nothing where there is none."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def send(self, *lines: str) -> None:
        """Send one datagram; a service manager that is gone is no reason to stop a till."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.connect(self._address)
                sender.sendall("\n".join(lines).encode())
            except OSError:
                return


def watchdog_interval_s() -> float | None:
    """Return half of what systemd demands (sd_watchdog_enabled(3)); None = no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
