"""Real-time commands, found in the bytes as they arrive, wherever they stand (even inside image data). Pure.

Source: Epson ESC/POS command reference, DLE EOT, DLE ENQ, DLE DC4.
"""

from collections.abc import Iterator

_CLEAR_BUFFER = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"


class RealTimeScanner:
    """Feed packets, take (command, argument): ("status", n), ("recover", n), ("pulse", m), ("clear", 8)."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, int]]:
        """Yield the commands that `data` completes."""
        self._tail += data
        while (start := self._tail.find(b"\x10")) >= 0:
            self._tail = self._tail[start:]
            used, command = _match(self._tail)
            if used == 0:
                return
            self._tail = self._tail[used:]
            if command is not None:
                yield command
        self._tail = b""


def _match(head: bytes) -> tuple[int, tuple[str, int] | None]:
    """Return bytes used (0 = more must come) and the command, None for something else."""
    if len(head) < 3:
        return (0, None) if len(head) < 2 or head[1] in (0x04, 0x05, 0x14) else (1, None)
    if head[1] == 0x04:
        return (3, ("status", head[2])) if 1 <= head[2] <= 4 else (1, None)
    if head[1] == 0x05:
        return (3, ("recover", head[2])) if head[2] in (1, 2) else (1, None)
    if head[1] == 0x14 and head[2] == 1:
        return (0, None) if len(head) < 5 else (5, ("pulse", head[3]))
    if _CLEAR_BUFFER.startswith(head[:10]) and len(head) < 10:
        return 0, None
    return (10, ("clear", 8)) if head.startswith(_CLEAR_BUFFER) else (1, None)
