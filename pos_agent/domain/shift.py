"""A closed shift: what its slip says. Pure."""

from datetime import datetime

import msgspec

from pos_agent.domain.refund import RefundState


class StateSum(msgspec.Struct, frozen=True):
    """Requests of one state, and how much they are worth together."""

    state: RefundState
    currency: str
    count: int
    amount_minor: int


class ShiftFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a shift slip says, true at `at`.

    Attributes:
        since: End of the shift before; None for the first.
        first_seq, last_seq: Submission numbers of the shift; 0 if there was none.
        sums: Requests of this shift by state, as of now.
        unsent: Messages of any shift that the back office has not acknowledged.
        unprinted: Print jobs that are not finished.
        audit_lines, audit_head: The chain, this shift's own line included.
    """

    operator_no: str
    at: datetime
    since: datetime | None
    first_seq: int
    last_seq: int
    sums: tuple[StateSum, ...]
    unsent: int
    unprinted: int
    audit_lines: int
    audit_head: str
