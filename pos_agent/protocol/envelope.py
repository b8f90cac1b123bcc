"""The signed envelope (D15): Ed25519 over the exact payload bytes, in the DSSE form.

``{"payloadType": …, "payload": base64, "signatures": [{"kid": …, "sig": base64}]}``

The payload type keeps purposes apart: a key pinned for one type can sign no other (D16).

Source:
    DSSE 1.0.2, "Pre-Authentication Encoding": ``DSSEv1 SP len(type) SP type SP len(body) SP body``.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping

import msgspec

from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey, WrongSignatureError

#: Largest envelope accepted from the wire.
MAX_ENVELOPE_BYTES = 128 * 1024
UP_TYPE = "application/vnd.pos.up+json;v=1"
DOWN_TYPE = "application/vnd.pos.down+json;v=1"


class _Signature(msgspec.Struct, frozen=True):
    kid: str
    sig: str


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload_type: str
    payload: str
    signatures: tuple[_Signature, ...]


_DECODER = msgspec.json.Decoder(_Envelope)


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(payload: bytes, *, payload_type: str, kid: str, key: PrivateKey) -> bytes:
    """Sign `payload` and return the envelope's bytes."""
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    envelope = _Envelope(
        payload_type,
        b64encode(payload).decode(),
        (_Signature(kid, b64encode(signature).decode()),),
    )
    return msgspec.json.encode(envelope)


def unseal(data: bytes, *, payload_type: str, keys: Mapping[str, PublicKey]) -> tuple[bytes, str]:
    """Verify an envelope.

    Args:
        data: As it came from the wire.
        payload_type: The only type accepted here.
        keys: Pinned keys for this purpose, by ``kid``.
    Returns:
        The payload and the ``kid`` that signed it.
    Raises:
        RemoteProtocolError: Too large or not an envelope.
        SignatureError: Another type, no pinned key, or a wrong signature.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise RemoteProtocolError(f"envelope of {len(data)} bytes, limit {MAX_ENVELOPE_BYTES}")
    try:
        envelope = _DECODER.decode(data)
        payload = b64decode(envelope.payload, validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, Base64Error, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not an envelope: {error}") from error
    if envelope.payload_type != payload_type:
        raise SignatureError(f"payload type {envelope.payload_type!r}, expected {payload_type!r}")
    signed = pre_authentication_encoding(payload_type, payload)
    for signature in envelope.signatures[:4]:
        key = keys.get(signature.kid)
        if key is None:
            continue
        try:
            key.verify(b64decode(signature.sig, validate=True), signed)
        except (WrongSignatureError, Base64Error, ValueError):
            continue
        return payload, signature.kid
    raise SignatureError("no signature by a pinned key")
