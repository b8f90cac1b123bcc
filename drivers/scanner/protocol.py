"""What a scanner's wire protocol is to the driver: bytes in, items out, and a word about silence. Pure.

`drivers.scanner.serial_scanner` owns the port and the clock; a protocol owns neither and never waits.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from drivers.scanner.framer import Frame, Garbled


class Reply(msgspec.Struct, frozen=True):
    """Bytes to send to the scanner now: acknowledgements and commands, never anything that was scanned."""

    data: bytes


class Counted(msgspec.Struct, frozen=True):
    """Something that only a counter hears of, such as a frame that came twice."""

    counter: str


class Silent(msgspec.Struct, frozen=True):
    """A scanner that used to answer does so no longer, on a port that cannot hang up (a UART on pins)."""


Item = Frame | Garbled | Reply | Counted | Silent


class ScanProtocol(Protocol):
    """A family's protocol. All items are in the order in which they have to be handled."""

    @property
    def has_pending(self) -> bool:
        """Return whether something is under way, so that silence of `gap_s` must be told."""

    @property
    def gap_s(self) -> float:
        """Return how long silence must last to mean something."""

    def start(self) -> Sequence[Item]:
        """Return what to send after the port was opened."""

    def feed(self, data: bytes) -> Sequence[Item]:
        """Take bytes as they come."""

    def end_of_silence(self) -> Sequence[Item]:
        """Say that nothing came for `gap_s`, neither bytes nor a start."""

    def reset(self) -> None:
        """Forget what has arrived; how the scanner is set stays known."""
