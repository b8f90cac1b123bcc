"""A back office that serves HTTPS and enrols tills, a broker that takes its certificates, `pos-agent` as a process."""

import contextlib
import io
import json
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from backoffice import cli
from pos_agent.enrolment.steps import Enrolment, Places
from pos_agent.errors import EnrolmentError
from pos_agent.protocol.enrolment import Invitation
from tests.bench.till import BenchTill, bench_till
from tests.fixtures_broker import Broker, Pki, find_mosquitto, free_port

ROOT = Path(__file__).parents[3]
PIN = "7391"
PASSWORD = "twelve letters"


def until(condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    """Return what `condition` answers once it is true."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s: {what}")


@dataclass
class Office:
    """The back office: its commands, its process, its pages."""

    folder: Path
    broker: Broker
    url: str = ""
    process: "subprocess.Popen[str] | None" = None
    settings: str = ""
    #: Each test has a till of its own; the processes are shared.
    terminal: str = "t-new-0"

    @property
    def config(self) -> Path:
        return self.folder / "backoffice.toml"

    def write_config(self) -> None:
        cert_file, key_file = self.broker.pki.issue("bo-1")
        (self.folder / "lookup.key").write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
        self.config.write_text(
            f"""
lookup_key_file = "lookup.key"
[server]
port = 0
[broker]
url = "mqtts://127.0.0.1:{self.broker.port}"
ca_file = "{self.broker.pki.ca_file}"
cert_file = "{cert_file}"
key_file = "{key_file}"
client_id = "bo-1"
[signing]
kid = "bo-a"
[tls]
cert_file = "office.pem"
key_file = "office.key"
ca_file = "office-ca.pem"
[enrolment]
ca_cert_file = "tills-ca.pem"
ca_key_file = "tills-ca.key"
crl_file = "{self.folder}/tills.crl"
{self.settings}
"""
        )

    def tool(self, *arguments: str, text: str = "") -> Any:
        """Run a command in this process; return its JSON."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            patch.setattr("sys.stdin", io.StringIO(text))
            assert cli.main([*arguments, "--config", str(self.config), "--json"]) == 0, said.getvalue()
        return json.loads(said.getvalue())

    def start(self) -> None:
        with (self.folder / "office.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "backoffice", "serve", "--config", str(self.config)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log
        self.url = json.loads(line)["url"]

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    @property
    def log(self) -> str:
        return (self.folder / "office.log").read_text()

    def invite(self, *more: str, supervisor: bool = True) -> Invitation:
        who = ["--supervisor", "90", "--name", "李强"] if supervisor else []
        made = self.tool(
            *(
                "terminal",
                "invite",
                self.terminal,
                "--merchant",
                "M1",
                "--merchant-name",
                "晨光便利店",
                "--url",
                self.url,
            ),
            *(*who, *more),
            text=PIN + "\n",
        )
        text = made.pop("text")
        invitation = Invitation(**made)
        assert invitation.text == text
        return invitation

    def client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.folder / "office-ca.pem"))
        return httpx.Client(base_url=self.url, verify=context, trust_env=False, follow_redirects=True)

    def click(self, what: str, decision: str) -> str:
        """Sign in as the manager, open the page of tills, press the button; return the page before."""
        with self.client() as client:
            token = re.search(r'name="csrf" value="([^"]+)"', client.get("/login").text)
            assert token is not None
            client.post("/login", data={"csrf": token.group(1), "login": "boss", "password": PASSWORD})
            before = client.get("/terminals").text
            form = re.search(rf'action="/terminals/{self.terminal}/{what}">(.*?)</form>', before, re.DOTALL)
            assert form is not None, before
            given = dict(re.findall(r'name="(csrf|fingerprint)" value="([^"]*)"', form.group(1)))
            answer = client.post(f"/terminals/{self.terminal}/{what}", data={**given, "decision": decision})
            assert answer.status_code == 200, answer.text
            return before


