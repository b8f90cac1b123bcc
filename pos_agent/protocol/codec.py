"""Bytes ↔ messages, with size limits and refusals that name the cause."""

from typing import Final, TypeVar

import msgspec

from pos_agent.errors import LocalProtocolError, RemoteProtocolError, UnsupportedVersionError
from pos_agent.protocol.desired import ConfigDesired, ConfigReported
from pos_agent.protocol.limits import refuse_unusable
from pos_agent.protocol.messages import VERSION, DownMessage, UpMessage

#: Largest payload (inside the envelope) of any message; MQTT's Maximum Packet Size is 256 KiB.
MAX_PAYLOAD_BYTES: Final = 64 * 1024
_T = TypeVar("_T", bound=msgspec.Struct)
_UP = msgspec.json.Decoder(UpMessage)
_DOWN = msgspec.json.Decoder(DownMessage)
_DESIRED = msgspec.json.Decoder(ConfigDesired)
_REPORTED = msgspec.json.Decoder(ConfigReported)


class _Head(msgspec.Struct):
    type: str
    v: int = VERSION


_HEAD = msgspec.json.Decoder(_Head)


def encode(message: UpMessage | DownMessage | ConfigDesired | ConfigReported) -> bytes:
    """Return the JSON bytes of a message, to be signed as they are.

    Raises:
        LocalProtocolError: Larger than `MAX_PAYLOAD_BYTES`: our bug, no retry helps.
    """
    data = msgspec.json.encode(message)
    if len(data) > MAX_PAYLOAD_BYTES:
        raise LocalProtocolError(f"payload of {len(data)} bytes, limit {MAX_PAYLOAD_BYTES}")
    return data


def decode_up(data: bytes) -> UpMessage:
    """Read a message that a terminal sent. See `_decode` for what is raised."""
    message: UpMessage = _decode(data, _UP)
    return message


def decode_down(data: bytes) -> DownMessage:
    """Read a message that the back office sent. See `_decode` for what is raised."""
    message: DownMessage = _decode(data, _DOWN)
    return message


def decode_desired(data: bytes) -> ConfigDesired:
    """Read a configuration that the fleet signed. See `_decode` for what is raised."""
    return _decode(data, _DESIRED)


def decode_reported(data: bytes) -> ConfigReported:
    """Read what a terminal reports of its configuration. See `_decode` for what is raised."""
    return _decode(data, _REPORTED)


def _decode(data: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    """Decode, telling malformed from unsupported.

    Raises:
        RemoteProtocolError: Too large, not JSON, or a field is missing, of the wrong type or unusable.
        UnsupportedVersionError: A type or version that this build does not know.
    """
    if len(data) > MAX_PAYLOAD_BYTES:
        raise RemoteProtocolError(f"payload of {len(data)} bytes, limit {MAX_PAYLOAD_BYTES}")
    try:
        head = _HEAD.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"not a message: {error}") from error
    if head.v != VERSION:
        raise UnsupportedVersionError(f"type={head.type} v={head.v}, this build speaks v={VERSION}")
    try:
        message = decoder.decode(data)
        refuse_unusable(message)
        return message
    except msgspec.ValidationError as error:
        if "at `$.type`" in str(error):
            raise UnsupportedVersionError(f"unknown type={head.type}") from error
        raise RemoteProtocolError(f"type={head.type}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The head skips what it does not know; text that is no UTF-8 shows only here.
        raise RemoteProtocolError(f"type={head.type}: {error}") from error
