"""Row 10: a configuration to many tills, from its release until each has reported, against the bare fan-out."""

import asyncio
import dataclasses
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.desired import bundle as bundles
from backoffice.desired import rollouts
from backoffice.desired.bundle import Bundle
from backoffice.desired.publisher import Publisher
from backoffice.ingest.context import Context
from backoffice.serve import _RECEIVE_MAXIMUM, _SWITCH_S
from backoffice.store.database import Database, upgrade
from backoffice.store.rollout_tables import ConfigReport
from backoffice.store.schema import Merchant, Terminal
from hil.rig.broker import Broker
from hil.rig.pki import Pki, make_pki
from hil.rig.ports import free_port
from hil.rig.rig import SPY
from pos_agent.domain.config import BrokerConfig
from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.protocol.codec import encode
from pos_agent.protocol.desired import CONFIG_TYPE, etag_of
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, peek, seal
from pos_agent.protocol.topics import PREFIX, Leaf, terminal_topic
from tests.bench.config_tills import Spec
from tests.bench.measure import Measured
from tests.fakes.fleet import Fleet, report

_ROOT = Path(__file__).resolve().parents[2]
#: Tills of a real shop differ; these share a device key, since signing reports is their work and is done before.
_KEY = PrivateKey(b"\7" * 32)
_TIMEOUT_S = 300.0


class _Times(NamedTuple):
    """Seconds: the bare fan-out, the same with each till's answer, and ours."""

    fan_out_s: float
    answered_s: float
    ours_s: float


def row(folder: Path, tills: int) -> Measured:
    """Row 10; the floors are measured before and after, in the same broker, with the same signed bytes."""
    times = asyncio.run(_measure(folder / "push", tills))
    ratio = times.ours_s / times.fan_out_s
    return Measured(
        number=10,
        what="config push: release to all reported",
        figure=f"{times.ours_s:.2f} s for {tills} tills",
        floor=f"raw retained fan-out {times.fan_out_s:.2f} s, answered {times.answered_s:.2f}",
        ratio=ratio,
        budget="<= 3x",
        is_within=ratio <= 3,
    )


async def _measure(folder: Path, tills: int) -> _Times:
    folder.mkdir(parents=True)
    pki = make_pki(folder / "pki", terminal_id="t-bench-01", worker_names=("fleet-1", SPY, "tills"))
    acl = "".join(f"\nuser {name}\ntopic readwrite #\n" for name in (SPY, "tills"))
    broker = Broker(folder / "broker", port=free_port(), pki=pki, log_path=folder / "broker.log", extra_acl=acl)
    fleet = Fleet()
    names = [f"t-{number:05d}" for number in range(tills)]
    bundle = await asyncio.to_thread(fleet.sign, fleet.plan(*((name, 1) for name in names)), _wish(fleet))
    database = _prepare(folder, names, bundle, fleet)
    reports = _reports(bundle)
    silent = dict.fromkeys(reports, b"")
    await broker.up()
    try:
        before = [await asyncio.to_thread(_fan_out, folder, broker, pki, bundle, each) for each in (silent, reports)]
        ours_s = await _push(folder, broker, pki, reports, database)
        after = [await asyncio.to_thread(_fan_out, folder, broker, pki, bundle, each) for each in (silent, reports)]
    finally:
        await broker.down()
        database.close()
    fan_out_s, answered_s = ((first + second) / 2 for first, second in zip(before, after, strict=True))
    return _Times(fan_out_s, answered_s, ours_s)


def _wish(fleet: Fleet) -> bundles.Wish:
    now = system_now()
    return fleet.wish(issued=now, not_after=now.replace(year=now.year + 1))


def _prepare(folder: Path, names: list[str], bundle: Bundle, fleet: Fleet) -> Database:
    """Enrol the tills and push the bundle: both were done before anybody releases anything."""
    url = f"sqlite:///{folder / 'backoffice.db'}"
    upgrade(url)
    database = Database(url, pool=4)
    rows = [
        {"terminal_id": name, "merchant_id": "M1", "device_keys": {"d1": _KEY.public_key().base64}} for name in names
    ]
    with database.writing() as session:
        session.add(Merchant(merchant_id="M1", name=""))
        session.flush()
        session.execute(insert(Terminal), rows)
        rollouts.push(session, bundle, fleet.pins, now=system_now, by="bench")
    return database


def _reports(bundle: Bundle) -> dict[str, bytes]:
    sealed = {}
    for pair in bundle.pairs:
        etag = etag_of(peek(bytes(pair.config)))
        said = report(pair.terminal_id, running=(1, etag), attempted=(1, etag, "confirmed", ""))
        sealed[pair.terminal_id] = seal(encode(said), payload_type=UP_TYPE, kid="d1", key=_KEY)
    return sealed


