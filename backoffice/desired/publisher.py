"""The fleet's connection, under a certificate of its own (D15): publishes released configurations, hears reports.

One retained document a till. The bytes are signed already, by keys that are not here. The broker's copy is a cache:
what a till has not answered is published again on each connection.
"""

import asyncio
import contextlib
import logging

from sqlalchemy.orm import Session as SqlSession

from backoffice.desired import reports, waiting
from backoffice.execution import lease
from backoffice.ingest.context import Context, Incoming
from backoffice.store.database import Database
from backoffice.transport import Transport
from pos_agent.errors import BrokerError, LocalProtocolError
from pos_agent.mqtt.connection import Session
from pos_agent.mqtt.messages import InboundMessage, LinkState, Properties, Subscription
from pos_agent.protocol.desired import CONFIG_TYPE
from pos_agent.protocol.topics import PREFIX, Leaf, terminal_topic

_log = logging.getLogger(__name__)
_LEASE = "fleet"
_LEASE_S = 30.0
#: Commands release from processes of their own; this is how soon it is seen.
LOOK_S = 0.25
_RETRY_S = 5.0
#: Reports taken into one transaction: as many as the broker sends without an acknowledgement.
BATCH = 200
#: From so many reports in a batch on, more are on their way, and the next batch waits this long for them: a transaction
#: costs as much as thirty reports. An acknowledgement is that much later; nobody waits for it.
_BUSY = 4
_GATHER_S = 0.02
_QUEUE = 20_000


class Publisher:
    """The fleet's connection; of several workers one publishes, by a lease."""

    def __init__(
        self,
        transport: Transport,
        database: Database,
        *,
        context: Context,
        holder: str,
    ) -> None:
        """Wire it.

        Args:
            transport: A connection of its own; attached here.
            database: The record.
            context: Clock.
            holder: Unique name of this process, for the lease.
        """
        self._transport = transport
        self._database = database
        self._context = context
        self._now = context.now
        self._inbox: asyncio.Queue[InboundMessage] = asyncio.Queue(_QUEUE)
        self._holder = holder
        self._connected = asyncio.Event()
        self._is_new = False
        reports = Subscription(topic_filter=f"{PREFIX}/t/+/{Leaf.CFG_REPORTED}")
        transport.attach(Session(subscriptions=(reports,), on_message=self._take, on_link=self._take_link))

    def _take(self, message: InboundMessage) -> None:
        try:
            self._inbox.put_nowait(message)
        except asyncio.QueueFull:
            # Not acknowledged: the broker keeps it; a till reports again when it connects.
            _log.warning("queue of reports full topic=%s", message.topic)

    def _take_link(self, link: LinkState) -> None:
        if link.is_connected:
            self._is_new = True
            self._connected.set()
        else:
            self._connected.clear()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._transport.run(), name="fleet-mqtt")
                group.create_task(self._receive(), name="fleet-reports")
                group.create_task(self._publish_all(), name="fleet-publisher")
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(
                    self._database.write(lambda session: lease.release(session, self._holder, name=_LEASE))
                )

    async def _receive(self) -> None:
        batch: list[InboundMessage] = []
        while True:
            batch = await self._next_batch(len(batch))
            await self._store([Incoming(message.topic, message.payload) for message in batch])
            for message in batch:
                message.ack()

    async def _next_batch(self, previous: int) -> list[InboundMessage]:
        batch = [await self._inbox.get()]
        if previous >= _BUSY and self._inbox.qsize() < BATCH - 1:
            await asyncio.sleep(_GATHER_S)
        while len(batch) < BATCH and not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        return batch

    async def _store(self, batch: list[Incoming]) -> None:
        """Store a batch, or its reports one by one; what is lost, its till says again when it connects."""
        try:
            await self._database.write(lambda session: reports.receive(session, self._context, batch))
        except Exception:  # noqa: BLE001 - supervisor: a defect in one report must not stop the others
            _log.exception("reports not stored count=%d", len(batch))
            for incoming in batch if len(batch) > 1 else ():
                await self._store([incoming])

    async def _publish_all(self) -> None:
        while True:
            await self._connected.wait()
            try:
                count = await self.round()
            except Exception:  # noqa: BLE001 - supervisor: the next round tries again
                _log.exception("publishing configurations failed")
                count = 0
                await asyncio.sleep(_RETRY_S)
            if not count:
                await asyncio.sleep(LOOK_S)

    async def round(self) -> int:
        """Publish what waits, a batch of it; returns how many the broker took."""
        if not self._is_new and not await self._database.read(waiting.is_any):
            return 0
        is_new, self._is_new = self._is_new, False
        rows = None
        try:
            rows = await self._database.write(lambda session: self._next_rows(session, is_new=is_new))
        finally:
            if rows is None:
                self._is_new |= is_new
        if not rows:
            return 0
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._publish(row), name="config") for row in rows]
        taken = [row for row, task in zip(rows, tasks, strict=True) if task.result()]
        if taken:
            await self._database.write(lambda session: waiting.note_published(session, taken, self._now))
        _log.info("configurations published taken=%d of=%d", len(taken), len(rows))
        return len(taken)

    def _next_rows(self, session: SqlSession, *, is_new: bool) -> list[waiting.Waiting] | None:
        """Return what is to be published; None if another one publishes."""
        holding = lease.hold(session, self._holder, lease_s=_LEASE_S, now=self._now, name=_LEASE)
        if holding is lease.Holding.NOT_OURS:
            return None
        # Another process may have died between the broker's answer and its note.
        if is_new or holding is lease.Holding.TAKEN:
            waiting.offer_unanswered(session)
        return waiting.take(session)

    async def _publish(self, row: waiting.Waiting) -> bool:
        """Publish one; False if the broker did not take it."""
        try:
            result = await self._transport.publish(
                terminal_topic(row.terminal_id, Leaf.CFG_DESIRED),
                row.envelope,
                is_retained=True,
                properties=Properties(content_type=CONFIG_TYPE),
            )
        except (BrokerError, LocalProtocolError) as error:
            _log.debug("not published terminal_id=%s: %s", row.terminal_id, error)
            return False
        if result.is_refused:
            _log.warning("broker refuses cfg/desired reason_code=0x%02x; its ACL?", result.reason_code)
        return not result.is_refused
