"""From an invitation to a till that can start, in steps that a power cut may end anywhere: the same command goes on.

    pki/enrolling/state.json    invitation; as long as it is there the command goes on
    pki/enrolling/office-ca.pem the CA that had the right fingerprint
    pki/enrolling/tls.key .csr  the key, and the request that a person accepts
    pki/enrolling/document      the answer, verified: from here on only files are put in place

The device key of a till that has one stays, and so do journal, outbox and terminal id (trust.md 6).
"""

import contextlib
import ssl
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from pos_agent.enrolment.files import make_folder
from pos_agent.enrolment.keys import device_key, tls_request
from pos_agent.enrolment.office import Office, fetch_ca
from pos_agent.errors import EnrolmentError, SignatureError
from pos_agent.files import replace_file, sync_folder
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.enrolment import (
    DOCUMENT_TYPE,
    ENROL_TYPE,
    Answer,
    EnrolCall,
    EnrolmentDocument,
    Invitation,
    State,
    decode,
    device_key_id,
    key_fingerprint,
    refusal,
)
from pos_agent.protocol.envelope import peek, seal, unseal

#: Between calls that found nobody: the network of a shop that is being set up comes and goes.
_UNREACHABLE_S: Final = 5.0
_LEAST_S, _MOST_S = 1.0, 60.0


