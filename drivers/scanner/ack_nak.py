"""Plain text that the host acknowledges: ACK for a good frame, NAK for a garbled one. Pure.

A scanner set to ACK/NAK waits 2 s for the answer; some send again after NAK, others throw the data away, so a repeated
frame is normal and the re-read window of the driver drops it.

Source: Zebra plain-mode host options "ACK/NAK"; Honeywell ACK/NAK mode (off by default, 2 s, 0 retries).
"""

from collections.abc import Sequence
from typing import Final

from drivers.scanner.framer import Frame, Garble, Garbled, ScanFramer
from drivers.scanner.protocol import Item, Reply

ACK: Final = b"\x06"
NAK: Final = b"\x15"


class AckNakProtocol:
    """`ScanFramer`, answered.

    Args:
        framer: Parts the text; its rules about suffix and silence hold here as well.
    """

    def __init__(self, framer: ScanFramer) -> None:
        self._framer = framer

    @property
    def has_pending(self) -> bool:
        """Return whether a frame is under way."""
        return self._framer.has_pending

    @property
    def gap_s(self) -> float:
        """Return the framer's gap."""
        return self._framer.gap_s

    def start(self) -> list[Item]:
        """Send nothing."""
        return []

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes; each frame is followed by its answer."""
        return _answered(self._framer.feed(data))

    def end_of_silence(self) -> list[Item]:
        """Answer what silence ended."""
        return _answered(self._framer.end_of_silence())

    def reset(self) -> None:
        """Forget what has arrived."""
        self._framer.reset()


def _answered(found: Sequence[Frame | Garbled]) -> list[Item]:
    items: list[Item] = []
    for item in found:
        items.append(item)
        if isinstance(item, Frame):
            items.append(Reply(ACK))
        elif item.cause is not Garble.NO_READ:
            items.append(Reply(NAK))
    return items
