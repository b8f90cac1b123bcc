"""A port whose opening or closing hangs in the kernel until it is let go."""

import threading


class Hanging:
    """A port whose kernel does not come back. See `drivers.links.fd_printer.PrinterNode`."""

    path = identity = "hanging"
    has_port_status = False

    def __init__(self, fd: int, *, opens: bool, closes: bool) -> None:
        self._fd, self._opens, self._closes = fd, opens, closes
        self.is_let_go = threading.Event()

    def is_present(self) -> bool:
        return True

    def acquire(self) -> int:
        if not self._opens:
            self.is_let_go.wait(20)
        return self._fd

    def release(self, fd: int) -> None:
        if not self._closes:
            self.is_let_go.wait(20)

    def port_status(self, fd: int) -> int | None:
        return None

    def is_held(self, fd: int) -> bool:
        return False

    def unsent_bytes(self, fd: int) -> int:
        return 0

    def is_end(self, fd: int) -> bool:
        return True
