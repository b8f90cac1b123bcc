"""The signed request as text for a QR code: what a slip keeps when its till's card dies before the ack. Pure.

``PR1.`` + base64url of ``msgpack [kid, terminal_id, body, signature]``, where body is ``msgpack [rev, …]`` with the
fields of the request in the order of `FIELDS`, numbers and hashes as bytes. Signed is the pre-authentication encoding
of `TYPE` and body, by the terminal's device key, as in the envelope. A request that would not come back from its text
exactly as it was gets no text (trust.md 8).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pos_agent.domain.refund import RefundRequest
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.limits import refuse_unusable
from pos_agent.protocol.messages import RefundRequestMessage
from pos_agent.protocol.qr_text import MAX_CHARS, Purpose, hex_bytes, open_text, seal_text, verify

TYPE: Final = "application/vnd.pos.rescue+msgpack;v=1"
PREFIX: Final = "PR1."
#: Places of the request's fields in the body, for ever: slips are kept for years. New ones go to the end.
FIELDS: Final = (
    "refund_request_id",
    "terminal_id",
    "merchant_id",
    "operator_no",
    "created_at",
    "is_clock_trusted",
    "boot_id",
    "entry",
    "original_reference",
    "reference_tail",
    "channel",
    "refund_type",
    "amount_minor",
    "currency",
    "reason_code",
    "policy_version",
    "seq",
    "sale_id",
    "acquirer_id",
    "paid_minor",
    "supervisor_no",
    "note",
    "flags",
    "is_training",
    "previous_request_id",
    "audit_head",
    "lines",
    "approval",
)


_PURPOSE: Final = Purpose(PREFIX, TYPE, "a slip's QR code")


def write(message: RefundRequestMessage, *, kid: str, key: PrivateKey) -> str | None:
    """Return the text, None for a message that is too long for it or would not come back the same."""
    body = _pack(message)
    try:
        is_same = _unpack(body) == message and msgspec.json.encode(_unpack(body)) == msgspec.json.encode(message)
    except RemoteProtocolError:
        is_same = False
    text = seal_text(body, _PURPOSE, kid=kid, terminal_id=message.terminal_id, key=key)
    return text if is_same and len(text) <= MAX_CHARS else None


def terminal_of(text: str) -> str:
    """Return which terminal's text it claims to be.

    Raises:
        RemoteProtocolError: Not such a text; nothing can be said about it.
    """
    return open_text(text, _PURPOSE).terminal_id


def read(text: str, *, keys: Mapping[str, PublicKey]) -> RefundRequestMessage:
    """Verify a text and return the request as its till sent it, or would have.

    Args:
        text: As a scanner gives it; white space around and inside it does not count.
        keys: The device keys of the terminal that `terminal_of` names, by kid.
    Raises:
        RemoteProtocolError: Not such a text, or a field of it is unusable.
        SignatureError: No signature of one of the keys, or of another terminal's request.
    """
    sealed = open_text(text, _PURPOSE)
    message = _unpack(verify(sealed, _PURPOSE, keys=keys))
    if message.terminal_id != sealed.terminal_id:
        raise SignatureError(f"request of {message.terminal_id} in the name of {sealed.terminal_id}")
    return message


def _pack(message: RefundRequestMessage) -> bytes:
    fields: dict[str, Any] = msgspec.to_builtins(message.request, builtin_types=(bytes,))
    values = [_short(name, fields.get(name)) for name in FIELDS]
    while values and values[-1] is None:
        values.pop()
    return msgspec.msgpack.encode([message.rev, *values])


def _unpack(body: bytes) -> RefundRequestMessage:
    try:
        rev, *values = msgspec.msgpack.decode(body, type=list[Any])
        fields = {name: _long(name, value) for name, value in zip(FIELDS, values, strict=False) if value is not None}
        request = msgspec.convert(fields, RefundRequest)
        message = RefundRequestMessage(terminal_id=request.terminal_id, request=request, rev=msgspec.convert(rev, int))
    except (msgspec.DecodeError, UnicodeError, ValueError, OverflowError, RecursionError) as error:
        raise RemoteProtocolError(f"a slip's QR code, but unusable: {error}") from error
    refuse_unusable(message)
    return message


_NUMBERS: Final = frozenset({"refund_request_id", "previous_request_id"})


def _short(name: str, value: Any) -> Any:
    """Write ids, the boot id and hashes in half their length; what has another form stays as it is."""
    if not isinstance(value, str) or not value:
        return value
    data: bytes | None = None
    if name in _NUMBERS and value.isascii() and value.isdigit():
        data = int(value).to_bytes(10, "big") if len(value) == 22 else None
    elif name in ("boot_id", "audit_head"):
        data = hex_bytes(value.replace("-", ""))
    return data if data is not None and _long(name, data) == value else value


def _long(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    if name in _NUMBERS:
        return str(int.from_bytes(value, "big")).zfill(22)
    text = value.hex()
    if name == "boot_id":
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return text
