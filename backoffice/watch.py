"""What must happen though nobody asks: requests that wait too long are alarmed, chains are anchored each hour."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice import anchoring
from backoffice.execution import lease
from backoffice.ingest.context import Context
from backoffice.refunds import alarm
from backoffice.signing import Signer
from backoffice.states import State
from backoffice.store.database import Database
from backoffice.store.schema import EventRow, Refund

_log = logging.getLogger(__name__)
_LEASE = "watch"
TICK_S = 60.0
#: Requests alarmed in one round; the oldest first, the rest in the next.
_BATCH = 200
_PENDING = (State.HELD.value, State.REVIEWING.value, State.NEED_INFO.value)


class Watch:
    """One watch for the whole back office, by a lease of its own."""

    def __init__(self, database: Database, context: Context, *, holder: str, anchor_file: Path | None) -> None:
        """Wire a watch.

        Args:
            database: The record.
            context: Configuration and time.
            holder: Unique name of this process, for the lease.
            anchor_file: Where to; None = no anchors.
        """
        self._database = database
        self._context = context
        self._holder = holder
        self._anchor_file = anchor_file
        self._signer: Signer | None = None

    def sign_with(self, signer: Signer) -> None:
        """Give the key that anchors are signed with; without one there are none."""
        self._signer = signer

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                try:
                    await self.round()
                except Exception:  # noqa: BLE001 - supervisor: the next round tries again
                    _log.exception("watch round failed")
                await asyncio.sleep(TICK_S)
        finally:
            await asyncio.shield(
                self._database.write(lambda session: lease.release(session, self._holder, name=_LEASE))
            )

    async def round(self) -> None:
        """Look once."""
        holding = await self._database.write(
            lambda session: lease.hold(session, self._holder, lease_s=3 * TICK_S, now=self._context.now, name=_LEASE)
        )
        if holding is lease.Holding.NOT_OURS:
            return
        await self._database.write(lambda session: alarm_overdue(session, self._context))
        if self._anchor_file is not None and self._signer is not None:
            await self._database.run(self._anchor, self._anchor_file, self._signer)

    def _anchor(self, path: Path, signer: Signer) -> None:
        now = self._context.now
        try:
            last = anchoring.last_line(path)
            if last is not None and now() - last[0].at < anchoring.PERIOD:
                return
            with self._database.reading() as session:
                count = anchoring.append(session, path, signer, now)
            _log.info("chains anchored heads=%d", count)
        except (OSError, ValueError) as error:
            _log.warning("chains not anchored: %s", error)
            self._alarm_unanchored(str(error))

    def _alarm_unanchored(self, detail: str) -> None:
        """Alarm once a day: a file that cannot be written protects nothing."""
        event_id = f"unanchored-{self._context.now():%Y%m%d}"
        with self._database.writing() as session:
            if session.get(EventRow, event_id) is None:
                alarm(session, event_id, "chains_not_anchored", now=self._context.now, data={"detail": detail[:200]})


def alarm_overdue(session: Session, context: Context) -> int:
    """Alarm, once each, requests that wait for a person longer than the shop allows; returns how many were new."""
    limit_min = context.config.review.escalate_after_min
    before = context.now() - timedelta(minutes=limit_min)
    known = select(EventRow.refund_request_id).where(EventRow.name == "review_overdue")
    found = session.scalars(
        select(Refund)
        .where(Refund.state.in_(_PENDING), Refund.received_at <= before, Refund.refund_request_id.not_in(known))
        .order_by(Refund.received_at)
        .limit(_BATCH)
    ).all()
    for refund in found:
        data = {"detail": f"waits since {refund.received_at:%Y-%m-%d %H:%M} UTC, limit {limit_min} min"}
        event_id = f"overdue-{refund.refund_request_id}"
        alarm(session, event_id, "review_overdue", now=context.now, refund=refund, data=data)
    return len(found)
