"""The signed envelope (D15): Ed25519 over the exact payload bytes, in the DSSE form.

``{"payloadType": …, "payload": base64, "signatures": [{"kid": …, "sig": base64}]}``

The payload type keeps purposes apart: a key pinned for one type can sign no other (D16).

Source:
    DSSE 1.0.2, "Pre-Authentication Encoding": ``DSSEv1 SP len(type) SP type SP len(body) SP body``.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Mapping

import msgspec

from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey, WrongSignatureError

#: Largest envelope accepted from the wire.
MAX_ENVELOPE_BYTES = 128 * 1024
#: Signatures beyond these are not looked at.
MAX_SIGNATURES = 4
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


def endorse(sealed: bytes, *, kid: str, key: PrivateKey) -> bytes:
    """Return the envelope with one signature more, over the same bytes: for what two persons must sign (D16).

    Raises:
        RemoteProtocolError: Not an envelope.
    """
    envelope, payload = _read(sealed)
    signature = key.sign(pre_authentication_encoding(envelope.payload_type, payload))
    others = tuple(one for one in envelope.signatures if one.kid != kid)
    signatures = (*others, _Signature(kid, b64encode(signature).decode()))
    return msgspec.json.encode(_Envelope(envelope.payload_type, envelope.payload, signatures))


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
    payload, valid = _verify(data, payload_type, keys)
    for kid in valid:
        return payload, kid
    raise SignatureError("no signature by a pinned key")


def unseal_signed_by(data: bytes, *, payload_type: str, keys: Mapping[str, PublicKey]) -> tuple[bytes, tuple[str, ...]]:
    """Verify an envelope and return all who signed it.

    Returns:
        The payload and the ``kid`` of each *different* pinned key with a right signature, at least one: one key that
        is pinned under two names counts once.
    Raises:
        RemoteProtocolError: Too large or not an envelope.
        SignatureError: Another type, or no right signature by a pinned key.
    """
    payload, valid = _verify(data, payload_type, keys)
    different = {keys[kid]: kid for kid in valid}
    if not different:
        raise SignatureError("no signature by a pinned key")
    return payload, tuple(different.values())


def _read(data: bytes) -> tuple[_Envelope, bytes]:
    if len(data) > MAX_ENVELOPE_BYTES:
        raise RemoteProtocolError(f"envelope of {len(data)} bytes, limit {MAX_ENVELOPE_BYTES}")
    try:
        envelope = _DECODER.decode(data)
        return envelope, b64decode(envelope.payload, validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, Base64Error, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"not an envelope: {error}") from error


def _verify(data: bytes, payload_type: str, keys: Mapping[str, PublicKey]) -> tuple[bytes, Iterator[str]]:
    envelope, payload = _read(data)
    if envelope.payload_type != payload_type:
        raise SignatureError(f"payload type {envelope.payload_type!r}, expected {payload_type!r}")
    return payload, _right_kids(envelope, pre_authentication_encoding(payload_type, payload), keys)


def _right_kids(envelope: _Envelope, signed: bytes, keys: Mapping[str, PublicKey]) -> Iterator[str]:
    for signature in envelope.signatures[:MAX_SIGNATURES]:
        key = keys.get(signature.kid)
        if key is None:
            continue
        try:
            key.verify(b64decode(signature.sig, validate=True), signed)
        except (WrongSignatureError, Base64Error, ValueError):
            continue
        yield signature.kid


def peek(data: bytes) -> bytes:
    """Return the payload of an envelope that nobody has verified: only to learn which key `unseal` shall use.

    Raises:
        RemoteProtocolError: Too large or not an envelope.
    """
    return _read(data)[1]
