"""Row 5: how fast a full outbox drains through a real broker into a real back office, application acks included."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from hil.rig.acquirer import Acquirer
from hil.rig.backoffice import BackOffice
from hil.rig.broker import Broker
from hil.rig.operator import MERCHANT_ID, MERCHANT_NAME, Operator
from hil.rig.pki import Pki, make_pki
from hil.rig.ports import free_port
from hil.rig.rig import SPY
from pos_agent.domain.config import BrokerConfig, Config, TerminalConfig, TrustConfig
from tests.bench import drain_floor
from tests.bench.drain_till import Spec
from tests.bench.measure import Measured

_TERMINAL = "t-bench-01"
_WINDOW = 16
#: The second client of the floor; a broker knows a client by its certificate.
_OTHER = "bench"
#: ADR 0026.
_SHARE = 0.5
#: A sealed request, as counted on the wire.
_SEALED_BYTES = 1_200
_ROOT = Path(__file__).resolve().parents[2]


def row(folder: Path, requests: int) -> Measured:
    """Row 5; the floor is measured before and after, in the same broker."""
    found = asyncio.run(_measure(folder / "drain", requests))
    ratio = found.rate / found.four
    return Measured(
        number=5,
        what="outbox drain to back-office commits and acks",
        figure=f"{found.rate:.0f}/s, n={requests}",
        floor=f"its 4 messages between two paho clients {found.four:.0f}/s; one, PUBACK only: {found.one:.0f}/s",
        ratio=ratio,
        budget=f">= {_SHARE}x",
        is_within=ratio >= _SHARE,
    )


class Rates(msgspec.Struct, frozen=True):
    """A second: requests drained; requests as bare messages; bare publishes."""

    rate: float
    four: float
    one: float


async def _measure(folder: Path, requests: int) -> Rates:
    (folder / "logs").mkdir(parents=True)
    pki = make_pki(folder / "pki", terminal_id=_TERMINAL, worker_names=("bo-1", SPY, _OTHER))
    acl = "".join(f"\nuser {name}\ntopic readwrite #\n" for name in (SPY, _OTHER))
    broker = Broker(folder / "broker", port=free_port(), pki=pki, log_path=folder / "logs" / "broker", extra_acl=acl)
    acquirer = Acquirer(folder, port=free_port())
    office = BackOffice(
        folder,
        port=free_port(),
        pki=pki,
        broker_url=broker.url,
        acquirer_url=acquirer.url,
        terminal_id=_TERMINAL,
        operators=(Operator("01", "王芳", "cashier", "7391"),),
        settings={"review": {"max_requests_per_hour": 1_000_000}},
    )
    await broker.up()
    await office.prepare()
    await office.start()
    try:
        before = await asyncio.to_thread(_floors, broker, pki, requests)
        seconds = await asyncio.to_thread(_drain, folder, broker, pki, requests)
        after = await asyncio.to_thread(_floors, broker, pki, requests)
    finally:
        await office.stop()
        await broker.down()
    return Rates(requests / seconds, (before[0] + after[0]) / 2, (before[1] + after[1]) / 2)


def _floors(broker: Broker, pki: Pki, requests: int) -> tuple[float, float]:
    four = drain_floor.rate(broker, pki, (SPY, _OTHER), count=min(requests, 2_000), window=_WINDOW, size=_SEALED_BYTES)
    return four, _publish_rate(broker, pki, requests)


def _drain(folder: Path, broker: Broker, pki: Pki, requests: int) -> float:
    config = Config(
        terminal=TerminalConfig(
            terminal_id=_TERMINAL,
            merchant_id=MERCHANT_ID,
            merchant_name=MERCHANT_NAME,
            data_dir=str(folder / "till"),
        ),
        broker=BrokerConfig(
            url=broker.url,
            ca_file=str(pki.ca_file),
            cert_file=str(pki.terminal.cert_file),
            key_file=str(pki.terminal.key_file),
        ),
        trust=TrustConfig(
            device_key_file=str(pki.device_key.key_file),
            device_key_id=pki.device_key.kid,
            back_office_keys={pki.back_office_key.kid: pki.back_office_key.public_base64},
        ),
    )
    path = folder / "drain.json"
    path.write_bytes(msgspec.json.encode(Spec(config, requests)))
    command = [sys.executable, "-m", "tests.bench.drain_till", str(path), *sys.argv[2:3]]
    environment = {**os.environ, "POS_AGENT_ALLOW_VOLATILE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT, env=environment)
    return float(done.stdout)


def _publish_rate(broker: Broker, pki: Pki, count: int) -> float:
    """Return publishes a second of a bare paho client, acknowledged by the broker alone; nobody takes them."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=SPY, protocol=MQTTv5)
    spy = pki.workers[SPY]
    client.tls_set(str(pki.ca_file), str(spy.cert_file), str(spy.key_file))
    client.max_inflight_messages_set(_WINDOW)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        payload = b"x" * _SEALED_BYTES
        started = time.monotonic()
        last = [client.publish("bench/floor", payload, qos=1) for _ in range(count)]
        for info in last:
            info.wait_for_publish(60)
        return count / (time.monotonic() - started)
    finally:
        client.disconnect()
        client.loop_stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pa-bench", dir="/tmp") as name:
        print(row(Path(name), int(sys.argv[1])))
