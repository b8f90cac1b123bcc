"""A real daemon, a real mosquitto with the shipped ACL, and whoever pushes configuration, on real bytes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from pos_agent.control.server import read_status
from pos_agent.domain.desired import ConfigState
from pos_agent.protocol import codec
from pos_agent.protocol.control import Status
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired, ConfigReported, etag_of
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, endorse, seal, unseal
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.bench.till import ROOT, BenchTill
from tests.fakes.broker_client import Client, running
from tests.fakes.broker_office import OFFICE_KID, Office
from tests.fixtures_broker import Broker

TERMINAL_ID = "t-bench-01"
ALICE, BOB = PrivateKey(b"\1" * 32), PrivateKey(b"\2" * 32)
#: A start of the daemon on a loaded machine, and the shortest trial.
TIMEOUT_S = 45.0


async def eventually(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Return once a condition of other processes holds."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - conditions of other processes
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"waited for {what}") from error


class FleetRig:
    """A till whose configuration is pushed."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.broker = broker
        self.till = BenchTill(folder, broker_url=f"mqtts://127.0.0.1:{broker.port}")
        self.config_path = folder / "terminal.toml"
        self.office_key = PrivateKey.generate()
        self.device_key = PrivateKey.from_pem((folder / "device.pem").read_bytes()).public_key()
        cert_file, key_file = broker.pki.issue(TERMINAL_ID)
        text = self.config_path.read_text("utf-8")
        text = text.replace(
            "[trust]\n",
            f'ca_file = "{broker.pki.ca_file}"\ncert_file = "{cert_file}"\nkey_file = "{key_file}"\n[trust]\n',
            1,
        )
        text = text.replace(
            "[devices.scanner]", f'"{OFFICE_KID}" = "{self.office_key.public_key().base64}"\n[devices.scanner]'
        )
        text += f'[fleet.keys]\n"fleet-a" = "{ALICE.public_key().base64}"\n"fleet-b" = "{BOB.public_key().base64}"\n'
        self.config_path.write_text(text, "utf-8")
        self.fleet = Client(broker.settings("fleet-1"), terminal_topic("+", Leaf.CFG_REPORTED))
        self.office = Office(broker.settings("bo-1"), self.office_key, {"k1": self.device_key})

    # -- the fleet ------------------------------------------------------------------------------------------------

    def document(self, version: int, config: Mapping[str, Any], **changes: Any) -> bytes:
        """Return the payload of a document that the till can have."""
        now = datetime.fromtimestamp(0, UTC) + timedelta(days=365 * 60)
        whole = ConfigDesired(
            terminal_id=TERMINAL_ID,
            version=version,
            rollout=f"r-{version}",
            issued=now,
            not_after=now + timedelta(days=365),
            config=dict(config),
            confirm_within_s=10,
            health=(),
        )
        return codec.encode(msgspec.structs.replace(whole, **changes))

    async def push(self, payload: bytes, *, is_endorsed: bool = False) -> str:
        """Publish a document, retained, signed by one fleet key or by both; return its etag."""
        envelope = seal(payload, payload_type=CONFIG_TYPE, kid="fleet-a", key=ALICE)
        if is_endorsed:
            envelope = endorse(envelope, kid="fleet-b", key=BOB)
        topic = terminal_topic(TERMINAL_ID, Leaf.CFG_DESIRED)
        result = await self.fleet.connection.publish(topic, envelope, is_retained=True)
        assert not result.is_refused
        return etag_of(payload)

    @property
    def reports(self) -> list[ConfigReported]:
        """Return what the till has reported, oldest first; each is signed by the device key."""
        keys = {"k1": self.device_key}
        return [
            codec.decode_reported(unseal(message.payload, payload_type=UP_TYPE, keys=keys)[0])
            for message in list(self.fleet.messages)
        ]

    async def wait_report(
        self, condition: Callable[[ConfigReported], bool], what: str, timeout_s: float = TIMEOUT_S
    ) -> ConfigReported:
        """Wait until the newest report is such."""
        await eventually(lambda: bool(self.reports) and condition(self.reports[-1]), what, timeout_s)
        return self.reports[-1]

    async def wait_state(self, version: int, state: ConfigState) -> ConfigReported:
        """Wait until the till reports this state of a version."""

        def is_there(report: ConfigReported) -> bool:
            tried = report.attempted
            return tried is not None and (tried.version, tried.state) == (version, state)

        return await self.wait_report(is_there, f"version {version} {state}")

    # -- the till -------------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Return what the daemon says of itself."""
        return read_status(self.till.folder / "run")

    @property
    def log(self) -> str:
        """Return the daemon's log."""
        return (self.till.folder / "daemon.log").read_text("utf-8")

    def tool(self, *arguments: str) -> str:
        """Run a command beside the daemon; return what it prints."""
        command = [sys.executable, "-m", "pos_agent", *arguments, "--config", str(self.config_path)]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    async def reconnect(self) -> None:
        """Throw the till off the broker; return when it has come back and has been told everything again."""
        last = self.reports[-1].at
        self.broker.stop()
        self.broker.start()
        await eventually(lambda: self.reports[-1].at > last, "a report after the reconnect")

    async def live_on(self, seconds: float = 2.0) -> None:
        """Wait until the daemon has run so long since now without a start."""
        until_s = self.status().uptime_s + seconds
        await eventually(lambda: self.status().uptime_s > until_s, "the till living on", timeout_s=seconds + 3)

    def cut_power(self) -> None:
        """Kill the daemon where it stands."""
        process = self.till.process
        assert process is not None
        process.kill()
        process.wait(10)
        self.till.process = None


@asynccontextmanager
async def running_rig(rig: FleetRig) -> AsyncIterator[FleetRig]:
    """Run fleet and back office; the till is switched on by the test."""
    office = asyncio.create_task(rig.office.connection.run(), name="office")
    try:
        async with running(rig.fleet):
            yield rig
    finally:
        office.cancel()
        await asyncio.gather(office, return_exceptions=True)
        rig.till.close()
