"""A signed time is believed only when it answers the newest question, and fast."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from pos_agent.journal.store import Journal
from pos_agent.mqtt.messages import LinkState, PublishResult
from pos_agent.protocol.messages import SyncItem, SyncMessage, SyncReplyMessage, UpMessage
from pos_agent.protocol.topics import Leaf
from pos_agent.sync._link import LinkView
from pos_agent.sync._sender import Sender
from pos_agent.sync.presence import Presence

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class SteppedClock:
    """A clock that moves by hand."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now(self) -> datetime:
        return NOON

    def monotonic_s(self) -> float:
        return self.at_s

    def boottime_s(self) -> float:
        return self.at_s

    def is_trusted(self) -> bool:
        return False


class EmptyJournal(Journal):
    """A journal without requests."""

    def __init__(self) -> None:
        self.replies: list[SyncReplyMessage] = []

    async def sync_items(self) -> list[SyncItem]:
        return []

    async def audit_head(self) -> tuple[int, str]:
        return 0, ""

    async def sync_head(self) -> tuple[int, str, int]:
        return 0, "", 0

    async def record_sync_reply(self, reply: SyncReplyMessage) -> None:
        self.replies.append(reply)


class WrittenSender(Sender):
    """Keeps what would be published."""

    terminal_id = "t-1"

    def __init__(self) -> None:
        self.sent: asyncio.Queue[SyncMessage] = asyncio.Queue()

    async def send(self, leaf: Leaf, message: UpMessage, *, is_retained: bool = False) -> PublishResult:
        if isinstance(message, SyncMessage):
            self.sent.put_nowait(message)
        return PublishResult(0)


def reply_to(page: SyncMessage, at: datetime) -> SyncReplyMessage:
    return SyncReplyMessage(
        terminal_id="t-1",
        boot_id=page.boot_id,
        conn_seq=page.conn_seq,
        nonce=page.nonce,
        page=page.page,
        epoch=1,
        token="t",
        highest_seq=0,
        at=at,
    )


async def believed(*, delays_s: tuple[float, ...], answers: tuple[int, ...] | None = None) -> list[datetime]:
    """Play comparisons on one connection, each answered after its delay; return what was believed.

    Args:
        delays_s: From question to answer.
        answers: Which question's nonce each answer carries; None = its own.
    """
    clock, sender, journal = SteppedClock(), WrittenSender(), EmptyJournal()
    times: list[datetime] = []
    link = LinkView(lambda event: None)
    presence = Presence(journal, sender, link, clock=clock, boot_id="b", version="0", on_signed_time=times.append)
    link.take_link(LinkState(is_connected=True, conn_seq=7))
    task = asyncio.create_task(presence.run())
    pages: list[SyncMessage] = []
    try:
        for number, delay_s in enumerate(delays_s):
            presence.compare()
            pages.append(await asyncio.wait_for(sender.sent.get(), 5))
            clock.at_s += delay_s
            answered = answers[number] if answers else number
            is_taken = await presence.take_reply(reply_to(pages[answered], NOON + timedelta(hours=number)))
            assert is_taken == (answered == number)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert len(journal.replies) == len(delays_s if answers is None else set(answers))
    return times


async def test_presence_fast_answer_is_believed() -> None:
    assert await believed(delays_s=(0.2,)) == [NOON]


async def test_presence_slow_answer_is_not_believed_for_time() -> None:
    assert await believed(delays_s=(3600.0,)) == []


async def test_presence_later_comparison_asks_again() -> None:
    assert await believed(delays_s=(3600.0, 0.1)) == [NOON + timedelta(hours=1)]


async def test_presence_answer_kept_back_from_an_earlier_question_is_not_taken() -> None:
    assert await believed(delays_s=(0.1, 0.1), answers=(0, 0)) == [NOON]
