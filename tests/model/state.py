"""What a small world is at one moment: everything, hashable."""

from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from backoffice.config import AcquirerConfig, ReviewConfig
from backoffice.ledger import Sums
from backoffice.states import State
from pos_agent.domain.identifiers import make_refund_request_id, refund_no
from pos_agent.domain.refund import (
    Hold,
    MoneyMoved,
    RefundState,
)

T = TypeVar("T")
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
PAID_MINOR: Final = 100
IDS: Final = (make_refund_request_id(1), make_refund_request_id(2))
PROFILE: Final = AcquirerConfig(refund_no_prefix="R", idempotent_by_number=True)
REVIEW: Final = ReviewConfig()


class Row(NamedTuple):
    """A refund at the back office.

    Attributes:
        is_open: Its attempt has no recorded outcome.
        is_end_known: Its till knows an end that a restore has lost (ADR 0016).
    """

    state: State
    version: int = 1
    seq: int = 1
    hold: Hold | None = None
    is_open: bool = False
    is_end_known: bool = False


class Said(NamedTuple):
    """A state that went down, signed: it may arrive for ever."""

    state: RefundState
    seq: int
    money_moved: MoneyMoved
    was_moved: bool
    epoch: int = 1


class Page(NamedTuple):
    """What a reviewer has on the screen."""

    request: int
    version: int
    sums: Sums


class World(NamedTuple):
    """Everything, hashable.

    Attributes:
        rows: The back office's record.
        said: By request: all states that were ever sent.
        known: By request: the newest state that the till's journal holds.
        is_sent: By request: the till has recorded an attempt and sent.
        is_withdrawn: By request: the till has sent 撤回.
        pages: By reviewer.
        calls: Refund numbers on their way to the acquirer.
        waits: By request: the executor waits for the answer of a call; a crash ends that.
        ledger: (refund number, has moved) at the acquirer; a number is judged once.
        faults: Those that have happened, where each may happen once; else empty.
        copy: The record as it was copied.
        epoch: 1, and 2 after the copy was put back.
        is_restoring: Put back, and not everything is asked about yet.
        is_checked: By request: the acquirer was asked since the restore.
        is_answered: By request: its till has answered the newest state since the restore.
    """

    rows: tuple[Row | None, ...] = (None, None)
    said: tuple[frozenset[Said], ...] = (frozenset(), frozenset())
    known: tuple[Said | None, ...] = (None, None)
    is_sent: tuple[bool, ...] = (False, False)
    is_withdrawn: tuple[bool, ...] = (False, False)
    pages: tuple[Page | None, ...] = (None, None)
    calls: frozenset[str] = frozenset()
    waits: tuple[bool, ...] = (False, False)
    ledger: frozenset[tuple[str, bool]] = frozenset()
    faults: frozenset[str] = frozenset()
    copy: tuple[Row | None, ...] | None = None
    epoch: int = 1
    is_restoring: bool = False
    is_checked: tuple[bool, ...] = (False, False)
    is_answered: tuple[bool, ...] = (False, False)


def number_of(request: int) -> str:
    """Return the refund number."""
    return refund_no(PROFILE.refund_no_prefix, IDS[request])


def has_moved(world: World, request: int) -> bool:
    """Return whether the acquirer moved money for a request."""
    return any(is_moved for number, is_moved in world.ledger if IDS[request] in number)


def put(values: tuple[T, ...], index: int, *, new: T) -> tuple[T, ...]:
    return (*values[:index], new, *values[index + 1 :])
