"""What a till and the back office say to each other over HTTPS when there is no certificate yet, or no longer [pure].

``POST /enrol``        body: envelope (`ENROL_TYPE`) of an `EnrolCall`, signed by the device key that it names
``POST /renew/nonce``  answers `Nonce`
``POST /renew``        body: envelope (`RENEW_TYPE`) of a `RenewCall`, signed by the device key that is enrolled

Each POST but the nonce answers `Answer`; `Answer.sealed` is an envelope of the back-office key (`DOCUMENT_TYPE` or
`RENEWED_TYPE`). ``GET /enrol/ca`` answers the PEM of the CA whose fingerprint the invitation names. docs/enrolment.md
tells the whole story.
"""

import hashlib
import re
from base64 import b64encode
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from pos_agent.domain.identifiers import grouped, is_terminal_id
from pos_agent.errors import RemoteProtocolError
from pos_agent.protocol.ed25519 import PublicKey

ENROL_TYPE: Final = "application/vnd.pos.enrol+json;v=1"
RENEW_TYPE: Final = "application/vnd.pos.renew+json;v=1"
DOCUMENT_TYPE: Final = "application/vnd.pos.enrolment+json;v=1"
RENEWED_TYPE: Final = "application/vnd.pos.renewed+json;v=1"
#: Largest body of a call; a CSR of RSA 4096 takes 1.8 KiB.
MAX_CALL_BYTES: Final = 32 * 1024
#: No two of these are mistaken for each other on paper or by ear; 16 of 32 are 80 bits.
CODE_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH: Final = 16
#: First word of an invitation's text, so that a scanner's other codes are not taken for one.
_MARK: Final = "POSENROL1"
_T = TypeVar("_T", bound=msgspec.Struct)


