"""The composition root of ``pos-backoffice serve``: pages, ingest, outbox and executor in one process."""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvicorn

from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.desired.publisher import Publisher
from backoffice.enrolling import Enrolling, load_materials
from backoffice.execution.contract import Adapter
from backoffice.execution.executor import Executor
from backoffice.execution.simulated import SimulatedAdapter
from backoffice.ingest.context import Context
from backoffice.ingest.receiver import Receiver
from backoffice.leadership import Worker
from backoffice.link import Link
from backoffice.signing import load_signer
from backoffice.store.database import Database
from backoffice.watch import Watch
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.domain.config import BrokerConfig
from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.settings import MqttSettings

_log = logging.getLogger(__name__)
#: Un-acked messages that the broker may have on the way to us: many tills at once, one transaction.
_RECEIVE_MAXIMUM = 200
#: How long a thread may keep the interpreter while another one wants it. A transaction gives it up at each statement;
#: with Python's 5 ms, twenty statements wait 100 ms for a loop that is busy with messages (ADR 0026).
_SWITCH_S = 0.0005


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to us and tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self._on_started()


class BackOffice:
    """All parts, wired."""

    def __init__(self, config: Config) -> None:
        """Build; nothing runs yet.

        Raises:
            ConfigError: A key file or the broker URL cannot be used.
        """
        self.config = config
        self.database = Database(config.database.url, pool=config.database.pool)
        self.context = Context(config, system_now, lambda: secrets.token_hex(16))
        self._adapters = make_adapters(config)
        instance = secrets.token_hex(8)
        self._link: Link | None = None
        self._publisher: Publisher | None = None
        anchor_file = Path(config.audit.anchor_file) if config.audit.anchor_file else None
        self.watch = Watch(self.database, self.context, holder=instance, anchor_file=anchor_file)
        self.executor = Executor(
            self.database, self.context, self._adapters, holder=instance, on_changed=self._wake_link
        )
        if config.broker.url:
            self._link = self._make_link(instance)
            if config.fleet.keys:
                self._publisher = self._make_publisher(instance)
        self._listener = socket.create_server((config.server.host, config.server.port), backlog=128)
        scheme = "https" if config.tls.cert_file else "http"
        self.url = config.server.public_url or f"{scheme}://{config.server.host}:{self._listener.getsockname()[1]}"
        self.app = make_app(Desk(self.database, self.context, self._on_decided, self._make_enrolling()))

    def _make_enrolling(self) -> Enrolling | None:
        materials = load_materials(self.config, office_url=self.url)
        if materials is None:
            return None
        days = self.config.enrolment.lifetime_days
        return Enrolling(self.database, materials, now=system_now, lifetime_days=days)

    def _make_link(self, instance: str) -> Link:
        broker = self.config.broker
        signing = self.config.signing
        signer = load_signer(Path(signing.key_file), signing.kid)
        self.watch.sign_with(signer)
        return Link(
            self._connect(broker.client_id, broker.cert_file, broker.key_file),
            self.database,
            Receiver(self.database, self.context),
            signer,
            now=system_now,
            worker=Worker(broker.client_id, instance),
            share=broker.share,
            on_received=self.executor.wake,
        )

    def _make_publisher(self, instance: str) -> Publisher:
        fleet = self.config.fleet
        connection = self._connect(fleet.client_id, fleet.cert_file, fleet.key_file)
        return Publisher(connection, self.database, context=self.context, holder=instance)

    def _connect(self, client_id: str, cert_file: str, key_file: str) -> MqttConnection:
        broker = self.config.broker
        settings = MqttSettings.from_broker(
            BrokerConfig(
                url=broker.url,
                ca_file=broker.ca_file,
                cert_file=cert_file,
                key_file=key_file,
                keep_alive_s=broker.keep_alive_s,
            ),
            client_id=client_id,
        )
        return MqttConnection(dataclasses.replace(settings, receive_maximum=_RECEIVE_MAXIMUM))

    def _wake_link(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _on_decided(self) -> None:
        self.executor.wake()
        self._wake_link()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then say offline and let go of everything."""
        tls = self.config.tls
        server = _Server(
            uvicorn.Config(
                self.app,
                log_level="warning",
                timeout_graceful_shutdown=2,
                lifespan="off",
                ws="none",
                ssl_certfile=tls.cert_file or None,
                ssl_keyfile=tls.key_file or None,
            ),
            lambda: _say_ready(self.url),
        )
        try:
            async with asyncio.TaskGroup() as group:
                parts = [
                    group.create_task(self.executor.run(), name="executor"),
                    group.create_task(self.watch.run(), name="watch"),
                ]
                if self._link is not None:
                    parts.append(group.create_task(self._link.run(), name="link"))
                if self._publisher is not None:
                    parts.append(group.create_task(self._publisher.run(), name="fleet"))
                pages = group.create_task(server.serve(sockets=[self._listener]), name="pages")
                await stop.wait()
                server.should_exit = True
                if self._link is not None:
                    await self._link.presence.say_offline()
                await pages
                for part in parts:
                    part.cancel()
        finally:
            self._listener.close()
            for adapter in self._adapters.values():
                await adapter.close()
            self.database.close()


def make_adapters(config: Config) -> dict[str, Adapter]:
    """Return an adapter for each acquirer that has one."""
    return {
        name: SimulatedAdapter(profile) for name, profile in config.acquirers.items() if profile.adapter == "simulated"
    }


def _say_ready(url: str) -> None:
    sys.stdout.write(msgspec.json.encode({"ready": True, "url": url}).decode() + "\n")
    sys.stdout.flush()


async def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    sys.setswitchinterval(_SWITCH_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await BackOffice(config).run(stop)
