"""The executor's loop: claim, call, record; query what is open. It sleeps until there is something to do."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from backoffice import restoring
from backoffice.execution import answers, lease, steps, verification
from backoffice.execution.contract import Adapter, Outcome, RefundOrder
from backoffice.ingest.context import Context
from backoffice.store.database import Database

_log = logging.getLogger(__name__)


class Executor:
    """Executes approved refunds, one executor for the whole back office."""

    def __init__(
        self,
        database: Database,
        context: Context,
        adapters: Mapping[str, Adapter],
        *,
        holder: str,
        on_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Wire an executor.

        Args:
            database: The record.
            context: Configuration, time, randomness.
            adapters: By acquirer id.
            holder: Unique name of this process, for the lease.
            on_changed: Called when states changed that tills must hear of.
        """
        self._database = database
        self._context = context
        self._adapters = adapters
        self._holder = holder
        self._wake = asyncio.Event()
        self._is_recovery_due = True
        self._renew_at_s = float("-inf")
        self._on_changed = on_changed

    def wake(self) -> None:
        """Look for work now: something was approved, topped up or changed."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                wait_s = await self._round_safely()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
        finally:
            # Shielded: a cancelled executor still gives the lease back.
            await asyncio.shield(self._database.write(lambda session: lease.release(session, self._holder)))

    async def _round_safely(self) -> float:
        """Run one round; after a failure, such as a database that is away, try again after a third of the lease."""
        lease_s = self._context.config.execution.lease_s
        try:
            due_s = await self.round()
        except Exception:  # noqa: BLE001 - supervisor: whatever failed, the next round recovers and goes on
            _log.exception("executor round failed")
            return lease_s / 3
        return lease_s / 3 if due_s is None else min(due_s, lease_s / 3)

    async def round(self) -> float | None:
        """Do what is due now; returns seconds until the next planned thing, None if nothing is planned."""
        context, database = self._context, self._database
        lease_s = context.config.execution.lease_s
        holding = await self._hold(lease_s)
        if holding is lease.Holding.NOT_OURS:
            return None
        if holding is lease.Holding.TAKEN or self._is_recovery_due:
            found = await database.write(lambda session: steps.recover(session, context))
            if found:
                _log.warning("found open attempts count=%d", found)
        # Stays set if this round fails: an attempt whose answer was not recorded is open, as after a crash.
        self._is_recovery_due = True
        questions = await database.read(lambda session: verification.questions(session, context))
        if questions is not None:
            return await self._verify(questions)
        worked = await self._execute() + await self._query()
        self._is_recovery_due = False
        if worked:
            self._on_changed()
            return 0.0
        return await database.read(lambda session: steps.next_due_s(session, context))

    async def _hold(self, lease_s: float) -> lease.Holding:
        """Take or renew the lease; what was renewed within the last third of its time is not written again.

        A round follows each batch of messages: one more commit for each of them would halve what ingest can take.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s < self._renew_at_s:
            return lease.Holding.KEPT
        self._renew_at_s = float("-inf")
        holding = await self._database.write(
            lambda session: lease.hold(session, self._holder, lease_s=lease_s, now=self._context.now)
        )
        if holding is not lease.Holding.NOT_OURS:
            self._renew_at_s = now_s + lease_s / 3
        return holding

    async def _verify(self, questions: list[verification.Question]) -> float:
        """Ask about refunds after a restore; returns seconds until the next look."""
        self._is_recovery_due = False
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._verify_one(each), name="verify") for each in questions]
        answered = sum(task.result() for task in tasks)
        is_over = await self._database.write(lambda session: restoring.finish_if_done(session, self._context))
        if answered or is_over:
            self._on_changed()
        return 0.0 if is_over or answered == verification.BATCH else self._context.config.execution.poll_s

    async def _verify_one(self, question: verification.Question) -> bool:
        """Ask every acquirer that may know the refund; the first that does is believed."""
        context, found = self._context, None
        for acquirer_id, number in question.numbers:
            adapter = self._adapters.get(acquirer_id)
            if adapter is None:
                continue
            answer = await adapter.query(number)
            _log.info("refund verified request=%s outcome=%s", question.refund_request_id, answer.outcome)
            found = (acquirer_id, answer)
            if answer.outcome is not Outcome.NOT_FOUND:
                break
        if found is None:
            request_id = question.refund_request_id
            await self._database.write(lambda session: verification.note_no_acquirer(session, context, request_id))
            return True
        return await self._database.write(lambda session: verification.record(session, context, question, *found))

    async def _execute(self) -> int:
        found = await self._database.read(lambda session: steps.candidates(session, self._context))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._execute_one(each), name="execute") for each in found]
        if found:
            self._on_changed()
        return sum(task.result() for task in tasks)

    async def _execute_one(self, candidate: steps.Candidate) -> int:
        adapter = self._adapters.get(candidate.acquirer_id)
        if adapter is None:
            return 0
        total = await adapter.refunded_minor(candidate.sale_ref)
        order = await self._database.write(
            lambda session: steps.claim(session, self._context, candidate.refund_request_id, total)
        )
        if order is None:
            return 0
        await self._call(adapter, order)
        return 1

    async def _call(self, adapter: Adapter, order: RefundOrder) -> None:
        self._on_changed()
        answer = await adapter.refund(order)
        _log.info(
            "refund called request=%s attempt=%d outcome=%s", order.refund_request_id, order.attempt, answer.outcome
        )
        await self._database.write(lambda session: answers.record_call(session, self._context, order, answer))

    async def _query(self) -> int:
        due = await self._database.read(lambda session: steps.due_queries(session, self._context))
        async with asyncio.TaskGroup() as group:
            for query in due:
                group.create_task(self._query_one(query), name="query")
        return len(due)

    async def _query_one(self, query: steps.Query) -> None:
        adapter = self._adapters.get(query.acquirer_id)
        if adapter is None:
            return
        answer = await adapter.query(query.refund_no)
        _log.info("refund queried request=%s outcome=%s", query.refund_request_id, answer.outcome)
        order = await self._database.write(
            lambda session: answers.record_query(session, self._context, query.refund_request_id, answer)
        )
        if order is not None:
            await self._call(adapter, order)
