"""Two workers on one PostgreSQL and a real broker: one word about the back office for all tills (ADR 0025).

What tills see is read as a till reads it (`LinkView`), by one that is there all the time and by one that comes later.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backoffice import leadership
from backoffice.clock import system_now
from backoffice.leadership import Gone, Worker
from backoffice.store.database import Database
from backoffice.store.schema import Lease
from pos_agent.mqtt.messages import InboundMessage, LinkState
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import DOWN_TYPE, unseal
from pos_agent.protocol.messages import BackOfficePresenceMessage
from pos_agent.protocol.topics import BACK_OFFICE_STATE
from pos_agent.sync._link import Claim, LinkView
from tests.fakes.broker_client import Client, running, until
from tests.fakes.broker_office import OFFICE_KID
from tests.fixtures_broker import Broker
from tests.integration.backoffice.conftest import Desk

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(180)]
#: A till may see the back office away for so long after its speaker died, with another worker alive. Measured on two
#: loaded cores: 0.03–0.43 s; the time is a database transaction and a new TLS connection.
FLICKER_S = 5.0
_CONFIG = """
[server]
port = 0
[database]
url = "{url}"
[broker]
url = "mqtts://127.0.0.1:{port}"
ca_file = "{ca}"
cert_file = "{cert}"
key_file = "{key}"
client_id = "{name}"
share = "office"
[signing]
key_file = "../backoffice.key"
kid = "{kid}"
"""


@dataclass
class Seen:
    """What one till hears of the back office, and when."""

    client: Client
    keys: dict[str, PublicKey]
    view: LinkView = field(default_factory=lambda: LinkView(lambda _event: None))
    words: list[tuple[float, BackOfficePresenceMessage]] = field(default_factory=list)
    claims: list[tuple[float, Claim]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view.take_link(LinkState(is_connected=True, conn_seq=1))
        session = self.client.connection._session
        assert session is not None
        self._acknowledge = session.on_message
        object.__setattr__(session, "on_message", self._take)

    def _take(self, message: InboundMessage) -> None:
        self._acknowledge(message)
        word = decode_down(unseal(message.payload, payload_type=DOWN_TYPE, keys=self.keys)[0])
        assert isinstance(word, BackOfficePresenceMessage)
        self.words.append((time.monotonic(), word))
        if self.view.take_presence(word)[0]:
            self.claims.append((time.monotonic(), self.view.claim))

    @property
    def speaker(self) -> str:
        return self.words[-1][1].instance if self.words else ""

    def is_online(self) -> bool:
        return self.view.claim is Claim.ONLINE

    def away_s(self) -> float:
        """Return the longest time that this till saw the back office away."""
        longest, since = 0.0, None
        for at, claim in self.claims:
            if claim is Claim.OFFLINE and since is None:
                since = at
            elif claim is Claim.ONLINE and since is not None:
                longest, since = max(longest, at - since), None
        return longest if since is None else float("inf")


@dataclass
class Shop:
    """Workers, and tills that watch them."""

    folder: Path
    broker: Broker
    url: str
    public_key: str = ""
    desks: dict[str, Desk] = field(default_factory=dict)

    def worker(self, name: str) -> Desk:
        folder = self.folder / name
        folder.mkdir()
        desk = self.desks[name] = Desk(folder, self.broker, PrivateKey.generate(), self.public_key)
        cert, key = self.broker.pki.issue(name)
        desk.config.write_text(
            _CONFIG.format(
                url=self.url,
                port=self.broker.port,
                ca=self.broker.pki.ca_file,
                cert=cert,
                key=key,
                name=name,
                kid=OFFICE_KID,
            )
        )
        if not self.public_key:
            self.public_key = desk.public_key = json.loads(desk.prepare("keys"))["public_key"]
        return desk

    def till(self, name: str) -> Seen:
        keys = {OFFICE_KID: PublicKey.from_base64(self.public_key)}
        return Seen(Client(self.broker.settings(name), BACK_OFFICE_STATE), keys)

    def leader(self) -> str:
        """Return the name of the worker that holds the lease."""
        database = Database(self.url, pool=1)
        try:
            with database.reading() as session:
                row = session.get(Lease, leadership.LEASE)
                return row.holder.partition("@")[2] if row is not None else ""
        finally:
            database.close()


@pytest.fixture
def shop(tmp_path: Path, broker: Broker, postgresql: str) -> Iterator[Shop]:
    made = Shop(tmp_path, broker, postgresql)
    try:
        for name in ("bo-1", "bo-2"):
            made.worker(name).start()
        yield made
    finally:
        for desk in made.desks.values():
            if desk.process is not None and desk.process.poll() is None:
                desk.process.send_signal(signal.SIGCONT)
                desk.stop()


def _other(name: str) -> str:
    return {"bo-1": "bo-2", "bo-2": "bo-1"}[name]


async def _end(desk: Desk, sign: signal.Signals) -> int:
    """End a worker while the tills go on listening; return its exit status."""
    process, desk.process = desk.process, None
    assert process is not None
    assert process.stdout is not None
    process.send_signal(sign)
    await until(lambda: process.poll() is not None)
    process.stdout.close()
    return process.returncode


async def _late_comer_sees_online(shop: Shop) -> None:
    """A till that connects now must end with "online", whatever the broker keeps."""
    late = shop.till("t-late-01")
    async with running(late.client):
        await until(late.is_online)


async def test_leader_killed_the_other_worker_speaks_at_once(shop: Shop) -> None:
    till = shop.till("t-test-01")
    async with running(till.client):
        await until(till.is_online)
        first, leader = till.speaker, shop.leader()
        await _end(shop.desks[leader], signal.SIGKILL)
        await until(lambda: till.is_online() and till.speaker != first)
        assert shop.leader() == _other(leader)
        print(f"killed: away for {till.away_s():.3f} s")
        assert till.away_s() < FLICKER_S
        await _late_comer_sees_online(shop)


@pytest.mark.exhaustive
async def test_leader_stopped_the_other_worker_goes_on(shop: Shop) -> None:
    till = shop.till("t-test-01")
    async with running(till.client):
        await until(till.is_online)
        first, leader = till.speaker, shop.leader()
        assert await _end(shop.desks[leader], signal.SIGTERM) == 0
        await until(lambda: till.is_online() and till.speaker != first)
        print(f"stopped: away for {till.away_s():.3f} s")
        assert till.away_s() < FLICKER_S
        await _late_comer_sees_online(shop)


@pytest.mark.exhaustive
async def test_worker_that_does_not_lead_goes_without_a_word(shop: Shop) -> None:
    till = shop.till("t-test-01")
    async with running(till.client):
        await until(till.is_online)
        follower = _other(shop.leader())
        heard = len(till.words)
        await _end(shop.desks[follower], signal.SIGKILL)
        shop.desks[follower].start()
        assert await _end(shop.desks[follower], signal.SIGTERM) == 0
        assert [word for _, word in till.words[heard:] if not word.is_online] == []
        assert till.away_s() == 0.0


@pytest.mark.exhaustive
async def test_leader_that_hangs_is_replaced_and_its_late_will_changes_nothing(shop: Shop) -> None:
    """A stopped process keeps its connection until the keep-alive runs out; its lease runs out before."""
    till = shop.till("t-test-01")
    async with running(till.client):
        await until(till.is_online)
        first, leader = till.speaker, shop.leader()
        process = shop.desks[leader].process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        _expire(shop)
        await until(lambda: till.speaker != first and till.is_online())
        heard = len(till.words)
        await _end(shop.desks[leader], signal.SIGKILL)  # now its will comes, after the next leader has spoken
        await until(lambda: any(not word.is_online for _, word in till.words[heard:]))
        # The retained word is the late will for a moment; the leader hears it and says its own again.
        await until(lambda: till.words[-1][1].is_online and till.words[-1][1].instance != first)
        assert till.is_online()
        assert till.away_s() == 0.0, "a till that was there never took the late will"
        offline = next(at for at, word in till.words[heard:] if not word.is_online)
        print(f"late will: corrected after {till.words[-1][0] - offline:.3f} s")
        assert till.words[-1][0] - offline < FLICKER_S
        await _late_comer_sees_online(shop)


def _expire(shop: Shop) -> None:
    """Let the lease run out now instead of in a quarter of a minute."""
    database = Database(shop.url, pool=1)
    try:
        with database.writing() as session:
            row = session.get(Lease, leadership.LEASE)
            assert row is not None
            row.expires_at = system_now()
    finally:
        database.close()


@pytest.mark.exhaustive
async def test_only_worker_killed_and_started_again_speaks_at_once(shop: Shop) -> None:
    """Its own lease does not keep it silent: no other worker has its name."""
    follower = _other(shop.leader())
    assert shop.desks[follower].stop() == 0
    till = shop.till("t-test-01")
    async with running(till.client):
        await until(till.is_online)
        leader = shop.desks[shop.leader()]
        first = till.speaker
        leader.kill()
        await until(lambda: not till.is_online())
        leader.start()
        await until(lambda: till.is_online() and till.speaker != first)
        assert till.words[-1][1].term == till.words[0][1].term + 1


def test_lease_is_taken_by_one_of_many_who_race(postgresql: str) -> None:
    database = Database(postgresql, pool=6)

    async def race(gone: Gone | None) -> list[int]:
        def stand(number: int) -> int:
            worker = Worker(f"bo-{number}", f"i{number}")
            with database.writing() as session:
                return leadership.stand(session, worker, lease_s=60, now=system_now, gone=gone)

        return list(await asyncio.gather(*[database.run(stand, number) for number in range(6)]))

    try:
        first = asyncio.run(race(None))
        assert sorted(first) == [0, 0, 0, 0, 0, 1]
        again = asyncio.run(race(Gone(f"i{first.index(1)}", 1)))
        assert sorted(term for number, term in enumerate(again) if number != first.index(1))[-1] == 2
        assert again.count(2) == 1
    finally:
        database.close()
