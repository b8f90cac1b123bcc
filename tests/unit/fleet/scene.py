"""A fleet room with a till and an office that do as told, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from pos_agent.domain import desired_book as books
from pos_agent.domain.config import Config
from pos_agent.domain.desired import ApplyWhen, HealthCheck
from pos_agent.domain.desired_book import Book, Document, Trial
from pos_agent.domain.desired_rules import Health
from pos_agent.errors import BrokerUnreachableError
from pos_agent.fleet.service import FleetService
from pos_agent.mqtt.messages import InboundMessage, Properties
from pos_agent.protocol import codec
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired, ConfigReported, etag_of
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import endorse, seal
from pos_agent.settings import Layer, LoadedConfig, load_config
from tests.fakes.virtual_time import VirtualTimeLoop

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SHIPPED = Path(__file__).resolve().parents[3] / "config" / "terminal.toml"
TERMINAL_ID = "t-example-01"
ALICE, BOB, MALLORY = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
KEYS = {"fleet-a": ALICE.public_key(), "fleet-b": BOB.public_key()}


def desired(version: int, config: Mapping[str, Any] | None = None, **changes: Any) -> ConfigDesired:
    """Return a document for the shipped example's terminal."""
    whole = ConfigDesired(
        terminal_id=TERMINAL_ID,
        version=version,
        rollout="r",
        issued=NOW,
        not_after=NOW + timedelta(days=1),
        config=dict(config if config is not None else {"terminal": {"locale": "en"}}),
    )
    return msgspec.structs.replace(whole, **changes)


def signed(
    document: ConfigDesired, *, key: PrivateKey = ALICE, kid: str = "fleet-a", is_endorsed: bool = False
) -> bytes:
    """Return the document's envelope."""
    envelope = seal(codec.encode(document), payload_type=CONFIG_TYPE, kid=kid, key=key)
    return endorse(envelope, kid="fleet-b", key=BOB) if is_endorsed else envelope


class FakeTill:
    """A till that says what the test wants; `log` tells what happened in which order."""

    def __init__(self) -> None:
        self.refused_code = ""
        self.is_free = True
        self.states: dict[HealthCheck, Health] = {HealthCheck.PRINTER: Health.GREEN}
        self.keys: tuple[str, ...] = ()
        self.is_disk_full = False
        self.defect: Exception | None = None
        self.log: list[str] = []
        self.saved: Book | None = None
        self.asked: list[ApplyWhen] = []
        self.wanted: list[tuple[str, ...]] = []

    def load_with(self, layer: Layer | None) -> LoadedConfig:
        if self.defect is not None:
            raise self.defect
        keys = {kid: key.base64 for kid, key in KEYS.items()}
        pinned = {"fleet": {"keys": keys}} | dict(layer.tree if layer is not None else {})
        return load_config(SHIPPED, {}, layer=Layer(name="test", tree=pinned))

    def health(self, *, moved: tuple[HealthCheck, ...] = ()) -> Mapping[HealthCheck, Health]:
        return self.states

    def changed_keypad_keys(self, before: Config, after: Config) -> tuple[str, ...]:
        return self.keys

    def ask_for_keys(self, keys: tuple[str, ...]) -> None:
        self.wanted.append(keys)

    def may_switch(self, when: ApplyWhen) -> bool:
        self.asked.append(when)
        return self.is_free

    def restart(self) -> None:
        self.log.append("restart")

    async def save(self, book: Book) -> None:
        if self.is_disk_full:
            raise OSError(28, "No space left on device")
        self.saved = book
        self.log.append("save trial" if book.trial is not None else "save")

    async def audit(self, event: str, data: Mapping[str, str]) -> None:
        self.log.append(event)


class FakeOffice:
    """The way to the back office."""

    def __init__(self) -> None:
        self.is_connected = True
        self.is_acked = True
        self.is_losing = False
        self.reports: list[ConfigReported] = []

    async def report(self, payload: bytes) -> None:
        if self.is_losing:
            raise BrokerUnreachableError("lost")
        self.reports.append(codec.decode_reported(payload))


class _Clock:
    def __init__(self) -> None:
        self.is_right = True

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        return asyncio.get_event_loop().time()

    def boottime_s(self) -> float:
        return self.monotonic_s()

    def is_trusted(self) -> bool:
        return self.is_right


class Scene:
    """One room; `play` runs a story beside it."""

    def __init__(self, book: Book | None = None) -> None:
        self.till = FakeTill()
        self.office = FakeOffice()
        self.clock = _Clock()
        self.acks = 0
        self._book = book or Book(book_id="b1")
        self.service: FleetService

    def give(self, envelope: bytes) -> None:
        """Let a message come."""

        def ack() -> None:
            self.acks += 1

        self.service.take(
            InboundMessage(
                topic=f"pos/v1/t/{TERMINAL_ID}/cfg/desired",
                payload=envelope,
                qos=1,
                is_retained=True,
                is_duplicate=False,
                properties=Properties(),
                ack=ack,
            )
        )

    def play(self, story: Callable[[], Coroutine[Any, Any, None]]) -> "Scene":
        """Run the room and a story in virtual time; ends with the story."""

        async def both() -> None:
            self.service = FleetService(
                self._book,
                config=self.till.load_with(None).config,
                keys=KEYS,
                till=self.till,
                office=self.office,
                clock=self.clock,
            )
            room = asyncio.create_task(self.service.run())
            await asyncio.sleep(0)
            await story()
            assert not room.done(), room
            room.cancel()
            with suppress(asyncio.CancelledError):
                await room

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(both())
        return self


def in_trial(wanted: ConfigDesired, **facts: object) -> Book:
    """Return the record of a till that was just started with a document in trial."""
    payload = codec.encode(wanted)
    document = Document(version=wanted.version, etag=etag_of(payload), payload=payload)
    book = books.stage(Book(book_id="b1"), document, at=NOW)
    trial = Trial(document=document, remaining_s=float(wanted.confirm_within_s), baseline=(HealthCheck.PRINTER,))
    return books.start(books.begin_trial(book, msgspec.structs.replace(trial, **facts), at=NOW), at=NOW)
