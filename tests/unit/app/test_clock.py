"""Trust in the wall clock: the kernel's word, or a signed time that agrees."""

from datetime import timedelta

import pytest

from pos_agent.app import clock as clock_module
from pos_agent.app.clock import MAX_SKEW_S, SystemClock


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What the kernel says; not synchronised at first."""
    says = {"synchronised": False}
    monkeypatch.setattr(clock_module, "_ask_kernel", lambda: says["synchronised"])
    return says


def test_clock_without_any_word_is_not_trusted(kernel: dict[str, bool]) -> None:
    assert not SystemClock().is_trusted()


def test_clock_synchronised_by_the_kernel_is_trusted(kernel: dict[str, bool]) -> None:
    kernel["synchronised"] = True
    assert SystemClock().is_trusted()


def test_clock_that_agrees_with_a_signed_time_is_trusted(kernel: dict[str, bool]) -> None:
    clock = SystemClock()
    clock.note_signed_time(clock.now() + timedelta(seconds=MAX_SKEW_S / 2))
    assert clock.is_trusted()


@pytest.mark.parametrize("skew_s", [-2 * MAX_SKEW_S, 2 * MAX_SKEW_S, 365 * 86_400])
def test_clock_that_contradicts_a_signed_time_is_not_trusted(kernel: dict[str, bool], skew_s: float) -> None:
    clock = SystemClock()
    clock.note_signed_time(clock.now() + timedelta(seconds=skew_s))
    assert not clock.is_trusted()


def test_kernel_can_be_asked() -> None:
    assert clock_module._ask_kernel() in (True, False)
