"""One refund through the shipped processes: till, broker, back office, acquirer."""

import base64
import json
from collections.abc import Callable

import httpx
import pytest

from pos_agent.domain.refund import MoneyMoved, RefundRequest, RefundState
from pos_agent.domain.sale import LookUpOutcome
from pos_agent.protocol.codec import decode_down, encode
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE, seal, unseal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    BackOfficePresenceMessage,
    DownMessage,
    RefundRequestMessage,
    RefundStateMessage,
    SaleAnswerMessage,
    SaleLookUpMessage,
    StateAckMessage,
    UpMessage,
)
from pos_agent.protocol.topics import BACK_OFFICE_STATE, Leaf, terminal_topic
from tests.fakes.broker_client import Client, running, until
from tests.fakes.broker_office import OFFICE_KID
from tests.fakes.samples import make_request, order_reference
from tests.integration.backoffice.conftest import PASSWORD, TERMINAL_ID, Desk

pytestmark = [pytest.mark.broker, pytest.mark.slow]


class Till:
    """A till that speaks the contract, and nothing else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keys: dict[str, PublicKey] = {OFFICE_KID: PublicKey.from_base64(desk.public_key)}
        self.client = Client(
            desk.broker.settings(TERMINAL_ID), terminal_topic(TERMINAL_ID, "down/#"), BACK_OFFICE_STATE
        )

    async def send(self, leaf: Leaf, message: UpMessage) -> None:
        payload = seal(encode(message), payload_type=UP_TYPE, kid="d1", key=self._desk.device_key)
        await self.client.connection.publish(terminal_topic(TERMINAL_ID, leaf), payload)

    @property
    def heard(self) -> list[DownMessage]:
        return [
            decode_down(unseal(message.payload, payload_type=DOWN_TYPE, keys=self._keys)[0])
            for message in self.client.messages
        ]

    async def hear(self, is_it: Callable[[DownMessage], bool]) -> DownMessage:
        await until(lambda: any(is_it(message) for message in self.heard))
        return next(message for message in self.heard if is_it(message))

    async def hear_state(self, state: RefundState) -> RefundStateMessage:
        found = await self.hear(lambda m: isinstance(m, RefundStateMessage) and m.update.state is state)
        assert isinstance(found, RefundStateMessage)
        update = found.update
        await self.send(
            Leaf.UP_ACK,
            StateAckMessage(
                terminal_id=TERMINAL_ID,
                refund_request_id=update.refund_request_id,
                epoch=update.epoch,
                seq=update.seq,
            ),
        )
        return found


def _request(order_no: str) -> RefundRequest:
    return make_request(order_no=order_no, terminal_id=TERMINAL_ID, merchant_id="M1", seq=1)


async def _decide(desk: Desk, request_id: str, decision: str, reason: str = "") -> httpx.Response:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        signed = await client.post("/api/login", json={"user": "finance", "password": PASSWORD})
        shown = (await client.get(f"/api/requests/{request_id}")).json()["shown"]
        return await client.post(
            f"/api/requests/{request_id}/decision",
            json={"decision": decision, "reason": reason, "shown": shown},
            headers={"X-CSRF-Token": signed.json()["csrf"]},
        )


async def _bill(desk: Desk) -> list[dict[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        found: list[dict[str, object]] = (await client.get(f"{desk.acquirer_url}/bill")).json()["movements"]
        return found


def _first_order(desk: Desk) -> str:
    return str(json.loads(desk.tool("demo-data", "--today", "2026-11-23"))[0]["order_no"])


async def test_refund_from_look_up_to_succeeded_moves_money_once(desk: Desk) -> None:
    order_no = _first_order(desk)
    till = Till(desk)
    async with running(till.client):
        await till.hear(lambda m: isinstance(m, BackOfficePresenceMessage) and m.is_online)
        await till.send(
            Leaf.UP_QUERY,
            SaleLookUpMessage(
                terminal_id=TERMINAL_ID, lookup_id="q1", reference=order_reference(order_no), operator_no="01"
            ),
        )
        answer = await till.hear(lambda m: isinstance(m, SaleAnswerMessage))
        assert isinstance(answer, SaleAnswerMessage)
        assert answer.result.outcome is LookUpOutcome.FOUND
        assert answer.result.sale is not None
        assert answer.result.sale.refundable_minor == 12800
        request = _request(order_no)
        for _ in range(3):
            await till.send(Leaf.UP_REFUND, RefundRequestMessage(terminal_id=TERMINAL_ID, request=request))
        await until(lambda: sum(isinstance(m, AppAckMessage) for m in till.heard) == 3)
        statuses = [m.status for m in till.heard if isinstance(m, AppAckMessage)]
        assert statuses == [AckStatus.STORED, AckStatus.DUPLICATE, AckStatus.DUPLICATE]
        reviewing = await till.hear_state(RefundState.REVIEWING)
        assert reviewing.update.money_moved is MoneyMoved.NO
        assert (await _decide(desk, request.refund_request_id, "approve")).status_code == 200
        succeeded = await till.hear_state(RefundState.SUCCEEDED)
        assert succeeded.update.money_moved is MoneyMoved.YES
    assert [line["amount_minor"] for line in await _bill(desk)] == [12800]
    assert desk.stop() == 0


async def test_back_office_killed_while_acquirer_hangs_finds_out_and_pays_once(desk: Desk) -> None:
    order_no = _first_order(desk)
    till = Till(desk)
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.post(f"{desk.acquirer_url}/control", json={"next": ["timeout"]})
    async with running(till.client):
        request = _request(order_no)
        await till.send(Leaf.UP_REFUND, RefundRequestMessage(terminal_id=TERMINAL_ID, request=request))
        await till.hear_state(RefundState.REVIEWING)
        assert (await _decide(desk, request.refund_request_id, "approve")).status_code == 200
        executing = await till.hear(
            lambda m: isinstance(m, RefundStateMessage) and m.update.state is RefundState.EXECUTING
        )
        assert isinstance(executing, RefundStateMessage)
        assert executing.update.money_moved is MoneyMoved.UNKNOWN
        desk.kill()
        await till.hear(lambda m: isinstance(m, BackOfficePresenceMessage) and not m.is_online)
        desk.start()
        await till.hear_state(RefundState.SUCCEEDED)
    assert [line["amount_minor"] for line in await _bill(desk)] == [12800]


async def test_unsigned_request_is_kept_and_not_stored(desk: Desk) -> None:
    till = Till(desk)
    request = _request(_first_order(desk))
    payload = base64.b64encode(encode(RefundRequestMessage(terminal_id=TERMINAL_ID, request=request))).decode()
    forged = {"payloadType": UP_TYPE, "payload": payload, "signatures": [{"kid": "d1", "sig": "AAAA"}]}
    async with running(till.client):
        topic = terminal_topic(TERMINAL_ID, Leaf.UP_REFUND)
        await till.client.connection.publish(topic, json.dumps(forged).encode())
        await until(lambda: "cause=unknown_terminal" in desk.log)
        assert not [m for m in till.heard if isinstance(m, AppAckMessage)]
    assert (await _decide_missing(desk, request.refund_request_id)) == 404


async def _decide_missing(desk: Desk, request_id: str) -> int:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        await client.post("/api/login", json={"user": "finance", "password": PASSWORD})
        return (await client.get(f"/api/requests/{request_id}")).status_code
