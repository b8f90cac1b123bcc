"""Signed configuration, whole: keys and bundles made by the shipped commands, a real broker, a real till."""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from backoffice import cli
from pos_agent.app.threads import in_own_thread
from pos_agent.protocol.codec import decode_desired, encode
from pos_agent.protocol.desired import CONFIG_TYPE
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import UP_TYPE, seal, unseal_signed_by
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.bench.till import BenchTill
from tests.fakes.broker_client import Client, running
from tests.fakes.broker_office import OFFICE_KID
from tests.fakes.fleet import report
from tests.fixtures_broker import Broker
from tests.integration.backoffice.conftest import ROOT, TERMINAL_ID, Desk

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(300)]
PASSPHRASE = "correct horse battery"
TILL = "t-bench-01"


async def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 90.0) -> None:
    """Return once a condition of other processes holds; each look is a command, so there is a pause between them."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - conditions of other processes
                await asyncio.sleep(0.3)
    except TimeoutError as error:
        raise AssertionError(f"waited for {what}") from error


class Signers:
    """Two persons on a machine that has nothing but their keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.pins = {
            kid: self._run("fleet-key", "new", self._file(f"{kid}.key"), "--kid", kid)["public_key"]
            for kid in ("a", "b")
        }

    def _run(self, *arguments: str) -> dict[str, Any]:
        """Run a command that knows no configuration; the passphrase comes by a descriptor."""
        reading, writing = os.pipe()
        os.write(writing, f"{PASSPHRASE}\n".encode())
        os.close(writing)
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                assert cli.main([*arguments, "--passphrase-fd", str(reading), "--json"]) == 0
        finally:
            os.close(reading)
        return dict(json.loads(said.getvalue()))

    def _file(self, name: str) -> str:
        return str(self.folder / name)

    def sign(self, plan: Path, change: str, rollout: str, *, needs_two: bool = False) -> Path:
        (self.folder / f"{rollout}.toml").write_text(change)
        once = self.folder / f"{rollout}-once.json"
        made = self._run(
            *(
                "config",
                "sign",
                str(plan),
                self._file(f"{rollout}.toml"),
                "--key",
                self._file("a.key"),
                "--rollout",
                rollout,
            ),
            *("--pin", f"b={self.pins['b']}", "--out", str(once), "--yes", "--confirm-within-s", "15"),
        )
        assert bool(made["missing"]) is needs_two
        if not needs_two:
            return once
        twice = self.folder / f"{rollout}.json"
        self._run(
            *("config", "countersign", str(once), "--key", self._file("b.key"), "--pin", f"a={self.pins['a']}"),
            *("--out", str(twice), "--yes"),
        )
        return twice


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    return Signers(tmp_path / "offline")


@pytest.fixture
def office(prepared_desk: Desk, signers: Signers) -> Iterator[Desk]:
    """A back office that pushes configuration."""
    desk = prepared_desk
    cert_file, key_file = desk.broker.pki.issue("fleet-1")
    keys = "\n".join(f'"{kid}" = "{key}"' for kid, key in signers.pins.items())
    with desk.config.open("a") as stream:
        stream.write(f'[fleet]\ncert_file = "{cert_file}"\nkey_file = "{key_file}"\n[fleet.keys]\n{keys}\n')
    desk.start()
    yield desk
    assert "Traceback" not in desk.log


def _states(office: Desk, rollout: str) -> dict[str, str]:
    found = json.loads(office.prepare("config", "status", rollout))
    return {till["terminal_id"]: till["state"] for till in found["tills"]}


def _plan(office: Desk, name: str, *terminals: str) -> Path:
    path = office.folder / name
    named = [word for each in terminals for word in ("--terminal", each)]
    office.prepare("config", "plan", *named, "--out", str(path))
    return path


def _write_till(folder: Path, office: Desk, signers: Signers) -> BenchTill:
    """Return a till that trusts this back office and these fleet keys."""
    till = BenchTill(folder, broker_url=f"mqtts://127.0.0.1:{office.broker.port}")
    cert_file, key_file = office.broker.pki.issue(TILL)
    config = folder / "terminal.toml"
    files = f'ca_file = "{office.broker.pki.ca_file}"\ncert_file = "{cert_file}"\nkey_file = "{key_file}"\n[trust]\n'
    text = config.read_text("utf-8").replace("[trust]\n", files, 1)
    text = text.replace("[devices.scanner]", f'"{OFFICE_KID}" = "{office.public_key}"\n[devices.scanner]')
    keys = "\n".join(f'"{kid}" = "{key}"' for kid, key in signers.pins.items())
    config.write_text(f"{text}\n[fleet.keys]\n{keys}\n", "utf-8")
    public = PrivateKey.from_pem((folder / "device.pem").read_bytes()).public_key()
    office.prepare(
        *("terminal", "add", "--id", TILL, "--merchant", "M1", "--device-kid", "k1"),
        *("--device-key", b64encode(public.raw).decode()),
    )
    till.add_operator()
    return till


