"""The bugs, each as people make it. Attribute names are the product's own; a renamed one fails the test of its bug."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any, Final

from hil.chaos.planted.hook import Patches

#: What a bug puts off is put off this long: kills come every few seconds.
_LATER_S = 2.0


def _ack_before_commit(module: Any) -> None:
    """The back office answers, and stores later."""
    store = module.Receiver.receive

    def receive(self: Any, batch: Any) -> Any:
        replies: list[Any] = []
        with self._database.writing() as session:
            for work in self._grouped(session, batch):
                replies.extend(self._perform(session, work))
            session.rollback()
        timer = threading.Timer(_LATER_S, store, (self, batch))
        timer.daemon = True
        timer.start()
        return replies

    module.Receiver.receive = receive


def _clear_on_puback(module: Any) -> None:
    """The till takes the broker's PUBACK for the back office's word."""
    judge = module.Uplink._judge
    tasks: set[Any] = set()

    def _judge(self: Any, row: Any, result: Any) -> None:
        judge(self, row, result)
        if not result.is_refused:
            task = asyncio.get_running_loop().create_task(self.take_ack(_ack(module, self, row)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    module.Uplink._judge = _judge


def _ack(module: Any, uplink: Any, row: Any) -> Any:
    from pos_agent.protocol.messages import AckStatus  # noqa: PLC0415 - after the product has begun to load

    return module.AppAckMessage(
        terminal_id=uplink._sender.terminal_id,
        refund_request_id=row.refund_request_id,
        kind=row.kind,
        rev=row.rev,
        status=AckStatus.STORED,
        epoch=1_000_000,  # whatever the journal knows
        at=uplink._clock.now(),
    )


def _key_with_rev(module: Any) -> None:
    """The back office takes a message that comes again for another request."""
    import msgspec  # noqa: PLC0415 - see above

    from pos_agent.domain.identifiers import make_refund_request_id  # noqa: PLC0415

    judge, seen = module._judge, dict[str, int]()

    def _judge(session: Any, context: Any, facts: Any, terminal: Any, message: Any, *, known: Any) -> Any:
        request_id = message.request.refund_request_id
        seen[request_id] = seen.get(request_id, 0) + 1
        if known.get(request_id):
            other = make_refund_request_id(int(request_id[2:20]) ^ seen[request_id])
            request = msgspec.structs.replace(message.request, refund_request_id=other)
            message = msgspec.structs.replace(message, request=request)
            known = {}
        return judge(session, context, facts, terminal, message, known=known)

    module._judge = _judge


def _new_refund_no(module: Any) -> None:
    """A repeated call to the acquirer has another number, and follows an unknown answer at once."""
    start, record = module.start_attempt, module.record_query

    def start_attempt(session: Any, context: Any, refund: Any, sale: Any) -> Any:
        import msgspec  # noqa: PLC0415

        order = start(session, context, refund, sale)
        if order.attempt > 1:
            refund.refund_no = f"{order.refund_no}-{order.attempt}"
            order = msgspec.structs.replace(order, refund_no=refund.refund_no)
        return order

    def record_query(session: Any, context: Any, request_id: str, answer: Any) -> Any:
        refund = module.lock_refund(session, request_id)
        if refund is not None and refund.state == "unknown" and refund.attempt == 1:
            return start_attempt(session, context, refund, module.sale_of(session, refund))
        return record(session, context, request_id, answer)

    module.start_attempt, module.record_query = start_attempt, record_query


def _synchronous_off(module: Any) -> None:
    """The journal does not wait for the disk."""
    connect = module.connect

    def _connect(*arguments: Any, **named: Any) -> Any:
        connection = connect(*arguments, **named)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    module.connect = _connect


def _no_sale_lock(module: Any) -> None:
    """Each check sees the sale as it was before the others: what a missing lock shows to two at once."""
    sums_of = module.sums_of

    def _sums_of(paid_minor: int, base_refunded_minor: int, amounts: Any, *, is_frozen: bool) -> Any:
        list(amounts)
        return sums_of(paid_minor, base_refunded_minor, [], is_frozen=is_frozen)

    module.sums_of = _sums_of


def _query_skipped(module: Any) -> None:
    """No answer is taken for a refusal."""
    record = module.record_call

    def record_call(session: Any, context: Any, order: Any, answer: Any) -> None:
        if answer.outcome is not module.Outcome.UNKNOWN:
            record(session, context, order, answer)
            return
        refund = module.lock_refund(session, order.refund_request_id)
        module.move(session, refund, module.State.FAILED, actor=module.ACTOR, now=context.now, reason="timeout")

    module.record_call = record_call


def _seq_ignored(module: Any) -> None:
    """The till believes whatever state comes last."""

    def apply(connection: Any, update: Any, slips: Any, at: Any) -> bool:
        cursor = connection.execute(
            "UPDATE refunds SET state = ?, epoch = ?, state_seq = ?, latest = ?, is_final = ?"
            " WHERE refund_request_id = ?",
            (
                str(update.state),
                update.epoch,
                update.seq,
                module._codec.encode(update),
                update.state in module.FINAL_STATES,
                update.refund_request_id,
            ),
        )
        module._jobs.add_all(connection, slips, at)
        return bool(cursor.rowcount)

    module.apply = apply


def _down_ack_before_commit(module: Any) -> None:
    """The till acknowledges a state, and commits it later."""
    take = module.Downlink._take_state
    tasks: set[Any] = set()

    async def later(self: Any, update: Any) -> None:
        await asyncio.sleep(_LATER_S)
        await take(self, update)

    async def _take_state(self: Any, update: Any) -> None:
        ack = module.StateAckMessage(
            terminal_id=self._sender.terminal_id,
            refund_request_id=update.refund_request_id,
            epoch=update.epoch,
            seq=update.seq,
            status=module.AckStatus.STORED,
        )
        await self._sender.send(module.Leaf.UP_ACK, ack)
        task = asyncio.get_running_loop().create_task(later(self, update))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    module.Downlink._take_state = _take_state


_PINS: list[str] = []


def _remember_pins(module: Any) -> None:
    verify = module._verify

    def _verify(pin_hash: str, pin: str) -> bool:
        _PINS.append(pin)
        return bool(verify(pin_hash, pin))

    module._verify = _verify


def _draft_with_pin(module: Any) -> None:
    """The draft keeps all that was typed."""
    make = module.make_draft

    def make_draft(state: Any, context: Any, moment: Any) -> Any:
        import msgspec  # noqa: PLC0415

        draft = make(state, context, moment)
        if draft is None or not _PINS:
            return draft
        kept = {**msgspec.json.decode(draft.context), "typed": _PINS[-1]}
        return msgspec.structs.replace(draft, context=msgspec.json.encode(kept))

    module.make_draft = make_draft


def _spooler_resends(module: Any) -> None:
    """A job that was under way begins again as if nothing had been printed."""

    def end_interrupted(connection: Any) -> int:
        sql = "UPDATE print_jobs SET was_started = 0 WHERE was_started = 1 AND outcome IS NULL"
        return int(connection.execute(sql).rowcount)

    module.end_interrupted = end_interrupted


def _late_job_end(module: Any) -> None:
    """Notes the end of a job later than it was, so that a cut falls between more often."""
    end = module.Spooler._end

    async def _end(self: Any, *arguments: Any, **named: Any) -> None:
        await asyncio.sleep(_LATER_S / 2)
        await end(self, *arguments, **named)

    module.Spooler._end = _end


def _stale_decision(module: Any) -> None:
    """A decision counts whatever its page showed."""
    decide, structs = module.decide, module.msgspec.structs

    def _decide(session: Any, context: Any, actor: Any, request_id: str, command: Any) -> Any:
        refund = module.lock_refund(session, request_id)
        if refund is not None:
            command = structs.replace(command, shown=module.shown_now(session, refund))
        return decide(session, context, actor, request_id, command)

    module.decide = _decide


BUGS: Final[Mapping[str, Patches]] = {
    "ack_before_commit": {"backoffice.ingest.receiver": _ack_before_commit},
    "clear_on_puback": {"pos_agent.sync.uplink": _clear_on_puback},
    "key_with_rev": {"backoffice.ingest.requests": _key_with_rev},
    "new_refund_no": {"backoffice.execution.answers": _new_refund_no},
    "synchronous_off": {"pos_agent.journal._schema": _synchronous_off},
    "no_sale_lock": {"backoffice.ledger": _no_sale_lock},
    "query_skipped": {"backoffice.execution.answers": _query_skipped},
    "seq_ignored": {"pos_agent.journal._backoffice": _seq_ignored},
    "down_ack_before_commit": {"pos_agent.sync.downlink": _down_ack_before_commit},
    "draft_with_pin": {"pos_agent.app.pins": _remember_pins, "pos_agent.workflow.drafts": _draft_with_pin},
    "spooler_resends": {"pos_agent.journal._jobs": _spooler_resends, "pos_agent.printing.spooler": _late_job_end},
    "stale_decision": {"backoffice.review": _stale_decision},
}
