"""HTTPS to the back office, by a CA that was pinned: by its fingerprint at enrolment, by its file later."""

import hmac
import http.client
import ssl
from contextlib import closing
from hashlib import sha256
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from pos_agent.errors import EnrolmentError, RemoteProtocolError
from pos_agent.protocol.enrolment import Answer, decode

#: A sealed document is 10 KiB; more than this is not our back office.
_MAX_ANSWER_BYTES: Final = 256 * 1024
_TIMEOUT_S: Final = 15.0
#: What the routes answer with; anything else is a proxy's or somebody else's page.
_STATUSES: Final = frozenset({200, 403, 429})
_T = TypeVar("_T", bound=msgspec.Struct)


def fetch_ca(url: str, fingerprint: str) -> str:
    """Fetch the CA certificate of a back office and compare it with the fingerprint; returns its PEM.

    This one connection is not verified, and carries no secret: the certificate proves itself by its hash.

    Raises:
        EnrolmentError: Not reachable (may be repeated), or another CA (E-ENROL4): somebody is in between, or a typing
            error.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    status, body = _exchange(url, context, "GET", "/enrol/ca", b"")
    if status != 200:
        raise EnrolmentError(f"{url} does not enrol tills (status {status})")
    try:
        pem = body.decode("ascii")
        found = sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except ValueError as error:
        raise EnrolmentError(f"{url} answered no certificate: {error}", code="E-ENROL4") from error
    if not hmac.compare_digest(found, fingerprint):
        raise EnrolmentError(f"{url} has another CA, fingerprint {found}", code="E-ENROL4")
    return pem


class Office:
    """A back office whose certificate a pinned CA signed."""

    def __init__(self, url: str, ca: str) -> None:
        """Pin.

        Args:
            url: ``https://host:port``.
            ca: PEM.
        Raises:
            EnrolmentError: `ca` is no certificate.
        """
        self._url = url
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._context.load_verify_locations(cadata=ca)
        except ssl.SSLError as error:
            raise EnrolmentError(f"the CA of {url} cannot be used: {error}", code="E-ENROL4") from error

    def call(self, path: str, body: bytes) -> Answer:
        """Post a sealed call.

        Raises:
            EnrolmentError: Not reachable, or no answer of a back office.
        """
        return self.post(path, body, Answer)

    def post(self, path: str, body: bytes, kind: type[_T]) -> _T:
        """Post and return the answer.

        Raises:
            EnrolmentError: As `call`.
        """
        status, answer = _exchange(self._url, self._context, "POST", path, body)
        if status not in _STATUSES:
            raise EnrolmentError(f"{self._url}{path} answered status {status}", code="E-NET", retryable=True)
        try:
            return decode(answer, kind)
        except RemoteProtocolError as error:
            raise EnrolmentError(f"{self._url}{path}: {error}", code="E-NET", retryable=True) from error


def _exchange(url: str, context: ssl.SSLContext, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = http.client.HTTPSConnection(host, parts.port or 443, timeout=_TIMEOUT_S, context=context)
    try:
        with closing(connection):
            connection.request(method, path, body=body or None, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read(_MAX_ANSWER_BYTES + 1)
    except ssl.SSLCertVerificationError as error:
        raise EnrolmentError(f"{url}: {error.verify_message}", code="E-ENROL4") from error
    except (OSError, http.client.HTTPException) as error:
        raise EnrolmentError(f"{url}: {error or type(error).__name__}", code="E-NET", retryable=True) from error
    if len(data) > _MAX_ANSWER_BYTES:
        raise EnrolmentError(f"{url}{path} answers too much")
    return answer.status, data
