"""Requests, updates and a slip maker for the tests of this folder."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from pos_agent.domain.config import PolicyConfig, PrintingConfig, TerminalConfig
from pos_agent.domain.reasons import Reason
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
from pos_agent.domain.slip import Row, SlipDocument, Text
from pos_agent.printing.slips import SlipMaker

REQUEST_ID = "9812345678901234567815"
AT = datetime(2026, 11, 23, 6, 5, 22, tzinfo=UTC)
TERMINAL = TerminalConfig(
    terminal_id="t-demo-01",
    merchant_id="102100058120001",
    merchant_name="好味道面馆",
    store_name="人民路店",
    service_phone="400-800-1234",
)
REASONS = {
    "R07": Reason(code="R07", zh="顾客不想要", en="Changed mind"),
    "R15": Reason(code="R15", zh="疑似盗刷", en="Suspected fraud", slip_zh="其他"),
}
REQUEST = RefundRequest(
    refund_request_id=REQUEST_ID,
    terminal_id="t-demo-01",
    merchant_id="102100058120001",
    operator_no="01",
    created_at=AT,
    is_clock_trusted=True,
    boot_id="b",
    entry=Entry.SCANNED,
    original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "20261120183200123456789012907890"),
    reference_tail="907890",
    channel=Channel.WECHAT,
    refund_type=RefundType.PARTIAL,
    amount_minor=300,
    currency="CNY",
    reason_code="R07",
    policy_version="shop-7",
    seq=1,
    acquirer_id="lakala",
    paid_minor=1000,
)


def maker(*, terminal: TerminalConfig = TERMINAL, **printing: object) -> SlipMaker:
    return SlipMaker(
        terminal,
        PolicyConfig(version="shop-7", text_zh="质量问题七日内可退。", text_en="Defects: 7 days."),
        msgspec.convert(printing, PrintingConfig),
        REASONS,
        zone=ZoneInfo("Asia/Shanghai"),
    )


def request(**changes: object) -> RefundRequest:
    return msgspec.structs.replace(REQUEST, **changes)


def update(state: RefundState, **changes: object) -> RefundUpdate:
    made = RefundUpdate(
        refund_request_id=REQUEST_ID, state=state, epoch=1, seq=4, money_moved=MoneyMoved.UNKNOWN, at=AT
    )
    return msgspec.structs.replace(made, **changes)


def words(document: SlipDocument) -> list[str]:
    """Return the text of a slip, a block a line; rows as "label|value"."""
    found = []
    for block in document.blocks:
        match block:
            case Text():
                found.append(block.text)
            case Row():
                found.append(f"{block.label}|{block.value}")
    return found
