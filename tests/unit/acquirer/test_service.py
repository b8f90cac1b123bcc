"""The acquirer over HTTP, through the adapter that the back office uses: both ends must agree."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from backoffice.config import AcquirerConfig
from backoffice.execution.contract import Outcome, RefundOrder
from backoffice.execution.simulated import SimulatedAdapter
from hil.acquirer.ledger import Ledger
from hil.acquirer.service import Acquirer


class Bank:
    """An acquirer in this process, its clock, and both ways to talk to it."""

    def __init__(self, ledger: Ledger) -> None:
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.ledger = ledger
        service = Acquirer(ledger, now=lambda: self.now, processing_s=30, hang_s=0.01)
        self.transport = httpx.ASGITransport(app=service.app())
        self.adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=self.transport)
        self.client = httpx.AsyncClient(transport=self.transport, base_url="http://acquirer")

    async def control(self, *answers: str) -> None:
        response = await self.client.post("/control", json={"next": list(answers)})
        assert response.status_code == 200

    async def close(self) -> None:
        await self.adapter.close()
        await self.client.aclose()
        self.ledger.close()


@pytest_asyncio.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    made = Bank(Ledger(tmp_path / "ledger.jsonl"))
    yield made
    await made.close()


def _order(refund_no: str = "R1", amount_minor: int = 300) -> RefundOrder:
    return RefundOrder(
        refund_request_id="9800000000000000000122",
        acquirer_id="simulated",
        refund_no=refund_no,
        attempt=1,
        sale_ref="S1",
        amount_minor=amount_minor,
        paid_minor=1000,
        currency="CNY",
    )


async def test_accepted_refund_moves_once_however_often_it_is_asked(bank: Bank) -> None:
    for _ in range(3):
        assert (await bank.adapter.refund(_order())).outcome is Outcome.ACCEPTED
    assert (await bank.adapter.query("R1")).outcome is Outcome.SUCCEEDED
    assert len((await bank.client.get("/bill")).json()["movements"]) == 1
    assert await bank.adapter.refunded_minor("S1") == 300


async def test_same_number_with_another_amount_is_refused_and_moves_nothing(bank: Bank) -> None:
    await bank.adapter.refund(_order())
    answer = await bank.adapter.refund(_order(amount_minor=301))
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "DISCORDANT_REPEAT_REQUEST")
    assert bank.ledger.moved_minor("S1") == 300


async def test_timeout_moves_money_without_an_answer(bank: Bank) -> None:
    await bank.control("timeout")
    assert (await bank.adapter.refund(_order())).outcome is Outcome.UNKNOWN
    assert (await bank.adapter.query("R1")).outcome is Outcome.SUCCEEDED


async def test_timeout_lost_moves_nothing_and_is_not_found(bank: Bank) -> None:
    await bank.control("timeout:lost")
    assert (await bank.adapter.refund(_order())).outcome is Outcome.UNKNOWN
    assert (await bank.adapter.query("R1")).outcome is Outcome.NOT_FOUND


async def test_not_enough_is_refused_and_the_same_number_goes_through_later(bank: Bank) -> None:
    await bank.control("failed:NOT_ENOUGH")
    answer = await bank.adapter.refund(_order())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "NOT_ENOUGH")
    assert (await bank.adapter.query("R1")).outcome is Outcome.NOT_FOUND
    assert (await bank.adapter.refund(_order())).outcome is Outcome.ACCEPTED


async def test_final_failure_is_what_a_query_says_too(bank: Bank) -> None:
    await bank.control("failed:TRADE_NOT_EXIST")
    assert (await bank.adapter.refund(_order())).code == "TRADE_NOT_EXIST"
    answer = await bank.adapter.query("R1")
    assert (answer.outcome, answer.code) == (Outcome.FAILED, "TRADE_NOT_EXIST")


async def test_processing_succeeds_after_its_time_or_when_settled(bank: Bank) -> None:
    await bank.control("processing", "processing")
    await bank.adapter.refund(_order())
    await bank.adapter.refund(_order("R2"))
    assert (await bank.adapter.query("R1")).outcome is Outcome.PROCESSING
    bank.now += timedelta(seconds=30)
    assert (await bank.adapter.query("R1")).outcome is Outcome.SUCCEEDED
    await bank.client.post("/control", json={"settle": True})
    assert bank.ledger.moved_minor("S1") == 600


async def test_abnormal_is_taken_but_never_reaches_the_customer(bank: Bank) -> None:
    await bank.control("abnormal")
    assert (await bank.adapter.refund(_order())).outcome is Outcome.ACCEPTED
    assert (await bank.adapter.query("R1")).outcome is Outcome.ABNORMAL
    assert bank.ledger.moved_minor("S1") == 0


@pytest.mark.parametrize("body", [{"next": ["explode"]}, {"nxt": []}, {"next": "accepted"}])
async def test_control_with_unknown_answers_is_refused(bank: Bank, body: dict[str, object]) -> None:
    assert (await bank.client.post("/control", json=body)).status_code == 400


async def test_adapter_without_anybody_listening_knows_that_nothing_was_sent() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=httpx.MockTransport(refuse))
    answer = await adapter.refund(_order())
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "CHANNEL_DOWN")
    assert (await adapter.query("R1")).outcome is Outcome.UNKNOWN
    assert await adapter.refunded_minor("S1") is None
    await adapter.close()


@pytest.mark.parametrize("response", [httpx.Response(500), httpx.Response(200, text="hello"), httpx.Response(302)])
async def test_adapter_answer_that_cannot_be_read_is_unknown(response: httpx.Response) -> None:
    transport = httpx.MockTransport(lambda _request: response)
    adapter = SimulatedAdapter(AcquirerConfig(url="http://acquirer"), transport=transport)
    assert (await adapter.refund(_order())).outcome is Outcome.UNKNOWN
    assert (await adapter.query("R1")).outcome is Outcome.UNKNOWN
    await adapter.close()
