"""The slip with an approval question (ADR 0024)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pos_agent.app.identity import ApprovalCodes
from pos_agent.app.inert import NoApprovals
from pos_agent.domain.config import PolicyConfig, PrintingConfig, TerminalConfig
from pos_agent.domain.slip import Cut, QrCode, SlipKind
from pos_agent.errors import LocalProtocolError, SignatureError
from pos_agent.printing.slips import SlipMaker
from pos_agent.protocol import approval
from pos_agent.sync.keys import SyncKeys
from tests.fakes.approval_samples import DEVICE, DEVICE_KEYS, OFFICE_KEYS, answer, answered, question

MAKER = SlipMaker(
    TerminalConfig(terminal_id="t-shop-01", merchant_id="M1", merchant_name="示例商店"),
    PolicyConfig(),
    PrintingConfig(),
    {},
    zone=timezone(timedelta(hours=8)),
)
CODES = ApprovalCodes(SyncKeys(device_key=DEVICE, device_key_id="d1", back_office=OFFICE_KEYS))
AT = datetime(2026, 11, 23, 4, 5, tzinfo=UTC)


def test_slip_carries_the_signed_question_and_says_that_nothing_was_asked_or_paid() -> None:
    slip = MAKER.approval_slip(question(), CODES.question_code(question()), AT)
    assert (slip.kind, slip.refund_request_id) == (SlipKind.APPROVAL, "")
    [code] = [block for block in slip.blocks if isinstance(block, QrCode)]
    assert approval.read_question(code.text, keys=DEVICE_KEYS) == question()
    assert (code.is_optional, code.module_dots) == (False, 4), "it fits 58 mm paper, and nothing works without it"
    words = repr(slip.blocks)
    for expected in ("NOTHING SUBMITTED, NOTHING PAID", "RMB 328.00", "示例商店", "2026-11-23 12:05:00", "..907890"):
        assert expected in words
    assert isinstance(slip.blocks[-1], Cut)


def test_slip_of_a_long_question_takes_smaller_modules() -> None:
    long = question(terminal_id="t-" + "a" * 38, sale_id="s" * 64, boot_id="b" * 64)
    [code] = [
        block for block in MAKER.approval_slip(long, CODES.question_code(long), AT).blocks if isinstance(block, QrCode)
    ]
    assert code.module_dots == 3


def test_codes_read_what_the_back_office_signed() -> None:
    assert CODES.read_answer(answered(answer())) == answer()


def test_till_without_keys_asks_nobody_and_believes_nobody() -> None:
    with pytest.raises(LocalProtocolError):
        NoApprovals().question_code(question())
    with pytest.raises(SignatureError):
        NoApprovals().read_answer(answered(answer()))
