"""Zebra SSI: packets with checksums, each acknowledged at once. Pure.

The scanner sends a packet again, at most twice, with the retransmit bit set, when no answer reached it in 2 s: what was
already taken is acknowledged and dropped. A code too long for one packet comes in several; each is acknowledged.

Source: Simple Serial Interface Programmer's Guide 72E-40451 (transactions, RETRANSMIT, time-outs); that the bar code
type stands in the first packet of several only is how public drivers read it, not verified on a device.
"""

from typing import Final

from drivers.scanner.framer import MAX_FRAME_BYTES, Frame, Garble, Garbled, parse_frame
from drivers.scanner.protocol import Counted, Item, Reply
from drivers.scanner.ssi_packet import (
    AIM_BY_TYPE,
    CHECKSUM_BYTES,
    HEADER_BYTES,
    SOURCE_DECODER,
    NakCause,
    Opcode,
    Packet,
    Status,
    build,
    parse,
)

#: Silence inside a packet, after which the rest is lost: 9600 baud sends a character in 1 ms.
PACKET_GAP_S: Final = 0.1
#: How long the decoder may take to answer a command. Source: Programmer's Guide, serial response time-out.
RESPONSE_TIMEOUT_S: Final = 2.0
#: How long a sleeping unit needs after a null byte. Source: Programmer's Guide, WAKEUP; 50 ms for Grow GM67 and GM72.
WAKE_UP_S: Final = 0.05
_MAX_TRIES: Final = 3
_ACK: Final = build(Opcode.CMD_ACK)
_NAK_RESEND: Final = build(Opcode.CMD_NAK, bytes((NakCause.RESEND,)))
_WAKE_UP: Final = 0x00
_FROM_DECODER: Final = frozenset(
    {Opcode.DECODE_DATA, Opcode.CMD_ACK, Opcode.CMD_NAK, Opcode.REPLY_REVISION, Opcode.EVENT}
)


