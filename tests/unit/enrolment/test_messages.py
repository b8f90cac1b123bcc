"""Invitations and codes as people and scanners bring them."""

import pytest

from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import (
    CODE_ALPHABET,
    CODE_LENGTH,
    Answer,
    Invitation,
    Refusal,
    State,
    clean_code,
    clean_fingerprint,
    clean_url,
    device_key_id,
    key_fingerprint,
    parse_invitation,
    refusal,
)

INVITATION = Invitation(
    url="https://office.example:8443", ca_fingerprint="0f" * 32, terminal_id="t-shop-01", code="ABCDEFGHJKLMNPQR"
)


def test_invitation_is_read_back_from_its_own_text() -> None:
    assert parse_invitation(INVITATION.text + "\r\n") == INVITATION


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6901234567892",
        INVITATION.text.replace("POSENROL1", "POSENROL2"),
        INVITATION.text.replace("https", "http"),
        INVITATION.text.replace("t-shop-01", "backoffice-1"),
        INVITATION.text[:-1],
        INVITATION.text + "|more",
    ],
)
def test_text_that_is_no_invitation_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_invitation(text)
    assert INVITATION.code not in str(refused.value)


def test_code_has_64_bits_and_more() -> None:
    assert len(set(CODE_ALPHABET)) ** CODE_LENGTH >= 2**64
    assert not set(CODE_ALPHABET) & set("IO01")


def test_code_and_fingerprint_are_taken_as_people_type_them() -> None:
    assert clean_code(" abcd-efgh-jklm-npqr ") == "ABCDEFGHJKLMNPQR"
    assert clean_fingerprint(("0F:" * 32).rstrip(":")) == "0f" * 32
    assert clean_url(" https://office.example/ ") == "https://office.example"


@pytest.mark.parametrize("url", ["http://office.example", "https://office.example/path", "https://a b", "office"])
def test_address_that_is_not_https_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        clean_url(url)


def test_fingerprint_of_a_key_is_128_bits_in_groups_and_its_id_follows_from_it() -> None:
    key = PrivateKey(b"k" * 32).public_key()
    shown = key_fingerprint(key)
    assert [len(group) for group in shown.split()] == [4] * 8
    assert device_key_id(key) == "dev-" + shown.replace(" ", "")[:16]


def test_refusal_that_a_newer_back_office_invented_becomes_the_general_one() -> None:
    assert refusal(Answer(state=State.REFUSED, code="E-NEW9"), "E-ENROL") == "E-ENROL"
    assert refusal(Answer(state=State.REFUSED, code="E-ENROL2"), "E-ENROL") == Refusal.PERSON
