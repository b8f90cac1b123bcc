"""Ed25519 keys of the envelope, by libsodium.

Source:
    RFC 8032 (Ed25519); RFC 8410 section 7 (the 48 bytes of an unencrypted private key), RFC 7468 (PEM).
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from functools import cached_property

from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_open, crypto_sign_seed_keypair, randombytes
from nacl.exceptions import BadSignatureError

KEY_BYTES = 32
#: SEQUENCE { version 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes } } up to the seed.
_PKCS8_HEAD = bytes.fromhex("302e020100300506032b657004220420")
_PEM_BEGIN, _PEM_END = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"


class WrongSignatureError(ValueError):
    """The bytes were not signed by this key."""


@dataclass(frozen=True)
class PublicKey:
    """A public key: its raw 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        """Refuse what cannot be a key.

        Raises:
            ValueError: Not 32 bytes.
        """
        if len(self.raw) != KEY_BYTES:
            raise ValueError(f"an Ed25519 public key has {KEY_BYTES} bytes, not {len(self.raw)}")

    @classmethod
    def from_base64(cls, text: str) -> "PublicKey":
        """Read base64 of the raw bytes.

        Raises:
            ValueError: Not base64 of 32 bytes.
        """
        return cls(b64decode(text, validate=True))

    @property
    def base64(self) -> str:
        """Return what configurations pin and the back office enrols."""
        return b64encode(self.raw).decode()

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return if `signature` is of `data`.

        Raises:
            WrongSignatureError: It is not; asking again does not help.
        """
        if len(signature) != crypto_sign_BYTES:
            raise WrongSignatureError(f"a signature has {crypto_sign_BYTES} bytes, not {len(signature)}")
        try:
            crypto_sign_open(signature + data, self.raw)
        except BadSignatureError as error:
            raise WrongSignatureError("wrong signature") from error


@dataclass(frozen=True)
class PrivateKey:
    """A signing key: its secret 32-byte seed, which `repr` does not show."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be a key.

        Raises:
            ValueError: Not 32 bytes.
        """
        if len(self.seed) != KEY_BYTES:
            raise ValueError(f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(self.seed)}")

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Return a new key."""
        return cls(randombytes(KEY_BYTES))

    @classmethod
    def from_pem(cls, data: bytes) -> "PrivateKey":
        """Read PEM (PKCS#8, not encrypted), as `openssl genpkey -algorithm ed25519` writes it.

        Raises:
            ValueError: Something else; the message says what, never the content.
        """
        lines = [line.strip() for line in data.decode("ascii").splitlines() if line.strip()]
        if len(lines) < 3 or lines[0] != _PEM_BEGIN or lines[-1] != _PEM_END:
            raise ValueError("is not a private key in PEM (PKCS#8) without a password")
        body = b64decode("".join(lines[1:-1]), validate=True)
        if len(body) != len(_PKCS8_HEAD) + KEY_BYTES or not body.startswith(_PKCS8_HEAD):
            raise ValueError("is not an Ed25519 key")
        return cls(body[len(_PKCS8_HEAD) :])

    def to_pem(self) -> bytes:
        """Return PEM (PKCS#8) without a password."""
        body = b64encode(_PKCS8_HEAD + self.seed).decode()
        return f"{_PEM_BEGIN}\n{body}\n{_PEM_END}\n".encode()

    def public_key(self) -> PublicKey:
        """Return the key that verifies."""
        return PublicKey(self._pair[0])

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return crypto_sign(data, self._pair[1])[:crypto_sign_BYTES]

    @cached_property
    def _pair(self) -> tuple[bytes, bytes]:
        return crypto_sign_seed_keypair(self.seed)