class SsiProtocol:
    """One decoder on one port; scanning is enabled on opening."""

    def __init__(self) -> None:
        self._last_packet_hash: int | None = None
        self.reset()

    @property
    def has_pending(self) -> bool:
        """Return whether a packet, the rest of a code, or the answer to a command is awaited."""
        return bool(self._buffer) or bool(self._command) or self._is_collecting

    @property
    def gap_s(self) -> float:
        """Return how long to wait for the rest of a packet, or for an answer."""
        if self._buffer:
            return PACKET_GAP_S
        return WAKE_UP_S if self._is_waking else RESPONSE_TIMEOUT_S

    def reset(self) -> None:
        """Forget what has arrived and what was asked."""
        self._buffer = bytearray()
        self._collected = bytearray()
        self._is_collecting = False
        self._command = b""
        self._tries = 0
        self._is_waking = False

    def start(self) -> list[Item]:
        """Wake the unit, then enable scanning, which also finds out whether anybody speaks SSI there."""
        self._command = build(Opcode.SCAN_ENABLE)
        self._is_waking = True
        return [Reply(bytes((_WAKE_UP,)))]

    def feed(self, data: bytes) -> list[Item]:
        """Take bytes; each good packet is answered before anything else is done with it."""
        self._buffer += data
        items: list[Item] = []
        while self._skip_noise(items):
            size = self._buffer[0] + CHECKSUM_BYTES
            if len(self._buffer) < size:
                break
            packet = parse(bytes(self._buffer[:size]))
            if packet is None:
                items += self._spoilt()
                break
            del self._buffer[:size]
            items += self._on_packet(packet)
        return items

    def end_of_silence(self) -> list[Item]:
        """Ask again for half a packet; repeat a command that nobody answered, at most twice."""
        if self._buffer:
            return self._spoilt()
        if self._is_collecting:
            length = len(self._collected)
            self._forget_code()
            return [Garbled(Garble.UNTERMINATED, length)]
        if self._is_waking:
            self._is_waking = False
            self._tries = 1
            return [Reply(self._command)]
        return self._repeat()

    def _skip_noise(self, items: list[Item]) -> bool:
        """Drop bytes that cannot begin a packet of a decoder; return whether a packet may begin at the front."""
        skipped = 0
        while self._buffer and not _may_begin(self._buffer):
            skipped += self._buffer[0] != _WAKE_UP
            del self._buffer[0]
        if skipped:
            items.append(Garbled(Garble.NOISE, skipped))
        return bool(self._buffer)

    def _spoilt(self) -> list[Item]:
        """Throw away what cannot be trusted, and what stands behind it: the scanner sends again what is not acked."""
        length = len(self._buffer)
        self._buffer.clear()
        self._last_packet_hash = None
        return [Garbled(Garble.CHECKSUM, length), Reply(_NAK_RESEND)]

    def _on_packet(self, packet: Packet) -> list[Item]:
        match packet.opcode:
            case Opcode.CMD_ACK:
                self._command = b""
                return []
            case Opcode.CMD_NAK:
                return self._on_nak(packet.data)
            case Opcode.DECODE_DATA:
                return self._on_decode_data(packet)
            case Opcode.REPLY_REVISION:
                self._command = b""
                return [Reply(_ACK)]
            case _:
                return [Reply(_ACK)]

    def _on_nak(self, data: bytes) -> list[Item]:
        if data == bytes((NakCause.RESEND,)):
            return self._repeat()
        self._command = b""
        return [Counted("CommandRefusedCount")]

    def _on_decode_data(self, packet: Packet) -> list[Item]:
        # A keyed hash (Python's own): the code itself is not kept for the sake of a repetition.
        packet_hash = hash((packet.status & Status.CONTINUES, packet.data))
        if packet.status & Status.RETRANSMIT and packet_hash == self._last_packet_hash:
            return [Reply(_ACK), Counted("RetransmitScanCount")]
        self._last_packet_hash = packet_hash
        items: list[Item] = [Reply(_ACK)]
        data = packet.data
        if self._is_collecting and data[:1] == self._collected[:1] and not data[:1].isalnum():
            data = data[1:]  # units that repeat the type
        self._collected += data
        if len(self._collected) > MAX_FRAME_BYTES:
            items.append(Garbled(Garble.OVERFLOW, len(self._collected)))
            self._forget_code()
            return items
        self._is_collecting = bool(packet.status & Status.CONTINUES)
        if not self._is_collecting:
            items.append(_frame(bytes(self._collected)))
            self._forget_code()
        return items

    def _forget_code(self) -> None:
        self._collected.clear()
        self._is_collecting = False

    def _repeat(self) -> list[Item]:
        if not self._command:
            return []
        if self._tries >= _MAX_TRIES:
            self._command = b""
            return [Counted("CommandUnansweredCount")]
        self._tries += 1
        packet = bytearray(self._command[:-CHECKSUM_BYTES])
        return [Reply(build(Opcode(packet[1]), bytes(packet[HEADER_BYTES:]), status=Status.RETRANSMIT))]


def _may_begin(buffer: bytearray) -> bool:
    """Return whether a packet of a decoder may begin here, as far as the bytes go."""
    return (
        buffer[0] >= HEADER_BYTES
        and (len(buffer) < 2 or buffer[1] in _FROM_DECODER)
        and (len(buffer) < 3 or buffer[2] == SOURCE_DECODER)
    )


def _frame(data: bytes) -> Frame | Garbled:
    """Return the code of a DECODE_DATA message: type, then data with whatever suffix is set."""
    if not data:
        return Garbled(Garble.SHORT, 0)
    frame = parse_frame(data[1:].rstrip(b"\r\n\t\x00\x03"))
    if isinstance(frame, Garbled) or frame.scan_data_type:
        return frame
    return Frame(frame.scan_data_label, AIM_BY_TYPE.get(data[0], ""), frame.encoding)
