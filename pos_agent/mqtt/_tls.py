"""TLS: always verified; and telling a wrong clock from a wrong certificate from a dead network."""

import socket
import ssl
from calendar import timegm
from pathlib import Path
from time import strptime, time
from typing import Any, Final

from pos_agent.mqtt.settings import MqttSettings

CODE_NET: Final = "E-NET"
CODE_CLOCK: Final = "E-CLOCK"
CODE_CERT: Final = "E-CERT"
#: X509_V_ERR_CERT_NOT_YET_VALID. Source: OpenSSL, x509_vfy.h.
_NOT_YET_VALID: Final = 9
_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
#: [0] EXPLICIT version of a TBSCertificate.
_VERSION: Final = 0xA0


class ClosingContext(ssl.SSLContext):
    """A context that remembers its last socket: paho drops it unclosed when the handshake fails."""

    last_socket: ssl.SSLSocket | None = None

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Wrap as usual and remember."""
        self.last_socket = super().wrap_socket(sock, *args, **kwargs)
        return self.last_socket

    def close_last(self) -> None:
        """Close the socket of a failed handshake."""
        if self.last_socket is not None:
            self.last_socket.close()
            self.last_socket = None


def make_context(settings: MqttSettings) -> ClosingContext:
    """Return a client context that checks the broker's chain and name and shows our certificate.

    Raises:
        ssl.SSLError, OSError: A file is missing or no PEM.
    """
    context = ClosingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=settings.ca_file)
    context.load_cert_chain(settings.cert_file, settings.key_file)
    return context


def classify(error: BaseException) -> str:
    """Return the code that tells a person what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CODE_CLOCK if error.verify_code == _NOT_YET_VALID else CODE_CERT
    if isinstance(error, ssl.SSLError):
        return CODE_CERT
    return CODE_NET


def wall_time_s() -> float:
    """Return what TLS itself takes for the time."""
    return time()


def own_certificate_code(cert_file: str, now_s: float) -> str:
    """Return E-CLOCK or E-CERT if our own certificate is not yet or no longer valid, else empty.

    Under TLS 1.3 a refused client certificate shows only as a closed connection, so we look ourselves.
    """
    try:
        not_before, not_after = validity(Path(cert_file).read_text())
    except (OSError, ValueError, IndexError):
        return CODE_CERT
    if now_s < not_before:
        return CODE_CLOCK
    return CODE_CERT if now_s > not_after else ""


def validity(pem: str) -> tuple[float, float]:
    """Return (notBefore, notAfter) of the first certificate of a PEM file, in seconds since 1970.

    Raises:
        ValueError, IndexError: Not a certificate.
    Source:
        RFC 5280 section 4.1: Certificate ⊃ TBSCertificate = version?, serial, signature, issuer, validity, …
    """
    start, end = pem.index("-----BEGIN CERTIFICATE-----"), pem.index("-----END CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(pem[start:end] + "-----END CERTIFICATE-----")
    _, tbs, _ = _element(_element(der, 0)[1], 0)
    tag, _, at = _element(tbs, 0)
    for _ in range(3 if tag == _VERSION else 2):
        tag, _, at = _element(tbs, at)
    tag, times, _ = _element(tbs, at)
    if tag != _SEQUENCE:
        raise ValueError("no validity in the certificate")
    first_tag, first, at = _element(times, 0)
    second_tag, second, _ = _element(times, at)
    return _time(first_tag, first), _time(second_tag, second)


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Return (tag, content, position behind) of the DER element at `at`."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    return tag, data[at : at + length], at + length


def _time(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 … 99 are 19xx
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    return float(timegm(strptime(text, "%Y%m%d%H%M%SZ")))
