"""A question and its answer for approval by QR code."""

from typing import Any

from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.refund import OriginalReference, ReferenceKind
from pos_agent.protocol import approval
from pos_agent.protocol.ed25519 import PrivateKey

DEVICE, OFFICE = PrivateKey.generate(), PrivateKey.generate()
DEVICE_KEYS, OFFICE_KEYS = {"d1": DEVICE.public_key()}, {"bo-1": OFFICE.public_key()}
SALE = OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "1025112018320000000000208907890")
#: What question and answer both say.
_ASKED: dict[str, Any] = {
    "terminal_id": "t-shop-01",
    "boot_id": "0e8c4a2e-93b5-4b52-9c57-0a1b2c3d4e5f",
    "refund_request_id": "9812345678901234567815",
    "nonce": "0123456789abcdef",
    "amount_minor": 32800,
    "currency": "CNY",
}


def question(**fields: Any) -> ApprovalQuestion:
    values: dict[str, Any] = {
        **_ASKED,
        "operator_no": "01",
        "reason_code": "R01",
        "reference": SALE,
        "sale_id": "s-000001",
    }
    return ApprovalQuestion(**{**values, **fields})


def answer(**fields: Any) -> ApprovalAnswer:
    values: dict[str, Any] = {
        **_ASKED,
        "sale": "s-000001",
        "person_id": "wang",
    }
    return ApprovalAnswer(**{**values, **fields})


def asked(one: ApprovalQuestion) -> str:
    return approval.write_question(one, kid="d1", key=DEVICE)


def answered(one: ApprovalAnswer) -> str:
    return approval.write_answer(one, kid="bo-1", key=OFFICE)
