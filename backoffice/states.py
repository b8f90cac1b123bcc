"""The states of a refund in the back office, the edges between them, and what a till is told (payments.md 9b, D10).

Pure. `hold`, flags and cases say more; the edges here are all there are.
"""

from enum import StrEnum
from typing import Final

from pos_agent.domain.refund import Hold, MoneyMoved, RefundState


class State(StrEnum):
    """Where a refund stands."""

    #: Suspected duplicate, limit or terminal: another person must release it.
    HELD = "held"
    REVIEWING = "reviewing"
    NEED_INFO = "need_info"
    APPROVED = "approved"
    #: An attempt is committed; the acquirer may have been called.
    EXECUTING = "executing"
    #: Nobody knows whether money moved; only a verified answer or two persons may leave it (I4).
    UNKNOWN = "unknown"
    #: The acquirer says that the money could not reach the customer.
    ABNORMAL = "abnormal"
    #: Unknown for longer than the profile allows, or not to be repeated: two persons close it.
    MANUAL = "manual"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELED = "canceled"
    COUPON_ISSUED = "coupon_issued"
    CLOSED = "closed"


FINAL: Final = frozenset(
    {State.SUCCEEDED, State.FAILED, State.REJECTED, State.CANCELED, State.COUPON_ISSUED, State.CLOSED}
)
#: States whose amount is set aside on the sale (I2).
RESERVING: Final = frozenset(State) - FINAL
#: Settled: the amount counts as given back.
SETTLED: Final = frozenset({State.SUCCEEDED, State.COUPON_ISSUED})
#: At most one refund of a sale may be here (D11).
AT_ACQUIRER: Final = frozenset({State.EXECUTING, State.UNKNOWN})
#: The maker may still withdraw.
WITHDRAWABLE: Final = frozenset({State.HELD, State.REVIEWING, State.NEED_INFO, State.APPROVED})

_S = State
EDGES: Final[dict[State, frozenset[State]]] = {
    # To UNKNOWN: after a restore, the acquirer knows of a call that our copy of the record does not (trust.md 8).
    _S.HELD: frozenset({_S.REVIEWING, _S.REJECTED, _S.CANCELED, _S.UNKNOWN}),
    _S.REVIEWING: frozenset(
        {_S.HELD, _S.NEED_INFO, _S.APPROVED, _S.REJECTED, _S.CANCELED, _S.COUPON_ISSUED, _S.UNKNOWN}
    ),
    _S.NEED_INFO: frozenset({_S.HELD, _S.REVIEWING, _S.REJECTED, _S.CANCELED, _S.UNKNOWN}),
    _S.APPROVED: frozenset({_S.EXECUTING, _S.HELD, _S.CANCELED, _S.FAILED, _S.UNKNOWN}),
    _S.EXECUTING: frozenset({_S.EXECUTING, _S.SUCCEEDED, _S.FAILED, _S.ABNORMAL, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.EXECUTING, _S.SUCCEEDED, _S.FAILED, _S.ABNORMAL, _S.MANUAL}),
    _S.ABNORMAL: frozenset({_S.SUCCEEDED, _S.CLOSED}),
    _S.MANUAL: frozenset({_S.SUCCEEDED, _S.CLOSED}),
}
_WIRE: Final[dict[State, RefundState]] = {
    _S.HELD: RefundState.REVIEWING,
    _S.APPROVED: RefundState.REVIEWING,
    _S.MANUAL: RefundState.UNKNOWN,
}
_NOT_MOVED: Final = WITHDRAWABLE | {_S.FAILED, _S.REJECTED, _S.CANCELED, _S.COUPON_ISSUED}


class IllegalEdgeError(RuntimeError):
    """A change of state that the table does not have: a defect in our code; nothing was changed."""


def check_edge(before: State, after: State) -> None:
    """Refuse an edge that is not in the table (I5).

    Raises:
        IllegalEdgeError: Not in the table.
    """
    if after not in EDGES.get(before, frozenset()):
        raise IllegalEdgeError(f"no edge {before} -> {after}")


def wire_state(state: State) -> RefundState:
    """Return what tills call this state."""
    return _WIRE.get(state) or RefundState(state.value)


def money_moved(state: State, hold: Hold | None, closed_as: MoneyMoved | None = None) -> MoneyMoved:
    """Say whether money has moved, as of now (I9).

    EXECUTING says unknown, because the acquirer may have been called; only its own verified refusal for lack of
    merchant balance proves that nothing moved.

    Args:
        state: Where the refund stands.
        hold: Why an EXECUTING one waits.
        closed_as: With CLOSED: what the two closers found.
    """
    if state is State.SUCCEEDED:
        return MoneyMoved.YES
    if state in _NOT_MOVED or (state is State.EXECUTING and hold is Hold.MERCHANT_BALANCE):
        return MoneyMoved.NO
    if state is State.CLOSED and closed_as is not None:
        return closed_as
    return MoneyMoved.UNKNOWN
