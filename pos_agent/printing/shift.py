"""The shift slip: counts and sums by state, and the head of the audit chain (I6). Pure."""

from datetime import datetime, tzinfo

from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.money import format_amount
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import Align, Block, Cut, Feed, Row, Rule, SlipDocument, SlipKind, Text
from pos_agent.printing.wording import STATES


def shift_slip(facts: ShiftFacts, terminal: TerminalConfig, *, zone: tzinfo | None = None) -> SlipDocument:
    """Return the slip of a closed shift.

    The head lets anybody compare this paper with the journal (``pos-agent audit verify``) and with what the back
    office has seen (``pos-backoffice audit compare``).

    Args:
        facts: True at `facts.at`.
        terminal: Who prints.
        zone: Time zone of the shop; None = the machine's.
    """

    def local(at: datetime) -> str:
        return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")

    numbers = f"{facts.first_seq}-{facts.last_seq}" if facts.last_seq else "-"
    body: list[Block] = [
        Text("退款交班单", align=Align.CENTER, width=2, height=2, bold=True),
        Text("SHIFT REPORT", align=Align.CENTER, bold=True),
        Row("商户名称 MERCHANT", terminal.merchant_name),
        Row("终端编号 TERMINAL NO.", terminal.terminal_id),
        Row("操作员号 OPERATOR NO.", facts.operator_no),
        Row("从 FROM", local(facts.since) if facts.since else "-"),
        Row("到 TO", local(facts.at)),
        Row("申请序号 NUMBERS", numbers),
        Rule(),
        *_sums(facts),
        Rule(),
        Row("未上传 NOT SENT", str(facts.unsent), is_critical=True),
        Row("未打完 NOT PRINTED", str(facts.unprinted), is_critical=True),
        Rule(),
        Row("审计行数 AUDIT LINES", str(facts.audit_lines), is_critical=True),
        Text("审计链尾 AUDIT HEAD"),
        *(Text(part, is_critical=True) for part in _head_lines(facts.audit_head)),
        Feed(1),
        Cut(),
    ]
    return SlipDocument(kind=SlipKind.SHIFT, blocks=tuple(body))


def _sums(facts: ShiftFacts) -> list[Block]:
    if not facts.sums:
        return [Text("本班没有退款申请 No refund requests in this shift")]
    rows: list[Block] = []
    for each in facts.sums:
        zh, en = STATES[each.state]
        rows.append(Text(f"{zh} {en}"))
        rows.append(Row(f"  x{each.count}", f"{each.currency} {format_amount(each.amount_minor)}", is_critical=True))
    return rows


def _head_lines(head: str) -> tuple[str, str]:
    """Return the 64 hex digits as two lines of groups of four, which fit 32... 48 columns and can be read aloud."""
    groups = [head[start : start + 4] for start in range(0, len(head), 4)]
    half = len(groups) // 2
    return " ".join(groups[:half]), " ".join(groups[half:])
