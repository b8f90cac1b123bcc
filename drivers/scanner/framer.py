"""From bytes of a serial scanner to frames. Pure: who calls it owns the clock and the port.

::

    [STX] [AIM identifier "]" letter modifier] data  CR | LF | CRLF | NUL | ETX | silence

Sources: Honeywell, Zebra, Datalogic, Newland and Grow manuals agree on prefix, data, suffix (reference: factory suffix
CR, else CRLF, LF, TAB or none); AIM identifiers: ISO/IEC 15424.
"""

import re
from enum import StrEnum

import msgspec

from pos_agent.domain.pay_codes import may_be_cut_off

#: 7089 digits fit into the largest QR code.
MAX_FRAME_BYTES = 8192
#: Nothing shorter is a number that a shop prints; noise is.
MIN_LABEL_LENGTH = 3
#: How long a started frame may rest once the scanner is known to send a suffix, before it counts as cut off.
UNTERMINATED_GAP_S = 0.5
#: That many cut-off frames in a row mean that the scanner was set to "no suffix" meanwhile.
_RELEARN_AFTER = 2
_PARITY_MIN_BYTES = 6
#: A head of a payment code is never longer, with prefix and AIM identifier.
_MAX_HEAD_BYTES = 32

_STX = 0x02
_TERMINATORS = re.compile(rb"[\r\n\x00\x03]")
#: TAB is a factory suffix too, but may also stand inside data: unless the configuration names it as the suffix, it is
#: taken off the end and ends nothing.
_TAB_TERMINATORS = re.compile(rb"[\t\r\n\x00\x03]")
_SUFFIXES = b"\t\r\n\x00\x03"
# Code characters of ISO/IEC 15424; the modifier is one character.
_AIM = re.compile(r"\][A-IK-UX-Zdepz][0-9A-Za-z]")
#: Controls that belong to data: TAB, line ends inside a QR code, EOT FS GS RS US of ISO/IEC 15434 and GS1 messages.
_DATA_CONTROLS = frozenset("\t\r\n\x04\x1c\x1d\x1e\x1f")
#: What Grow and Zebra units send for "nothing read".
_NO_READ = frozenset({b"RF", b"NR", b"NOREAD"})


class Garble(StrEnum):
    """Why bytes were no frame."""

    OVERFLOW = "overflow"
    UNTERMINATED = "unterminated"
    SHORT = "short"
    CONTROL_BYTES = "control_bytes"
    PARITY = "parity"
    NO_READ = "no_read"
    CHECKSUM = "checksum"
    NOISE = "noise"


class Frame(msgspec.Struct, frozen=True):
    """A whole frame: label without prefix, suffix and AIM identifier; `repr` hides it (it may be a payment code)."""

    scan_data_label: str
    scan_data_type: str
    encoding: str

    def __repr__(self) -> str:
        """Show the length only."""
        return f"Frame(length={len(self.scan_data_label)}, scan_data_type={self.scan_data_type!r})"


class Garbled(msgspec.Struct, frozen=True):
    """Bytes that were no frame; only their number is kept."""

    cause: Garble
    length: int


