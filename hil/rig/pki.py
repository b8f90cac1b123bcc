"""A throw-away public key infrastructure for one run of the bench (D15, D25)."""

import base64
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: How long the certificates of a bench live.
_LIFE = timedelta(days=30)


class Identity(msgspec.Struct, frozen=True):
    """A certificate and its private key, as PEM files. The common name is the MQTT user (D15)."""

    common_name: str
    cert_file: Path
    key_file: Path


class SigningKey(msgspec.Struct, frozen=True):
    """An Ed25519 key: PEM (PKCS#8) file, key id, and the raw public key in base64."""

    kid: str
    key_file: Path
    public_base64: str


class Pki(msgspec.Struct, frozen=True):
    """All keys of a bench.

    Attributes:
        lookup_key_file: Base64 of the key that till and back office share for keyed hashes (D14).
        others: Certificate and device key of further tills, by terminal id.
    """

    ca_file: Path
    broker: Identity
    terminal: Identity
    workers: dict[str, Identity]
    device_key: SigningKey
    back_office_key: SigningKey
    lookup_key_file: Path
    others: dict[str, tuple[Identity, SigningKey]] = {}

    def of(self, terminal_id: str) -> "Pki":
        """Return the same keys as seen by one of the `others`."""
        identity, device_key = self.others[terminal_id]
        return msgspec.structs.replace(self, terminal=identity, device_key=device_key)


def make_pki(
    folder: Path, *, terminal_id: str, worker_names: tuple[str, ...], other_terminal_ids: tuple[str, ...] = ()
) -> Pki:
    """Write a new CA, certificates and signing keys into `folder`.

    Args:
        folder: Made if missing, readable by its owner only.
        terminal_id: Common name of the terminal's certificate.
        worker_names: Common name of each back-office worker: one for each role and worker (D15).
        other_terminal_ids: Further tills of the same shop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    authority = _Authority(folder)
    lookup_key_file = folder / "lookup.key"
    _write(lookup_key_file, base64.b64encode(secrets.token_bytes(32)) + b"\n")
    return Pki(
        ca_file=authority.ca_file,
        broker=authority.issue("localhost", is_server=True),
        terminal=authority.issue(terminal_id),
        workers={name: authority.issue(name) for name in worker_names},
        device_key=_signing_key(folder, "device", f"dev-{terminal_id}"),
        back_office_key=_signing_key(folder, "back-office", "bo-1"),
        lookup_key_file=lookup_key_file,
        others={
            one: (authority.issue(one), _signing_key(folder, f"device-{one}", f"dev-{one}"))
            for one in other_terminal_ids
        },
    )


class _Authority:
    """The CA: issues EC P-256 certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("pos-agent bench CA")
        self.ca_file = folder / "ca.pem"
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(is_ca=True), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        _write(self.ca_file, builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)  # noqa: TID251 - a real certificate needs the real time
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + _LIFE)
        )

    def issue(self, common_name: str, *, is_server: bool = False) -> Identity:
        """Write key and certificate of one client, or of the broker on loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(_name(common_name), key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(is_ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if is_server:
            loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            names = x509.SubjectAlternativeName([x509.DNSName("localhost"), loopback])
            builder = builder.add_extension(names, critical=False)
        identity = Identity(common_name, self._folder / f"{common_name}.pem", self._folder / f"{common_name}.key")
        certificate = builder.sign(self._key, hashes.SHA256())
        _write(identity.cert_file, certificate.public_bytes(serialization.Encoding.PEM))
        _write(identity.key_file, _pem(key))
        return identity


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


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _signing_key(folder: Path, name: str, kid: str) -> SigningKey:
    key = ed25519.Ed25519PrivateKey.generate()
    path = folder / f"{name}-ed25519.pem"
    _write(path, _pem(key))
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return SigningKey(kid, path, base64.b64encode(raw).decode())


def _write(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
