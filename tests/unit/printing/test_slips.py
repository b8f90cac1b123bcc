"""What stands on paper (payments.md section 4), and that it was true (I9)."""

from datetime import timedelta

import pytest

from drivers.escpos.encoder import encode
from drivers.escpos.profile import Profile
from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.refund import Channel, OriginalReference, ReferenceKind, RefundState, RefundType
from pos_agent.domain.slip import Barcode, Cut, Row, SlipDocument, SlipKind, Text
from pos_agent.printing.slips import shown_reference
from pos_agent.workflow.ports import SlipPort
from tests.fakes.slip_samples import AT, REQUEST_ID, maker, request, update, words


def merchant_slip(**changes: object) -> SlipDocument:
    return maker().request_slips(request(**changes))[0]


def customer_slip(**changes: object) -> SlipDocument:
    return maker().request_slips(request(**changes))[1]


def result(state: RefundState, **changes: object) -> SlipDocument:
    made = maker().result_slip(request(), update(state, **changes))
    assert made is not None
    return made


def test_slip_maker_is_a_slip_port() -> None:
    port: SlipPort = maker()
    assert [slip.kind for slip in port.request_slips(request())] == [
        SlipKind.REQUEST_MERCHANT,
        SlipKind.REQUEST_CUSTOMER,
    ]


def test_request_slips_come_in_the_configured_numbers() -> None:
    kinds = [slip.kind for slip in maker(copies_merchant=2, copies_customer=0).request_slips(request())]
    assert kinds == [SlipKind.REQUEST_MERCHANT] * 2


def test_request_slip_has_the_fields_in_order() -> None:
    assert words(merchant_slip()) == [
        "退款申请单",
        "REFUND REQUEST",
        "商户存根 MERCHANT COPY",
        "商户名称 MERCHANT|好味道面馆",
        "门店 STORE|人民路店",
        "商户编号 MERCHANT NO.|102100058120001",
        "终端编号 TERMINAL NO.|t-demo-01",
        "操作员号 OPERATOR NO.|01",
        "收单机构 ACQUIRER|lakala",
        "交易类型 TRANS TYPE|退货/REFUND 部分 PARTIAL",
        "日期时间 DATE/TIME|2026-11-23 14:05:22",
        "原交易渠道 CHANNEL|微信支付 WeChat Pay",
        "原交易单号 ORIGINAL NO.|20261120183200123456789012907890",
        "原交易金额 PAID|RMB 10.00",
        "退款金额 AMOUNT",
        "RMB 3.00",
        "人民币 叁元整",
        "原因 REASON|顾客不想要 Changed mind",
        "申请号 REQUEST NO.",
        "9812 3456 7890 1234 5678 15",
        "状态 STATUS|2026-11-23 14:05:22",
        "申请已保存 待上传",
        "REQUEST SAVED, NOT YET SENT",
        "非到账凭证,审核通过后原路退回",
        "NOT A PROOF OF PAYMENT. Paid back the original way after review.",
        "顾客签名 CUSTOMER SIGNATURE:",
        "商户签名 MERCHANT SIGNATURE:",
        "退款政策 POLICY|shop-7",
        "服务电话 SERVICE|400-800-1234",
        "消费者投诉 Complaints 12315",
    ]


def test_request_slip_never_claims_more_than_saved() -> None:
    for slip in (merchant_slip(), customer_slip()):
        text = " ".join(words(slip))
        assert "已保存" in text
        assert all(word not in text for word in ("已提交", "已上传", "退款成功", "SUBMITTED"))


def test_request_slip_has_one_large_critical_amount_and_a_bar_code_and_one_cut() -> None:
    slip = customer_slip()
    large = [block for block in slip.blocks if isinstance(block, Text) and block.text == "RMB 3.00"]
    assert [(block.width, block.height, block.is_critical) for block in large] == [(2, 2, True)]
    assert [block for block in slip.blocks if isinstance(block, Barcode)] == [Barcode(REQUEST_ID)]
    assert [index for index, block in enumerate(slip.blocks) if isinstance(block, Cut)] == [len(slip.blocks) - 1]
    assert slip.refund_request_id == REQUEST_ID


def test_every_line_with_money_or_a_number_is_critical() -> None:
    for slip in (merchant_slip(), result(RefundState.SUCCEEDED, refunded_total_minor=300, refundable_minor=700)):
        for block in slip.blocks:
            if isinstance(block, Text) and ("RMB" in block.text or "9812 " in block.text or "人民币" in block.text):
                assert block.is_critical, block
            if isinstance(block, Row) and ("RMB" in block.value or ("NO." in block.label and "原" in block.label)):
                assert block.is_critical, block


def test_signature_lines_are_the_merchants_copy_only() -> None:
    assert any("SIGNATURE" in line for line in words(merchant_slip()))
    assert not any("SIGNATURE" in line for line in words(customer_slip()))


def test_reason_with_its_own_paper_words_hides_the_rest_on_both_copies() -> None:
    for slip in (merchant_slip(reason_code="R15"), customer_slip(reason_code="R15")):
        assert "原因 REASON|其他" in words(slip)
        assert not any("盗刷" in line or "fraud" in line.lower() for line in words(slip))


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"flags": ("unverified",)}, "待核实 NOT VERIFIED"),
        ({"flags": ("unreviewed",)}, "未经复核 NOT REVIEWED BY A SECOND PERSON"),
        ({"is_clock_trusted": False}, "时间未校准 CLOCK NOT SET"),
        ({"supervisor_no": "02"}, "授权主管 SUPERVISOR NO.|02"),
        ({"note": "7 尺码不合"}, "备注 NOTE|7 尺码不合"),
        ({"previous_request_id": "9800000000000000123456"}, "原申请号 PREVIOUS REQUEST|..123456"),
    ],
)
def test_fact_of_the_request_is_printed(changes: dict[str, object], mark: str) -> None:
    assert mark in words(customer_slip(**changes))
    assert mark not in words(customer_slip())


