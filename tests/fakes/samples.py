"""Requests, updates, sales and slips for tests: a test names what it is about, the rest stands."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.reasons import Phrase, Reason
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
from pos_agent.domain.sale import Sale, SaleLine
from pos_agent.domain.slip import SlipDocument, SlipKind, Text
from pos_agent.protocol.control import OutboxCounts, Status

TERMINAL_ID = "t-test-1"
START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
WECHAT_ORDER = "1025112018320000000000208907890"
_CONFIG = Path(__file__).parents[2] / "config"


class _Reasons(msgspec.Struct):
    reason: tuple[Reason, ...]


class _Phrases(msgspec.Struct):
    phrase: tuple[Phrase, ...]


#: What is shipped.
REASONS = msgspec.toml.decode((_CONFIG / "reasons.toml").read_bytes(), type=_Reasons).reason
PHRASES = msgspec.toml.decode((_CONFIG / "phrases.toml").read_bytes(), type=_Phrases).phrase


def order_reference(order_no: str = WECHAT_ORDER) -> OriginalReference:
    """Return the reference that scanning this merchant order number makes."""
    return OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, order_no)


def make_request(number: int = 1, *, order_no: str = "", **changes: Any) -> RefundRequest:
    """Return a request for a full refund of 128.00 by WeChat, whose id and order number are made from `number`."""
    order_no = order_no or f"ORDER{number:08d}"
    values: dict[str, Any] = {
        "refund_request_id": make_refund_request_id(number),
        "terminal_id": TERMINAL_ID,
        "merchant_id": "m-1",
        "operator_no": "01",
        "created_at": START,
        "is_clock_trusted": True,
        "boot_id": "boot-1",
        "entry": Entry.SCANNED,
        "original_reference": order_reference(order_no),
        "reference_tail": order_no[-6:],
        "channel": Channel.WECHAT,
        "refund_type": RefundType.FULL,
        "amount_minor": 12_800,
        "currency": "CNY",
        "reason_code": "R01",
        "policy_version": "default-1",
        "seq": 0,
    }
    return RefundRequest(**{**values, **changes})


def make_update(
    refund_request_id: str, state: RefundState = RefundState.REVIEWING, *, epoch: int = 1, seq: int = 1, **changes: Any
) -> RefundUpdate:
    """Return a statement of the back office."""
    values: dict[str, Any] = {
        "refund_request_id": refund_request_id,
        "state": state,
        "epoch": epoch,
        "seq": seq,
        "money_moved": MoneyMoved.YES if state is RefundState.SUCCEEDED else MoneyMoved.NO,
        "at": START,
    }
    return RefundUpdate(**{**values, **changes})


def make_slip(refund_request_id: str, kind: SlipKind = SlipKind.REQUEST_MERCHANT, copy_no: int = 0) -> SlipDocument:
    """Return a slip of one line."""
    return SlipDocument(kind=kind, blocks=(Text("退款申请单"),), refund_request_id=refund_request_id, copy_no=copy_no)


def make_sale(**changes: Any) -> Sale:
    """Return a WeChat sale of 128.00, all of it left."""
    values: dict[str, Any] = {
        "sale_id": "s1",
        "order_no": WECHAT_ORDER,
        "channel": Channel.WECHAT,
        "acquirer_id": "chinaums",
        "acquirer_name": "银联商务",
        "paid_at": datetime(2026, 11, 20, 10, 32, tzinfo=UTC),
        "paid_minor": 12800,
        "refunded_minor": 0,
        "reserved_minor": 0,
        "refundable_minor": 12800,
        "lines": (SaleLine(1, "苹果", 2, 12800),),
    }
    return Sale(**{**values, **changes})


def make_status(**changes: Any) -> Status:
    """Return what the daemon of a healthy till says of itself."""
    values: dict[str, Any] = {
        "terminal_id": "t-1",
        "version": "0",
        "pid": 1,
        "boot_id": "b",
        "uptime_s": 1.0,
        "workflow_state": "MENU",
        "view": "menu",
        "locale": "zh-CN",
        "is_training": False,
        "is_broker_connected": True,
        "is_back_office_present": True,
        "is_clock_trusted": True,
        "outbox": OutboxCounts(),
        "printer_jobs": 0,
        "devices": (),
    }
    return Status(**{**values, **changes})