class Places:
    """Where the files of an identity are; `files.install` and the configuration use the same names."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.pki = data_dir / "pki"
        self.device_key = self.pki / "device.pem"
        self.cert_file, self.key_file = self.pki / "terminal.pem", self.pki / "terminal.key"
        self.broker_ca, self.office_ca = self.pki / "ca.pem", self.pki / "office-ca.pem"
        self.lookup_key = self.pki / "lookup.key"
        self.staging = self.pki / "enrolling"
        self.state = self.staging / "state.json"
        self.staged_ca, self.document = self.staging / "office-ca.pem", self.staging / "document"
        self.staged_key, self.staged_csr = self.staging / "tls.key", self.staging / "tls.csr"


class Enrolment:
    """One enrolment that is under way.

    Args:
        places: Where to.
        invitation: What the operator handed over.
        version: Of this program, for the operator.
    """

    def __init__(self, places: Places, invitation: Invitation, *, version: str) -> None:
        self._places = places
        self.invitation = invitation
        self._version = version
        self._key: PrivateKey | None = None

    @classmethod
    def resume(cls, places: Places, *, version: str) -> "Enrolment | None":
        """Return the enrolment that was begun and not finished, None if there is none."""
        try:
            invitation = msgspec.json.decode(places.state.read_bytes(), type=Invitation)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
        return cls(places, invitation, version=version)

    def begin(self) -> None:
        """Fetch and compare the CA, then keep the invitation; what another invitation left is dropped.

        The same invitation again changes nothing: its keys are bound to it.


        Raises:
            EnrolmentError: See `office.fetch_ca`.
            OSError: The disk refuses.
        """
        begun = self.resume(self._places, version=self._version)
        if begun is not None and begun.invitation == self.invitation:
            return
        pem = fetch_ca(self.invitation.url, self.invitation.ca_fingerprint)
        for folder in (self._places.pki, self._places.staging):
            make_folder(folder)
        self._clear()
        replace_file(self._places.staged_ca, pem.encode())
        replace_file(self._places.state, msgspec.json.encode(self.invitation))

    @property
    def fingerprint(self) -> str:
        """Return what the operator compares.

        Raises:
            EnrolmentError, OSError: See `keys.device_key`.
        """
        return key_fingerprint(self._device_key().public_key())

    def _device_key(self) -> PrivateKey:
        if self._key is None:
            self._key = device_key(self._places.device_key)
        return self._key

    def await_document(
        self, *, wait_s: float, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> EnrolmentDocument:
        """Ask until a person has accepted; keep the answer.

        Args:
            wait_s: How long, at most; the invitation stays, and the command may be run again.
            tell: Takes ``waiting`` or ``away`` each time somebody may want to know.
            sleep: Waits.
        Raises:
            EnrolmentError: Refused, or nobody accepted in time.
            OSError: The disk refuses.
        """
        if self._places.document.exists():
            return self._verified(self._places.document.read_bytes())
        office = Office(self.invitation.url, self._places.staged_ca.read_text("ascii"))
        call = self._call()
        until = time.monotonic() + wait_s
        while True:
            answer, pause_s = self._ask(office, call, tell)
            if answer is not None and answer.state is State.ACCEPTED:
                sealed = b64decode(answer.sealed)
                document = self._verified(sealed)
                replace_file(self._places.document, sealed)
                return document
            if time.monotonic() + pause_s > until:
                raise EnrolmentError(
                    "nobody has accepted this till yet; run the command again to go on", retryable=True
                )
            sleep(pause_s)

    @staticmethod
    def _ask(office: Office, call: bytes, tell: Callable[[str], None]) -> tuple[Answer | None, float]:
        try:
            answer = office.call("/enrol", call)
        except EnrolmentError as error:
            if not error.retryable:
                raise
            tell("away")
            return None, _UNREACHABLE_S
        if answer.state is State.REFUSED and answer.again_s == 0:
            raise EnrolmentError("the back office refuses this till", code=refusal(answer, "E-ENROL"))
        tell("waiting")
        return answer, min(_MOST_S, max(_LEAST_S, answer.again_s))

    def _call(self) -> bytes:
        key = self._device_key()
        csr = tls_request(self._places.staged_key, self._places.staged_csr, terminal_id=self.invitation.terminal_id)
        call = EnrolCall(
            terminal_id=self.invitation.terminal_id,
            code=self.invitation.code,
            csr=csr,
            device_key=key.public_key().base64,
            agent_version=self._version,
        )
        kid = device_key_id(key.public_key())
        return seal(msgspec.json.encode(call), payload_type=ENROL_TYPE, kid=kid, key=key)

    def _verified(self, sealed: bytes) -> EnrolmentDocument:
        """Return the document if it is for this till, signed by a key that it names, and fits our TLS key.

        That the key is the back office's follows from the channel: the CA had the fingerprint of the invitation.
        """
        document = decode(peek(sealed), EnrolmentDocument)
        try:
            keys = {kid: PublicKey.from_base64(text) for kid, text in document.back_office_keys.items()}
            unseal(sealed, payload_type=DOCUMENT_TYPE, keys=keys)
        except (SignatureError, ValueError) as error:
            raise EnrolmentError(f"the document is not signed by the back office: {error}", code="E-ENROL4") from error
        own = device_key_id(self._device_key().public_key())
        if (document.terminal_id, document.device_key_id) != (self.invitation.terminal_id, own):
            raise EnrolmentError("the document is for another till", code="E-ENROL4")
        check_pair(document.certificate, self._places.staged_key, self._places.staging)
        return document

    def finish(self) -> None:
        """Forget the invitation: everything is in place.

        Raises:
            OSError: The disk refuses.
        """
        self._clear()

    def _clear(self) -> None:
        """Remove what was staged; the state first: without it nobody goes on with the rest."""
        places = self._places
        for path in (places.state, places.document, places.staged_csr, places.staged_key, places.staged_ca):
            path.unlink(missing_ok=True)
        sync_folder(places.staging)


def check_pair(certificate: str, key_file: Path, folder: Path) -> None:
    """Refuse a certificate that is not for the key.

    Raises:
        EnrolmentError: It is not, or is none.
        OSError: The disk refuses.
    """
    probe = folder / ".probe.pem"
    replace_file(probe, certificate.encode())
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(probe, key_file)
    except ssl.SSLError as error:
        raise EnrolmentError(f"the certificate does not fit the key: {error}", code="E-ENROL4") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
