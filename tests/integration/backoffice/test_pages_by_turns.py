"""Two workers take the sync pages of one till by turns and at once, on PostgreSQL (ADR 0009, trust.md 8 and 12)."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from backoffice.ingest.context import Context, Incoming
from backoffice.ingest.receiver import Receiver
from backoffice.store.database import Database
from backoffice.store.schema import EventRow, Terminal
from pos_agent.protocol.messages import (
    AckStatus,
    AppAckMessage,
    DownMessage,
    SyncChallengeMessage,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.fakes.samples import START
from tests.unit.backoffice.world import TERMINAL, World

pytestmark = pytest.mark.slow
PAGES, CONNECTIONS = 4, 6


class Office:
    """Two workers over one database."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self._other = Database(url, pool=2)
        numbers = (f"other-{number}" for number in itertools.count(1))
        context = Context(world.config, lambda: world.now, lambda: next(numbers))
        self._workers = (world.receiver, Receiver(self._other, context))

    def close(self) -> None:
        self._other.close()

    def take(self, worker: int, message: SyncMessage) -> DownMessage:
        """Let one worker answer one page."""
        incoming = Incoming(terminal_topic(TERMINAL, Leaf.UP_SYNC), self.world.sealed(message))
        return self._workers[worker % 2].receive([incoming])[0].message

    def take_at_once(self, messages: list[SyncMessage]) -> list[DownMessage]:
        """Let both answer, each every other page, all of them at the same moment."""
        answers: list[DownMessage | None] = [None] * len(messages)
        gate = threading.Barrier(len(messages))

        def answer(index: int) -> None:
            gate.wait(10)
            answers[index] = self.take(index, messages[index])

        threads = [threading.Thread(target=answer, args=(index,)) for index in range(len(messages))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        return [answer for answer in answers if answer is not None]

    def alarms(self) -> list[str]:
        return sorted(row.name for row in self.world.rows(EventRow) if row.is_alarm)

    def is_suspect(self) -> bool:
        return any(row.is_suspect for row in self.world.rows(Terminal))


class Journal:
    """One till's journal, as far as tokens go: asks, takes the token of its newest question, echoes challenges."""

    def __init__(self, token: str = "", boot_id: str = "b1") -> None:
        self.token, self.boot_id, self.conn_seq = token, boot_id, 0
        self._nonces = itertools.count(1)

    def ask(self, challenge: str = "") -> list[SyncMessage]:
        nonce = f"{self.boot_id}-{next(self._nonces)}"
        page = SyncMessage(
            terminal_id=TERMINAL,
            boot_id=self.boot_id,
            conn_seq=self.conn_seq,
            last_seq=0,
            page=1,
            pages=PAGES,
            at=START,
            token=self.token,
            epoch=1,
            items=(),
            nonce=nonce,
            challenge=challenge,
        )
        return [msgspec.structs.replace(page, page=number) for number in range(1, PAGES + 1)]

    def compare(self, office: Office) -> list[SyncMessage]:
        """Compare at once with both workers; return the pages that were answered."""
        self.conn_seq += 1
        pages = self.ask()
        answers = office.take_at_once(pages)
        challenges = [answer.challenge for answer in answers if isinstance(answer, SyncChallengeMessage)]
        if challenges:
            pages = self.ask(challenges[-1])
            answers = office.take_at_once(pages)
        tokens = {answer.token for answer in answers if isinstance(answer, SyncReplyMessage)}
        assert len(answers) == PAGES
        assert len(tokens) == 1, f"pages of one question got different tokens: {answers}"
        self.token = tokens.pop()
        return pages


@contextmanager
def _office(url: str) -> Iterator[Office]:
    world = World(url)
    office = Office(world, url)
    try:
        yield office
    finally:
        office.close()
        world.close()


@pytest.fixture
def office(postgresql: str) -> Iterator[Office]:
    with _office(postgresql) as made:
        yield made


def test_i8_pages_of_one_till_taken_by_two_workers_at_once_are_one_journal(office: Office) -> None:
    journal = Journal()
    before: list[SyncMessage] = []
    for _ in range(CONNECTIONS):
        # Pages of the connection before come again, to the other worker: the first died before it acknowledged them.
        replays = [threading.Thread(target=office.take, args=(number, page)) for number, page in enumerate(before, 1)]
        for replay in replays:
            replay.start()
        before = journal.compare(office)
        for replay in replays:
            replay.join(30)
    assert not office.is_suspect()
    assert office.alarms() == []


def test_i8_copy_is_found_whichever_worker_it_speaks_to(office: Office) -> None:
    journal = Journal()
    journal.compare(office)
    copy = Journal(journal.token, boot_id="copy")
    for _ in range(3):
        journal.compare(office)
    for worker, page in enumerate(copy.ask()):
        answer = office.take(worker, page)
        assert isinstance(answer, SyncChallengeMessage)
        refused = office.take(worker + 1, msgspec.structs.replace(page, challenge=answer.challenge))
        assert isinstance(refused, AppAckMessage)
        assert refused.status is AckStatus.CONFLICT
    assert office.is_suspect()
    assert office.alarms().count("clone_suspected") == 1


def test_page_waits_for_the_tills_row_while_the_other_worker_has_it(office: Office) -> None:
    journal = Journal()
    journal.compare(office)
    [page, *_] = journal.ask()
    answered = threading.Event()

    def answer() -> None:
        office.take(1, page)
        answered.set()

    with office.world.database.writing() as session:
        row = session.get(Terminal, TERMINAL, with_for_update=True)
        assert row is not None
        thread = threading.Thread(target=answer)
        thread.start()
        assert not answered.wait(0.3)
    thread.join(30)
    assert answered.is_set()
