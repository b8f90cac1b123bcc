"""The back office on the broker: takes what tills send, publishes replies after the commit, resends states."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

from backoffice import outbox
from backoffice.clock import Now
from backoffice.ingest.context import Incoming, Reply
from backoffice.ingest.receiver import Receiver
from backoffice.leadership import Worker
from backoffice.presence import Presence
from backoffice.signing import Signer
from backoffice.store.database import Database
from backoffice.transport import Transport
from pos_agent.errors import BrokerError
from pos_agent.mqtt.connection import Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Properties, Subscription
from pos_agent.protocol.envelope import DOWN_TYPE
from pos_agent.protocol.messages import AppAckMessage, MessageKind, RefundStateMessage
from pos_agent.protocol.topics import BACK_OFFICE_STATE, PREFIX, Leaf, terminal_topic

_log = logging.getLogger(__name__)
#: Messages taken into one transaction; the broker has no more than 200 on the way to us anyway.
BATCH = 128
#: A batch of this many messages says that more are on their way: the next one waits for them this long. A transaction
#: costs ten times what a request costs inside it.
_BUSY = 4
_GATHER_S = 0.005
#: Answers to look-ups are of no use later (D7).
ANSWER_EXPIRY_S = 10
_QUEUE = 1000
_RETRY_S = 1.0
#: Pause where all that is due is held by another transaction, which sends it, changes it or clears it.
_LOCKED_S = 0.1


class Link:
    """Everything that crosses the broker."""

    def __init__(
        self,
        transport: Transport,
        database: Database,
        receiver: Receiver,
        signer: Signer,
        *,
        now: Now,
        worker: Worker,
        share: str = "",
        on_received: Callable[[], None] = lambda: None,
    ) -> None:
        """Wire a link.

        Args:
            transport: The connection; attached here.
            database: For the outbox.
            receiver: What to do with messages.
            signer: Signs everything that goes down.
            now: Clock.
            worker: Who we are among the workers.
            share: Group of a shared subscription; empty = an ordinary one.
            on_received: Called after each committed batch.
        """
        self._transport = transport
        self._database = database
        self._receiver = receiver
        self._signer = signer
        self._now = now
        self._on_received = on_received
        self._inbox: asyncio.Queue[InboundMessage] = asyncio.Queue(_QUEUE)
        self._wake = asyncio.Event()
        self._connected = asyncio.Event()
        self._link_changed = asyncio.Event()
        self._link = LinkState(is_connected=False, conn_seq=0)
        self._again = asyncio.Event()
        self.presence = Presence(transport, database, signer, now=now, worker=worker, reconnect=self._again.set)
        group = f"$share/{share}/" if share else ""
        transport.attach(
            Session(
                subscriptions=(
                    Subscription(topic_filter=f"{group}{PREFIX}/t/+/up/#"),
                    Subscription(topic_filter=f"{PREFIX}/t/+/state"),
                    Subscription(topic_filter=BACK_OFFICE_STATE),
                ),
                on_message=self._take,
                on_link=self._take_link,
                will=self.presence.will,
                next_conn_seq=itertools.count(1).__next__,
            )
        )

    def wake(self) -> None:
        """Send states that were queued just now."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; a clean stop says offline."""
        await self.presence.prepare()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected(), name="mqtt")
                group.create_task(self._receive(), name="ingest")
                group.create_task(self._send(), name="outbox")
                group.create_task(self._hurry(), name="hurry")
                group.create_task(self.presence.run(), name="presence")
        finally:
            self._connected.clear()

    async def _stay_connected(self) -> None:
        """Keep the connection up; made anew when our part in the presence, and so the will, is another one."""
        while True:
            self._again.clear()
            running = asyncio.create_task(self._transport.run(), name="mqtt connection")
            again = asyncio.create_task(self._again.wait(), name="mqtt again")
            try:
                await asyncio.wait({running, again}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    return running.result()
            finally:
                running.cancel()
                again.cancel()
                await asyncio.gather(running, again, return_exceptions=True)

    def _take(self, message: InboundMessage) -> None:
        if message.topic == BACK_OFFICE_STATE:
            self.presence.take_word(message.payload, is_retained=message.is_retained)
            message.ack()
            return
        if message.topic.endswith(f"/{Leaf.STATE}") and not self.presence.is_leading:
            # The leader's work; as the next one we get all that is retained with our new connection.
            message.ack()
            return
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            # Not acknowledged: the broker keeps it, and its till offers it again.
            _log.warning("ingest queue full topic=%s", message.topic)

    def _take_link(self, link: LinkState) -> None:
        self._link = link
        self._link_changed.set()
        self.presence.take_link(link)
        if not link.is_connected:
            self._connected.clear()

    async def _hurry(self) -> None:
        """Send the states that wait on each new connection."""
        hurried = 0
        while True:
            await self._link_changed.wait()
            self._link_changed.clear()
            if self._link.is_connected and hurried != self._link.conn_seq:
                hurried = self._link.conn_seq
                await self._database.write(lambda session: outbox.hurry(session, self._now))
                if self._link.is_connected:
                    # Only now: states that were due already would go out twice, before and after being hurried.
                    self._connected.set()
                self._wake.set()

    async def _receive(self) -> None:
        """Store batch after batch; the replies of one are on their way while the next is stored."""
        async with asyncio.TaskGroup() as group:
            before: list[asyncio.Task[None]] = []
            batch: list[InboundMessage] = []
            while True:
                batch = await self._next_batch(len(batch))
                replies = await self._store([Incoming(message.topic, message.payload) for message in batch])
                for message in batch:
                    message.ack()
                if before:
                    await asyncio.wait(before)  # a broker that takes nothing must not make a heap of replies
                before = [group.create_task(self._quietly(self._publish(reply)), name="reply") for reply in replies]
                if any(map(_may_bring_work, replies)):
                    self._on_received()
                self._wake.set()

    async def _next_batch(self, previous: int) -> list[InboundMessage]:
        """Wait for messages; under load a moment longer, so that more of them share a transaction."""
        batch = [await self._inbox.get()]
        if previous >= _BUSY:
            await asyncio.sleep(_GATHER_S)
        while len(batch) < BATCH and not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        return batch

    async def _store(self, batch: list[Incoming]) -> list[Reply]:
        """Store a batch; if it cannot be stored as a whole, one by one, so that one bad message holds up no other."""
        try:
            return await self._database.run(self._receiver.receive, batch)
        except Exception:  # noqa: BLE001 - supervisor: a defect in one handler must not stop ingest
            _log.exception("ingest of a batch failed size=%d", len(batch))
        replies: list[Reply] = []
        for incoming in batch:
            try:
                replies.extend(await self._database.run(self._receiver.receive, [incoming]))
            except SQLAlchemyError:
                _log.exception("message not stored, its till will offer it again topic=%s", incoming.topic)
                await asyncio.sleep(_RETRY_S)
            except Exception:  # noqa: BLE001 - see above
                _log.exception("message not handled topic=%s", incoming.topic)
        return replies

    async def _publish(self, reply: Reply) -> None:
        expiry_s = ANSWER_EXPIRY_S if reply.leaf is Leaf.DOWN_ANSWER else None
        await self._transport.publish(
            terminal_topic(reply.terminal_id, reply.leaf),
            self._signer.seal(reply.message),
            properties=Properties(content_type=DOWN_TYPE, message_expiry_s=expiry_s),
        )

    async def _send(self) -> None:
        """Publish due states; sleep until the next is due or something wakes us."""
        while True:
            await self._connected.wait()
            self._wake.clear()
            # Looked at first, without the lock: as a rule nothing is due, as first states go with their acks.
            due_s = await self._database.read(lambda session: outbox.next_due_s(session, self._now))
            if due_s == 0.0:
                if await self._send_due():
                    continue
                due_s = _LOCKED_S
            try:
                async with asyncio.timeout(due_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _send_due(self) -> int:
        """Publish what is due; returns how much it was, 0 where another worker has it."""
        rows = await self._database.write(lambda session: outbox.take_due(session, self._now))
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._quietly(self._publish_row(row)), name="state")
        return len(rows)

    async def _publish_row(self, row: outbox.DownRow) -> None:
        await self._transport.publish(
            terminal_topic(row.terminal_id, Leaf.DOWN_REFUND),
            self._signer.seal_payload(row.payload),
            properties=Properties(content_type=DOWN_TYPE),
        )

    async def _quietly(self, publishing: Awaitable[object]) -> None:
        """Await a publish whose loss the till's next offer or our own outbox repairs."""
        try:
            await publishing
        except BrokerError as error:
            _log.debug("not published: %s", error)


def _may_bring_work(reply: Reply) -> bool:
    """Return False for what tells of a new request: it waits for a person, whatever the executor does."""
    match reply.message:
        case AppAckMessage(kind=MessageKind.REFUND_REQUEST):
            return False
        case RefundStateMessage(update=update):
            return update.seq > 1
        case _:
            return True
