import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from pos_agent.domain.events import LinkChanged, LookUpAnswered, RefundChanged, RequestHeld, RequestStored
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundState
from pos_agent.domain.sale import LookUpOutcome
from pos_agent.journal.records import OutboxStatus
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from pos_agent.protocol.topics import Leaf
from pos_agent.sync import lookup, presence, uplink
from tests.fakes.broker_client import until
from tests.fakes.broker_office import Office, open_office
from tests.fakes.broker_till import TillUnderTest, open_till
from tests.fakes.samples import make_request, make_update
from tests.fixtures_broker import Broker

pytestmark = pytest.mark.broker
TILL = "t-test-1"
REFERENCE = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "ORDER1")


class Pair:
    """A till and a back office with pinned keys, neither running yet."""

    def __init__(self, broker: Broker, folder: Path, device: PrivateKey, office: PrivateKey) -> None:
        self._broker, self._folder, self._device, self._key = broker, folder, device, office
        self._office_settings = broker.settings("bo-1")
        self._till_settings = broker.settings(TILL)

    def make_office(self, instance: str = "i-1") -> Office:
        return Office(self._office_settings, self._key, {"d-1": self._device.public_key()}, instance)

    def open_till(self) -> AbstractAsyncContextManager[TillUnderTest]:
        return open_till(self._folder / "journal", self._till_settings, self._device, self._key.public_key())

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[TillUnderTest, Office]]:
        async with AsyncExitStack() as stack:
            office = await stack.enter_async_context(open_office(self.make_office()))
            till = await stack.enter_async_context(self.open_till())
            await until(lambda: till.service.is_back_office_present)
            yield till, office


@pytest.fixture
def pair(broker: Broker, tmp_path: Path, device_key: PrivateKey, office_key: PrivateKey) -> Pair:
    return Pair(broker, tmp_path, device_key, office_key)


async def is_cleared(till: TillUnderTest) -> bool:
    return not await till.journal.outbox_rows()


async def until_cleared(till: TillUnderTest) -> None:
    async with asyncio.timeout(10):
        while not await is_cleared(till):  # noqa: ASYNC110 - cleared by the service's own tasks
            await asyncio.sleep(0.005)


async def test_request_is_stored_once_and_told(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = await till.journal.commit_refund(make_request(), [])
        await until(lambda: bool(till.of(RequestStored)))
        assert office.requests == {request.refund_request_id: request}
        assert office.deliveries == [request.refund_request_id]
        assert till.of(RequestStored) == [RequestStored(request.refund_request_id)]
        await until_cleared(till)


async def test_request_committed_offline_is_sent_when_the_broker_is_back(pair: Pair, broker: Broker) -> None:
    async with pair.both() as (till, office):
        broker.stop(signal.SIGKILL)
        await until(lambda: till.link == LinkChanged(False, False, "E-NET"))
        request = await till.journal.commit_refund(make_request(), [])
        record = await till.journal.refund(request.refund_request_id)
        assert record is not None
        assert not record.was_send_attempted, "offline, nothing was sent: money is surely not moved (I9)"
        broker.start()
        await until(lambda: bool(till.of(RequestStored)))
        assert office.deliveries == [request.refund_request_id]


async def test_many_requests_over_broker_restarts_are_all_stored(pair: Pair, broker: Broker) -> None:
    async with pair.both() as (till, office):
        for number in range(1, 121):
            await till.journal.commit_refund(make_request(number), [])
            if number % 40 == 0:
                broker.stop(signal.SIGKILL)
                broker.start()
        await until(lambda: len(till.of(RequestStored)) == 120)
        await until_cleared(till)
        assert len(office.requests) == 120
        assert sorted(request.seq for request in office.requests.values()) == list(range(1, 121))


async def test_back_office_away_is_shown_and_nothing_is_attempted(pair: Pair) -> None:
    async with AsyncExitStack() as stack:
        till = await stack.enter_async_context(pair.open_till())
        await until(lambda: till.service.is_broker_connected)
        assert till.link == LinkChanged(True, False)
        request = await till.journal.commit_refund(make_request(), [])
        async with open_office(pair.make_office()) as office:
            await until(lambda: bool(till.of(RequestStored)))
            assert till.link == LinkChanged(True, True)
            await office.say_presence(is_online=False)
            await until(lambda: till.link == LinkChanged(True, False))
            await till.journal.commit_refund(make_request(2), [])
            await office.say_presence(is_online=False)
        record = await till.journal.refund(make_request(2).refund_request_id)
        assert record is not None
        assert not record.was_send_attempted
        async with open_office(pair.make_office("i-2")) as office:
            office.started = office.started.replace(year=2027)
            await office.say_presence(is_online=True)
            await until(lambda: len(till.of(RequestStored)) == 2)
            assert list(office.requests) == [make_request(2).refund_request_id]
        assert request.seq == 1


async def test_ack_that_never_comes_makes_the_same_id_go_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "ACK_TIMEOUT_S", 0.05)
    async with pair.both() as (till, office):
        office.is_mute = True
        request = await till.journal.commit_refund(make_request(), [])
        await until(lambda: till.service.counters.get("ack_timeout", 0) >= 2)
        assert (await till.journal.outbox_rows())[0].status is OutboxStatus.SENT
        office.is_mute = False
        await until(lambda: bool(till.of(RequestStored)))
        assert set(office.deliveries) == {request.refund_request_id}


