"""A certificate is renewed by itself while it is valid, by a click when it has expired, never once it is revoked."""

import asyncio
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backoffice.authority import load_authority
from pos_agent.app.renewal import CertificateWatch
from pos_agent.control.server import read_status
from pos_agent.domain.config import Config
from pos_agent.domain.events import CertificateChanged, Event
from pos_agent.mqtt.connection import MqttConnection, Session
from pos_agent.mqtt.messages import LinkState
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.mqtt.validity import validity
from pos_agent.protocol.control import Status
from pos_agent.settings import load_config
from tests.bench.till import BenchTill
from tests.fixtures_broker import Broker, free_port
from tests.integration.enrolment.conftest import Box, Office, enrolled, hardware, until

pytestmark = [pytest.mark.broker, pytest.mark.slow]


class FixedClock:
    """A clock that stands at a share of a certificate's lifetime."""

    def __init__(self, certificate: Path, share: float) -> None:
        not_before, not_after = validity(certificate.read_text())
        self._at = datetime.fromtimestamp(not_before + (not_after - not_before) * share, UTC)

    def now(self) -> datetime:
        return self._at

    def is_trusted(self) -> bool:
        return True

    def monotonic_s(self) -> float:
        return time.monotonic()

    def boottime_s(self) -> float:
        return time.monotonic()


def let_expire(office: Office, box: Box, days_ago: int) -> None:
    """Put an expired certificate of the real CA into the box, and into the record."""
    csr = box.folder / "old.csr"
    command = ["openssl", "req", "-new", "-key", str(box.pki / "terminal.key"), "-subj", f"/CN={office.terminal}"]
    csr.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    authority = load_authority(str(office.folder / "tills-ca.pem"), str(office.folder / "tills-ca.key"))
    made_at = datetime.fromtimestamp(time.time(), UTC) - timedelta(days=days_ago + 30)
    old = authority.issue(csr.read_text(), terminal_id=office.terminal, now=made_at, lifetime=timedelta(days=30))
    (box.pki / "terminal.pem").write_text(old.chain)
    with closing(sqlite3.connect(office.folder / "backoffice.db")) as database, database:
        database.execute(
            "UPDATE certificates SET serial = ?, chain = ?, not_after = ? WHERE terminal_id = ?",
            (old.serial, old.chain, old.not_after.strftime("%Y-%m-%d %H:%M:%S.000000"), office.terminal),
        )


def state_of(answer: tuple[int, str, str]) -> tuple[int, dict[str, str]]:
    return answer[0], json.loads(answer[1])


def test_valid_certificate_is_renewed_at_once_with_a_new_key(office: Office, box: Box) -> None:
    enrolled(office, box)
    before = {name: (box.pki / name).read_bytes() for name in ("terminal.pem", "terminal.key", "device.pem")}
    assert state_of(box.run("renew")) == (0, {"state": "accepted"})
    assert (box.pki / "terminal.pem").read_bytes() != before["terminal.pem"]
    assert (box.pki / "terminal.key").read_bytes() != before["terminal.key"]
    assert (box.pki / "device.pem").read_bytes() == before["device.pem"]
    assert {path.name for path in box.pki.iterdir() if "next" in path.name or path.suffix == ".new"} == set()


def test_expired_certificate_is_renewed_by_a_click_and_the_daemon_is_online_again(
    office: Office, till: BenchTill
) -> None:
    box = hardware(till)
    enrolled(office, box)
    let_expire(office, box, days_ago=40)

    def status() -> Status:
        return read_status(till.folder / "run")

    till.start()
    assert not status().is_broker_connected
    assert state_of(box.run("renew")) == (3, {"state": "waiting"})
    assert state_of(box.run("renew")) == (3, {"state": "waiting"}), "still nobody clicked"
    page = office.click("renewal", "accept")
    assert office.terminal in page
    assert state_of(box.run("renew")) == (0, {"state": "accepted"})
    until(lambda: status().is_back_office_present, "the running daemon takes the new certificate", timeout_s=40)


@pytest.mark.exhaustive
def test_certificate_that_expired_long_ago_needs_a_new_enrolment(office: Office, box: Box) -> None:
    enrolled(office, box)
    let_expire(office, box, days_ago=366)
    assert state_of(box.run("renew")) == (1, {"state": "refused", "code": "E-RENEW2"})


