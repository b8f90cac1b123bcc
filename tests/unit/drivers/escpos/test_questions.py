"""What counts as an answer in commissioning: the bytes of the manual, alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.escpos.probe import Findings, facts_of
from drivers.escpos.profile import Tier
from drivers.escpos.python_escpos import propose
from drivers.escpos.questions import Way, is_answer, text_of


@pytest.mark.parametrize(
    ("way", "data"),
    [
        (Way.DLE_EOT, b"\x12"),
        (Way.DLE_EOT, b"\x7e"),
        (Way.ASB, b"\x10\x00\x00\x00"),
        (Way.ASB, b"\x18\x00\x0c\x00"),
        (Way.GS_R, b"\x00"),
        (Way.GS_R, b"\x0f"),
        (Way.GS_I, b"_EPSON\x00"),
        (Way.GS_H, b"\x37\x22!cm!\x00"),
        (Way.PORT_STATUS, b"\x18"),
    ],
)
def test_answer_of_the_manual_counts(way: Way, data: bytes) -> None:
    assert is_answer(way, data)
    assert not is_answer(way, data + b"\x00"), "and nothing behind it"
    assert not is_answer(way, b"")


@pytest.mark.parametrize(
    ("way", "data"),
    [
        (Way.DLE_EOT, b"\x00"),
        (Way.ASB, b"\x10\x00\x90\x00"),
        (Way.GS_R, b"\x90"),
        (Way.GS_I, b"EPSON\x00"),
        (Way.GS_I, b"_\x00"),
        (Way.GS_I, b"_a\x01b\x00"),
        (Way.GS_H, b"\x37\x22!cm?\x00"),
    ],
)
def test_noise_is_no_answer(way: Way, data: bytes) -> None:
    assert not is_answer(way, data)


@given(st.binary(max_size=12))
def test_no_bytes_raise_and_a_model_is_printable(data: bytes) -> None:
    for way in Way:
        is_answer(way, data)
    assert text_of(data).isprintable()


@given(st.frozensets(st.sampled_from(list(Way))), st.frozensets(st.sampled_from(list(Way))))
def test_tier_is_never_above_what_answers_without_stray_letters(
    answered: frozenset[Way], strays: frozenset[Way]
) -> None:
    findings = Findings(answers=dict.fromkeys(answered, b"?"), strays=strays)
    facts = facts_of(findings)
    clean = answered - strays
    assert (facts.tier == Tier.CONFIRMED) == (Way.GS_H in clean)
    assert (facts.tier == Tier.SENT) == (not clean - {Way.GS_I})
    assert facts.has_asb == (Way.ASB in clean)


def test_database_names_a_model_by_its_whole_name_only() -> None:
    assert propose(["EPSON", "TM-T20III"]) is None, "TM-T20II is another model"
    found = propose(["", "TM-T20II"])
    assert found is not None
    assert (found.model, found.facts.width_dots, found.facts.has_qr) == ("TM-T20II", 576, True)
    assert propose(["pos5890 series"]) is not None
    assert propose([]) is None