class State(StrEnum):
    """Where a call stands."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why, as far as the caller has proved who it is; before that always `CODE`."""

    #: Wrong, spent or expired code, unknown till, wrong signature: one answer for all of them.
    CODE = "E-ENROL1"
    #: A person at the back office looked at the fingerprint and said no.
    PERSON = "E-ENROL2"
    #: The certificate request cannot be used.
    CSR = "E-ENROL3"
    #: Revoked: only a new invitation helps.
    REVOKED = "E-RENEW1"
    #: Expired for more than a year: enrol again.
    TOO_OLD = "E-RENEW2"
    #: Too many calls; later.
    TOO_MANY = "E-RENEW3"


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator hands to the technician.

    Attributes:
        url: Of the back office, ``https://…``.
        ca_fingerprint: SHA-256 of the CA certificate (DER), 64 hex digits.
        code: One-time code, without dashes.
    """

    url: str
    ca_fingerprint: str
    terminal_id: str
    code: str

    @property
    def text(self) -> str:
        """Return one line for a QR code or a file."""
        return "|".join((_MARK, self.url, self.ca_fingerprint, self.terminal_id, self.code))


def parse_invitation(text: str) -> Invitation:
    """Read `Invitation.text`.

    Raises:
        ValueError: It is none; the message never quotes it.
    """
    parts = text.strip().split("|")
    if len(parts) != 5 or parts[0] != _MARK:
        raise ValueError("is not an invitation")
    _, url, fingerprint, terminal_id, code = parts
    if not is_terminal_id(terminal_id):
        raise ValueError("names no terminal")
    return Invitation(
        url=clean_url(url),
        ca_fingerprint=clean_fingerprint(fingerprint),
        terminal_id=terminal_id,
        code=clean_code(code),
    )


def clean_url(text: str) -> str:
    """Return an address of the back office without a slash at its end.

    Raises:
        ValueError: Not https, or with a path.
    """
    url = text.strip().rstrip("/")
    if re.fullmatch(r"https://[A-Za-z0-9.\-\[\]:]+", url) is None:
        raise ValueError("the address must be https://host or https://host:port")
    return url


def clean_fingerprint(text: str) -> str:
    """Return 64 lower-case hex digits, whatever stood between them.

    Raises:
        ValueError: Something else.
    """
    digits = re.sub(r"[\s:\-]", "", text).lower()
    if re.fullmatch(r"[0-9a-f]{64}", digits) is None:
        raise ValueError("a CA fingerprint has 64 hex digits (SHA-256)")
    return digits


def clean_code(text: str) -> str:
    """Return the code as it is compared: upper case, no dashes or blanks.

    Raises:
        ValueError: Cannot be a code.
    """
    code = re.sub(r"[\s\-]", "", text).upper()
    if len(code) != CODE_LENGTH or set(code) - set(CODE_ALPHABET):
        raise ValueError(f"a code has {CODE_LENGTH} letters and digits")
    return code


def key_fingerprint(key: PublicKey) -> str:
    """Return what till and back office show of a device key: 128 bits of its SHA-256 in groups of four."""
    return grouped(hashlib.sha256(key.raw).hexdigest()[:32])


def device_key_id(key: PublicKey) -> str:
    """Return the ``kid`` of a device key: a function of the key, so that a new key never takes an old name."""
    return "dev-" + hashlib.sha256(key.raw).hexdigest()[:16]


class EnrolCall(msgspec.Struct, frozen=True, kw_only=True):
    """Ask to be enrolled. The same call again, with the same keys, asks how it stands.

    Attributes:
        csr: PEM (PKCS#10) of the TLS key; CN = terminal_id.
        device_key: Base64 of the raw public key that signed this call.
    """

    terminal_id: str
    code: str
    csr: str
    device_key: str
    agent_version: str = ""


class RenewCall(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a new certificate; `nonce` is the back office's own, minutes old at most."""

    terminal_id: str
    nonce: str
    csr: str


class Nonce(msgspec.Struct, frozen=True):
    """Answer of ``POST /renew/nonce``."""

    nonce: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a call stands.

    Attributes:
        code: One of `Refusal` when refused.
        sealed: Base64 of an envelope when accepted.
        again_s: When to ask again while it waits.
    """

    state: State
    code: str = ""
    sealed: str = ""
    again_s: int = 0


def refusal(answer: Answer, default: str) -> str:
    """Return the code of a refusal that we know; a newer back office may send others."""
    return answer.code if answer.code in set(Refusal) else default


class Supervisor(msgspec.Struct, frozen=True, kw_only=True):
    """The first operator of a till (trust.md 11); `pin_hash` is argon2id, no PIN is shipped."""

    operator_no: str
    person_id: str
    name: str
    pin_hash: str


class EnrolmentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes a box a till of this shop.

    Attributes:
        certificate: PEM: the till's certificate, then what signed it.
        broker_ca: PEM of the CA of the broker's certificate.
        back_office_keys: ``kid`` → base64, as the configuration pins them.
        lookup_key: Base64 of the key of keyed hashes (D14); empty = none.
        office_url, office_ca: Where certificates are renewed, and the PEM of the CA there.
        supervisor: Who may sign in first; None on a re-enrolment that changes no operators.
        fleet_keys: Public keys of those who sign configuration (D16), ``kid`` → base64; for a till that pins none yet.
    """

    terminal_id: str
    merchant_id: str
    merchant_name: str
    store_name: str
    device_key_id: str
    certificate: str
    broker_url: str
    broker_ca: str
    back_office_keys: dict[str, str]
    office_url: str
    office_ca: str
    lookup_key: str = ""
    supervisor: Supervisor | None = None
    fleet_keys: dict[str, str] = {}


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """A new certificate for an enrolled till: PEM, then what signed it."""

    terminal_id: str
    certificate: str


def decode(data: bytes, kind: type[_T]) -> _T:
    """Read one of the structs above.

    Raises:
        RemoteProtocolError: It is not one.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(f"not a {kind.__name__}: {error}") from error


def accepted(envelope: bytes) -> Answer:
    """Return the answer that carries an envelope."""
    return Answer(state=State.ACCEPTED, sealed=b64encode(envelope).decode())