def test_revoked_till_is_refused_and_alarmed_and_keeps_what_it_has(office: Office, box: Box) -> None:
    enrolled(office, box)
    before = (box.pki / "terminal.pem").read_bytes()
    office.tool("terminal", "revoke", office.terminal)
    assert state_of(box.run("renew")) == (1, {"state": "refused", "code": "E-RENEW1"})
    assert (box.pki / "terminal.pem").read_bytes() == before
    with closing(sqlite3.connect(office.folder / "backoffice.db")) as database:
        alarms = database.execute("SELECT is_alarm FROM events WHERE name = 'revoked_till_renews'").fetchall()
    assert alarms == [(1,)]
    crl = subprocess.run(
        ["openssl", "crl", "-in", str(office.folder / "tills.crl"), "-noout", "-text"], check=True, capture_output=True
    ).stdout.decode()
    serial = subprocess.run(
        ["openssl", "x509", "-in", str(box.pki / "terminal.pem"), "-noout", "-serial"], check=True, capture_output=True
    ).stdout.decode()
    assert serial.strip().partition("=")[2].lstrip("0") in crl


def watch_of(config: Config, share: float, told: list[Event], renewed: list[bool]) -> CertificateWatch:
    clock = FixedClock(Path(config.broker.cert_file), share)
    return CertificateWatch(config, clock=clock, sink=told.append, on_renewed=lambda: renewed.append(True))


async def test_daemon_renews_by_itself_before_a_third_of_the_lifetime_is_left(office: Office, box: Box) -> None:
    enrolled(office, box)
    config = load_config(box.config).config
    told: list[Event] = []
    renewed: list[bool] = []
    before = (box.pki / "terminal.pem").read_bytes()
    await watch_of(config, 0.59, told, renewed).look()
    assert (renewed, (box.pki / "terminal.pem").read_bytes() == before) == ([], True)
    await watch_of(config, 0.61, told, renewed).look()
    assert (told, renewed) == ([], [True])
    assert (box.pki / "terminal.pem").read_bytes() != before


async def test_renewal_that_fails_is_said_once_and_keeps_the_old_certificate(office: Office, box: Box) -> None:
    enrolled(office, box)
    config = load_config(box.config).config
    config.renewal.url = "https://127.0.0.1:9"
    told: list[Event] = []
    before = (box.pki / "terminal.pem").read_bytes()
    watch = watch_of(config, 0.7, told, [])
    await watch.look()
    await watch.look()
    assert told == [CertificateChanged("E-RENEW")]
    assert (box.pki / "terminal.pem").read_bytes() == before
    config.renewal.url = office.url
    await watch.look()
    assert told == [CertificateChanged("E-RENEW"), CertificateChanged("")]
    assert (box.pki / "terminal.pem").read_bytes() != before


@pytest.mark.exhaustive
async def test_connection_takes_up_a_renewed_certificate_when_asked(office: Office, box: Box) -> None:
    enrolled(office, box)
    config = load_config(box.config).config
    links: list[LinkState] = []
    connection = MqttConnection(MqttSettings.from_broker(config.broker, client_id=office.terminal))
    up = asyncio.Event()

    def note(link: LinkState) -> None:
        links.append(link)
        if link.is_connected:
            up.set()

    connection.attach(Session(subscriptions=(), on_message=lambda _message: None, on_link=note))
    running = asyncio.create_task(connection.run(), name="mqtt")
    async with asyncio.timeout(20):
        await up.wait()
        assert box.run("renew")[0] == 0
        up.clear()
        connection.reconnect()
        await up.wait()
    assert [link.is_connected for link in links] == [True, False, True]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert office.broker.log.count(f"Client {office.terminal} disconnected.") >= 1


def is_let_in(config: Config, port: int) -> bool:
    """Return whether a broker takes the till's certificate: a CONNECT is answered by a CONNACK."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(config.broker.ca_file)
    context.load_cert_chain(config.broker.cert_file, config.broker.key_file)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as link,
        ):
            link.sendall(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03any")
            return link.recv(4)[:1] == b"\x20"
    except OSError:
        return False


@pytest.mark.exhaustive
def test_broker_refuses_a_revoked_certificate_once_it_was_told(office: Office, box: Box, tmp_path: Path) -> None:
    enrolled(office, box)
    config = load_config(box.config).config
    other = Broker(tmp_path, office.broker.pki, free_port(), office.broker.program, office.broker.server)
    other.launch(
        f"""{"user root" if os.getuid() == 0 else ""}
log_dest stderr
listener {other.port} 127.0.0.1
cafile {office.folder}/tills-ca.pem
crlfile {office.folder}/tills.crl
certfile {other.server[0]}
keyfile {other.server[1]}
require_certificate true
use_identity_as_username true
"""
    )
    try:
        assert is_let_in(config, other.port)
        assert other.process is not None
        office.settings = f'reload_command = ["kill", "-HUP", "{other.process.pid}"]'
        office.write_config()
        told = office.tool("terminal", "revoke", office.terminal)
        assert told["certificates"] == 1
        until(lambda: not is_let_in(config, other.port), "the list was read")
    finally:
        other.stop()