async def test_back_office_that_stores_nothing_gets_four_windows_and_no_more(pair: Pair) -> None:
    async with pair.both() as (till, office):
        office.is_mute = True
        made = [make_request(number) for number in range(1, 101)]
        await asyncio.gather(*(till.journal.commit_refund(request, []) for request in made))
        await until(lambda: len(office.unanswered) == 4 * till.connection.window)
        office.is_mute = False
        till.service.look_up.look_up("q-1", REFERENCE, "01")
        await until(lambda: bool(till.of(LookUpAnswered)))
        assert (len(office.unanswered), office.deliveries) == (64, []), "what waits for its ack makes no room"
        assert not till.of(RequestStored)


async def test_nobody_listens_is_noticed_by_puback(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "PROBE_S", 0.05)
    monkeypatch.setattr(uplink, "NOBODY_S", 0.05)
    async with pair.open_till() as till:
        await till.journal.commit_refund(make_request(), [])
        await until(lambda: till.service.counters.get("nobody_listens", 0) >= 2)
        assert (await till.journal.outbox_counts()).sent == 1


async def test_puback_refusal_is_counted_and_the_row_stays(
    pair: Pair, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "PROBE_S", 0.05)
    monkeypatch.setattr(uplink, "REFUSED_S", 0.05)
    async with pair.both() as (till, office):
        acl = broker.folder / "acl"
        acl.write_text(acl.read_text().replace("pattern write pos/v1/t/%u/up/#", "pattern write pos/v1/t/%u/up/sync"))
        assert broker.process is not None
        broker.process.send_signal(signal.SIGHUP)
        await until(lambda: "Reloading config" in broker.log)
        await till.journal.commit_refund(make_request(), [])
        await until(lambda: till.service.counters.get("refused", 0) >= 2)
        assert till.link == LinkChanged(True, True, "E-CERT")
        assert len(await till.journal.outbox_rows()) == 1
        assert office.deliveries == []
        broker.stop()
        broker.start()
        await until(lambda: bool(till.of(RequestStored)))
        await until(lambda: till.link == LinkChanged(True, True))


