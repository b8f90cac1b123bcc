"""The drill: copy, go on refunding, lose the database, put the copy back. Real processes, a till's real journal."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import httpx
import msgspec
import pytest

from pos_agent.domain.events import RequestStored
from pos_agent.domain.refund import MoneyMoved, OriginalReference, ReferenceKind, RefundRequest, RefundState
from pos_agent.journal.records import RefundRecord
from pos_agent.protocol.ed25519 import PublicKey
from tests.fakes.broker_client import until
from tests.fakes.broker_till import TillUnderTest, open_till
from tests.fakes.samples import make_request
from tests.integration.backoffice.conftest import PASSWORD, TERMINAL_ID, Desk

pytestmark = [pytest.mark.broker, pytest.mark.slow]
_on_both = pytest.mark.parametrize(
    "prepared_desk", ["sqlite", pytest.param("postgresql", marks=pytest.mark.exhaustive)], indirect=True
)


async def _decide(desk: Desk, request_id: str, decision: str, reason: str = "") -> int:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        signed = await client.post("/api/login", json={"user": "finance", "password": PASSWORD})
        found = (await client.get(f"/api/requests/{request_id}")).json()
        answer = await client.post(
            f"/api/requests/{request_id}/decision",
            json={"decision": decision, "reason": reason, "shown": found["shown"]},
            headers={"X-CSRF-Token": signed.json()["csrf"]},
        )
        return answer.status_code


async def _states(desk: Desk) -> dict[str, str]:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as client:
        await client.post("/api/login", json={"user": "finance", "password": PASSWORD})
        rows = (await client.get("/api/requests")).json()["requests"]
        return {row["refund_request_id"]: row["state"] for row in rows}


async def _moved(desk: Desk) -> Counter[str]:
    async with httpx.AsyncClient(trust_env=False) as client:
        bill = (await client.get(f"{desk.acquirer_url}/bill")).json()["movements"]
        return Counter(line["refund_no"][-22:] for line in bill)


class Shop:
    """A till with a real journal, and the sales of the demo."""

    def __init__(self, desk: Desk, till: TillUnderTest) -> None:
        self.desk, self.till = desk, till
        sales = json.loads(desk.prepare("demo-data", "--today", "2026-11-23"))
        self._sales: Iterator[dict[str, object]] = iter(
            [sale for sale in sales if sale["acquirer_id"] == "simulated" and "base_refunded_minor" not in sale]
        )
        self._number = 0

    async def submit(self) -> str:
        """Commit a refund of a sale's one yuan at the till; return its id once the back office has it."""
        request = self._request()
        await self.till.journal.commit_refund(request, ())
        request_id = request.refund_request_id
        await until(lambda: RequestStored(request_id) in self.till.events)
        await self.until_told(request_id, RefundState.REVIEWING)
        return request_id

    def _request(self) -> RefundRequest:
        self._number += 1
        sale = next(self._sales)
        base = make_request(self._number, amount_minor=100, terminal_id=TERMINAL_ID)
        reference = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, str(sale["order_no"]))
        return msgspec.structs.replace(base, merchant_id="M1", original_reference=reference)

    async def decided(self, request_id: str, decision: str, state: RefundState) -> None:
        """Decide, and wait until the till has committed what came of it."""
        assert await _decide(self.desk, request_id, decision, "because") == 200
        await self.until_told(request_id, state)

    async def until_told(self, request_id: str, state: RefundState) -> None:
        await _until(lambda: self._is_told(request_id, state))

    async def _is_told(self, request_id: str, state: RefundState) -> bool:
        return (await self.record(request_id)).state is state

    async def has_heard(self, request_id: str, epoch: int, money_moved: MoneyMoved) -> bool:
        """Whether the till knows this of the money, said after a restore ("unknown" is said while it lasts)."""
        told = (await self.record(request_id)).update
        return told is not None and (told.epoch, told.money_moved) == (epoch, money_moved)

    async def record(self, request_id: str) -> RefundRecord:
        found = await self.till.journal.refund(request_id)
        assert found is not None
        return found


async def _until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - any condition, not one that could set an event
            await asyncio.sleep(0.05)


