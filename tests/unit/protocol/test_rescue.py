"""The signed request as text for a QR code."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.domain.refund import (
    Channel,
    Entry,
    OriginalReference,
    ReferenceKind,
    RefundRequest,
    RefundType,
)
from pos_agent.errors import RemoteProtocolError, SignatureError
from pos_agent.protocol import rescue
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import RefundRequestMessage

KEY = PrivateKey.generate()
#: The code of `_message()` by the key of the bytes 0 … 31, as this format was first released.
GOLDEN = (
    "PR1.lKJkMal0LXNob3AtMDHE-9wAGwHECgIT7aa27Nc_CsWpdC1zaG9wLTAxok0xojAxuzIwMjYtMTEtMjNUMDQ6MDU6MDYuNzg5"
    "MDEyWsPEEA6MSi6TtUtSnFcKGyw9Tl-nc2Nhbm5lZIKka2luZLFtZXJjaGFudF9vcmRlcl9ub6V2YWx1Zb84MjAyNjExMjIxODMy"
    "MDAwMDAwMDAwMDAwMDAwMDAxpjAwMDAwMaZ3ZWNoYXSkZnVsbM0yAKNDTlmjUjAxpzIwMjYtMDHNEmeocy0wMDAwMDGpc2ltdWxh"
    "dGVkzTIAwMDAwMDEIKurq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urxECrn-COQiUUNB25zfUeb6dbK4NIojzfTHnc0U3L"
    "KQPV-hFOFDcZk5fG7ZHXluNMbHoV7V-eew2GnMWGN2XaYMAK"
)
KEYS = {"d1": KEY.public_key()}


def _message(**fields: Any) -> RefundRequestMessage:
    request = RefundRequest(
        **{
            "refund_request_id": "9812345678901234567877",
            "terminal_id": "t-shop-01",
            "merchant_id": "M1",
            "operator_no": "01",
            "created_at": datetime(2026, 11, 23, 4, 5, 6, 789012, tzinfo=UTC),
            "is_clock_trusted": True,
            "boot_id": "0e8c4a2e-93b5-4b52-9c57-0a1b2c3d4e5f",
            "entry": Entry.SCANNED,
            "original_reference": OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "8202611221832000000000000000001"),
            "reference_tail": "000001",
            "channel": Channel.WECHAT,
            "refund_type": RefundType.FULL,
            "amount_minor": 12800,
            "currency": "CNY",
            "reason_code": "R01",
            "policy_version": "2026-01",
            "seq": 4711,
            "sale_id": "s-000001",
            "acquirer_id": "simulated",
            "paid_minor": 12800,
            "audit_head": "ab" * 32,
            **fields,
        }
    )
    return RefundRequestMessage(terminal_id=request.terminal_id, request=request)


def _text(message: RefundRequestMessage) -> str:
    text = rescue.write(message, kid="d1", key=KEY)
    assert text is not None
    return text


def test_rescue_text_of_an_ordinary_request_fits_a_58_mm_slip_and_comes_back_the_same() -> None:
    message = _message()
    text = _text(message)
    assert len(text) <= 504, "version 17: 85 modules, of 4 dots with the margin 372 of 384 dots"
    assert rescue.terminal_of(text) == "t-shop-01"
    assert rescue.read(text, keys=KEYS) == message
    assert msgspec.json.encode(rescue.read(text, keys=KEYS)) == msgspec.json.encode(message)


@pytest.mark.parametrize(
    "fields",
    [
        {"flags": ("keyed", "unverified"), "note": "外包装破损", "supervisor_no": "90", "is_training": True},
        {"previous_request_id": "9800000000000000000097", "sale_id": None, "paid_minor": None},
        {"boot_id": "bench", "audit_head": "", "refund_request_id": "98"},
        {"boot_id": "0E8C4A2E-93B5-4B52-9C57-0A1B2C3D4E5F", "audit_head": "AB" * 32},
        {"refund_request_id": "0012345678901234567877"},
        {"created_at": datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=8)))},
    ],
)
def test_rescue_text_keeps_every_field_as_it_was(fields: dict[str, Any]) -> None:
    message = _message(**fields)
    read = rescue.read(_text(message), keys=KEYS)
    assert msgspec.json.encode(read) == msgspec.json.encode(message)


def test_rescue_text_ignores_what_scanners_and_mails_put_around_and_into_it() -> None:
    text = _text(_message())
    assert rescue.read(f"\n {text[:50]}\r\n{text[50:]}\r", keys=KEYS) == _message()


def test_rescue_text_that_no_printable_code_holds_is_not_made() -> None:
    assert rescue.write(_message(note="长" * 300), kid="d1", key=KEY) is None


@pytest.mark.parametrize(
    "text", ["", "PR1.", "PR1.!!!", "PR1.AAAA", "9812345678901234567877", "PR1." + "A" * 2000, "退款"]
)
def test_rescue_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        rescue.read(text, keys=KEYS)


def test_rescue_text_of_slips_in_drawers_stays_readable() -> None:
    key = PrivateKey(bytes(range(32)))
    assert rescue.read(GOLDEN, keys={"d1": key.public_key()}) == _message()
    assert rescue.write(_message(), kid="d1", key=key) == GOLDEN


def test_rescue_text_has_a_place_for_every_field_of_a_request() -> None:
    """A new field goes to the end of `FIELDS`, or it would be lost, and the slip would get no code."""
    assert set(rescue.FIELDS) == {field.name for field in msgspec.structs.fields(RefundRequest)}


def test_rescue_text_of_a_foreign_key_or_unknown_kid_is_refused() -> None:
    foreign = rescue.write(_message(), kid="d1", key=PrivateKey.generate())
    other_kid = rescue.write(_message(), kid="d9", key=KEY)
    for text in (foreign, other_kid):
        assert text is not None
        with pytest.raises(SignatureError):
            rescue.read(text, keys=KEYS)


def test_rescue_text_in_the_name_of_another_terminal_is_refused() -> None:
    kid, _, body, signature = msgspec.msgpack.decode(urlsafe_b64decode(_text(_message())[4:] + "=="))
    data = msgspec.msgpack.encode([kid, "t-shop-02", body, signature])
    text = rescue.PREFIX + urlsafe_b64encode(data).decode().rstrip("=")
    assert rescue.terminal_of(text) == "t-shop-02"
    with pytest.raises(SignatureError):
        rescue.read(text, keys=KEYS)


@settings(max_examples=60)
@given(st.integers(4, 400), st.sampled_from("ABCDabcd0123-_"))
def test_rescue_text_with_one_wrong_character_is_refused(place: int, character: str) -> None:
    text = _text(_message())
    place = 4 + place % (len(text) - 5)  # the last one may hold spare bits
    if text[place] == character:
        return
    with pytest.raises(RemoteProtocolError):
        rescue.read(text[:place] + character + text[place + 1 :], keys=KEYS)


@settings(max_examples=100)
@given(st.text(max_size=80))
def test_rescue_text_of_any_noise_is_refused(noise: str) -> None:
    with pytest.raises(RemoteProtocolError):
        rescue.read(rescue.PREFIX + noise, keys=KEYS)