async def test_refused_request_is_held_and_told(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = make_request()
        office.refusals[request.refund_request_id] = AckStatus.CONFLICT
        await till.journal.commit_refund(request, [])
        await until(lambda: bool(till.of(RequestHeld)))
        assert till.of(RequestHeld) == [RequestHeld(request.refund_request_id, "conflict")]
        office.refusals.clear()
        assert await till.journal.release_held() == 1
        await until(lambda: bool(till.of(RequestStored)))


async def test_state_is_journalled_acknowledged_and_told_once(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = await till.journal.commit_refund(make_request(), [])
        rid = request.refund_request_id
        await until(lambda: bool(till.of(RequestStored)))
        for _ in range(3):
            await office.decide(TILL, rid, RefundState.SUCCEEDED, seq=4)
        await until(lambda: len(office.state_acks) == 3)
        assert {(ack.epoch, ack.seq) for ack in office.state_acks} == {(1, 4)}
        assert sorted(ack.status for ack in office.state_acks) == ["duplicate", "duplicate", "stored"]
        assert len(till.of(RefundChanged)) == 1
        assert len(await till.journal.slips(rid)) == 1


async def test_state_against_final_or_of_unknown_request_is_answered_with_conflict(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = await till.journal.commit_refund(make_request(), [])
        await office.decide(TILL, request.refund_request_id, RefundState.SUCCEEDED, seq=4)
        await office.decide(TILL, request.refund_request_id, RefundState.FAILED, seq=5)
        await office.decide(TILL, make_request(9).refund_request_id, RefundState.FAILED, seq=1)
        await until(lambda: len(office.state_acks) == 3)
        assert sorted(ack.status for ack in office.state_acks) == ["conflict", "conflict", "stored"]
        assert len(till.of(RefundChanged)) == 1


async def test_sync_sends_pages_keeps_token_and_answers_wanted(pair: Pair) -> None:
    async with pair.both() as (till, office):
        for number in range(1, 206):
            await till.journal.commit_refund(make_request(number), [])
        await until(lambda: len(till.of(RequestStored)) == 205)
    lost = make_request(3).refund_request_id
    office = pair.make_office("i-2")
    office.wanted = (lost,)
    office.started = office.started.replace(year=2027)
    async with open_office(office), pair.open_till() as till:
        await until(lambda: till.service.is_back_office_present)
        assert [(sync.page, sync.pages, len(sync.items)) for sync in office.syncs[:3]] == [
            (1, 3, 100),
            (2, 3, 100),
            (3, 3, 5),
        ]
        assert office.syncs[0].last_seq == 205
        assert office.syncs[0].token.startswith("token-")
        await until(lambda: lost in office.requests)
        assert list(office.requests) == [lost]


async def test_new_epoch_offers_stored_requests_again(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = await till.journal.commit_refund(make_request(), [])
        await until(lambda: bool(till.of(RequestStored)))
    restored = pair.make_office("i-2")
    restored.epoch, restored.started = 2, restored.started.replace(year=2027)
    async with open_office(restored), pair.open_till() as till:
        await until(lambda: request.refund_request_id in restored.requests)
        assert office.requests == restored.requests


async def test_look_up_is_answered_and_refresh_asks(pair: Pair) -> None:
    async with pair.both() as (till, _):
        till.service.look_up.look_up("q-1", REFERENCE, "01")
        await until(lambda: bool(till.of(LookUpAnswered)))
        [event] = till.of(LookUpAnswered)
        assert isinstance(event, LookUpAnswered)
        assert (event.result.lookup_id, event.result.outcome) == ("q-1", LookUpOutcome.NOT_FOUND)


async def test_look_up_without_answer_or_network_ends_with_no_answer(pair: Pair, broker: Broker) -> None:
    async with pair.both() as (till, office):
        office.is_mute = True
        till.service.look_up.look_up("q-1", REFERENCE, "01")
        till.service.look_up.look_up("q-2", REFERENCE, "01")
        till.service.look_up.cancel("q-2")
        broker.stop(signal.SIGKILL)
        await until(lambda: bool(till.of(LookUpAnswered)))
        await until(lambda: not till.service.is_broker_connected)
        till.service.look_up.look_up("q-3", REFERENCE, "01")
        answers = [event.result for event in till.of(LookUpAnswered) if isinstance(event, LookUpAnswered)]
        assert [(a.lookup_id, a.outcome) for a in answers] == [
            ("q-1", LookUpOutcome.NO_ANSWER),
            ("q-3", LookUpOutcome.NO_ANSWER),
        ]


async def test_presence_says_online_then_offline(pair: Pair) -> None:
    async with open_office(pair.make_office()) as office:
        async with pair.open_till() as till:
            await until(lambda: bool(office.presences))
            birth = office.presences[-1]
            assert (birth.is_online, birth.terminal_id, birth.boot_id) == (True, TILL, "boot-1")
            assert birth.conn_seq == till.connection.link.conn_seq
        await until(lambda: not office.presences[-1].is_online)
        assert office.presences[-1].conn_seq == birth.conn_seq


async def test_withdraw_reaches_the_back_office(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = await till.journal.commit_refund(make_request(), [])
        await till.journal.request_withdraw(request.refund_request_id, "01")
        await until(lambda: office.withdrawn == [request.refund_request_id])
        await until_cleared(till)
        assert make_update(request.refund_request_id).seq == 1


async def test_look_up_without_answer_gives_up_in_time(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "TIMEOUT_S", 0.1)
    async with pair.both() as (till, office):
        office.is_mute = True
        till.service.look_up.look_up("q-1", REFERENCE, "01")
        await until(lambda: bool(till.of(LookUpAnswered)))
        [event] = till.of(LookUpAnswered)
        assert isinstance(event, LookUpAnswered)
        assert event.result.outcome is LookUpOutcome.NO_ANSWER


async def test_sync_refused_stops_submission_and_says_so(pair: Pair) -> None:
    async with pair.both() as (till, office):
        refusal = AppAckMessage(
            terminal_id=TILL,
            refund_request_id="",
            kind="sync",
            rev=1,
            status=AckStatus.CONFLICT,
            epoch=1,
            at=office.started,
            detail="clone suspected",
            nonce=office.syncs[-1].nonce,
        )
        await office.say(TILL, Leaf.DOWN_ACK, refusal)
        await until(lambda: till.link == LinkChanged(True, True, "E-STOP"))
        await till.journal.commit_refund(make_request(), [])
        till.service.look_up.look_up("q-1", REFERENCE, "01")
        await until(lambda: bool(till.of(LookUpAnswered)))
        assert office.deliveries == []
        assert (await till.journal.outbox_counts()).queued == 1


async def test_sync_without_reply_is_sent_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_REPLY_TIMEOUT_S", 0.1)
    office = pair.make_office()
    office.is_mute = True
    async with open_office(office), pair.open_till() as till:
        await until(lambda: till.service.is_broker_connected)
        await asyncio.wait([asyncio.ensure_future(till.journal.ping())])
        assert not till.service.is_back_office_present
        office.is_mute = False
        await until(lambda: till.service.is_back_office_present)
        assert {sync.page for sync in office.syncs} == {1}


async def test_held_rows_are_offered_again_by_a_new_version(pair: Pair) -> None:
    async with pair.both() as (till, office):
        request = make_request()
        office.refusals[request.refund_request_id] = AckStatus.UNSUPPORTED
        await till.journal.commit_refund(request, [])
        await until(lambda: bool(till.of(RequestHeld)))
        assert await till.journal.note_version("0.1.0") == 0
        office.refusals.clear()
        assert await till.journal.note_version("0.2.0") == 1
        await until(lambda: bool(till.of(RequestStored)))