class ScanFramer:
    """Collects bytes into frames and finds its way back after noise.

    Args:
        ends_at_suffix: False for scanners without suffix whose data may hold CR and LF: only silence ends a frame.
        idle_gap_s: Silence that ends a frame without suffix.
        max_bytes: Longer is noise, skipped up to the next end of a frame.
        ends_at_tab: TAB is the suffix.
        prefix: What this scanner is set to send first; taken off where it stands.
    """

    def __init__(
        self,
        *,
        ends_at_suffix: bool = True,
        idle_gap_s: float = 0.05,
        max_bytes: int = MAX_FRAME_BYTES,
        ends_at_tab: bool = False,
        prefix: str = "",
    ) -> None:
        self._ends_at_suffix = ends_at_suffix
        self._terminators = _TAB_TERMINATORS if ends_at_tab else _TERMINATORS
        self._prefix = prefix.encode()
        self._idle_gap_s = idle_gap_s
        self._max_bytes = max_bytes
        self._has_suffix = False
        self._ends_by_silence = not ends_at_suffix
        self._cut_off_in_a_row = 0
        self.reset()

    def reset(self) -> None:
        """Forget what has arrived, as after opening the port; how the scanner is set stays known."""
        self._buffer = bytearray()
        self._is_skipping = False

    @property
    def has_pending(self) -> bool:
        """Return whether a frame is under way, so that `end_of_silence` must be called after `gap_s` without bytes."""
        return bool(self._buffer) or self._is_skipping

    @property
    def gap_s(self) -> float:
        """Return how long silence must last to mean something.

        Until a scanner is known to send no suffix it gets longer, and so it does while the head of a payment code may
        be all that came: half of one must never pass for a whole number of something else (ADR 0015).
        """
        if self._ends_by_silence and not self._may_be_cut_off():
            return self._idle_gap_s
        return max(UNTERMINATED_GAP_S, self._idle_gap_s)

    def feed(self, data: bytes) -> list[Frame | Garbled]:
        """Take bytes as they come and return what they complete, in order."""
        if not self._ends_at_suffix:
            return self._append(data)
        found: list[Frame | Garbled] = []
        start = 0
        for match in self._terminators.finditer(data):
            found += self._append(data[start : match.start()])
            found += self._terminate()
            start = match.end()
        return found + self._append(data[start:])

    def end_of_silence(self) -> list[Frame | Garbled]:
        """Say that `gap_s` passed without a byte; returns what that completes."""
        if self._is_skipping:
            self._is_skipping = False
            return []
        data = self._take().rstrip(_SUFFIXES)
        if not data:
            return []
        if not self._has_suffix:
            self._ends_by_silence = True
            return [self._parse(data)]
        self._cut_off_in_a_row += 1
        if self._cut_off_in_a_row >= _RELEARN_AFTER:
            self._has_suffix = False
            self._ends_by_silence = True
        return [Garbled(Garble.UNTERMINATED, len(data))]

    def start(self) -> list[Frame | Garbled]:
        """Send nothing: plain text is one way."""
        return []

    def _may_be_cut_off(self) -> bool:
        return len(self._buffer) <= _MAX_HEAD_BYTES and may_be_cut_off(self._buffer.decode("latin-1"))

    def _append(self, data: bytes) -> list[Frame | Garbled]:
        if self._is_skipping or not data:
            return []
        start = data.rfind(_STX)
        found: list[Frame | Garbled] = []
        if start >= 0:
            cut_off = len(self._take()) + len(data[:start].replace(b"\x02", b""))
            found = [Garbled(Garble.UNTERMINATED, cut_off)] if cut_off else []
            data = data[start + 1 :]
        self._buffer += data
        if len(self._buffer) > self._max_bytes:
            self._is_skipping = True
            found.append(Garbled(Garble.OVERFLOW, len(self._take())))
        return found

    def _terminate(self) -> list[Frame | Garbled]:
        if self._is_skipping:
            self._is_skipping = False
            return []
        data = self._take().rstrip(_SUFFIXES)
        if not data:  # CRLF, a lone suffix
            return []
        frame = self._parse(data)
        if isinstance(frame, Frame):
            self._has_suffix = True
            self._ends_by_silence = False
            self._cut_off_in_a_row = 0
        return [frame]

    def _parse(self, data: bytes) -> Frame | Garbled:
        return parse_frame(data.removeprefix(self._prefix))

    def _take(self) -> bytes:
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


def parse_frame(data: bytes) -> Frame | Garbled:
    """Return the frame in `data` (no prefix, no suffix), or why it is none."""
    if data in _NO_READ:
        return Garbled(Garble.NO_READ, len(data))
    if _is_wrong_parity(data):
        return Garbled(Garble.PARITY, len(data))
    text, encoding = decode_payload(data)
    identifier = _AIM.match(text)
    scan_data_type = identifier.group() if identifier else ""
    label = text[len(scan_data_type) :]
    if any(not character.isprintable() and character not in _DATA_CONTROLS for character in label):
        return Garbled(Garble.CONTROL_BYTES, len(data))
    if len(label.strip()) < MIN_LABEL_LENGTH:
        return Garbled(Garble.SHORT, len(data))
    return Frame(label, scan_data_type, encoding)


def decode_payload(data: bytes) -> tuple[str, str]:
    """Return the text and the encoding that it was in: UTF-8, else GB18030, else Latin-1 (which takes anything)."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def _is_wrong_parity(data: bytes) -> bool:
    """Return whether this is ASCII sent with a parity bit to a port set to none: every byte has the same parity.

    Not suspected: plain ASCII, UTF-8, and anything so short that Chinese text could look like it by chance.
    """
    if len(data) < _PARITY_MIN_BYTES or decode_payload(data)[1] == "utf-8":
        return False
    if not bytes(byte & 0x7F for byte in data).isalnum():
        return False
    return len({byte.bit_count() % 2 for byte in data}) == 1