@asynccontextmanager
async def _started(till: BenchTill) -> AsyncIterator[BenchTill]:
    try:
        await in_own_thread(till.start, name="start")
        yield till
    finally:
        till.close()


async def test_real_till_takes_a_signed_configuration_and_its_undo(office: Desk, signers: Signers) -> None:
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        async with _started(_write_till(Path(folder), office, signers)):

            def till() -> dict[str, Any]:
                return dict(json.loads(office.prepare("terminal", "show", "--id", TILL))["config"])

            await eventually(lambda: till()["running"] == 0, "a first report")
            change = "[policy]\noperator_limit_minor = 30000\n[printing]\ncopies_customer = 2\n"
            bundle = signers.sign(_plan(office, "p1.json", TILL), change, "limits", needs_two=True)
            office.prepare("config", "push", str(bundle))
            office.prepare("config", "release", "limits", "--wave", "100%")
            await eventually(lambda: _states(office, "limits") == {TILL: "confirmed"}, "a confirmed configuration")
            assert till()["running"] == 1
            office.prepare("config", "undo", "limits")
            await eventually(lambda: (till()["running"], till()["state"]) == (2, "confirmed"), "the undo confirmed")
            assert _states(office, "limits") == {TILL: "confirmed"}
            shown = _show_config(Path(folder) / "terminal.toml")
            assert "30000" not in shown
            numbers = json.loads(_plan(office, "p2.json", TILL).read_text())["tills"]
            assert numbers[0]["version"] == 3


def _show_config(path: Path) -> str:
    command = [sys.executable, "-m", "pos_agent", "show-config", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.exhaustive
async def test_configuration_survives_a_broker_that_forgot_everything(office: Desk, signers: Signers) -> None:
    """The broker's copy is a cache: what the till has not answered is published again, signed as before."""
    bundle = signers.sign(_plan(office, "p.json", TERMINAL_ID), "[printing]\ncopies_customer = 2\n", "r1")
    office.prepare("config", "push", str(bundle))
    office.prepare("config", "release", "r1", "--wave", "100%")
    await eventually(lambda: _states(office, "r1") == {TERMINAL_ID: "sent"}, "published")
    office.broker.stop()
    for each in (office.broker.folder / "data").iterdir():
        each.unlink()
    office.broker.start()
    till = Client(office.broker.settings(TERMINAL_ID), terminal_topic(TERMINAL_ID, Leaf.CFG_DESIRED))
    pins = {kid: PublicKey.from_base64(text) for kid, text in signers.pins.items()}
    async with running(till):
        await eventually(lambda: bool(till.messages), "the document again")
        payload, who = unseal_signed_by(till.messages[0].payload, payload_type=CONFIG_TYPE, keys=pins)
        assert (decode_desired(payload).version, who) == (1, ("a",))
        refused = report(TERMINAL_ID, seq=3, highest_version=9)
        sealed = seal(encode(refused), payload_type=UP_TYPE, kid="d1", key=office.device_key)
        await till.connection.publish(terminal_topic(TERMINAL_ID, Leaf.CFG_REPORTED), sealed, is_retained=True)

        def next_version() -> int:
            return int(json.loads(office.prepare("terminal", "show", "--id", TERMINAL_ID))["next_version"])

        await eventually(lambda: next_version() == 10, "the number that the till told")
    why = office.tool_refused("config", "push", str(bundle))
    assert "r1 is here already" in why


async def test_worker_of_the_refund_side_can_publish_no_configuration(broker: Broker) -> None:
    """Its certificate may not (ACL), and its key signs another type (D16): two locks on one door."""
    bo_2 = Client(broker.settings("bo-2"), "pos/v1/backend/state")
    async with running(bo_2):
        result = await bo_2.connection.publish(terminal_topic(TERMINAL_ID, Leaf.CFG_DESIRED), b"{}", is_retained=True)
    assert result.is_refused


def test_signing_needs_no_database_network_or_web(signers: Signers) -> None:
    program = (
        "import sys; from backoffice.cli import main; "
        f"main(['fleet-key', 'show', {str(signers.folder / 'a.key')!r}]); "
        "print(sorted({'sqlalchemy', 'paho', 'starlette', 'asyncio', 'socket', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
