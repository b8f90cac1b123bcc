"""Status bytes, from the Epson ESC/POS Command Reference and the USB printer class."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.escpos.status import Facts, StatusReader, parse_asb, parse_dle_eot, parse_gs_r1, parse_port_status

READY = b"\x10\x00\x00\x00"  # ASB: on line, cover closed, paper


@pytest.mark.parametrize(
    ("byte", "code"),
    [(0x18, ""), (0x38, "EPTR_REC_EMPTY"), (0x30, "EPTR_REC_EMPTY"), (0x10, "E_FAILURE"), (0x08, "E_FAILURE")],
)
def test_port_status_names_what_a_person_must_do(byte: int, code: str) -> None:
    assert parse_port_status(byte).status(is_open=True).code == code


@pytest.mark.parametrize(
    ("n", "byte", "code"),
    [
        (1, 0x12, ""),
        (1, 0x1A, "E_FAILURE"),
        (2, 0x16, "EPTR_COVER_OPEN"),
        (3, 0x1A, "EPTR_CUTTER"),
        (4, 0x7E, "EPTR_REC_EMPTY"),
        (4, 0x1E, ""),
    ],
)
def test_dle_eot_answer_is_read(n: int, byte: int, code: str) -> None:
    assert parse_dle_eot(n, byte).status(is_open=True).code == code


def test_dle_eot_near_end_is_told_apart_from_end() -> None:
    facts = parse_dle_eot(4, 0x1E)
    assert (facts.rec_near_end, facts.rec_empty) == (True, False)


def test_gs_r_answer_tells_the_paper() -> None:
    assert parse_gs_r1(0x0C).rec_empty is True
    assert parse_gs_r1(0x03) == Facts(rec_near_end=True, rec_empty=False)


@pytest.mark.parametrize("byte", [0x10, 0x00, 0xFF, 0x11])
def test_dle_eot_answer_of_another_class_is_refused(byte: int) -> None:
    with pytest.raises(ValueError, match="not a DLE EOT answer"):
        parse_dle_eot(1, byte)


@pytest.mark.parametrize(
    ("quadruple", "code"),
    [
        (READY, ""),
        (b"\x38\x00\x00\x00", "EPTR_COVER_OPEN"),
        (b"\x18\x00\x0c\x00", "EPTR_REC_EMPTY"),
        (b"\x18\x08\x00\x00", "EPTR_CUTTER"),
        (b"\x18\x00\x00\x00", "E_FAILURE"),
        (b"\x10\x00\x03\x00", ""),
    ],
)
def test_asb_names_what_a_person_must_do(quadruple: bytes, code: str) -> None:
    assert parse_asb(quadruple).status(is_open=True).code == code


def test_status_of_a_closed_printer_is_no_hardware() -> None:
    status = parse_asb(READY).status(is_open=False)
    assert (status.is_online, status.code) == (False, "E_NOHARDWARE")


def test_facts_that_nobody_stated_stay_unknown() -> None:
    status = Facts().status(is_open=True)
    assert (status.is_online, status.rec_empty, status.cover_open) == (True, None, None)


def test_reader_joins_a_quadruple_split_anywhere_and_skips_flow_control() -> None:
    reader = StatusReader()
    found = [item for byte in (b"\x38", b"\x13\x00", b"\x11", b"\x00\x00\x12") for item in reader.feed(byte)]
    assert found == [parse_asb(b"\x38\x00\x00\x00"), 0x12]


def test_reader_after_a_broken_quadruple_takes_the_next_one() -> None:
    reader = StatusReader()
    assert list(reader.feed(b"\x10\x00" + READY)) == [parse_asb(READY)]
    assert reader.unknown_count == 2


@settings(max_examples=100)
@given(st.binary(max_size=64), st.integers(0, 64))
def test_reader_gives_the_same_for_any_cut_of_any_noise(noise: bytes, cut: int) -> None:
    whole, split = StatusReader(), StatusReader()
    assert list(whole.feed(noise)) == [*split.feed(noise[:cut]), *split.feed(noise[cut:])]
    # Whatever came before, three bytes at most are swallowed by an unfinished quadruple.
    assert parse_asb(READY) in list(whole.feed(READY * 2))
