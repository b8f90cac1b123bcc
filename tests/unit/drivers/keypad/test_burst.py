"""The burst guard: a scanner in keyboard mode is dropped, a cashier is not delayed."""

from drivers.keypad.burst import GAP_S, BurstGuard
from drivers.keypad.decoder import KeyDown
from drivers.keypad.keycodes import KEY_CODES, KEY_ENTER, KEY_KP0, KEY_KPENTER

KP1 = KEY_CODES["KEY_KP1"]


def _typed(codes: list[int], *, gap_s: float, start_s: float = 10.0) -> list[KeyDown]:
    return [KeyDown(code, start_s + index * gap_s) for index, code in enumerate(codes)]


def test_guard_slow_keys_pass_at_once() -> None:
    guard = BurstGuard()

    for key in _typed([KP1] * 8 + [KEY_KPENTER], gap_s=0.02):
        assert guard.feed([key]) == [key]
        assert not guard.has_held
    assert guard.burst_count == 0


def test_guard_double_zero_key_passes_after_silence() -> None:
    guard = BurstGuard()
    first, second = _typed([KEY_KP0, KEY_KP0], gap_s=0.004)

    assert guard.feed([first]) == [first]
    assert guard.feed([second]) == []
    assert guard.has_held
    assert guard.end_of_silence() == [second]


def test_guard_double_zero_then_slow_key_keeps_order() -> None:
    guard = BurstGuard()
    first, second = _typed([KEY_KP0, KEY_KP0], gap_s=0.004)
    third = KeyDown(KEY_KPENTER, second.at_s + GAP_S)

    assert guard.feed([first, second, third]) == [first, second, third]


def test_guard_burst_with_enter_is_dropped_but_for_its_first_key() -> None:
    guard = BurstGuard()
    burst = _typed([KP1] * 17 + [KEY_ENTER], gap_s=0.002)

    assert guard.feed(burst) == burst[:1]
    assert guard.end_of_silence() == []
    assert (guard.burst_count, guard.dropped_key_count) == (1, 17)
    assert guard.is_raised


def test_guard_raised_second_burst_leaves_no_trace() -> None:
    guard = BurstGuard()
    guard.feed(_typed([KP1] * 17 + [KEY_ENTER], gap_s=0.002))
    guard.end_of_silence()

    assert guard.feed(_typed([KP1] * 17 + [KEY_ENTER], gap_s=0.002, start_s=20.0)) == []
    assert guard.end_of_silence() == []
    assert guard.burst_count == 2


def test_guard_raised_person_still_types() -> None:
    guard = BurstGuard()
    guard.feed(_typed([KP1] * 17 + [KEY_ENTER], gap_s=0.002))
    guard.end_of_silence()
    key = KeyDown(KEY_KPENTER, 30.0)

    assert guard.feed([key]) == []
    assert guard.has_held
    assert guard.end_of_silence() == [key]


def test_guard_raised_is_lowered_by_calm_typing() -> None:
    guard = BurstGuard()
    guard.feed(_typed([KP1] * 17 + [KEY_ENTER], gap_s=0.002))
    guard.end_of_silence()
    for key in _typed([KP1] * 60, gap_s=0.2, start_s=40.0):
        guard.feed([key])
        guard.end_of_silence()

    assert not guard.is_raised
    last = KeyDown(KP1, 100.0)
    assert guard.feed([last]) == [last]


def test_guard_burst_with_crlf_suffix_is_dropped() -> None:
    guard = BurstGuard()
    guard.feed(_typed([KP1] * 13 + [KEY_ENTER, KEY_CODES["KEY_DOWN"]], gap_s=0.003))

    assert guard.end_of_silence() == []
    assert guard.burst_count == 1


def test_guard_five_fast_keys_and_no_more_pass() -> None:
    guard = BurstGuard()
    keys = _typed([KP1] * 4 + [KEY_ENTER], gap_s=0.002)

    assert guard.feed(keys) + guard.end_of_silence() == keys
    assert guard.burst_count == 0


def test_guard_endless_run_is_bounded_and_dropped() -> None:
    guard = BurstGuard()
    passed = guard.feed(_typed([KP1] * 5000, gap_s=0.001))

    assert len(passed) == 1
    assert guard.end_of_silence() == []
    assert guard.dropped_key_count == 4999


def test_guard_clock_set_back_counts_as_slow() -> None:
    guard = BurstGuard()
    keys = [KeyDown(KP1, 50.0), KeyDown(KP1, 10.0)]

    assert guard.feed(keys) == keys
