"""What the camera's process tells the daemon: messages of one socket, a length and MessagePack each. Pure.

They hold scanned data, which may be a payment code: they pass from process to process and are kept nowhere.
"""

from typing import Final

import msgspec

#: A QR code holds 2953 bytes at most.
MAX_MESSAGE_BYTES: Final = 16_384
_LENGTH_BYTES: Final = 4


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is started with; no secrets: it is on its command line."""

    path: str
    width: int
    height: int
    fps: float
    decoder: str
    symbols: tuple[str, ...]
    reread_s: float
    deadline_s: float
    memory_bytes: int


class Started(msgspec.Struct, frozen=True, tag="started"):
    """Frames are being read, by this decoder."""

    decoder: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It ends: `cause` is ``gone``, ``claimed``, ``forbidden``, ``no_decoder``, ``memory`` or ``failure``."""

    cause: str
    text: str


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """A code was scanned; `repr` shows its length only."""

    identifier: str
    data: bytes

    def __repr__(self) -> str:
        """Show kind and length only."""
        return f"Seen(identifier={self.identifier!r}, length={len(self.data)})"


class Counts(msgspec.Struct, frozen=True, tag="counts"):
    """What has been counted since the last message of this kind, by counter name."""

    by_name: dict[str, int]


Message = Started | Failed | Seen | Counts


class BrokenMessageError(ValueError):
    """Bytes that are no message; no bytes are kept."""


def encode(message: Message) -> bytes:
    """Return the bytes of a message."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Reader:
    """Puts pieces together."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes as they come and return the messages that they complete.

        Raises:
            BrokenMessageError: They are not ours, or too long.
        """
        self._buffer += data
        found: list[Message] = []
        while len(self._buffer) >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if length > MAX_MESSAGE_BYTES:
                self.reset()
                raise BrokenMessageError("too long")
            end = _LENGTH_BYTES + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_LENGTH_BYTES:end])
            del self._buffer[:end]
            try:
                found.append(self._decoder.decode(body))
            except msgspec.DecodeError:
                raise BrokenMessageError("not a message") from None  # its text may quote the data
        return found

    def reset(self) -> None:
        """Forget what has arrived."""
        self._buffer.clear()
