"""Question and answer of an approval by QR code (ADR 0024, trust.md 17)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos_agent.errors import LocalProtocolError, RemoteProtocolError, SignatureError
from pos_agent.protocol import approval, rescue
from pos_agent.protocol.envelope import DOWN_TYPE, UP_TYPE
from tests.fakes.approval_samples import (
    DEVICE,
    DEVICE_KEYS,
    OFFICE,
    OFFICE_KEYS,
    answer,
    answered,
    asked,
    question,
)

_WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
_ID = st.integers(0, 10**18 - 1).map(lambda number: f"98{number:018d}42")


@settings(max_examples=40)
@given(terminal=_WORD, boot=_WORD, number=_ID, amount=st.integers(1, 999_999_999), sale=_WORD, operator=_WORD)
def test_question_comes_back_as_it_was(
    terminal: str, boot: str, number: str, amount: int, sale: str, operator: str
) -> None:
    one = question(
        terminal_id=terminal,
        boot_id=boot,
        refund_request_id=number,
        amount_minor=amount,
        sale_id=sale,
        operator_no=operator,
    )
    text = asked(one)
    assert approval.terminal_of(text) == terminal
    assert approval.read_question(text, keys=DEVICE_KEYS) == one


@settings(max_examples=40)
@given(terminal=_WORD, boot=_WORD, number=_ID, amount=st.integers(1, 999_999_999), sale=_WORD, person=_WORD)
def test_answer_comes_back_as_it_was(
    terminal: str, boot: str, number: str, amount: int, sale: str, person: str
) -> None:
    one = answer(
        terminal_id=terminal, boot_id=boot, refund_request_id=number, amount_minor=amount, sale=sale, person_id=person
    )
    assert approval.read_answer(answered(one), keys=OFFICE_KEYS) == one


@settings(max_examples=60)
@given(text=st.text(max_size=80), prefix=st.sampled_from(["", "PA1.", "PQ1.", "PR1."]))
def test_any_text_is_read_or_refused_by_name(text: str, prefix: str) -> None:
    for read, keys in ((approval.read_question, DEVICE_KEYS), (approval.read_answer, OFFICE_KEYS)):
        with pytest.raises((RemoteProtocolError, SignatureError)):
            read(prefix + text, keys=keys)


@settings(max_examples=60)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_answer_with_one_bit_turned_is_refused(place: int, bit: int) -> None:
    data = bytearray(urlsafe_b64decode(answered(answer())[4:] + "=="))
    data[place % len(data)] ^= 1 << bit
    text = "PA1." + urlsafe_b64encode(bytes(data)).decode().rstrip("=")
    with pytest.raises((RemoteProtocolError, SignatureError)):
        approval.read_answer(text, keys=OFFICE_KEYS)


def test_codes_of_ordinary_length_fit_58_mm_paper_and_a_phone() -> None:
    assert len(asked(question(terminal_id="t-" + "a" * 38, sale_id="s" * 40))) <= 504, "version 17: 372 of 384 dots"
    assert len(asked(question())) <= 400
    assert len(answered(answer())) <= 300


def test_codes_that_no_printer_draws_are_not_made() -> None:
    with pytest.raises(LocalProtocolError):
        asked(question(sale_id="s" * 700))


def test_d16_question_and_answer_have_payload_types_of_their_own() -> None:
    types = {approval.QUESTION.payload_type, approval.ANSWER.payload_type, rescue.TYPE, UP_TYPE, DOWN_TYPE}
    assert len(types) == 5


def test_d16_question_signed_by_the_office_or_answer_signed_by_a_till_is_refused() -> None:
    both = {"d1": DEVICE.public_key(), "bo-1": OFFICE.public_key()}
    forged = approval.write_answer(answer(), kid="d1", key=DEVICE)
    with pytest.raises(SignatureError):
        approval.read_answer(forged, keys=OFFICE_KEYS)
    with pytest.raises(RemoteProtocolError):
        approval.read_answer(asked(question()), keys=both)
    swapped = "PA1." + asked(question())[4:]
    with pytest.raises(SignatureError):
        approval.read_answer(swapped, keys=both)


def test_answer_by_a_key_that_calls_itself_the_office_is_refused() -> None:
    with pytest.raises(SignatureError):
        approval.read_answer(approval.write_answer(answer(), kid="bo-1", key=DEVICE), keys=OFFICE_KEYS)


def test_question_in_the_name_of_another_till_is_refused() -> None:
    data = bytearray(urlsafe_b64decode(asked(question())[4:] + "=="))
    kid, _, body, signature = msgspec.msgpack.decode(bytes(data))
    renamed = msgspec.msgpack.encode([kid, "t-shop-02", body, signature])
    text = "PQ1." + urlsafe_b64encode(renamed).decode().rstrip("=")
    with pytest.raises(SignatureError):
        approval.read_question(text, keys=DEVICE_KEYS)


def test_question_is_read_with_the_breaks_that_phones_put_into_it() -> None:
    text = asked(question())
    assert approval.read_question(f" {text[:40]}\n{text[40:]}\r\n", keys=DEVICE_KEYS) == question()
