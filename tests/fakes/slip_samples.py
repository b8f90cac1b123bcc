"""A request, its updates and a slip maker, with all that a slip can show."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from pos_agent.domain.config import PolicyConfig, PrintingConfig, TerminalConfig
from pos_agent.domain.reasons import Reason
from pos_agent.domain.refund import MoneyMoved, RefundRequest, RefundState, RefundType, RefundUpdate
from pos_agent.domain.slip import Row, SlipDocument, Text
from pos_agent.printing.slips import SlipMaker
from tests.fakes.samples import make_request, make_update

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
REQUEST = make_request(
    order_no="20261120183200123456789012907890",
    refund_request_id=REQUEST_ID,
    terminal_id=TERMINAL.terminal_id,
    merchant_id=TERMINAL.merchant_id,
    created_at=AT,
    refund_type=RefundType.PARTIAL,
    amount_minor=300,
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
    values: dict[str, Any] = {"seq": 4, "money_moved": MoneyMoved.UNKNOWN, "at": AT}
    return make_update(REQUEST_ID, state, **{**values, **changes})


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
