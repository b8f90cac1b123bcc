"""When a certificate is renewed, and what the menu hears of it; the process that does it is another one."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pos_agent.app import renewal
from pos_agent.app.renewal import CertificateWatch, finish_interrupted
from pos_agent.domain.config import BrokerConfig, Config, RenewalConfig, TerminalConfig, TrustConfig
from pos_agent.domain.events import CertificateChanged, Event

START = datetime(2026, 1, 1, tzinfo=UTC)
LIFETIME = timedelta(days=100)


class MovableClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def is_trusted(self) -> bool:
        return True

    def monotonic_s(self) -> float:
        return time.monotonic()

    def boottime_s(self) -> float:
        return time.monotonic()


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "t-a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(START).not_valid_after(START + LIFETIME)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "cert.pem").write_bytes(certificate())
    return Config(
        terminal=TerminalConfig(terminal_id="t-a", merchant_id="M", merchant_name="M"),
        broker=BrokerConfig(
            url="mqtts://b:1", cert_file=str(tmp_path / "cert.pem"), key_file=str(tmp_path / "cert.key")
        ),
        trust=TrustConfig(device_key_file="/nonexistent", device_key_id="d", back_office_keys={}),
        renewal=RenewalConfig(url="https://office", ca_file="ca.pem"),
    )


class Watched:
    """A watch whose process says what a test wants."""

    def __init__(self, config: Config, *says: str) -> None:
        self.clock, self.told = MovableClock(), list[Event]()
        self.renewed = 0
        self.says = says
        self.watch = CertificateWatch(
            config, clock=self.clock, sink=self.told.append, on_renewed=self._count, command=self._command(says[0])
        )
        self.clock.at = START + LIFETIME * 0.65

    def _count(self) -> None:
        self.renewed += 1

    @staticmethod
    def _command(says: str) -> list[str]:
        return [sys.executable, "-c", f"import sys; sys.stdin.read(); {says}"]


def printing(text: str) -> str:
    return f"print({text!r})"


@pytest.mark.parametrize(("share", "is_due"), [(0.0, False), (0.59, False), (0.61, True), (0.99, True), (1.5, True)])
def test_renewal_is_due_from_60_percent_of_the_lifetime_on(config: Config, share: float, is_due: bool) -> None:
    watched = Watched(config, "pass")
    watched.clock.at = START + LIFETIME * share
    assert watched.watch.is_due() is is_due


async def test_certificate_that_is_not_due_starts_no_process(config: Config) -> None:
    watched = Watched(config, printing('{"state":"accepted"}'))
    watched.clock.at = START
    await watched.watch.look()
    assert (watched.told, watched.renewed) == ([], 0)


async def test_renewed_certificate_connects_again_and_says_nothing(config: Config) -> None:
    watched = Watched(config, printing('{"state":"accepted","code":"","detail":""}'))
    await watched.watch.look()
    assert (watched.told, watched.renewed) == ([], 1)


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (printing('{"state":"refused","code":"E-NET","detail":"no route"}'), "E-RENEW"),
        (printing('{"state":"refused","code":"E-RENEW1"}'), "E-RENEW1"),
        (printing('{"state":"refused","code":"E-RENEW2"}'), "E-RENEW2"),
        (printing('{"state":"refused","code":"E-NEW9"}'), "E-RENEW"),
        (printing('{"state":"waiting"}'), "E-RENEW4"),
        (printing("not json"), "E-RENEW"),
        ("sys.exit(1)", "E-RENEW"),
        ("import os; os.kill(os.getpid(), 9)", "E-RENEW"),
    ],
)
async def test_failure_is_said_once_with_a_code_that_the_menu_knows(config: Config, says: str, code: str) -> None:
    watched = Watched(config, says)
    await watched.watch.look()
    await watched.watch.look()
    assert (watched.told, watched.renewed) == ([CertificateChanged(code)], 0)


async def test_failure_that_somebody_mended_by_hand_is_taken_back(config: Config) -> None:
    watched = Watched(config, printing('{"state":"waiting"}'))
    await watched.watch.look()
    watched.clock.at = START  # the certificate in the file is young again
    await watched.watch.look()
    assert watched.told == [CertificateChanged("E-RENEW4"), CertificateChanged("")]


async def test_process_that_hangs_is_ended(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_DEADLINE_S", 0.3)
    watched = Watched(config, "import time; time.sleep(600)")
    began = time.monotonic()
    await watched.watch.look()
    assert time.monotonic() - began < 30
    assert watched.told == [CertificateChanged("E-RENEW")]


async def test_program_that_is_missing_is_a_failed_renewal(config: Config) -> None:
    watched = Watched(config, "pass")
    watch = CertificateWatch(
        config, clock=watched.clock, sink=watched.told.append, on_renewed=lambda: None, command=["/nonexistent"]
    )
    await watch.look()
    assert watched.told == [CertificateChanged("E-RENEW")]


def test_installation_that_a_power_cut_ended_is_finished_at_the_start(config: Config) -> None:
    cert_file, key_file = Path(config.broker.cert_file), Path(config.broker.key_file)
    key_file.write_text("new")  # the key was in place already, its certificate not yet
    cert_file.with_name("cert.pem.new").write_text("new")
    finish_interrupted(config)
    assert (cert_file.read_text(), key_file.read_text()) == ("new", "new")
    finish_interrupted(config)


def test_daemon_has_neither_http_client_of_enrolment_nor_key_making_in_its_memory() -> None:
    code = (
        "import sys, pos_agent.app.daemon; "
        "print([m for m in sys.modules if m in ('cryptography', 'pos_agent.enrolment.office', "
        "'pos_agent.enrolment.keys', 'pos_agent.enrolment.steps')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
