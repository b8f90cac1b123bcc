"""What the back office is given can be anything: it is refused with a reason, and nothing else suffers (make fuzz)."""

import json
from pathlib import Path

import httpx
import pytest

from backoffice import sales
from backoffice.config import AcquirerConfig
from backoffice.execution.contract import Answer, Outcome
from backoffice.execution.simulated import SimulatedAdapter
from backoffice.ingest.context import Incoming
from backoffice.reconciliation import read_bill
from backoffice.store.schema import Decision
from backoffice.web.app import make_app
from backoffice.web.gate import Desk
from pos_agent.protocol.codec import encode
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundRequestMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.unit.backoffice.world import ORDER_OF_ONE, PASSWORD, TERMINAL, World

NESTED = b"[" * 90_000


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"accepted"', b"7", b"\xff", NESTED])
async def test_acquirer_answer_that_is_no_object_is_unknown(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=body))
    adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=transport)
    try:
        assert (await adapter.refund(ORDER_OF_ONE)).outcome is Outcome.UNKNOWN
        assert (await adapter.query("1")).outcome is Outcome.UNKNOWN
        assert await adapter.refunded_minor("s") is None
    finally:
        await adapter.close()


@pytest.mark.parametrize("total", [None, "5", 5.9, True, -1, []])
async def test_acquirer_total_that_is_no_whole_number_is_not_believed(total: object) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"refunded_minor": total}))
    adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=transport)
    try:
        assert await adapter.refunded_minor("s") is None
    finally:
        await adapter.close()


async def test_acquirer_status_of_another_type_is_unknown() -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"status": ["succeeded"]}))
    adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=transport)
    try:
        assert await adapter.query("1") == Answer(Outcome.UNKNOWN, detail="ValueError")
    finally:
        await adapter.close()


BAD_SHEETS = {
    "nested.json": NESTED,
    "text.json": b'["\xff"]',
    "long.csv": b"sale_id\r\n" + b"x" * 200_000,
    "text.csv": b"sale_id\r\n\xff\r\n",
    "number.json": b'[{"refund_no":"1","amount_minor":9223372036854775808}]',
    "year.json": b'[{"refund_no":"1","amount_minor":1,"at":"0001-01-01T00:00:00+14:00"}]',
    "nul.json": b'[{"refund_no":"1\\u0000","amount_minor":1}]',
}


@pytest.mark.parametrize("name", BAD_SHEETS)
def test_sheet_that_cannot_be_kept_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_SHEETS[name])
    with pytest.raises(ValueError, match=r".+"):
        sales.read_file(path)
    with pytest.raises(ValueError, match=r".+"):
        read_bill(path)


@pytest.mark.parametrize("name", ["rev", "seq", "created_at"])
def test_d8_message_that_no_column_holds_is_refused_and_its_neighbours_are_stored(world: World, name: str) -> None:
    """Before, it raised inside the transaction: the whole batch was tried again for ever, and no till got an ack."""
    bad, good = world.request(amount_minor=100), world.request(amount_minor=200)
    document = json.loads(encode(RefundRequestMessage(terminal_id=TERMINAL, request=bad)))
    odd: object = "9999-12-31T23:59:59-14:00" if name == "created_at" else 2**63
    (document if name == "rev" else document["request"])[name] = odd
    sealed = seal(json.dumps(document).encode(), payload_type=UP_TYPE, kid="d1", key=world.keys[TERMINAL])
    topic = terminal_topic(TERMINAL, Leaf.UP_REFUND)
    neighbour = Incoming(topic, world.sealed(RefundRequestMessage(terminal_id=TERMINAL, request=good)))
    acks = [reply.message for reply in world.receiver.receive([Incoming(topic, sealed), neighbour])]
    told = {ack.refund_request_id: ack.status for ack in acks if isinstance(ack, AppAckMessage)}
    assert told == {bad.refund_request_id: AckStatus.MALFORMED, good.refund_request_id: AckStatus.STORED}


async def test_page_and_script_with_bytes_that_mean_nothing_get_an_answer(world: World) -> None:
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk") as client:
        for body in (b'{"user":"\xff","password":"x"}', b'{"user":' + NESTED):
            assert (await client.post("/api/login", content=body)).status_code == 422
        assert (await client.post("/api/login", json={"user": "li\0", "password": "x"})).status_code == 422
        assert (await client.get("/api/requests?q=%00")).status_code == 400
        assert (await client.get("/requests/%00")).status_code == 400
        signed_in = await client.post("/api/login", json={"user": "li", "password": PASSWORD})
        form = {"csrf": signed_in.json()["csrf"], "moved": "yes", "reason": "x"}
        for action in ("propose", "confirm", "refuse"):
            answer = await client.post(f"/cases/{10**30}/{action}", data=form)
            assert answer.status_code == 404


async def test_nul_in_a_form_is_left_out(world: World) -> None:
    request = world.request()
    world.submit(request)
    app = make_app(Desk(world.database, world.context, world.executor.wake))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk") as client:
        csrf = (await client.post("/api/login", json={"user": "li", "password": PASSWORD})).json()["csrf"]
        page = f"/requests/{request.refund_request_id}"
        shown = (await client.get(f"/api{page}")).json()["shown"]
        form = {"csrf": csrf, "decision": "reject", "reason": "no\0 slip", **{name: str(shown[name]) for name in shown}}
        assert (await client.post(f"{page}/decision", data=form)).status_code == 303
    (decision,) = world.rows(Decision)
    assert (decision.kind, decision.reason) == ("reject", "no slip")