def test_training_slip_is_marked_above_and_below() -> None:
    lines = words(customer_slip(is_training=True))
    assert lines[:2] == lines[-2:] == ["演示 无效", "TRAINING - NOT VALID"]


def test_number_known_as_hash_only_shows_its_tail() -> None:
    hashed = OriginalReference(ReferenceKind.ORDER_NO_HASH, "a" * 64)
    lines = words(customer_slip(original_reference=hashed))
    assert "原交易单号 ORIGINAL NO.|尾号 ..907890" in lines
    assert not any("aaaa" in line for line in lines)


def test_card_number_shows_four_digits_and_a_reference_number_all() -> None:
    card = request(
        channel=Channel.CARD, original_reference=OriginalReference(ReferenceKind.CHANNEL_TRADE_NO, "4111111111111111")
    )
    assert shown_reference(card) == "**** 1111"
    other = request(
        channel=Channel.CARD, original_reference=OriginalReference(ReferenceKind.CHANNEL_TRADE_NO, "123456789012")
    )
    assert shown_reference(other) == "123456789012"


@pytest.mark.parametrize(
    ("state", "title", "money"),
    [
        (RefundState.SUCCEEDED, "退款成功", "已原路退回付款账户"),
        (RefundState.FAILED, "退款失败", "本次申请没有退款"),
        (RefundState.ABNORMAL, "需人工处理", "原账户无法入账,请顾客留下联系方式,由商家人工处理"),
        (RefundState.CANCELED, "申请已撤回", "本次申请没有退款"),
    ],
)
def test_result_slip_says_what_became_of_the_money(state: RefundState, title: str, money: str) -> None:
    slip = result(state)
    assert slip.kind is SlipKind.RESULT
    assert title in words(slip)
    assert money in words(slip)


def test_result_slip_shows_totals_and_arrival() -> None:
    lines = words(
        result(RefundState.SUCCEEDED, refunded_total_minor=300, refundable_minor=700, arrival="微信零钱 20 分钟内")
    )
    assert "累计已退 REFUNDED|RMB 3.00" in lines
    assert "剩余可退 REMAINING|RMB 7.00" in lines
    assert "到账说明 ARRIVAL: 微信零钱 20 分钟内" in lines


def test_reject_slip_has_reason_phone_and_hotline() -> None:
    slip = result(RefundState.REJECTED, reason="超过退款期限")
    assert slip.kind is SlipKind.REJECT
    assert {"说明 REASON: 超过退款期限", "服务电话 SERVICE|400-800-1234", "消费者投诉 Complaints 12315"} <= set(
        words(slip)
    )
    assert "本次申请没有退款,原交易不变" in words(slip)


def test_result_sentence_of_any_length_is_limited() -> None:
    lines = words(result(RefundState.REJECTED, reason="长" * 5000))
    assert max(map(len, lines)) < 320


@pytest.mark.parametrize(
    "state",
    [
        state
        for state in RefundState
        if state.value in ("queued", "sent", "reviewing", "need_info", "executing", "unknown")
    ],
)
def test_state_that_is_no_result_prints_nothing(state: RefundState) -> None:
    assert maker(result_slip="always").result_slips(request(), update(state), now=AT) == ()


@pytest.mark.parametrize(
    ("rule", "age_s", "count"),
    [
        ("window", 0, 1),
        ("window", 600, 1),
        ("window", 601, 0),
        ("window", -90, 1),
        ("always", 99_999, 1),
        ("ask", 0, 0),
        ("never", 0, 0),
    ],
)
def test_result_slips_follow_the_rule(rule: str, age_s: int, count: int) -> None:
    slips = maker(result_slip=rule).result_slips(
        request(), update(RefundState.SUCCEEDED), now=AT + timedelta(seconds=age_s)
    )
    assert len(slips) == count


def test_copy_is_marked_above_and_below_and_again_only_once() -> None:
    original = customer_slip()
    once = maker().copy(original, 1)
    twice = maker().copy(once, 2)
    assert once.copy_no == 1
    assert words(once) == ["重打印凭证 DUPLICATED COPY 1", *words(original), "重打印凭证 DUPLICATED COPY 1"]
    assert words(twice) == ["重打印凭证 DUPLICATED COPY 2", *words(original), "重打印凭证 DUPLICATED COPY 2"]
    assert isinstance(twice.blocks[-1], Cut)


def test_policy_slip_has_text_version_and_law() -> None:
    lines = words(maker().policy_slip())
    assert {"质量问题七日内可退。", "Defects: 7 days.", "政策版本 VERSION|shop-7"} <= set(lines)
    assert any("第二十四条" in line for line in lines)


def test_longest_names_and_amounts_fit_both_papers() -> None:
    terminal = TerminalConfig(terminal_id="t-1", merchant_id="1" * 15, merchant_name="店" * 40)
    slips = maker(terminal=terminal).request_slips(
        request(amount_minor=999_999_999, refund_type=RefundType.FULL, paid_minor=999_999_999)
    )
    for width in (576, 384):
        for slip in slips:
            assert encode(slip, Profile(name="p", width_dots=width)).endswith(b"\x1dV\x42\x00")
