"""The back-office key (D16): signs acks, states, answers and presence; never configuration."""

from pathlib import Path

from pos_agent.domain.approval import ApprovalAnswer
from pos_agent.errors import ConfigFileError
from pos_agent.protocol.approval import write_answer
from pos_agent.protocol.codec import decode_down, encode
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import DOWN_TYPE, seal, unseal
from pos_agent.protocol.messages import DownMessage

#: Of `backoffice.anchoring`.
ANCHOR_TYPE = "application/vnd.pos.anchor+json;v=1"


class Signer:
    """Signs what goes down."""

    def __init__(self, key: PrivateKey, kid: str) -> None:
        self._key = key
        self._kid = kid

    def seal(self, message: DownMessage) -> bytes:
        """Return the envelope of a message."""
        return self.seal_payload(encode(message))

    def seal_anchor(self, payload: bytes) -> bytes:
        """Return the envelope of a line of the anchor file: a type of its own, which no till accepts."""
        return seal(payload, payload_type=ANCHOR_TYPE, kid=self._kid, key=self._key)

    def seal_enrolment(self, payload: bytes, payload_type: str) -> bytes:
        """Return the envelope of an enrolment document or a renewed certificate, which no other reader accepts."""
        return seal(payload, payload_type=payload_type, kid=self._kid, key=self._key)

    def approval_code(self, answer: ApprovalAnswer) -> str:
        """Return the text of an approval answer's QR code: a type of its own, which means nothing on the wire."""
        return write_answer(answer, kid=self._kid, key=self._key)

    def seal_payload(self, payload: bytes) -> bytes:
        """Return the envelope of a payload that was encoded earlier."""
        return seal(payload, payload_type=DOWN_TYPE, kid=self._kid, key=self._key)

    def unseal(self, envelope: bytes) -> DownMessage:
        """Return what another worker said with the same key.

        Raises:
            RemoteProtocolError: It was not signed with it, or is not a message of ours.
        """
        payload, _ = unseal(envelope, payload_type=DOWN_TYPE, keys={self._kid: self._key.public_key()})
        return decode_down(payload)


def load_signer(path: Path, kid: str) -> Signer:
    """Read the key.

    Raises:
        ConfigFileError: Missing, unreadable, or not an Ed25519 key in PEM (PKCS#8).
    """
    try:
        return Signer(PrivateKey.from_pem(path.read_bytes()), kid)
    except (OSError, ValueError) as error:
        raise ConfigFileError(f"{path}: {error}; make one with: pos-backoffice keys") from error


def public_key_of(path: Path) -> PublicKey:
    """Return the public half of a key file.

    Raises:
        ConfigFileError: As `load_signer`.
    """
    try:
        return PrivateKey.from_pem(path.read_bytes()).public_key()
    except (OSError, ValueError) as error:
        raise ConfigFileError(f"{path}: {error}") from error


def make_key_file(path: Path) -> str:
    """Make a key, readable by its owner only; returns the public key (base64) for tills to pin.

    Raises:
        FileExistsError: Never overwrites a key.
    """
    key = PrivateKey.generate()
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(key.to_pem())
    return key.public_key().base64
