"""The certificate authority of the tills: makes itself, signs requests, lists what is revoked (D15).

A CA of its own, apart from the one of the back office's servers: no certificate for a till can carry a worker's name.
Keys are EC P-256 here; a till may bring another kind (ADR 0023).
"""

import hashlib
import ipaddress
import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pos_agent.errors import ConfigFileError

#: A clock that is behind ours by less than this takes a new certificate at once.
_EARLIER = timedelta(hours=1)
CA_LIFETIME = timedelta(days=3650)
#: Of the HTTPS server's own certificate; browsers and phones refuse more than 825 days.
SERVER_LIFETIME = timedelta(days=825)
_MIN_RSA_BITS = 2048
_Key = ec.EllipticCurvePrivateKey


class CsrError(ValueError):
    """A certificate request that cannot be signed; the message says why."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that was just signed.

    Attributes:
        serial: Hex, as the CRL and the broker's log name it.
        chain: PEM: the certificate, then the CA's.
    """

    serial: str
    not_before: datetime
    not_after: datetime
    chain: str


class Revoked(msgspec.Struct, frozen=True):
    """A line of the CRL."""

    serial: str
    at: datetime


class Authority:
    """A CA: certificate and key in memory."""

    def __init__(self, certificate: x509.Certificate, key: _Key) -> None:
        self._certificate = certificate
        self._key = key

    @property
    def pem(self) -> str:
        """Return the CA's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, csr: str, *, terminal_id: str, now: datetime, lifetime: timedelta) -> Issued:
        """Sign a till's request.

        Args:
            csr: PEM.
            terminal_id: Must be its CN; nothing else of the request's subject or extensions is taken over.
            now: The back office's time.
            lifetime: Of the certificate.
        Raises:
            CsrError: Not a request, wrongly signed, another name, or a kind of key that is not taken.
        """
        request = read_csr(csr, terminal_id=terminal_id)
        return self._sign(_name(terminal_id), request.public_key(), now=now, lifetime=lifetime)

    def serve(self, hosts: Sequence[str], *, now: datetime) -> tuple[str, bytes]:
        """Make a server's certificate; returns its chain and its key, PEM both.

        Args:
            hosts: Names and addresses under which tills and browsers reach it.
            now: The back office's time.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        issued = self._sign(_name(hosts[0]), key.public_key(), now=now, lifetime=SERVER_LIFETIME, server_names=names)
        return issued.chain, _pem(key)

    def _sign(
        self,
        subject: x509.Name,
        public_key: CertificatePublicKeyTypes,
        *,
        now: datetime,
        lifetime: timedelta,
        server_names: x509.SubjectAlternativeName | None = None,
    ) -> Issued:
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if server_names is None else ExtendedKeyUsageOID.SERVER_AUTH
        not_after = min(now + lifetime, self._certificate.not_valid_after_utc)
        builder = _builder(subject, self._certificate.subject, public_key, now=now, not_after=not_after)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(is_ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if server_names is not None:
            builder = builder.add_extension(server_names, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Issued(
            serial=f"{certificate.serial_number:x}",
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            chain=pem + self.pem,
        )

    def revocation_list(self, revoked: Iterable[Revoked], *, now: datetime, next_update: timedelta) -> bytes:
        """Return the CRL as PEM."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._certificate.subject)
        builder = builder.last_update(now).next_update(now + next_update)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16)).revocation_date(one.at).build()
            builder = builder.add_revoked_certificate(entry)
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def read_csr(csr: str, *, terminal_id: str) -> x509.CertificateSigningRequest:
    """Read and check a till's request.

    Raises:
        CsrError: See `Authority.issue`.
    """
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        is_signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, TypeError) as error:
        raise CsrError(f"not a certificate request: {error}") from error
    if not is_signed:
        raise CsrError("the certificate request is not signed by its own key")
    names = [attribute.value for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [terminal_id]:
        raise CsrError(f"the certificate request is not for {terminal_id}")
    match key:
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return request
        case ed25519.Ed25519PublicKey():
            return request
        case rsa.RSAPublicKey() if key.key_size >= _MIN_RSA_BITS:
            return request
    raise CsrError("the key must be EC P-256 or P-384, Ed25519, or RSA of 2048 bits and more")


def make_authority(common_name: str, *, now: datetime) -> tuple[bytes, bytes]:
    """Make a CA; returns certificate and key, PEM both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    builder = _builder(name, name, key.public_key(), now=now, not_after=now + CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(is_ca=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def load_authority(cert_file: str, key_file: str) -> Authority:
    """Read a CA.

    Raises:
        ConfigFileError: Missing, unreadable, not PEM, not EC, or key and certificate do not belong together.
    """
    try:
        certificate = x509.load_pem_x509_certificate(Path(cert_file).read_bytes())
        key = serialization.load_pem_private_key(Path(key_file).read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigFileError(f"{cert_file}, {key_file}: {error}; make them with: pos-backoffice ca make") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigFileError(f"{key_file} is not the EC key of {cert_file}")
    return Authority(certificate, key)


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of a certificate's DER, hex: what a till pins.

    Raises:
        ValueError: Not a certificate.
    """
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not be there yet.

    Raises:
        FileExistsError: It is there; nothing is overwritten.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: CertificatePublicKeyTypes, *, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(public_key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _EARLIER).not_valid_after(not_after)


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
