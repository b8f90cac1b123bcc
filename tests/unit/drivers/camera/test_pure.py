"""The parts of the camera that only compute: pictures, votes, messages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.camera import wire
from drivers.camera.frames import GreyFrame, UnknownPixelFormatError, from_pixels, has_changed, samples
from drivers.camera.vote import EQUAL_WITHIN_S, Symbol, Vote, nearest


def code(data: bytes, *, is_linear: bool = False, at: tuple[float, float] = (0, 0)) -> Symbol:
    return Symbol(identifier="]E0" if is_linear else "]Q1", data=data, is_linear=is_linear, centre=at)


@pytest.mark.parametrize(
    ("pixel_format", "stride", "data"),
    [
        ("GREY", 0, b"\x01\x02\x03\x04"),
        ("GREY", 3, b"\x01\x02\xff\x03\x04"),
        ("YUYV", 0, b"\x01\xff\x02\xff\x03\xff\x04\xff"),
        ("UYVY", 0, b"\xff\x01\xff\x02\xff\x03\xff\x04"),
        ("YUYV", 6, b"\x01\xff\x02\xff\0\0\x03\xff\x04\xff\0\0"),
        ("NV12", 0, b"\x01\x02\x03\x04\xff\xff"),
    ],
)
def test_frame_of_each_pixel_format_gives_its_luma(pixel_format: str, stride: int, data: bytes) -> None:
    assert from_pixels(pixel_format, 2, 2, stride, data) == GreyFrame(2, 2, b"\x01\x02\x03\x04")


@pytest.mark.parametrize(("pixel_format", "data"), [("H264", b"\0" * 100), ("GREY", b"\x01\x02\x03")])
def test_frame_of_an_unknown_format_or_too_short_is_refused(pixel_format: str, data: bytes) -> None:
    with pytest.raises(UnknownPixelFormatError):
        from_pixels(pixel_format, 2, 2, 0, data)


def test_noise_is_no_change_and_a_code_is() -> None:
    calm = GreyFrame(64, 64, bytes(128 + index % 9 for index in range(4096)))
    noisy = GreyFrame(64, 64, bytes(128 + (index * 7) % 13 for index in range(4096)))
    held = GreyFrame(64, 64, calm.dots[:1024] + bytes(1024) + calm.dots[2048:])
    assert not has_changed(samples(calm), samples(noisy))
    assert has_changed(samples(calm), samples(held))
    assert has_changed(b"", samples(calm))


def test_linear_code_counts_after_two_equal_reads_within_half_a_second() -> None:
    vote, symbol = Vote(reread_s=0.7), code(b"6901234567892", is_linear=True)
    assert not vote.counts(symbol, 10.0)
    assert vote.counts(symbol, 10.0 + EQUAL_WITHIN_S)


def test_linear_reads_that_differ_or_lie_apart_do_not_count() -> None:
    vote = Vote(reread_s=0.7)
    right, wrong = code(b"6901234567892", is_linear=True), code(b"6901234567885", is_linear=True)
    assert not vote.counts(right, 10.0)
    assert not vote.counts(wrong, 10.1)
    assert not vote.counts(right, 10.2)
    assert not vote.counts(right, 10.2 + EQUAL_WITHIN_S + 0.1)


def test_code_that_stays_in_view_counts_once_and_again_after_it_was_away() -> None:
    vote, symbol = Vote(reread_s=0.7), code(b"shop")
    assert vote.counts(symbol, 10.0)
    assert not any(vote.counts(symbol, 10.0 + step / 2) for step in range(1, 9))
    vote.nothing_new(14.6)  # a still picture of it is view, too
    assert not vote.counts(symbol, 15.2)
    assert vote.counts(symbol, 15.2 + 0.8)


def test_several_codes_the_one_in_the_middle_is_meant() -> None:
    left, middle = code(b"left", at=(10, 10)), code(b"middle", at=(300, 250))
    assert nearest([left, middle], (320, 240)) is middle
    assert nearest([], (320, 240)) is None


def test_no_repr_shows_what_was_scanned() -> None:
    for held in (code(b"134567890123456789"), wire.Seen("]C0", b"134567890123456789")):
        assert "134567890" not in repr(held)
    assert "\\x80" not in repr(GreyFrame(2, 1, b"\x80\x80"))


MESSAGES = st.lists(
    st.builds(wire.Seen, st.sampled_from(["]Q1", "]C0"]), st.binary(max_size=40))
    | st.builds(wire.Counts, st.dictionaries(st.sampled_from(["FrameCount"]), st.integers(0, 9)))
    | st.builds(wire.Started, st.just("zxing-cpp")),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(MESSAGES, st.integers(1, 50))
def test_messages_arrive_whole_however_they_are_cut(messages: list[wire.Message], size: int) -> None:
    data, reader = b"".join(map(wire.encode, messages)), wire.Reader()
    found = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]
    assert found == messages


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x01\xc1", b"\0\0\0\x02\x81\xa1"])
def test_bytes_that_are_no_message_are_refused_without_showing_them(data: bytes) -> None:
    with pytest.raises(wire.BrokenMessageError) as caught:
        wire.Reader().feed(data)
    assert caught.value.__cause__ is None
