"""From when until when a certificate is valid, read without a library for certificates."""

import ssl
from calendar import timegm
from time import strptime
from typing import Final

_SEQUENCE: Final = 0x30
_UTC_TIME: Final = 0x17
#: [0] EXPLICIT version of a TBSCertificate.
_VERSION: Final = 0xA0


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