@dataclass
class Box:
    """A machine that is to become a till: its data folder, and `pos-agent` on it."""

    folder: Path
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "terminal.toml"

    @property
    def pki(self) -> Path:
        return self.folder / "data" / "pki"

    def spawn(self, *arguments: str, text: str = "") -> "subprocess.Popen[str]":
        where = ["--config", str(self.config), "--json"]
        state = ["--state-dir", str(self.folder / "data")] if arguments[0] == "enrol" else []
        process = subprocess.Popen(
            [sys.executable, "-m", "pos_agent", *arguments, *where, *state],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "POS_AGENT_ALLOW_VOLATILE": "1"},
        )
        self.started.append(process)
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, *arguments: str, text: str = "") -> tuple[int, str, str]:
        """Run to the end; return status, standard output, standard error."""
        process = self.spawn(*arguments, text=text)
        out, err = process.communicate(timeout=40)
        return process.returncode, out, err


def waiting_here(office: Office) -> list[dict[str, str]]:
    """Return this test's till if it waits for a person."""
    found = office.tool("terminal", "waiting")["enrolments"]
    return [one for one in found if one["terminal_id"] == office.terminal]


def asked(box: Box, invitation: Invitation) -> str:
    """Bring an invitation over real TLS, in this process; return the code of the refusal, empty if it waits."""
    enrolment = Enrolment(Places(box.folder / "data"), invitation, version="1")
    try:
        enrolment.begin()
        enrolment.await_document(wait_s=0, tell=lambda _word: None)
    except EnrolmentError as error:
        return "" if error.retryable else error.code
    raise AssertionError("enrolled without a person")


def enrolled(office: Office, box: Box, *, text: str = "") -> str:
    """Enrol a box to the end; return what it said on the way."""
    process = box.spawn("enrol", text=text or office.invite().text + "\n")
    until(lambda: waiting_here(office), "the till waits")
    office.click("enrolment", "accept")
    out, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "enrolled"
    return str(err)


def hardware(till: BenchTill, head: str = "") -> Box:
    """Return a machine whose configuration names its devices and nothing else."""
    box = Box(till.folder)
    (till.folder / "data").mkdir(mode=0o700)
    box.config.write_text(
        f"""{head}[terminal]
runtime_dir = "{till.folder}/run"
[devices.scanner]
path = "{till.folder}/scanner"
[devices.keypad]
path = "{till.folder}/keypad"
[devices.operator_display]
driver = "ansi"
path = "{till.folder}/display"
"""
    )
    return box


@pytest.fixture
def till() -> Iterator[BenchTill]:
    with bench_till() as till:
        yield till


@pytest.fixture(scope="module")
def shared_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Start once for the tests of a module: five processes and an argon2id hash less for each."""
    folder = tmp_path_factory.mktemp("office")
    program = find_mosquitto()
    assert program is not None, "apt-get install mosquitto"
    authority = Pki(folder / "pki")
    broker = Broker(folder, authority, free_port(), program, authority.issue("localhost", is_server=True))
    made = Office(folder, broker)
    made.write_config()
    made.tool("keys")
    made.tool("init")
    made.tool("ca", "make", "--host", "127.0.0.1", "--host", "localhost")
    made.tool("person", "add", "--login", "boss", "--role", "manager", text=PASSWORD + "\n")
    # The broker trusts the tills' CA beside its own, as a listener for tills does.
    with authority.ca_file.open("ab") as bundle:
        bundle.write((folder / "tills-ca.pem").read_bytes())
    broker.start()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        broker.stop()


@pytest.fixture
def office(shared_office: Office) -> Office:
    shared_office.terminal = f"t-new-{int(shared_office.terminal.rpartition('-')[2]) + 1}"
    return shared_office


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    folder = tmp_path / "box"
    (folder / "data").mkdir(parents=True, mode=0o700)
    made = Box(folder)
    yield made
    for process in made.started:  # of a test that failed
        if process.poll() is None:
            process.kill()
            process.communicate()