@contextmanager
def _tills(
    folder: Path, broker: Broker, pki: Pki, *, under: tuple[str, str], reports: dict[str, bytes]
) -> Iterator[IO[str]]:
    """Run simulated tills; yields what they say, after ``ready``. `under`: where they listen, where they answer."""
    worker = pki.workers["tills"]
    spec = Spec(broker.port, str(pki.ca_file), str(worker.cert_file), str(worker.key_file), "tills", *under, reports)
    path = folder / f"tills-{time.monotonic_ns()}"
    path.write_bytes(msgspec.msgpack.encode(spec))
    command = [sys.executable, "-m", "tests.bench.config_tills", str(path)]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process.stdout
        finally:
            process.kill()


def _fan_out(folder: Path, broker: Broker, pki: Pki, bundle: Bundle, reports: dict[str, bytes]) -> float:
    """Return the seconds of a bare paho client for the same packets, retained, until the last till has it.

    Where `reports` has words of the tills, until the last of those is received.
    """
    under = f"raw/{time.monotonic_ns()}"
    answers_under = f"{under}/answer"
    kind = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    kind.ContentType = CONFIG_TYPE
    with (
        _bare_client(broker, pki, listens_to=f"{PREFIX}/t/+/{answers_under}", awaits=len(reports)) as (client, is_over),
        _tills(folder, broker, pki, under=(under, answers_under), reports=reports) as said,
    ):
        started = time.perf_counter()
        for pair in bundle.pairs:
            topic = terminal_topic(pair.terminal_id, under)
            client.publish(topic, bytes(pair.config), qos=1, retain=True, properties=kind)
        assert said.readline() == "done\n"
        assert not any(reports.values()) or is_over.wait(_TIMEOUT_S)
        return time.perf_counter() - started


@contextmanager
def _bare_client(broker: Broker, pki: Pki, *, listens_to: str, awaits: int) -> Iterator[tuple[Client, threading.Event]]:
    """Connect a paho client; yields it, and what is set after so many messages."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=SPY, protocol=MQTTv5)
    spy = pki.workers[SPY]
    client.tls_set(str(pki.ca_file), str(spy.cert_file), str(spy.key_file))
    client.max_inflight_messages_set(100)
    left, is_up, is_over = [awaits], threading.Event(), threading.Event()

    def take(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            is_over.set()

    def subscribe(*_: object) -> None:
        client.subscribe(listens_to, qos=1)

    client.on_message, client.on_connect = take, subscribe
    client.on_subscribe = lambda *_: is_up.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        assert is_up.wait(10)
        yield client, is_over
    finally:
        client.disconnect()
        client.loop_stop()


async def _push(folder: Path, broker: Broker, pki: Pki, reports: dict[str, bytes], database: Database) -> float:
    """Return the seconds from the release until the last report is stored."""
    worker = pki.workers["fleet-1"]
    settings = MqttSettings.from_broker(
        BrokerConfig(
            url=broker.url, ca_file=str(pki.ca_file), cert_file=str(worker.cert_file), key_file=str(worker.key_file)
        ),
        client_id="fleet-1",
    )
    connection = MqttConnection(dataclasses.replace(settings, receive_maximum=_RECEIVE_MAXIMUM))
    publisher = Publisher(connection, database, context=Context(Config(), system_now, lambda: ""), holder="bench")
    task = asyncio.create_task(publisher.run())
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)  # as `serve` does
    try:
        with _tills(folder, broker, pki, under=(Leaf.CFG_DESIRED, Leaf.CFG_REPORTED), reports=reports):
            async with asyncio.timeout(_TIMEOUT_S):
                while not connection.link.is_connected:  # noqa: ASYNC110 - set by another thread
                    await asyncio.sleep(0.01)
                started = time.perf_counter()
                await database.write(
                    lambda session: rollouts.release(session, "r1", now=system_now, share=rollouts.ALL)
                )
                while await database.read(_stored) < len(reports):  # noqa: ASYNC110 - in the database
                    await asyncio.sleep(0.02)
            elapsed_s = time.perf_counter() - started
        assert await database.read(_confirmed) == len(reports)
        return elapsed_s
    finally:
        sys.setswitchinterval(switch_s)
        task.cancel()
        await asyncio.wait([task])


def _stored(session: Session) -> int:
    """Return how many tills reported; SQLite looks at one row, where counting them 50 times a second costs a tenth."""
    return int(session.scalar(select(func.max(text("rowid"))).select_from(ConfigReport)) or 0)


def _confirmed(session: Session) -> int:
    counted = select(func.count()).select_from(ConfigReport).where(ConfigReport.state == "confirmed")
    return int(session.scalar(counted) or 0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pa-bench", dir="/tmp") as name:
        print(row(Path(name), int(sys.argv[1])))
