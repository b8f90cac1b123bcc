"""The back-office key (D16): signs acks, states, answers and presence; never configuration."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos_agent.errors import ConfigFileError
from pos_agent.protocol.codec import encode
from pos_agent.protocol.envelope import DOWN_TYPE, seal
from pos_agent.protocol.messages import DownMessage


class Signer:
    """Signs what goes down."""

    def __init__(self, key: Ed25519PrivateKey, kid: str) -> None:
        self._key = key
        self._kid = kid

    def seal(self, message: DownMessage) -> bytes:
        """Return the envelope of a message."""
        return self.seal_payload(encode(message))

    def seal_payload(self, payload: bytes) -> bytes:
        """Return the envelope of a payload that was encoded earlier."""
        return seal(payload, payload_type=DOWN_TYPE, kid=self._kid, key=self._key)


def load_signer(path: Path, kid: str) -> Signer:
    """Read the key.

    Raises:
        ConfigFileError: Missing, unreadable, or not an Ed25519 key in PEM (PKCS#8).
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigFileError(f"{path}: {error}; make one with: pos-backoffice keys") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigFileError(f"{path}: not an Ed25519 key")
    return Signer(key, kid)


def make_key_file(path: Path) -> str:
    """Make a key, readable by its owner only; returns the public key (base64) for tills to pin.

    Raises:
        FileExistsError: Never overwrites a key.
    """
    from base64 import b64encode  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b64encode(raw).decode()
