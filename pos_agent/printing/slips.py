"""Facts → slip documents. Pure.

Every slip says what was true when it was made, and when that was (I9). Masking: of anything that may be a card number
the last four digits; wallet accounts and payment codes never appear (payments.md section 4, PCI DSS 4.0 item 3.4.1).
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo

import msgspec

from pos_agent.domain.approval import ApprovalQuestion
from pos_agent.domain.config import PolicyConfig, PrintingConfig, TerminalConfig
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.money import capitals, format_amount
from pos_agent.domain.reasons import Reason
from pos_agent.domain.refund import Channel, ReferenceKind, RefundRequest, RefundState, RefundType, RefundUpdate
from pos_agent.domain.shift import ShiftFacts
from pos_agent.domain.slip import Align, Barcode, Block, Cut, Feed, Row, Rule, SlipDocument, SlipKind, Text
from pos_agent.printing import approval, shift, wording

#: A result younger than this, seen from its request, prints by itself under ``result_slip = "window"``.
RESULT_WINDOW_S = 600
#: Longest sentence of the back office that is printed; longer ones are cut with a mark.
MAX_SENTENCE = 300


class SlipMaker:
    """Makes all slips of one till; implements `pos_agent.workflow.ports.SlipPort`.

    Args:
        terminal: Who prints.
        policy: Version and text of the refund policy.
        printing: Copies and the rule for result slips.
        reasons: By code.
        zone: Time zone of the shop; None = the machine's.
    """

    def __init__(
        self,
        terminal: TerminalConfig,
        policy: PolicyConfig,
        printing: PrintingConfig,
        reasons: Mapping[str, Reason],
        *,
        zone: tzinfo | None = None,
    ) -> None:
        self._terminal = terminal
        self._policy = policy
        self._printing = printing
        self._reasons = reasons
        self._zone = zone

    def request_slips(self, request: RefundRequest) -> tuple[SlipDocument, ...]:
        """Return the merchant's and the customer's request slips, as many of each as the config says."""
        merchant = self._request_slip(request, SlipKind.REQUEST_MERCHANT)
        customer = self._request_slip(request, SlipKind.REQUEST_CUSTOMER)
        return (merchant,) * self._printing.copies_merchant + (customer,) * self._printing.copies_customer

    def result_slips(self, request: RefundRequest, update: RefundUpdate, *, now: datetime) -> tuple[SlipDocument, ...]:
        """Return what prints by itself when `update` arrives: at most one slip.

        Args:
            request: As committed.
            update: The back office's statement.
            now: Wall time, for the window; a clock that stands before the request is inside it.
        """
        rule = self._printing.result_slip
        is_inside = (now - request.created_at).total_seconds() <= RESULT_WINDOW_S
        if not (rule == "always" or (rule == "window" and is_inside)):
            return ()
        slip = self.result_slip(request, update)
        return () if slip is None else (slip,)

    def result_slip(self, request: RefundRequest, update: RefundUpdate) -> SlipDocument | None:
        """Return the slip of a result, on demand; None for a state that is no result yet."""
        if update.state not in wording.RESULTS:
            return None
        title, title_en, money, money_en = wording.RESULTS[update.state]
        body: list[Block] = [
            *_titles(title, title_en, ""),
            *self._head(request),
            Row("结果时间 RESULT TIME", self._local(update.at)),
            *self._original(request),
            *_amount(request),
            Text(money, bold=True, is_critical=True),
            Text(money_en),
            *_outcome(update, request.currency),
            *_number(request),
            *self._foot(request),
        ]
        kind = SlipKind.REJECT if update.state is RefundState.REJECTED else SlipKind.RESULT
        return _document(kind, request, body)

    def copy(self, document: SlipDocument, copy_no: int) -> SlipDocument:
        """Return the same slip marked as copy number `copy_no`, above and below."""
        return mark_copy(document, copy_no)

    def policy_slip(self) -> SlipDocument:
        """Return the refund policy as a slip: text, version, the law's lines."""
        texts = [text for text in (self._policy.text_zh, self._policy.text_en) if text]
        body: list[Block] = [
            *_titles("退款政策", "REFUND POLICY", ""),
            Row("商户名称 MERCHANT", self._terminal.merchant_name),
            Row("政策版本 VERSION", self._policy.version),
            Row("退款期限 WINDOW", f"{self._policy.window_days} 天 days"),
            Rule(),
            *(Text(text) for text in texts or ["请向商家询问 Please ask the shop"]),
            Rule(),
            *(Text(line) for line in wording.LAW_LINES),
            *self._service(),
            Cut(),
        ]
        return SlipDocument(kind=SlipKind.POLICY, blocks=tuple(body))

    def shift_slip(self, facts: ShiftFacts) -> SlipDocument:
        """Return the slip of a closed shift: counts and sums by state, the head of the audit chain (I6)."""
        return shift.shift_slip(facts, self._terminal, zone=self._zone)

    def approval_slip(self, question: ApprovalQuestion, code: str, at: datetime) -> SlipDocument:
        """Return the slip with the QR code of an approval question (ADR 0024)."""
        return approval.approval_slip(question, code, self._terminal, at=at, local=self._local)

    # -- parts --------------------------------------------------------------------------------------------------

    def _request_slip(self, request: RefundRequest, kind: SlipKind) -> SlipDocument:
        is_merchants = kind is SlipKind.REQUEST_MERCHANT
        body: list[Block] = [
            *_titles("退款申请单", "REFUND REQUEST", wording.MERCHANT_COPY if is_merchants else wording.CUSTOMER_COPY),
            *self._head(request),
            *self._original(request),
            *_amount(request),
            Row("原因 REASON", self._reason(request)),
        ]
        if request.note:
            body.append(Row("备注 NOTE", request.note))
        body += [
            *_number(request),
            Row("状态 STATUS", self._local(request.created_at)),
            *(Text(line, align=Align.CENTER, bold=True, is_critical=True) for line in wording.SAVED),
            *(Text(line, is_critical=True) for line in wording.NOT_PROOF),
        ]
        if is_merchants:
            body += [*_signature("顾客签名 CUSTOMER SIGNATURE"), *_signature("商户签名 MERCHANT SIGNATURE")]
        return _document(kind, request, [*body, *self._foot(request)])

    def _head(self, request: RefundRequest) -> list[Block]:
        rows = [
            ("商户名称 MERCHANT", self._terminal.merchant_name),
            ("门店 STORE", self._terminal.store_name),
            ("商户编号 MERCHANT NO.", request.merchant_id),
            ("终端编号 TERMINAL NO.", request.terminal_id),
            ("操作员号 OPERATOR NO.", request.operator_no),
            ("授权主管 SUPERVISOR NO.", request.supervisor_no or ""),
            ("远程授权 APPROVED BY", request.approval.person_id if request.approval is not None else ""),
            ("收单机构 ACQUIRER", request.acquirer_id or ""),
            ("交易类型 TRANS TYPE", wording.TYPES[request.refund_type]),
            ("日期时间 DATE/TIME", self._local(request.created_at)),
        ]
        marks = [mark for flag, mark in wording.FLAG_MARKS.items() if flag in request.flags]
        if not request.is_clock_trusted and "clock_untrusted" not in request.flags:
            marks.append(wording.FLAG_MARKS["clock_untrusted"])
        return [Rule(), *(Row(label, value) for label, value in rows if value), *(Text(m, bold=True) for m in marks)]

    def _original(self, request: RefundRequest) -> list[Block]:
        rows = [
            Row("原交易渠道 CHANNEL", wording.CHANNELS[request.channel]),
            Row("原交易单号 ORIGINAL NO.", shown_reference(request), is_critical=True),
        ]
        if request.paid_minor is not None:
            paid = _figures(request.paid_minor, request.currency)
            rows.append(Row("原交易金额 PAID", paid, is_critical=True))
        if request.previous_request_id:
            rows.append(Row("原申请号 PREVIOUS REQUEST", f"..{request.previous_request_id[-6:]}"))
        return [Rule(), *rows]

    def _reason(self, request: RefundRequest) -> str:
        reason = self._reasons.get(request.reason_code)
        if reason is None:
            return request.reason_code
        # A reason with its own words for paper hides what the customer must not read (R15).
        return reason.slip_zh or f"{reason.zh} {reason.en}"

    def _foot(self, request: RefundRequest) -> list[Block]:
        return [Rule(), Row("退款政策 POLICY", request.policy_version), *self._service()]

    def _service(self) -> list[Block]:
        phone = self._terminal.service_phone
        return [*([Row("服务电话 SERVICE", phone)] if phone else []), Text(wording.COMPLAINT_LINE)]

    def _local(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")


def mark_copy(document: SlipDocument, copy_no: int) -> SlipDocument:
    """Return the same slip marked 重打印凭证 DUPLICATED COPY n above and below; an older mark is replaced."""
    old = _copy_mark(document.copy_no)
    blocks = [block for block in document.blocks if not (document.copy_no and block == old)]
    mark = _copy_mark(copy_no)
    end = len(blocks) - 1 if blocks and isinstance(blocks[-1], Cut) else len(blocks)
    marked = (mark, *blocks[:end], mark, *blocks[end:])
    return msgspec.structs.replace(document, blocks=marked, copy_no=copy_no)


def shown_reference(request: RefundRequest) -> str:
    """Return the number of the original sale as paper may show it.

    A number that was sent as a hash only, because it may have been a payment code, shows its tail; one that may be a
    card number shows its last four digits.
    """
    reference = request.original_reference
    if reference.kind is ReferenceKind.ORDER_NO_HASH:
        return f"尾号 ..{request.reference_tail}"
    if request.channel is Channel.CARD and _may_be_card_number(reference.value):
        return f"**** {reference.value[-4:]}"
    return reference.value


def _may_be_card_number(number: str) -> bool:
    """Return True for 13 … 19 digits with a right Luhn check. Source: ISO/IEC 7812-1:2017, annex B."""
    if not (13 <= len(number) <= 19 and number.isascii() and number.isdigit()):
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0


def _copy_mark(copy_no: int) -> Text:
    return Text(f"重打印凭证 DUPLICATED COPY {copy_no}", align=Align.CENTER, bold=True, is_critical=True)


def _document(kind: SlipKind, request: RefundRequest, body: list[Block]) -> SlipDocument:
    """Close a body with the training marks and the cut."""
    if request.is_training:
        zh, en = wording.TRAINING_MARK
        mark: list[Block] = [
            Text(zh, align=Align.CENTER, width=2, height=2, bold=True, is_critical=True),
            Text(en, align=Align.CENTER, bold=True),
        ]
        body = [*mark, *body, *mark]
    return SlipDocument(kind=kind, blocks=(*body, Cut()), refund_request_id=request.refund_request_id)


def _titles(zh: str, en: str, copy_mark: str) -> list[Block]:
    titles: list[Block] = [
        Text(zh, align=Align.CENTER, width=2, height=2, bold=True),
        Text(en, align=Align.CENTER, bold=True),
    ]
    return [*titles, Text(copy_mark, align=Align.CENTER)] if copy_mark else titles


def _amount(request: RefundRequest) -> list[Block]:
    label = "优惠券面额 COUPON" if request.refund_type is RefundType.COUPON else "退款金额 AMOUNT"
    figures = _figures(request.amount_minor, request.currency)
    blocks: list[Block] = [Rule(), Text(label), Text(figures, width=2, height=2, bold=True, is_critical=True)]
    if request.currency == "CNY":
        blocks.append(Text(f"人民币 {capitals(request.amount_minor)}", is_critical=True))
    return [*blocks, Rule()]


def _figures(amount_minor: int, currency: str) -> str:
    """Return "RMB 12.34": the currency in letters, which every code page has."""
    return f"{'RMB' if currency == 'CNY' else currency} {format_amount(amount_minor)}"


def _outcome(update: RefundUpdate, currency: str) -> list[Block]:
    rows: list[Block] = []
    if update.reason:
        rows.append(Text(f"说明 REASON: {_sentence(update.reason)}"))
    if update.arrival:
        rows.append(Text(f"到账说明 ARRIVAL: {_sentence(update.arrival)}"))
    if update.refunded_total_minor is not None:
        rows.append(Row("累计已退 REFUNDED", _figures(update.refunded_total_minor, currency), is_critical=True))
    if update.refundable_minor is not None:
        rows.append(Row("剩余可退 REMAINING", _figures(update.refundable_minor, currency), is_critical=True))
    return rows


def _number(request: RefundRequest) -> list[Block]:
    number = request.refund_request_id
    return [
        Rule(),
        Text("申请号 REQUEST NO."),
        Text(grouped(number), align=Align.CENTER, is_critical=True),
        Barcode(number),
        Feed(1),
    ]


def _signature(label: str) -> list[Block]:
    return [Text(f"{label}:"), Feed(2), Rule()]


def _sentence(text: str) -> str:
    return text if len(text) <= MAX_SENTENCE else text[: MAX_SENTENCE - 1] + "…"
