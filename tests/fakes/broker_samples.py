"""Requests, updates and slips for tests of journal, sync and broker."""

import time
from datetime import UTC, datetime, timedelta

from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import (
    Channel,
    Entry,
    MoneyMoved,
    OriginalReference,
    ReferenceKind,
    RefundRequest,
    RefundState,
    RefundType,
    RefundUpdate,
)
from pos_agent.domain.slip import SlipDocument, SlipKind, Text

TERMINAL_ID = "t-test-1"
START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class ManualClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.wall = START
        self.boottime = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.boottime

    def boottime_s(self) -> float:
        return self.boottime

    def is_trusted(self) -> bool:
        return True

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boottime += seconds


class RunningClock:
    """A clock that runs, at a fixed date."""

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return time.monotonic()

    def boottime_s(self) -> float:
        return time.monotonic()

    def is_trusted(self) -> bool:
        return True


def make_request(number: int = 1, *, amount_minor: int = 12_800, terminal_id: str = TERMINAL_ID) -> RefundRequest:
    """Return a request whose id is made from `number`."""
    return RefundRequest(
        refund_request_id=make_refund_request_id(number),
        terminal_id=terminal_id,
        merchant_id="m-1",
        operator_no="01",
        created_at=START,
        is_clock_trusted=True,
        boot_id="boot-1",
        entry=Entry.SCANNED,
        original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, f"ORDER{number:08d}"),
        reference_tail=f"{number:06d}",
        channel=Channel.WECHAT,
        refund_type=RefundType.FULL,
        amount_minor=amount_minor,
        currency="CNY",
        reason_code="R01",
        policy_version="default-1",
        seq=0,
    )


def make_update(
    refund_request_id: str, state: RefundState = RefundState.REVIEWING, *, epoch: int = 1, seq: int = 1
) -> RefundUpdate:
    """Return a statement of the back office."""
    moved = MoneyMoved.YES if state is RefundState.SUCCEEDED else MoneyMoved.NO
    return RefundUpdate(
        refund_request_id=refund_request_id, state=state, epoch=epoch, seq=seq, money_moved=moved, at=START
    )


def make_slip(refund_request_id: str, kind: SlipKind = SlipKind.REQUEST_MERCHANT, copy_no: int = 0) -> SlipDocument:
    """Return a slip of one line."""
    return SlipDocument(kind=kind, blocks=(Text("退款申请单"),), refund_request_id=refund_request_id, copy_no=copy_no)
