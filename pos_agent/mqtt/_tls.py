"""TLS: always verified; and telling a wrong clock from a wrong certificate from a dead network."""

import socket
import ssl
from pathlib import Path
from time import time
from typing import Any, Final

from pos_agent.mqtt.settings import MqttSettings
from pos_agent.mqtt.validity import validity

CODE_NET: Final = "E-NET"
CODE_CLOCK: Final = "E-CLOCK"
CODE_CERT: Final = "E-CERT"
#: X509_V_ERR_CERT_NOT_YET_VALID. Source: OpenSSL, x509_vfy.h.
_NOT_YET_VALID: Final = 9


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
