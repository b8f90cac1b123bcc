"""Renews the certificate of a till that is enrolled, by its device key (trust.md 22). The old one counts until the end.

A new TLS key each time. Key and request stay beside the certificate until it comes: a click at the back office is for
this request.
"""

from base64 import b64decode
from pathlib import Path

import msgspec

from pos_agent.domain.config import Config
from pos_agent.enrolment.files import install
from pos_agent.enrolment.keys import tls_request
from pos_agent.enrolment.office import Office
from pos_agent.enrolment.steps import check_pair
from pos_agent.errors import EnrolmentError, RemoteProtocolError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.enrolment import RENEW_TYPE, RENEWED_TYPE, Answer, Nonce, RenewCall, Renewed, State, decode
from pos_agent.protocol.envelope import seal, unseal


def renew(config: Config, device_key: PrivateKey) -> Answer:
    """Ask once; install the certificate if it came.

    Returns:
        The answer: accepted (and installed), waiting for a person, or refused with its code.
    Raises:
        EnrolmentError: Not reachable, not configured, or the answer is not the back office's.
        OSError: The disk refuses; the old certificate stands.
    """
    cert_file, key_file = Path(config.broker.cert_file), Path(config.broker.key_file)
    next_key, next_csr = (cert_file.with_name(cert_file.name + end) for end in (".next-key", ".next-csr"))
    terminal_id = config.terminal.terminal_id
    office = Office(config.renewal.url, _ca(config))
    csr = tls_request(next_key, next_csr, terminal_id=terminal_id)
    nonce = office.post("/renew/nonce", b"", Nonce).nonce
    call = msgspec.json.encode(RenewCall(terminal_id=terminal_id, nonce=nonce, csr=csr))
    sealed = seal(call, payload_type=RENEW_TYPE, kid=config.trust.device_key_id, key=device_key)
    answer = office.call("/renew", sealed)
    if answer.state is State.ACCEPTED:
        certificate = _verified(answer, config)
        check_pair(certificate, next_key, cert_file.parent)
        install(cert_file, certificate.encode(), key_file, next_key.read_bytes())
        next_csr.unlink(missing_ok=True)
        next_key.unlink(missing_ok=True)
    return answer


def _ca(config: Config) -> str:
    if not config.renewal.url:
        raise EnrolmentError("no renewal.url is configured: certificates of this till are renewed by hand")
    return Path(config.renewal.ca_file).read_text("ascii")


def _verified(answer: Answer, config: Config) -> str:
    """Return the certificate if a pinned key of the back office signed it, for this till."""
    try:
        keys = {kid: PublicKey.from_base64(text) for kid, text in config.trust.back_office_keys.items()}
        payload, _ = unseal(b64decode(answer.sealed), payload_type=RENEWED_TYPE, keys=keys)
        renewed = decode(payload, Renewed)
    except (RemoteProtocolError, ValueError) as error:
        raise EnrolmentError(f"the answer is not the back office's: {error}", code="E-ENROL4") from error
    if renewed.terminal_id != config.terminal.terminal_id:
        raise EnrolmentError("the certificate is for another till", code="E-ENROL4")
    return renewed.certificate
