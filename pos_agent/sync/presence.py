"""Says that this terminal is there, and compares journals on every connect (D7, trust.md 8)."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from pos_agent.domain.clock import Clock
from pos_agent.errors import BrokerError, JournalError
from pos_agent.journal.store import Journal
from pos_agent.mqtt.messages import Will
from pos_agent.protocol import codec
from pos_agent.protocol.envelope import UP_TYPE
from pos_agent.protocol.messages import (
    AppAckMessage,
    PresenceMessage,
    SyncChallengeMessage,
    SyncItem,
    SyncMessage,
    SyncReplyMessage,
)
from pos_agent.protocol.topics import Leaf, terminal_topic
from pos_agent.sync._link import LinkView
from pos_agent.sync._sender import Sender
from pos_agent.sync.question import Question

_log = logging.getLogger(__name__)
PAGE_ITEMS: Final = 100
_REPLY_TIMEOUT_S: Final = 10.0
_RETRY_CAP_S: Final = 300.0
#: A signed time is believed only if its answer came this fast: a broker may delay what it cannot forge.
_TIME_ANSWER_S: Final = 5.0


class Presence:
    """Birth, will and sync pages of one terminal."""

    def __init__(
        self,
        journal: Journal,
        sender: Sender,
        link: LinkView,
        *,
        clock: Clock,
        boot_id: str,
        version: str,
        on_signed_time: Callable[[datetime], None] | None = None,
    ) -> None:
        self._journal = journal
        self._sender = sender
        self._link = link
        self._clock = clock
        self._boot_id = boot_id
        self._version = version
        self._on_signed_time = on_signed_time
        self._question = Question()
        self._challenge = ""
        self._asked_time_s = float("-inf")
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._last_conn_seq = 0
        self.epoch = 0

    def next_conn_seq(self) -> int:
        """Return a number that rises within a boot, also over restarts of the daemon; runs on the network thread."""
        self._last_conn_seq = max(self._last_conn_seq + 1, int(self._clock.boottime_s() * 10))
        return self._last_conn_seq

    def will(self, conn_seq: int) -> Will:
        """Return the signed will of a connection; runs on the network thread."""
        return Will(
            topic=terminal_topic(self._sender.terminal_id, Leaf.STATE),
            payload=self._sender.sealed(codec.encode(self._message(is_online=False, conn_seq=conn_seq))),
            content_type=UP_TYPE,
        )

    def _message(self, *, is_online: bool, conn_seq: int, last_seq: int = 0) -> PresenceMessage:
        return PresenceMessage(
            terminal_id=self._sender.terminal_id,
            is_online=is_online,
            boot_id=self._boot_id,
            conn_seq=conn_seq,
            agent_version=self._version,
            at=self._clock.now(),
            last_seq=last_seq,
        )

    def compare(self) -> None:
        """Send the sync pages (again): the connection or the back office is new, older answers mean nothing."""
        self._question = Question()
        self._wake.set()

    async def say_offline(self) -> None:
        """Tell that this terminal goes; the will tells it when we cannot."""
        if self._link.is_connected:
            message = self._message(is_online=False, conn_seq=self._link.link.conn_seq)
            await self._sender.send(Leaf.STATE, message, is_retained=True)

    async def run(self) -> None:
        """Say online and compare on each connect, until cancelled."""
        born, retry_s = 0, _REPLY_TIMEOUT_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            conn_seq = self._link.link.conn_seq
            if not self._link.is_connected:
                continue
            try:
                if born != conn_seq:
                    await self._say_online(conn_seq)
                    born, retry_s = conn_seq, _REPLY_TIMEOUT_S
                is_answered = await self._compare(conn_seq, retry_s)
            except (BrokerError, JournalError) as error:
                _log.warning("sync not sent error=%s", error)
                self._answered.clear()
                is_answered = await self._sleep(retry_s)
            if not is_answered:
                retry_s = min(_RETRY_CAP_S, retry_s * 2)
                self._wake.set()

    async def _say_online(self, conn_seq: int) -> None:
        last_seq, _, _ = await self._journal.sync_head()
        message = self._message(is_online=True, conn_seq=conn_seq, last_seq=last_seq)
        await self._sender.send(Leaf.STATE, message, is_retained=True)

    async def _compare(self, conn_seq: int, timeout_s: float) -> bool:
        """Send all pages; return False if an answer is missing and nothing newer happened."""
        # From here on an answer to an earlier comparison means nothing: its token is not for this one (ADR 0009).
        question = self._question = Question(secrets.token_hex(8), self._challenge)
        self._challenge = ""
        self._answered.clear()
        items = await self._journal.sync_items()
        pages: Sequence[list[SyncItem]] = [items[i : i + PAGE_ITEMS] for i in range(0, len(items), PAGE_ITEMS)] or [[]]
        last_seq, token, epoch = await self._journal.sync_head()
        audit_lines, audit_head = await self._journal.audit_head()
        self.epoch = epoch
        question.unanswered = set(range(1, len(pages) + 1))
        self._asked_time_s = self._clock.monotonic_s()
        for number, page in enumerate(pages, 1):
            message = SyncMessage(
                terminal_id=self._sender.terminal_id,
                boot_id=self._boot_id,
                conn_seq=conn_seq,
                last_seq=last_seq,
                page=number,
                pages=len(pages),
                at=self._clock.now(),
                token=token,
                epoch=epoch,
                items=tuple(page),
                audit_lines=audit_lines,
                audit_head=audit_head,
                nonce=question.nonce,
                challenge=question.challenge,
            )
            await self._sender.send(Leaf.UP_SYNC, message)
        return await self._sleep(timeout_s)

    async def _sleep(self, timeout_s: float) -> bool:
        """Return True once all pages are answered or something newer woke us, False after the time-out."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._answered, self._wake)]
        try:
            done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bool(done)

    def is_refused(self, refusal: AppAckMessage) -> bool:
        """Return True if this refuses the newest comparison; an older refusal may be a replay."""
        return self._question.is_mine(refusal.nonce)

    def take_challenge(self, challenge: SyncChallengeMessage) -> bool:
        """Compare again and echo the challenge; return False if it is about an older comparison."""
        question = self._question
        if not question.is_mine(challenge.nonce):
            return False
        self._question, self._challenge = Question(), challenge.challenge
        if challenge.challenge != question.challenge:
            self._wake.set()  # else it is no progress: asked again after the time-out, never in a loop
        return True

    async def take_reply(self, reply: SyncReplyMessage) -> bool:
        """Keep a reply to a page of the newest comparison; return False for any other."""
        question = self._question
        if not question.takes(reply.nonce, reply.page):
            return False
        self._take_time(reply)
        await self._journal.record_sync_reply(reply)
        self.epoch = max(self.epoch, reply.epoch)
        question.unanswered.discard(reply.page)
        if not question.unanswered and question is self._question:
            self._answered.set()
            self._link.prove()
        return True

    def _take_time(self, reply: SyncReplyMessage) -> None:
        """Believe the time of a fast answer only: the broker may have kept it back."""
        is_fast = self._clock.monotonic_s() - self._asked_time_s <= _TIME_ANSWER_S
        if self._on_signed_time is not None and is_fast:
            self._on_signed_time(reply.at)
