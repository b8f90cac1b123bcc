"""Signed text for QR codes: what paper and phones carry where no network does. Pure.

A prefix that names the purpose, then base64url of ``msgpack [kid, terminal_id, body, signature]``. Signed is the
pre-authentication encoding of the purpose's payload type and the body, as in the envelope: a code of one purpose can
never pass for one of another (D16).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Final

import msgspec

from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey, WrongSignatureError
from pos_agent.protocol.envelope import pre_authentication_encoding

#: What a QR code of version 25 holds at error correction M; with modules of 3 dots it is 375 dots wide with its margin.
#: Source: ISO/IEC 18004:2015 table 7.
MAX_CHARS: Final = 997


class Purpose(msgspec.Struct, frozen=True):
    """What a code is for.

    Attributes:
        prefix: Its first characters, with which no number of a sale begins.
        payload_type: Signed along with the body.
        name: For people who read logs.
    """

    prefix: str
    payload_type: str
    name: str


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """A code, taken apart; nothing of it is believed before `verify`."""

    kid: str
    terminal_id: str
    body: bytes
    signature: bytes


_DECODER = msgspec.msgpack.Decoder(Sealed)


def seal_text(body: bytes, purpose: Purpose, *, kid: str, terminal_id: str, key: PrivateKey) -> str:
    """Sign a body and return the code's text."""
    signature = key.sign(pre_authentication_encoding(purpose.payload_type, body))
    sealed = msgspec.msgpack.encode(Sealed(kid, terminal_id, body, signature))
    return purpose.prefix + urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_text(text: str, purpose: Purpose) -> Sealed:
    """Take a text apart; white space around and inside it does not count.

    Raises:
        RemoteProtocolError: Not a code of this purpose, or damaged.
    """
    text = "".join(text.split())
    if not text.startswith(purpose.prefix) or len(text) > MAX_CHARS:
        raise RemoteProtocolError(f"not the text of {purpose.name}")
    data = text[len(purpose.prefix) :]
    try:
        return _DECODER.decode(urlsafe_b64decode(data + "=" * (-len(data) % 4)))
    except (msgspec.DecodeError, UnicodeError, Base64Error, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"{purpose.name}, but damaged: {error}") from error


def verify(sealed: Sealed, purpose: Purpose, *, keys: Mapping[str, PublicKey]) -> bytes:
    """Return the body.

    Args:
        sealed: From `open_text`.
        purpose: The same.
        keys: The keys that may sign such a code, by kid.
    Raises:
        SignatureError: No such key, or a wrong signature.
    """
    key = keys.get(sealed.kid)
    if key is None:
        raise SignatureError(f"no key {sealed.kid!r}")
    try:
        key.verify(sealed.signature, pre_authentication_encoding(purpose.payload_type, sealed.body))
    except WrongSignatureError as error:
        raise SignatureError(str(error)) from error
    return sealed.body


def hex_bytes(text: str) -> bytes | None:
    """Return the bytes of hex digits, None for other text."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
