"""A terminal's sync over a real broker: journal, connection, service, and the events that came out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from pos_agent.domain.config import BrokerConfig, Config, TerminalConfig, TrustConfig
from pos_agent.domain.events import Event, LinkChanged
from pos_agent.domain.refund import FINAL_STATES, RefundRequest, RefundUpdate
from pos_agent.domain.slip import SlipDocument, SlipKind
from pos_agent.journal.store import Journal
from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.sync.keys import SyncKeys
from pos_agent.sync.service import SyncService
from tests.fakes.broker_office import OFFICE_KID
from tests.fakes.clocks import RunningClock
from tests.fakes.samples import make_slip


def result_slips(request: RefundRequest, update: RefundUpdate, *, now: datetime) -> Sequence[SlipDocument]:
    assert now.tzinfo is not None
    if update.state in FINAL_STATES:
        return (make_slip(request.refund_request_id, SlipKind.RESULT),)
    return ()


class TillUnderTest:
    """One terminal."""

    def __init__(self, settings: MqttSettings, journal: Journal, key: PrivateKey, office: PublicKey) -> None:
        self.terminal_id = settings.client_id
        self.journal = journal
        self.events: list[Event] = []
        self.connection = MqttConnection(settings)
        config = Config(
            terminal=TerminalConfig(terminal_id=self.terminal_id, merchant_id="m-1", merchant_name="店"),
            broker=BrokerConfig(url="mqtts://localhost"),
            trust=TrustConfig(device_key_file="", device_key_id="d-1", back_office_keys={}),
        )
        self.service = SyncService(
            journal=journal,
            connection=self.connection,
            config=config,
            keys=SyncKeys(device_key=key, device_key_id="d-1", back_office={OFFICE_KID: office}),
            sink=self.events.append,
            clock=RunningClock(),
            boot_id="boot-1",
            result_slips=result_slips,
            version="0.1.0",
        )

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def link(self) -> LinkChanged | None:
        links = [event for event in self.events if isinstance(event, LinkChanged)]
        return links[-1] if links else None


@asynccontextmanager
async def open_till(
    folder: Path, settings: MqttSettings, key: PrivateKey, office: PublicKey
) -> AsyncIterator[TillUnderTest]:
    """Run a terminal's sync until it is stopped cleanly."""
    journal = await Journal.open(folder, terminal_id=settings.client_id, boot_id="boot-1", clock=RunningClock())
    till = TillUnderTest(settings, journal, key, office)
    task = asyncio.create_task(till.service.run(), name="sync")
    try:
        yield till
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
        await journal.close()
        assert isinstance(results[0], asyncio.CancelledError), results
