"""What the pages around the queue show: cases, alarms, refused messages, tills."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.ingest.context import Context
from backoffice.review import Actor, approvers, bind, is_maker
from backoffice.rules import has_rank
from backoffice.store.database import Database
from backoffice.store.schema import EventRow, ManualCase, Person, Refund, RefusedBytes
from backoffice.web.facts import Detail, detail
from backoffice.web.lists import summary

#: Rows that a page shows.
LATEST = 30


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm as scripts get it.

    Attributes:
        alarm_id: The same at every reading; an older database that was put back may have lost it.
        data: What the name needs to be understood: never a payment code, never a PIN.
    """

    alarm_id: str
    name: str
    terminal_id: str
    refund_request_id: str
    data: dict[str, Any]
    at: datetime


async def open_request(database: Database, context: Context, actor: Actor, request_id: str) -> Detail | None:
    """Return a request for a page; one whose sale was unknown is looked up again first (F1)."""
    found = await database.read(lambda session: detail(session, context, actor, request_id))
    if found is None or found.sale is not None or found.is_final:
        return found
    await database.write(lambda session: bind(session, request_id))
    return await database.read(lambda session: detail(session, context, actor, request_id))


def open_cases(session: Session, context: Context, actor: Actor) -> list[dict[str, object]]:
    """Return open cases, oldest first, with what this person may do."""
    found = []
    for case in session.scalars(select(ManualCase).where(ManualCase.closed_at.is_(None)).order_by(ManualCase.case_id)):
        refund = session.get(Refund, case.refund_request_id) if case.refund_request_id else None
        is_own = refund is not None and is_maker(session, refund, actor.person_id)
        proposer = session.get(Person, case.proposed_by) if case.proposed_by else None
        involved = (*approvers(session, case.refund_request_id), case.proposed_by)
        found.append(
            {
                "case_id": case.case_id,
                "kind": case.kind,
                "detail": case.detail,
                "opened_at": case.opened_at,
                "proposal": case.proposal,
                "proposal_reason": case.proposal_reason,
                "proposer": proposer.name if proposer else "",
                "request": summary(session, context, refund) if refund else None,
                "reference": case.reference,
                "amount_minor": case.amount_minor,
                "may_act": not is_own and actor.person_id not in involved and has_rank(actor.role, "finance"),
            }
        )
    return found


def alarms(session: Session, limit: int = LATEST) -> list[Alarm]:
    """Return the newest alarms, newest first."""
    newest = select(EventRow).where(EventRow.is_alarm.is_(True)).order_by(EventRow.at.desc()).limit(limit)
    return [
        Alarm(
            alarm_id=row.event_id,
            name=row.name,
            terminal_id=row.terminal_id,
            refund_request_id=row.refund_request_id,
            data=row.data,
            at=row.at,
        )
        for row in session.scalars(newest)
    ]


def refused(session: Session) -> list[RefusedBytes]:
    """Return the newest refused messages."""
    return list(session.scalars(select(RefusedBytes).order_by(RefusedBytes.last_at.desc()).limit(LATEST)))
