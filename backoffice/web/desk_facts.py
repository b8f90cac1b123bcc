"""What the pages around the queue show: cases, alarms, refused messages, tills."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice import anchors
from backoffice.ingest.context import Context
from backoffice.review import Actor, approvers, bind
from backoffice.rules import has_rank
from backoffice.store.database import Database
from backoffice.store.schema import EventRow, ManualCase, OutboxRow, Person, Refund, RefusedBytes, Terminal
from backoffice.web.facts import Detail, detail, summary

_LATEST = 30


async def open_request(database: Database, context: Context, actor: Actor, request_id: str) -> Detail | None:
    """Return a request for a page; one whose sale was unknown is looked up again first (F1)."""
    found = await database.read(lambda session: detail(session, context, actor, request_id))
    if found is None or found.sale is not None or found.is_final:
        return found
    await database.write(lambda session: bind(session, request_id))
    return await database.read(lambda session: detail(session, context, actor, request_id))


def open_cases(session: Session, actor: Actor) -> list[dict[str, object]]:
    """Return open cases, oldest first, with what this person may do."""
    found = []
    for case in session.scalars(select(ManualCase).where(ManualCase.closed_at.is_(None)).order_by(ManualCase.case_id)):
        refund = session.get(Refund, case.refund_request_id) if case.refund_request_id else None
        maker = (refund.maker_person_id,) if refund else ()
        proposer = session.get(Person, case.proposed_by) if case.proposed_by else None
        involved = (*maker, *approvers(session, case.refund_request_id), case.proposed_by)
        found.append(
            {
                "case_id": case.case_id,
                "kind": case.kind,
                "detail": case.detail,
                "opened_at": case.opened_at,
                "proposal": case.proposal,
                "proposal_reason": case.proposal_reason,
                "proposer": proposer.name if proposer else "",
                "request": summary(session, refund) if refund else None,
                "reference": case.reference,
                "amount_minor": case.amount_minor,
                "may_act": actor.person_id not in involved and has_rank(actor.role, "finance"),
            }
        )
    return found


def alarms(session: Session) -> list[EventRow]:
    """Return the newest alarms."""
    return list(
        session.scalars(select(EventRow).where(EventRow.is_alarm.is_(True)).order_by(EventRow.at.desc()).limit(_LATEST))
    )


def refused(session: Session) -> list[RefusedBytes]:
    """Return the newest refused messages."""
    return list(session.scalars(select(RefusedBytes).order_by(RefusedBytes.last_at.desc()).limit(_LATEST)))


def terminals(session: Session) -> list[dict[str, object]]:
    """Return all tills with the number of states they have not acknowledged."""
    counted = select(OutboxRow.terminal_id, func.count()).group_by(OutboxRow.terminal_id)
    waiting: dict[str, int] = {}
    for terminal_id, count in session.execute(counted):
        waiting[terminal_id] = count
    heads = anchors.newest(session)
    return [
        {
            "terminal_id": terminal.terminal_id,
            "merchant_id": terminal.merchant_id,
            "is_online": terminal.is_online,
            "is_denied": terminal.is_denied,
            "is_suspect": terminal.is_suspect,
            "agent_version": terminal.agent_version,
            "last_seen_at": terminal.last_seen_at,
            "undelivered": waiting.get(terminal.terminal_id, 0),
            "audit_lines": heads[terminal.terminal_id].line if terminal.terminal_id in heads else 0,
            "audit_head": heads[terminal.terminal_id].head if terminal.terminal_id in heads else "",
        }
        for terminal in session.scalars(select(Terminal).order_by(Terminal.terminal_id))
    ]
