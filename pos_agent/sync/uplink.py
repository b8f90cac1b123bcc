"""Outbox → broker → the back office's own ack (D7, D8).

A row is cleared by the back office's signed ack alone. PUBACK only says that a broker has it in RAM; it is used to
notice that nobody listens (0x10) or that we may not speak (0x80 and above).
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.clock import Clock
from pos_agent.domain.events import RequestHeld, RequestStored
from pos_agent.errors import BrokerError, BrokerRefusedError, JournalError, LocalProtocolError
from pos_agent.journal.records import OutboxRow, OutboxStatus
from pos_agent.journal.store import Journal
from pos_agent.mqtt.messages import PublishResult
from pos_agent.protocol.messages import AppAckMessage, MessageKind
from pos_agent.sync._link import LinkView
from pos_agent.sync._sender import Sender

_log = logging.getLogger(__name__)
#: First wait for the application ack; doubles up to the cap (mqtt_fleet measurements, rule 2).
ACK_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_CAP_S: Final = 300.0
#: While the back office is not known to be there, one row is offered this often, doubling up to the cap.
PROBE_S: Final = 10.0
#: Pause after a refused publish (0x80 and above), doubling up to the cap.
REFUSED_S: Final = 10.0
NOBODY_S: Final = 1.0
#: Rows that wait for a late ack, before nothing new is begun.
_MOST_LATE: Final = 64


#: PUBACK: our certificate's name has no right to the topic. Source: MQTT 5.0 section 3.4.2.1.
_NOT_AUTHORIZED: Final = 0x87
#: Rows of a backlog that share one attempt commit.
_AHEAD: Final = 64
#: Rows that may wait for the back office's ack, in windows of the connection. No more than one window waits for the
#: broker (D7); the others are there already, and the back office stores them while the next window is on its way.
#: With one window the two sides would wait for each other (ADR 0026).
_DEPTH: Final = 4
_Key = tuple[str, str, int]


@dataclass(slots=True)
class _Flight:
    """A row that was published and not yet acknowledged by the back office."""

    key: _Key
    deadline_s: float
    tries: int
    is_late: bool = False


class Uplink:
    """Sends what the outbox holds."""

    def __init__(self, journal: Journal, sender: Sender, link: LinkView, *, clock: Clock, sink: EventSink) -> None:
        self._journal = journal
        self._sender = sender
        self._link = link
        self._clock = clock
        self._sink = sink
        self._flights: dict[int, _Flight] = {}
        self._ready: deque[OutboxRow] = deque()
        #: Acknowledged while the outbox was being read: what was read may still call them open.
        self._landed: set[_Key] = set()
        self._wake = asyncio.Event()
        self._pause_until_s = 0.0
        self._pauses = 0
        self._looked_at_s = 0.0
        self._is_blocked = False
        self.counters: dict[str, int] = {}

    def nudge(self) -> None:
        """Look at the outbox again."""
        self._wake.set()

    def reset(self) -> None:
        """The link changed: whatever was in flight may be lost; begin again at once."""
        self._flights.clear()
        self._ready.clear()
        self._pause_until_s, self._pauses = 0.0, 0
        if self._link.is_connected and not self._link.is_proved:
            self._pause(PROBE_S)
        self.nudge()

    def stand_by(self) -> None:
        """The back office went: offer nothing for a while, so that "surely not moved" stays true for new requests."""
        self._ready.clear()
        self._pauses = 0
        self._pause(PROBE_S)

    def resume(self) -> None:
        """The back office is there and has accepted our journal: no pause, no block."""
        self._is_blocked = False
        self._pause_until_s, self._pauses = 0.0, 0
        for row_id in [row_id for row_id, flight in self._flights.items() if flight.is_late]:
            del self._flights[row_id]
        self.nudge()

    def block(self, cause: str) -> None:
        """Stop submission until a comparison is accepted: this journal may be a copy (trust.md 8)."""
        if not self._is_blocked:
            _log.error("submission stopped cause=%s", cause)
        self._is_blocked = True

    async def watch(self) -> None:
        """Turn commits of the journal into wake-ups."""
        while True:
            await self._journal.outbox_changed.wait()
            self.nudge()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._wait()
                for row in await self._take_rows():
                    group.create_task(self._fly(row), name=f"publish {row.row_id}")

    # -- choosing -----------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        timeout_s = self._next_deadline_s()
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _next_deadline_s(self) -> float | None:
        """Return seconds to the next thing that only time brings, None if there is none."""
        if not self._link.is_connected or self._is_blocked:
            return None
        now = self._clock.monotonic_s()
        # What was due at the last look was dealt with then, or waits for an ack to make room.
        moments = [flight.deadline_s for flight in self._flights.values()] + [self._pause_until_s]
        moments = [moment for moment in moments if moment > self._looked_at_s]
        return max(0.0, min(moments) - now) if moments else None

    async def _take_rows(self) -> list[OutboxRow]:
        """Return rows to publish now, their attempt committed (I9)."""
        if not self._link.is_connected or self._is_blocked:
            return []
        now = self._looked_at_s = self._clock.monotonic_s()
        self._judge_late(now)
        if now < self._pause_until_s:
            return []
        room = self._room()
        if room <= 0 or not await self._refill(now):
            return []
        rows = [self._ready.popleft() for _ in range(min(room, len(self._ready)))]
        for row in rows:
            tries = self._flights[row.row_id].tries + 1 if row.row_id in self._flights else 1
            wait_s = min(ACK_TIMEOUT_CAP_S, ACK_TIMEOUT_S * 2 ** (tries - 1))
            self._flights[row.row_id] = _Flight(_key(row), self._clock.monotonic_s() + wait_s, tries)
        if rows and not self._link.is_present:
            self._pause(PROBE_S)
        return rows

    async def _refill(self, now: float) -> bool:
        """Make rows ready, their attempt committed; return whether there are any.

        A backlog is made ready in blocks, so that its rows share one commit. Should the link go before they are sent,
        their money is called unknown although it is not moved: the safe side.
        """
        if self._ready:
            return True
        self._landed.clear()
        ahead = _AHEAD if self._link.is_present else 1
        try:
            due = await self._journal.outbox_due(ahead + len(self._flights))
            rows = [row for row in due if self._is_ready(row, now) and _key(row) not in self._landed][:ahead]
            if rows:
                await self._journal.record_attempt([row.row_id for row in rows])
        except JournalError as error:
            _log.error("outbox cannot be read error=%s", error)
            self._pause(REFUSED_S)
            return False
        if not self._link.is_connected:
            return False
        self._ready.extend(row for row in rows if _key(row) not in self._landed)
        return bool(self._ready)

    def _judge_late(self, now: float) -> None:
        for flight in self._flights.values():
            if not flight.is_late and now >= flight.deadline_s:
                flight.is_late = True
                self._count("ack_timeout")

    def _is_ready(self, row: OutboxRow, now: float) -> bool:
        flight = self._flights.get(row.row_id)
        return flight is None or now >= flight.deadline_s

    def _room(self) -> int:
        """Return how many rows may start."""
        late = sum(flight.is_late for flight in self._flights.values())
        free = _DEPTH * self._sender.window - (len(self._flights) - late)
        return min(free, 1) if late > _MOST_LATE or not self._link.is_present else free

    def _pause(self, first_s: float) -> None:
        pause_s = min(ACK_TIMEOUT_CAP_S, first_s * 2**self._pauses)
        self._pauses = min(self._pauses + 1, 16)
        self._pause_until_s = self._clock.monotonic_s() + pause_s

    # -- sending ------------------------------------------------------------------------------------------------

    async def _fly(self, row: OutboxRow) -> None:
        try:
            result = await self._sender.send_payload(row.leaf, row.payload)
        except (LocalProtocolError, BrokerRefusedError) as error:
            _log.error("row cannot be sent row_id=%d error=%s", row.row_id, error)
            self._count("unsendable")
        except BrokerError as error:
            _log.debug("publish lost row_id=%d error=%s", row.row_id, error)
        else:
            self._judge(row, result)

    def _judge(self, row: OutboxRow, result: PublishResult) -> None:
        flight = self._flights.get(row.row_id)
        if flight is None or not (result.is_refused or result.has_no_subscribers):
            return
        if result.is_refused:
            self._count("refused")
            _log.error("broker refuses row_id=%d reason_code=0x%02x", row.row_id, result.reason_code)
            self._link.set_code("E-CERT" if result.reason_code == _NOT_AUTHORIZED else "E-NET")
            self._pause(REFUSED_S)
        else:
            self._count("nobody_listens")
            self._pause(NOBODY_S)
        flight.deadline_s = self._pause_until_s
        flight.is_late = True
        self.nudge()

    def _count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    # -- answers ------------------------------------------------------------------------------------------------

    async def take_ack(self, ack: AppAckMessage) -> None:
        """Apply the back office's ack and tell the workflow.

        The place in the window is free at once: the journal keeps the order of calls, so that a look at the outbox that
        follows sees the row cleared.
        """
        self._land((ack.refund_request_id, ack.kind, ack.rev))
        row = await self._journal.record_ack(ack)
        if row is None:
            self._count("ack_without_row")
        elif row.status is OutboxStatus.HELD:
            _log.error("row held row_id=%d cause=%s", row.row_id, row.cause)
            self._sink(RequestHeld(row.refund_request_id, row.cause))
        elif row.kind == MessageKind.REFUND_REQUEST:
            self._sink(RequestStored(row.refund_request_id))

    def _land(self, key: _Key) -> None:
        """Take an acknowledged row out of the window; an ack of something in flight proves that the office is there."""
        self._landed.add(key)
        row_id = next((row_id for row_id, flight in self._flights.items() if flight.key == key), None)
        if row_id is not None:
            del self._flights[row_id]
            self._link.prove()
            if not self._is_blocked:
                self._link.set_code("")
            self._pause_until_s, self._pauses = 0.0, 0
        elif any(_key(row) == key for row in self._ready):
            self._ready = deque(row for row in self._ready if _key(row) != key)
        self.nudge()


def _key(row: OutboxRow) -> _Key:
    return row.refund_request_id, row.kind, row.rev
