"""The shift slip: counts, sums, and a head that people can compare."""

from datetime import UTC, datetime

from drivers.escpos.encoder import encode
from drivers.escpos.profile import Profile
from pos_agent.domain.config import TerminalConfig
from pos_agent.domain.refund import RefundState
from pos_agent.domain.shift import ShiftFacts, StateSum
from pos_agent.domain.slip import Row, SlipKind, Text
from pos_agent.printing.shift import shift_slip
from pos_agent.printing.wording import STATES

AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
HEAD = "0123456789abcdef" * 4
TERMINAL = TerminalConfig(terminal_id="t-shop-01", merchant_id="M1", merchant_name="小店")


def _facts(*sums: StateSum) -> ShiftFacts:
    return ShiftFacts(
        operator_no="01",
        at=AT,
        since=None,
        first_seq=1,
        last_seq=3,
        sums=sums,
        unsent=2,
        unprinted=1,
        audit_lines=17,
        audit_head=HEAD,
    )


def test_shift_slip_has_counts_sums_and_the_whole_head() -> None:
    slip = shift_slip(_facts(StateSum(RefundState.SUCCEEDED, "CNY", 3, 123_400)), TERMINAL, zone=UTC)
    texts = [block.text for block in slip.blocks if isinstance(block, Text)]
    rows = {block.label: block.value for block in slip.blocks if isinstance(block, Row)}
    assert slip.kind is SlipKind.SHIFT
    assert rows["  x3"] == "CNY 1234.00"
    assert rows["到 TO"] == "2026-11-23 14:00:00"
    assert (rows["未上传 NOT SENT"], rows["审计行数 AUDIT LINES"]) == ("2", "17")
    assert "".join(texts).replace(" ", "").endswith(HEAD)


def test_shift_slip_without_requests_says_so() -> None:
    texts = [block.text for block in shift_slip(_facts(), TERMINAL).blocks if isinstance(block, Text)]
    assert any("没有退款申请" in text for text in texts)


def test_shift_slip_has_words_for_every_state_and_claims_payment_only_where_certain() -> None:
    assert set(STATES) == set(RefundState)
    certain = {state for state, (zh, _) in STATES.items() if "没有退款" in zh}
    assert certain == {
        RefundState.REJECTED,
        RefundState.CANCELED,
        RefundState.FAILED,
        RefundState.COUPON_ISSUED,
    }


def test_shift_slip_can_be_encoded_for_58_mm() -> None:
    slip = shift_slip(_facts(StateSum(RefundState.UNKNOWN, "CNY", 1, 1)), TERMINAL)
    assert encode(slip, Profile(name="p", width_dots=384)).endswith(b"\x1dV\x42\x00")
