"""An event loop whose clock jumps to the next timer: waiting costs nothing. For code without threads and sockets."""

import asyncio
import selectors


class _NoWait(selectors.DefaultSelector):
    """Looks at descriptors and returns at once; tells the loop how long it would have waited."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready:
            assert timeout is not None, "nothing will ever happen"
            self.waited_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time passes only while nothing can run."""

    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.waited_s
