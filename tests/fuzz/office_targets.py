"""What reaches the back office: messages of tills, web forms and calls, imported files, an acquirer's answers."""

import asyncio
import json
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx

from backoffice import sales
from backoffice.config import AcquirerConfig
from backoffice.execution.contract import Answer
from backoffice.execution.simulated import SimulatedAdapter
from backoffice.ingest.context import Incoming
from backoffice.reconciliation import read_bill, reconcile, whole_days
from backoffice.web.app import make_app
from backoffice.web.gate import CSRF_FIELD, CSRF_HEADER, Desk
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import RefundRequestMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.fuzz.source import Source, twist
from tests.fuzz.target import Check, Target
from tests.fuzz.wire_targets import UP, documents, encoded
from tests.unit.backoffice.world import LOOKUP_KEY, ORDER, ORDER_OF_ONE, PASSWORD, TERMINAL, World, make_world

_T = TypeVar("_T")
_LEAVES = (Leaf.UP_REFUND, Leaf.UP_SYNC, Leaf.UP_QUERY, Leaf.UP_EVENT, Leaf.UP_ACK, Leaf.STATE)


class _Lasting:
    """A world, an event loop and a folder that last as long as the process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pos-agent-fuzz-office-")
        self.folder = Path(self._folder.name)
        self._made = make_world(self.folder)
        self.world: World = self._made.__enter__()
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return self._runner.run(work)

    def close(self) -> None:
        self._runner.close()
        self._made.__exit__(None, None, None)
        self._folder.cleanup()


@contextmanager
def _ingest() -> Iterator[Check]:
    lasting = _Lasting()
    world = lasting.world
    request = world.request()
    good = tuple(
        encoded(message).replace(b'"t-test-1"', b'"%s"' % TERMINAL.encode())
        for message in (RefundRequestMessage(terminal_id=TERMINAL, request=request), *UP)
    )

    def check(data: bytes) -> None:
        source = Source(data)
        batch = []
        for _ in range(1 + source.byte() % 3):
            leaf = source.pick(_LEAVES)
            topic = terminal_topic(source.pick((TERMINAL, TERMINAL, "t-unknown")), leaf)
            for payload in documents(source, good):
                is_signed = source.byte() % 8
                sealed = (
                    seal(payload, payload_type=UP_TYPE, kid="d1", key=world.keys[TERMINAL]) if is_signed else payload
                )
                batch.append(Incoming(topic, sealed))
        for reply in world.receiver.receive(batch):
            encoded(reply.message)

    with closing(lasting):
        yield check


@contextmanager
def _web() -> Iterator[Check]:
    lasting = _Lasting()
    world = lasting.world
    request = world.request()
    world.submit(request)
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk")

    async def sign_in() -> str:
        answer = await client.post("/api/login", json={"user": "li", "password": PASSWORD})
        return str(answer.json()["csrf"])

    csrf = lasting.run(sign_in())
    paths = tuple(
        path.format(request.refund_request_id)
        for path in (
            "/requests",
            "/requests/{}",
            "/requests/{}/decision",
            "/requests/find",
            "/sales",
            "/cases",
            "/cases/1/propose",
            "/cases/1/confirm",
            "/terminals",
            "/api/requests",
            "/api/requests/{}",
            "/api/requests/{}/decision",
            "/api/sales",
            "/api/terminals",
            "/locale/en",
            "/login",
            "/api/login",
        )
    )

    async def call(source: Source) -> httpx.Response:
        path = source.pick(paths)
        if source.byte() % 8 == 0:
            path += "/" + "".join(character for character in source.text() if character.isprintable())
        match source.byte() % 4:
            case 0:
                query = {source.pick(_QUERIES): source.text() for _ in range(3)}
                return await client.get(path, params=query)
            case 1:
                fields = {source.pick(_FIELDS): source.text() for _ in range(4)}
                return await client.post(path, data={CSRF_FIELD: csrf, **fields})
            case 2:
                body = json.dumps(twist(_DECISION, source)).encode()
                return await client.post(path, content=body, headers={CSRF_HEADER: csrf})
            case _:
                kind = source.pick(_CONTENT_TYPES)
                headers = {CSRF_HEADER: csrf, "Content-Type": kind}
                return await client.post(path, content=source.rest(), headers=headers)

    def check(data: bytes) -> None:
        answer = lasting.run(call(Source(data)))
        assert answer.status_code < 500, (answer.request, answer.text[:300])

    with closing(lasting):
        yield check
        lasting.run(client.aclose())


_QUERIES = ("q", "page", "state", "view", "channel", "terminal", "sort", "version", "back")
_FIELDS = (
    "q",
    "decision",
    "reason",
    "version",
    "paid_minor",
    "refunded_minor",
    "reserved_minor",
    "moved",
    "login",
    "password",
)
_DECISION = {"decision": "approve", "reason": "", "shown": {"version": 1, "amount_minor": 12800}}
_CONTENT_TYPES = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/json",
    "text/plain; charset=x",
    "",
)


@contextmanager
def _sale_file() -> Iterator[Check]:
    lasting = _Lasting()

    def check(data: bytes) -> None:
        source = Source(data)
        suffix, content = _sheet(source, _SALE)
        path = lasting.folder / f"sales{suffix}"
        path.write_bytes(content)
        try:
            rows = sales.read_file(path)
        except ValueError:
            return
        with lasting.world.database.writing() as session:
            sales.store(session, rows[:20], lookup_key=LOOKUP_KEY)

    with closing(lasting):
        yield check


@contextmanager
def _bill_file() -> Iterator[Check]:
    lasting = _Lasting()
    world = lasting.world
    zone = ZoneInfo("Asia/Shanghai")

    def check(data: bytes) -> None:
        source = Source(data)
        suffix, content = _sheet(source, _MOVEMENT)
        path = lasting.folder / f"bill{suffix}"
        path.write_bytes(content)
        try:
            lines = read_bill(path)
            period = whole_days(lines, zone)
        except ValueError:
            return
        with world.database.writing() as session:
            reconcile(session, lambda: world.now, lines[:20], acquirer_id="simulated", prefix="", period=period)

    with closing(lasting):
        yield check


def _sheet(source: Source, row: dict[str, object]) -> tuple[str, bytes]:
    """Return ending and content of a file of rows: good ones twisted, or anything."""
    suffix = source.pick((".json", ".csv"))
    if source.byte() % 4 == 0:
        return suffix, source.rest()
    rows = [twist(row, source) for _ in range(1 + source.byte() % 3)]
    if suffix == ".json":
        return suffix, json.dumps(twist(rows, source)).encode()
    lines = [",".join(row), *(",".join(map(_cell, one.values())) for one in rows if isinstance(one, dict))]
    return suffix, "\r\n".join(lines).encode("utf-8", "replace")


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in '",\n') else text


_SALE: dict[str, object] = {
    "sale_id": "s1",
    "merchant_id": "M1",
    "order_no": ORDER,
    "channel": "wechat",
    "acquirer_id": "simulated",
    "paid_at": "2026-11-22T18:32:00+08:00",
    "paid_minor": 12800,
    "lines": [{"sku": "6901234567892", "name": "茶", "quantity": 1, "amount_minor": 12800}],
    "payer": "p1",
}
_MOVEMENT: dict[str, object] = {
    "refund_no": "9812345678901234567890",
    "amount_minor": 12800,
    "sale_ref": ORDER,
    "currency": "CNY",
    "at": "2026-11-22T18:32:00+08:00",
}


@contextmanager
def _answers() -> Iterator[Check]:
    runner = asyncio.Runner()

    async def ask(status: int, body: bytes) -> None:
        transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=body))
        adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=transport)
        try:
            assert isinstance(await adapter.refund(ORDER_OF_ONE), Answer)
            assert isinstance(await adapter.query("1"), Answer)
            total = await adapter.refunded_minor("s")
            assert total is None or isinstance(total, int)
        finally:
            await adapter.close()

    def check(data: bytes) -> None:
        source = Source(data)
        status = source.pick((200, 200, 200, 403, 404, 504, 301))
        good = {
            "status": source.pick(("accepted", "refused", "succeeded", "failed", "x")),
            "code": "C",
            "refunded_minor": 1,
        }
        body = source.rest() if source.byte() % 4 == 0 else json.dumps(twist(good, source)).encode()
        runner.run(ask(status, body))

    with runner:
        yield check


_WORDS = (
    b"csrf=",
    b"page=",
    b"\x00",
    b"999999999999999999999",
    "￥".encode(),
    b'"',
    b"--b\r\n",
    b"Content-Disposition: form-data; name=q",
)
_CHOICES = tuple(bytes((index, 1, index, 3, index, 5, 7, 3, 1)) for index in range(18))

TARGETS = (
    Target(name="office-ingest", make=_ingest, seeds=_CHOICES, max_bytes=1024, quick_examples=60),
    Target(name="office-web", make=_web, seeds=_CHOICES, words=_WORDS, max_bytes=1024, quick_examples=60),
    Target(
        name="office-sales", make=_sale_file, seeds=(*_CHOICES, b"\1\0a,b\r\n1,2,3"), words=_WORDS, quick_examples=100
    ),
    Target(
        name="office-bill", make=_bill_file, seeds=(*_CHOICES, b"\1\0a,b\r\n1,2,3"), words=_WORDS, quick_examples=100
    ),
    Target(
        name="office-answers",
        make=_answers,
        seeds=(b"\0\0\1\0", b"\0\0\0[]", b"\0\0\0null", b"\0\0\0{}"),
        quick_examples=100,
    ),
)
