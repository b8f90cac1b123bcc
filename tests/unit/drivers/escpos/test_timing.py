"""The estimate of printing time: never shorter than the paper."""

import pytest

from drivers.escpos.encoder import encode
from drivers.escpos.profile import Profile
from drivers.escpos.timing import estimate_print_s
from pos_agent.domain.slip import Barcode, Block, Cut, QrCode, SlipDocument, SlipKind, Text

PROFILE = Profile(name="x", speed_mm_s=100, cut_s=0.5)


def seconds(*blocks: Block) -> float:
    return estimate_print_s(encode(SlipDocument(kind=SlipKind.RESULT, blocks=blocks), PROFILE), PROFILE)


def test_estimate_of_lines_is_their_height_at_the_paper_speed() -> None:
    # 10 lines × 30 dots / 8 dots a mm / 100 mm/s
    assert seconds(*[Text("退款 a")] * 10) == pytest.approx(0.375)


def test_estimate_of_double_height_is_twice_as_long() -> None:
    assert seconds(*[Text("退", height=2)] * 10) == pytest.approx(0.75)


def test_estimate_of_a_cut_adds_the_way_to_the_knife_and_the_stroke() -> None:
    assert seconds(Cut()) == pytest.approx(15 / 100 + 0.5)


def test_estimate_steps_over_the_bytes_of_codes() -> None:
    assert seconds(Barcode("98" * 11)) >= 80 / 8 / 100
    assert seconds(QrCode("\n" * 50)) < 1


def test_estimate_of_a_drawn_picture_is_its_rows() -> None:
    drawn = b"\x1dv0\x00\x48\x00\x50\x00" + b"\n" * (0x48 * 0x50)
    assert estimate_print_s(drawn, PROFILE) == pytest.approx(80 / 8 / 100)


def test_estimate_of_a_torn_job_ends() -> None:
    data = encode(SlipDocument(kind=SlipKind.RESULT, blocks=(Barcode("12"), QrCode("x"), Cut())), PROFILE)
    for end in range(len(data)):
        assert estimate_print_s(data[:end], PROFILE) >= 0
