"""The slip with an approval question: what a person elsewhere scans (ADR 0024). Pure."""

from collections.abc import Callable
from datetime import datetime

from pos_agent.domain.approval import ApprovalQuestion
from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.identifiers import tail
from pos_agent.domain.money import format_amount
from pos_agent.domain.slip import Align, Block, Cut, Row, Rule, SlipDocument, SlipKind, Text
from pos_agent.printing import wording
from pos_agent.printing.rescue import qr_code


def approval_slip(
    question: ApprovalQuestion, code: str, terminal: TerminalConfig, *, at: datetime, local: Callable[[datetime], str]
) -> SlipDocument:
    """Return the slip.

    It belongs to no request: none exists before the answer, and nobody asks for a copy of it later.

    Args:
        question: On the screen.
        code: The text of its QR code.
        terminal: Who prints.
        at: When it was asked.
        local: Writes a time in the shop's zone.
    """
    sign = "RMB" if question.currency == "CNY" else question.currency
    body: list[Block] = [
        Text("请授权退款", align=Align.CENTER, width=2, height=2, bold=True),
        Text("APPROVAL NEEDED", align=Align.CENTER, bold=True),
        *(Text(line, align=Align.CENTER, bold=True, is_critical=True) for line in wording.NOTHING_ASKED),
        Rule(),
        Row("商户名称 MERCHANT", terminal.merchant_name),
        Row("终端编号 TERMINAL NO.", question.terminal_id),
        Row("操作员号 OPERATOR NO.", question.operator_no),
        Row("日期时间 DATE/TIME", local(at)),
        Row("原交易尾号 ORIGINAL NO.", f"..{tail(question.reference.value)}"),
        Row("申请尾号 REQUEST NO.", f"..{tail(question.refund_request_id)}"),
        Text(f"{sign} {format_amount(question.amount_minor)}", width=2, height=2, bold=True, is_critical=True),
        Rule(),
        *(Text(line) for line in wording.APPROVAL_STEPS),
        qr_code(code, caption=wording.APPROVAL),
        Cut(),
    ]
    return SlipDocument(kind=SlipKind.APPROVAL, blocks=tuple(body))
