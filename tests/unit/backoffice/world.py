"""A back office without network: real database, real code, a clock that tests move, tills that sign."""

import itertools
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from sqlalchemy import create_engine

from backoffice import enrolment, review, sales
from backoffice.config import AcquirerConfig, Config, ExecutionConfig
from backoffice.execution.contract import Answer, Outcome, RefundOrder
from backoffice.execution.executor import Executor
from backoffice.ingest.context import Context, Incoming, Reply
from backoffice.ingest.receiver import Receiver
from backoffice.review import Actor, Command
from backoffice.store.database import Database
from backoffice.store.schema import Account, AuditLine, Base, ManualCase, OutboxRow, Person, Refund, Sale
from backoffice.web.auth import hash_password
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import (
    Channel,
    Entry,
    OriginalReference,
    ReferenceKind,
    RefundRequest,
    RefundType,
)
from pos_agent.protocol.codec import encode
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import (
    AppAckMessage,
    DownMessage,
    RefundRequestMessage,
    SyncChallengeMessage,
    SyncItem,
    SyncMessage,
    UpMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TERMINAL = "t-shop-01"
MERCHANT = "M1"
ORDER = "8202611221832000000000000000001"
PASSWORD = "correct horse battery"
LOOKUP_KEY = b"k" * 32
ORDER_OF_ONE = RefundOrder(
    refund_request_id="1",
    acquirer_id="simulated",
    refund_no="1",
    attempt=1,
    sale_ref="s",
    amount_minor=1,
    paid_minor=1,
    currency="CNY",
)


@cache
def _password_hash() -> str:
    """Hash once: argon2id is slow on purpose, and no test here is about that."""
    return hash_password(PASSWORD)


@cache
def _empty_database() -> bytes:
    """Return the file of a database with empty tables."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        engine = create_engine(f"sqlite:///{path}")
        Base.metadata.create_all(engine)
        engine.dispose()
        return path.read_bytes()


class FakeAdapter:
    """An acquirer in memory: moves once per number, answers by script, tells when it is called."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.queries: list[Answer] = []
        self.calls: list[RefundOrder] = []
        self.moved: dict[str, int] = {}
        self.total: int | None = None
        self.on_call: Any = None

    async def refund(self, order: RefundOrder) -> Answer:
        self.calls.append(order)
        if self.on_call is not None:
            self.on_call(order)
        answer = self.answers.pop(0) if self.answers else Answer(Outcome.ACCEPTED)
        if answer.outcome is not Outcome.REFUSED and answer.detail != "lost":
            self.moved.setdefault(order.refund_no, order.amount_minor)
        return answer

    async def query(self, refund_no: str) -> Answer:
        if self.queries:
            return self.queries.pop(0)
        return Answer(Outcome.SUCCEEDED if refund_no in self.moved else Outcome.NOT_FOUND)

    async def refunded_minor(self, sale_ref: str) -> int | None:
        return self.total

    async def close(self) -> None:
        return None


def acks_of(replies: list[Reply]) -> list[AppAckMessage]:
    """Return the acks among what is answered; the first states of new requests go with them."""
    return [reply.message for reply in replies if isinstance(reply.message, AppAckMessage)]


class World:
    """Everything that a test of the back office touches."""

    def __init__(self, url: str, **review_settings: Any) -> None:
        self.now = START
        self.database = Database(url, pool=2)
        self.config = Config(
            acquirers={
                "simulated": AcquirerConfig(name="模拟收单", idempotent_by_number=True, settle_s=60, url="http://x"),
                "ended": AcquirerConfig(adapter="none", terminated_on="2025-07-09"),
            },
            execution=ExecutionConfig(poll_s=1, poll_max_s=8, hold_retry_s=300, lease_s=30),
        )
        for name, value in review_settings.items():
            setattr(self.config.review, name, value)
        tokens = (f"token-{number}" for number in itertools.count(1))
        self.context = Context(self.config, lambda: self.now, lambda: next(tokens))
        self.receiver = Receiver(self.database, self.context)
        self.keys: dict[str, PrivateKey] = {}
        self.adapter = FakeAdapter()
        self.executor = Executor(
            self.database, self.context, {"simulated": self.adapter, "ended": self.adapter}, holder="one"
        )
        self._numbers = itertools.count(1)
        self.enrol(TERMINAL)
        self.add_person("li", "finance")
        self.add_person("wang", "manager")
        self.add_sale(order_no=ORDER, paid_minor=12800)
        self.map_operator("01", "zhang")

    def close(self) -> None:
        self.database.close()

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    def enrol(self, terminal_id: str, merchant_id: str = MERCHANT) -> None:
        key = PrivateKey.generate()
        self.keys[terminal_id] = key
        raw = key.public_key().raw
        with self.database.writing() as session:
            enrolment.add_terminal(
                session,
                terminal_id=terminal_id,
                merchant_id=merchant_id,
                merchant_name="店",
                device_kid="d1",
                device_key=b64encode(raw).decode(),
            )

    def add_person(self, login: str, role: str, person_id: str | None = None) -> None:
        with self.database.writing() as session:
            if session.get(Person, person_id or login) is None:
                session.add(Person(person_id=person_id or login, name=login.title()))
                session.flush()
            session.add(Account(login=login, person_id=person_id or login, password_hash=_password_hash(), role=role))

    def map_operator(self, operator_no: str, person_id: str) -> None:
        with self.database.writing() as session:
            enrolment.map_operator(
                session, merchant_id=MERCHANT, operator_no=operator_no, person_id=person_id, name=person_id
            )

    def add_sale(self, *, order_no: str, paid_minor: int, **fields: Any) -> str:
        row = sales.SaleRow(
            **{
                "sale_id": f"s-{order_no[-6:]}",
                "merchant_id": MERCHANT,
                "order_no": order_no,
                "channel": Channel.WECHAT,
                "acquirer_id": "simulated",
                "paid_at": START - timedelta(days=1),
                "paid_minor": paid_minor,
                "channel_trade_no": "4200" + order_no[-24:].rjust(24, "0"),
                **fields,
            }
        )
        with self.database.writing() as session:
            sales.store(session, [row], lookup_key=LOOKUP_KEY)
        return row.sale_id

    def request(self, **fields: Any) -> RefundRequest:
        number = next(self._numbers)
        return RefundRequest(
            **{
                "refund_request_id": make_refund_request_id(number),
                "terminal_id": TERMINAL,
                "merchant_id": MERCHANT,
                "operator_no": "01",
                "created_at": self.now,
                "is_clock_trusted": True,
                "boot_id": "b1",
                "entry": Entry.SCANNED,
                "original_reference": OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, ORDER),
                "reference_tail": ORDER[-6:],
                "channel": Channel.WECHAT,
                "refund_type": RefundType.FULL,
                "amount_minor": 12800,
                "currency": "CNY",
                "reason_code": "R01",
                "policy_version": "p1",
                "seq": number,
                **fields,
            }
        )

    def sealed(self, message: UpMessage, terminal_id: str = TERMINAL) -> bytes:
        return seal(encode(message), payload_type=UP_TYPE, kid="d1", key=self.keys[terminal_id])

    def send(self, leaf: Leaf, message: UpMessage, terminal_id: str = TERMINAL) -> list[Reply]:
        incoming = Incoming(terminal_topic(terminal_id, leaf), self.sealed(message, terminal_id))
        return self.receiver.receive([incoming])

    def sync_page(self, *items: SyncItem, **fields: Any) -> SyncMessage:
        """Return the only page that a till compares its requests by."""
        return SyncMessage(
            **{
                "terminal_id": TERMINAL,
                "boot_id": "b1",
                "conn_seq": 1,
                "last_seq": 99,
                "page": 1,
                "pages": 1,
                "at": self.now,
                "items": items,
                **fields,
            }
        )

    def compare(self, message: SyncMessage) -> DownMessage:
        """Send a sync page as a till does: a challenge is answered with a new question that echoes it."""
        answer = self.send(Leaf.UP_SYNC, message)[0].message
        if isinstance(answer, SyncChallengeMessage):
            assert answer.nonce == message.nonce
            again = msgspec.structs.replace(message, nonce=f"{message.nonce}+", challenge=answer.challenge)
            answer = self.send(Leaf.UP_SYNC, again)[0].message
        return answer

    def submit(self, request: RefundRequest, terminal_id: str = TERMINAL) -> AppAckMessage:
        message = RefundRequestMessage(terminal_id=terminal_id, request=request)
        [ack] = acks_of(self.send(Leaf.UP_REFUND, message, terminal_id))
        return ack

    def refund(self, request_id: str) -> Refund:
        with self.database.reading() as session:
            found = session.get(Refund, request_id)
            assert found is not None
            return found

    def sale(self, sale_id: str = "s-000001") -> Sale:
        with self.database.reading() as session:
            found = session.get(Sale, sale_id)
            assert found is not None
            return found

    def rows(self, table: type[Any]) -> list[Any]:
        with self.database.reading() as session:
            return list(session.query(table).all())

    def outbox(self, request_id: str) -> OutboxRow | None:
        with self.database.reading() as session:
            return session.get(OutboxRow, request_id)

    def trail(self, request_id: str) -> list[AuditLine]:
        lines = [line for line in self.rows(AuditLine) if line.refund_request_id == request_id]
        return sorted(lines, key=lambda line: line.number)

    def cases(self) -> list[ManualCase]:
        return self.rows(ManualCase)

    def actor(self, login: str = "li", role: str = "finance") -> Actor:
        return Actor(login, login, role)

    def decide(self, request_id: str, kind: str, *, who: Actor | None = None, reason: str = "") -> Refund:
        with self.database.writing() as session:
            found = session.get(Refund, request_id)
            assert found is not None
            shown = review.shown_now(session, found)
            command = Command(kind=kind, shown=shown, reason=reason)
            return review.decide(session, self.context, who or self.actor(), request_id, command)

    def approved(self, **fields: Any) -> str:
        request = self.request(**fields)
        self.submit(request)
        self.decide(request.refund_request_id, "approve")
        return request.refund_request_id

    async def settle(self, rounds: int = 6) -> None:
        """Run the executor until nothing is due now."""
        for _ in range(rounds):
            if await self.executor.round() != 0.0:
                return

    async def run_until(self, request_id: str, state: str, *, seconds: float = 1, steps: int = 20) -> None:
        """Run rounds, moving the clock between them, until a state is reached."""
        for _ in range(steps):
            await self.settle()
            if self.refund(request_id).state == state:
                return
            self.later(seconds=seconds)
        raise AssertionError(f"state is {self.refund(request_id).state}, not {state}")


def new_sqlite(folder: Path) -> str:
    """Make a database with empty tables; returns its URL."""
    path = folder / "world.db"
    path.write_bytes(_empty_database())
    return f"sqlite:///{path}"


@contextmanager
def make_world(folder: Path, **review_settings: Any) -> Iterator[World]:
    with world_on(new_sqlite(folder), **review_settings) as world:
        yield world


@contextmanager
def world_on(url: str, **review_settings: Any) -> Iterator[World]:
    """Yield a back office on a database with empty tables."""
    world = World(url, **review_settings)
    try:
        yield world
    finally:
        world.close()
