"""A whole back office as it is shipped: mosquitto, acquirer and ``serve`` as processes, a till that speaks MQTT."""

import base64
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from backoffice import cli
from pos_agent.protocol.ed25519 import PrivateKey
from tests.fakes.broker_office import OFFICE_KID
from tests.fixtures_broker import Broker, broker, pki

__all__ = ["broker", "pki"]
ROOT = Path(__file__).parents[3]
TERMINAL_ID = "t-test-01"
PASSWORD = "twelve letters"


def _start(module: str, *arguments: str, log: Path) -> "tuple[subprocess.Popen[str], str]":
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, log.read_text()
    ready = json.loads(line)
    assert ready["ready"] is True
    return process, str(ready["url"])


def _close(pipe: "IO[str] | None") -> None:
    if pipe is not None:
        pipe.close()


@dataclass
class Desk:
    """A running back office and what a test needs to talk to it."""

    folder: Path
    broker: Broker
    device_key: PrivateKey
    public_key: str
    acquirer_url: str = ""
    url: str = ""
    process: "subprocess.Popen[str] | None" = None
    database_url: str = "sqlite:///backoffice.db"

    @property
    def config(self) -> Path:
        return self.folder / "backoffice.toml"

    def tool(self, *arguments: str, text: str = "") -> str:
        """Run a command; return what it printed."""
        done = self._run(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def prepare(self, *arguments: str, text: str = "") -> str:
        """Run a command in this process, for set-up: five interpreters less for each test."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setattr("sys.stdin", io.StringIO(text))
            assert cli.main([*arguments, "--config", str(self.config), "--json"]) == 0
        return said.getvalue()

    def prepare_refused(self, *arguments: str) -> str:
        """Run a command in this process that must fail; return why."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            assert cli.main([*arguments, "--config", str(self.config), "--json"]) == 1
        return said.getvalue()

    def tool_refused(self, *arguments: str) -> str:
        """Run a command that must fail; return why."""
        done = self._run(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def _run(self, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "backoffice", *arguments, "--config", str(self.config), "--json"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )

    def terminal_key(self) -> str:
        """Return the till's public key as enrolment wants it."""
        raw = self.device_key.public_key().raw
        return base64.b64encode(raw).decode()

    def start(self) -> None:
        self.process, self.url = _start(
            "backoffice", "serve", "--config", str(self.config), log=self.folder / "backoffice.log"
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        _close(self.process.stdout)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(10)
        _close(self.process.stdout)
        self.process = None
        return status

    @property
    def log(self) -> str:
        return (self.folder / "backoffice.log").read_text()


def _write_config(desk: Desk) -> None:
    cert_file, key_file = desk.broker.pki.issue("bo-1")
    (desk.folder / "lookup.key").write_text(base64.b64encode(b"k" * 32).decode())
    desk.config.write_text(
        f"""
lookup_key_file = "lookup.key"
[server]
port = 0
[database]
url = "{desk.database_url}"
[broker]
url = "mqtts://127.0.0.1:{desk.broker.port}"
ca_file = "{desk.broker.pki.ca_file}"
cert_file = "{cert_file}"
key_file = "{key_file}"
client_id = "bo-1"
[signing]
key_file = "backoffice.key"
kid = "{OFFICE_KID}"
[acquirers.simulated]
name = "模拟收单机构"
url = "{desk.acquirer_url}"
idempotent_by_number = true
settle_s = 0.2
timeout_s = 0.5
[execution]
poll_s = 0.05
poll_max_s = 0.2
hold_retry_s = 3600
lease_s = 2
"""
    )


@pytest.fixture
def prepared_desk(tmp_path: Path, broker: Broker, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Yield a back office to start; on PostgreSQL where a test asks so by an indirect parameter."""
    folder = tmp_path / "desk"
    folder.mkdir()
    acquirer, url = _start(
        "hil.acquirer", "--ledger", str(folder / "ledger.jsonl"), "--hang-s", "5", log=folder / "acquirer.log"
    )
    made = Desk(folder, broker, PrivateKey.generate(), "", acquirer_url=url)
    if getattr(request, "param", "sqlite") == "postgresql":
        made.database_url = str(request.getfixturevalue("postgresql"))
    try:
        _write_config(made)
        made.public_key = json.loads(made.prepare("keys"))["public_key"]
        made.prepare("init")
        key = made.terminal_key()
        made.prepare(
            "terminal", "add", "--id", TERMINAL_ID, "--merchant", "M1", "--device-kid", "d1", "--device-key", key
        )
        made.prepare("person", "add", "--login", "finance", "--role", "finance", text=PASSWORD + "\n")
        made.prepare("demo-data", "--today", "2026-11-23")
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()
        acquirer.terminate()
        acquirer.wait(10)
        _close(acquirer.stdout)


@pytest.fixture
def desk(prepared_desk: Desk) -> Desk:
    """Return a running back office."""
    prepared_desk.start()
    return prepared_desk
