"""What makes this run and this terminal unique: randomness, boot id, device key, keyed hash, approval codes."""

import hmac
import os
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from pathlib import Path

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.config import TrustConfig
from pos_agent.errors import ConfigValueError
from pos_agent.protocol import approval
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.sync.keys import SyncKeys

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemRandom:
    """Cryptographic randomness."""

    def random_18(self) -> int:
        """Return 18 random digits as an integer."""
        return secrets.randbelow(10**18)

    def token(self) -> str:
        """Return 64 random bits in hex."""
        return secrets.token_hex(8)


def read_boot_id(*, production: bool = True) -> str:
    """Return the kernel's boot id, or a random one where there is none.

    Outside production ``POS_AGENT_BOOT_ID`` stands in for it: the bench cuts the power of one till, not of the machine.
    """
    if not production and (given := os.environ.get("POS_AGENT_BOOT_ID")):
        return given
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return secrets.token_hex(16)


class KeyedHash:
    """HMAC-SHA256 of a number that might be a payment code (D14)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def throw_away(cls) -> "KeyedHash":
        """Return one with a random key: what it hashes is found nowhere, and betrays nothing."""
        return cls(secrets.token_bytes(32))

    def order_no_hash(self, number: str) -> str:
        """Return the hex digest."""
        return hmac.new(self._key, number.encode(), "sha256").hexdigest()


class ApprovalCodes:
    """Questions signed with the device key, answers believed by the pinned back-office keys (D16, ADR 0024)."""

    def __init__(self, keys: SyncKeys) -> None:
        self._keys = keys

    def question_code(self, question: ApprovalQuestion) -> str:
        """Return the text of the question's QR code."""
        return approval.write_question(question, kid=self._keys.device_key_id, key=self._keys.device_key)

    def read_answer(self, code: str) -> ApprovalAnswer:
        """Verify an answer; raises as `pos_agent.protocol.approval.read_answer`."""
        return approval.read_answer(code, keys=self._keys.back_office)


def load_device_key(trust: TrustConfig) -> PrivateKey:
    """Read the terminal's signing key.

    Raises:
        ConfigValueError: Missing, unreadable or not Ed25519; a person must put it right.
    """
    key = "trust.device_key_file"
    try:
        return PrivateKey.from_pem(Path(trust.device_key_file).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigValueError(str(error), key=key, origin=trust.device_key_file, hint="enrol the terminal") from error


def load_back_office_keys(trust: TrustConfig) -> Mapping[str, PublicKey]:
    """Read the pinned keys of the back office.

    Raises:
        ConfigValueError: One is not base64 of 32 bytes.
    """
    keys = {}
    for kid, text in trust.back_office_keys.items():
        try:
            keys[kid] = PublicKey.from_base64(text)
        except (Base64Error, ValueError) as error:
            raise ConfigValueError(
                "is not a public key",
                key=f"trust.back_office_keys.{kid}",
                origin="configuration",
                hint="copy it from `pos-backoffice keys --show`",
            ) from error
    return keys


def load_keyed_hash(trust: TrustConfig) -> KeyedHash:
    """Read the look-up key; without one, ambiguous numbers are found nowhere.

    Raises:
        ConfigValueError: The file is unreadable or not base64 of at least 16 bytes.
    """
    if not trust.lookup_key_file:
        return KeyedHash.throw_away()
    try:
        key = b64decode(Path(trust.lookup_key_file).read_text(encoding="ascii"), validate=False)
    except (OSError, ValueError) as error:
        raise ConfigValueError(
            str(error), key="trust.lookup_key_file", origin=trust.lookup_key_file, hint="copy it from the back office"
        ) from error
    if len(key) < 16:
        raise ConfigValueError(
            "is shorter than 16 bytes", key="trust.lookup_key_file", origin=trust.lookup_key_file, hint="copy it again"
        )
    return KeyedHash(key)