def _open_till(desk: Desk) -> AbstractAsyncContextManager[TillUnderTest]:
    raw = desk.terminal_key()
    desk.prepare("terminal", "add", "--id", TERMINAL_ID, "--merchant", "M1", "--device-kid", "d-1", "--device-key", raw)
    return open_till(
        desk.folder / "till",
        desk.broker.settings(TERMINAL_ID),
        desk.device_key,
        PublicKey.from_base64(desk.public_key),
    )


@_on_both
async def test_restore_of_an_older_copy_converges_and_pays_nothing_twice(desk: Desk) -> None:
    async with _open_till(desk) as till:
        shop = Shop(desk, till)
        await until(lambda: till.service.is_back_office_present)
        paid_before, paid_after, rejected_after = [await shop.submit() for _ in range(3)]
        await shop.decided(paid_before, "approve", RefundState.SUCCEEDED)
        copy = json.loads(desk.tool("backup", str(desk.folder / "old.backup")))
        assert copy["refunds"] == 3

        await shop.decided(paid_after, "approve", RefundState.SUCCEEDED)
        await shop.decided(rejected_after, "reject", RefundState.REJECTED)
        lost_paid, lost_open = [await shop.submit() for _ in range(2)]
        await shop.decided(lost_paid, "approve", RefundState.SUCCEEDED)
        desk.kill()
        await until(lambda: not till.service.is_back_office_present)

        restored = json.loads(desk.tool("restore", copy["file"]))
        assert restored["epoch"] > copy["epoch"]
        desk.start()
        await _until(lambda: _is_done(desk))

        states = await _states(desk)
        assert {request_id: states[request_id] for request_id in (paid_before, paid_after, lost_paid)} == {
            paid_before: "succeeded",
            paid_after: "succeeded",
            lost_paid: "succeeded",
        }
        assert states[lost_open] == "reviewing"
        assert states[rejected_after] == "held"
        assert await _moved(desk) == {paid_before: 1, paid_after: 1, lost_paid: 1}
        assert (await till.journal.sync_head())[2] == restored["epoch"]
        await _until(lambda: shop.has_heard(lost_open, restored["epoch"], MoneyMoved.NO))

        await shop.decided(lost_open, "approve", RefundState.SUCCEEDED)
        assert await _moved(desk) == {paid_before: 1, paid_after: 1, lost_paid: 1, lost_open: 1}
        assert restored["kept"] is not None, "what was replaced is kept"
    assert desk.stop() == 0


async def _is_done(desk: Desk) -> bool:
    return bool(json.loads(desk.prepare("resume"))["is_done"])


@_on_both
def test_restore_beside_a_running_back_office_or_of_a_broken_copy_is_refused_and_changes_nothing(desk: Desk) -> None:
    broken, whole = desk.folder / "broken.backup", desk.folder / "whole.backup"
    desk.prepare("backup", str(whole))
    before = desk.prepare("audit", "verify")
    assert "stop it first" in desk.tool_refused("restore", str(whole))
    assert "stop it first" in desk.prepare_refused("restore")
    assert desk.stop() == 0
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "broken.backup" in desk.tool_refused("restore", str(broken))
    assert json.loads(desk.prepare("resume"))["started_at"] is None
    assert desk.prepare("audit", "verify") == before


async def test_till_with_an_old_card_stops_submitting_and_is_alarmed(desk: Desk) -> None:
    async with _open_till(desk) as till:
        await until(lambda: till.service.is_back_office_present)
    shutil.copytree(desk.folder / "till", desk.folder / "older card")
    for _ in range(2):
        async with _open_till(desk) as till:
            await until(lambda: till.service.is_back_office_present)
    shutil.rmtree(desk.folder / "till")
    (desk.folder / "older card").rename(desk.folder / "till")
    async with _open_till(desk) as till:
        await until(lambda: till.link is not None and till.link.code == "E-STOP")
        request = make_request(1, terminal_id=TERMINAL_ID)
        await till.journal.commit_refund(request, ())
        row = (await till.journal.outbox_rows())[0]
        assert row.attempts == 0
        assert not till.service.is_back_office_present
        desk.prepare("terminal", "clear", "--id", TERMINAL_ID)
    async with _open_till(desk) as till:
        await until(lambda: till.service.is_back_office_present)
