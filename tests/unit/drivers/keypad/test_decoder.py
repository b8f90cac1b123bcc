"""`struct input_event` from the kernel: only keys that went down come out."""

import itertools
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.keypad.decoder import EVENT_BYTES, EvdevDecoder, KeyDown

_EV_SYN, _EV_KEY, _EV_MSC = 0, 1, 4


def _event(kind: int, code: int, value: int, *, at: tuple[int, int] = (5, 250_000)) -> bytes:
    return struct.pack("@llHHi", *at, kind, code, value)


def test_decoder_size_is_the_kernels() -> None:
    # Source: linux/input.h: two longs, two __u16, one __s32
    assert struct.calcsize("@ll") + 8 == EVENT_BYTES


def test_decoder_down_only_repeat_and_up_are_dropped() -> None:
    stream = b"".join(
        _event(_EV_MSC, 4, 0x70059) + _event(_EV_KEY, 82, value) + _event(_EV_SYN, 0, 0) for value in (1, 2, 2, 0)
    )

    assert EvdevDecoder().feed(stream) == [KeyDown(82, 5.25)]


def test_decoder_syn_dropped_discards_up_to_the_report() -> None:
    decoder = EvdevDecoder()
    stream = (
        _event(_EV_KEY, 2, 1)
        + _event(_EV_SYN, 3, 0)
        + _event(_EV_KEY, 28, 1)
        + _event(_EV_SYN, 0, 0)
        + _event(_EV_KEY, 3, 1)
    )

    assert [key.code for key in decoder.feed(stream)] == [2, 3]
    assert decoder.dropped_count == 1


def test_decoder_reset_forgets_half_an_event() -> None:
    decoder = EvdevDecoder()
    decoder.feed(_event(_EV_KEY, 2, 1)[:7])
    decoder.reset()

    assert [key.code for key in decoder.feed(_event(_EV_KEY, 3, 1))] == [3]


@settings(max_examples=40, deadline=None)
@given(codes=st.lists(st.integers(1, 500), max_size=20), cuts=st.lists(st.integers(0, 600), max_size=10))
def test_decoder_any_split_gives_the_same_keys(codes: list[int], cuts: list[int]) -> None:
    stream = b"".join(_event(_EV_KEY, code, 1) + _event(_EV_SYN, 0, 0) for code in codes)
    decoder = EvdevDecoder()
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found = [key.code for start, end in itertools.pairwise(edges) for key in decoder.feed(stream[start:end])]

    assert found == codes
