"""A real mosquitto on a random loopback port with the shipped templates and a throw-away CA.

Use it with `from tests.fixtures_broker import broker, pki` in a conftest.
"""

import datetime as dt
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from string import Template

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pos_agent.mqtt.settings import MqttSettings

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 10.0


def find_mosquitto() -> str | None:
    """Return the program, also from /usr/sbin, which an ordinary user's PATH lacks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a free port below the ephemeral range: there no client's own end can take it while the broker is down."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Pki:
    """A certificate authority that lives as long as a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away CA")])
        now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
        self._now = now
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=3650))
            .not_valid_after(now + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, common_name: str, *, from_days: float = -1, to_days: float = 30, is_server: bool = False
    ) -> tuple[Path, Path]:
        """Write a certificate and its key; return their files."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now + dt.timedelta(days=from_days))
            .not_valid_after(self._now + dt.timedelta(days=to_days))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if is_server:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        cert_file, key_file = self.folder / f"{common_name}.pem", self.folder / f"{common_name}.key"
        cert_file.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(_pem_key(key))
        return cert_file, key_file


@dataclass
class Broker:
    """One mosquitto; can be killed, stalled and started again on the same port and data."""

    folder: Path
    pki: Pki
    port: int
    program: str
    server: tuple[Path, Path]
    extra_acl: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()

    def start(self) -> None:
        acl = (ROOT / "config/broker/acl").read_text() + self.extra_acl
        (self.folder / "acl").write_text(acl)
        (self.folder / "acl").chmod(0o600)
        (self.folder / "data").mkdir(exist_ok=True)
        template = Template((ROOT / "config/broker/mosquitto.conf").read_text())
        conf = template.substitute(
            port=self.port,
            bind="127.0.0.1",
            ca_file=self.pki.ca_file,
            cert_file=self.server[0],
            key_file=self.server[1],
            acl_file=self.folder / "acl",
            persistence_dir=f"{self.folder}/data/",
            user="root" if os.getuid() == 0 else "mosquitto",
        )
        self.launch(conf)

    def launch(self, conf: str) -> None:
        """Start with a configuration and wait until it runs."""
        (self.folder / "mosquitto.conf").write_text(conf)
        with (self.folder / "mosquitto.log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", str(self.folder / "mosquitto.conf")], stderr=log, stdout=log
            )
        self._await_running()

    def _await_running(self) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            log = self.log
            assert "Error" not in log, log
            if " running" in log:
                return
            assert self.process is not None
            assert self.process.poll() is None, log
            time.sleep(0.005)
        raise AssertionError(f"mosquitto did not start: {self.log}")

    def stop(self, sign: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait(10)
            self.process = None

    def stall(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def settings(self, common_name: str, **changes: float) -> MqttSettings:
        """Return settings of a client with a fresh certificate."""
        cert_file, key_file = self.pki.issue(common_name)
        return self.settings_with(common_name, cert_file, key_file, **changes)

    def settings_with(self, client_id: str, cert_file: Path, key_file: Path, **changes: float) -> MqttSettings:
        options: dict[str, float] = {"backoff_first_s": 0.05, "backoff_cap_s": 0.2} | changes
        return MqttSettings(
            host="127.0.0.1",
            port=self.port,
            client_id=client_id,
            ca_file=str(self.pki.ca_file),
            cert_file=str(cert_file),
            key_file=str(key_file),
            **options,  # type: ignore[arg-type]
        )


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def broker(tmp_path: Path, pki: Pki) -> Iterator[Broker]:
    program = find_mosquitto()
    if program is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path / "broker"
    folder.mkdir()
    made = Broker(folder, pki, free_port(), program, pki.issue("broker", is_server=True))
    # A client that the broker lets do everything: stands for a broker in the wrong hands.
    made.extra_acl = "\nuser evil-1\ntopic readwrite pos/v1/#\n"
    try:
        made.start()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.resume()
            made.stop()
