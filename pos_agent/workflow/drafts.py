"""A refund before CONFIRM, kept for RESUME: who may be offered it, and for how long (screens.md section 3)."""

from datetime import datetime

import msgspec

from pos_agent.journal.records import Draft
from pos_agent.workflow.model import Context, RefundEntry
from pos_agent.workflow.states import DRAFT_AGE_S, RESUME_POINTS, State


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When and in which run of the machine."""

    now: datetime
    boottime_s: float
    boot_id: str


def make_draft(state: State, context: Context, moment: Moment) -> Draft | None:
    """Return the draft of the entry; None where there is nothing to keep."""
    point = RESUME_POINTS.get(state)
    if point is None or context.entry is None or not context.operator_no:
        return None
    return Draft(
        operator_no=context.operator_no,
        saved_at=moment.now,
        saved_boottime_s=moment.boottime_s,
        boot_id=moment.boot_id,
        state=point.value,
        context=msgspec.json.encode(context.entry),
    )


def offered(draft: Draft, operator_no: str, moment: Moment) -> tuple[RefundEntry, State] | None:
    """Return what may be offered to this operator, or None: another's, too old, or not readable any more.

    In the same boot powered-on time decides; after a reboot only the wall clock is left, and a clock that went back
    counts as too old. A clock without RTC stands still while the till is off, so that an older draft may be offered
    then: it costs nothing but a question. It goes to the same operator alone, nothing is sent before CONFIRM, and the
    back office checks the sale again (D9).
    """
    if draft.operator_no != operator_no or not 0 <= _age_s(draft, moment) <= DRAFT_AGE_S:
        return None
    try:
        return msgspec.json.decode(draft.context, type=RefundEntry), State(draft.state)
    except (msgspec.DecodeError, ValueError):
        return None


def _age_s(draft: Draft, moment: Moment) -> float:
    if draft.boot_id == moment.boot_id:
        return moment.boottime_s - draft.saved_boottime_s
    return (moment.now - draft.saved_at).total_seconds()
