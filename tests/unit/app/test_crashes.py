"""Three abnormal ends in ten minutes of one boot."""

from pathlib import Path

import pytest

from pos_agent.app.crashes import CrashCounter


def start(folder: Path, at_s: float, boot_id: str = "a") -> tuple[CrashCounter, bool]:
    counter = CrashCounter(folder, boot_id=boot_id, boottime_s=at_s)
    return counter, counter.record_start()


def test_fourth_start_after_three_crashes_in_ten_minutes_is_safe(tmp_path: Path) -> None:
    assert [start(tmp_path, at)[1] for at in (0, 60, 120, 180)] == [False, False, False, True]


def test_slow_crashes_are_forgiven(tmp_path: Path) -> None:
    assert [start(tmp_path, at)[1] for at in (0, 400, 800, 1200)] == [False, False, False, False]


def test_clean_stop_forgets(tmp_path: Path) -> None:
    for at in (0, 60):
        start(tmp_path, at)
    counter, _ = start(tmp_path, 120)
    counter.record_clean_stop()
    assert start(tmp_path, 180)[1] is False


def test_power_cuts_are_not_crashes(tmp_path: Path) -> None:
    assert [start(tmp_path, at, boot_id=f"boot{at}")[1] for at in (10, 11, 12, 13)] == [False] * 4


def test_garbled_file_starts_again(tmp_path: Path) -> None:
    (tmp_path / "starts.json").write_text("{")
    assert start(tmp_path, 0)[1] is False


def test_unwritable_folder_does_not_stop_the_start(tmp_path: Path) -> None:
    assert start(tmp_path / "gone", 0)[1] is False


@pytest.mark.parametrize("left", [b"", b"\0" * 40, b'{"boot_id":"\xff","at_s":[]}', b"[" * 100_000])
def test_file_that_a_power_cut_spoilt_never_keeps_the_till_from_starting(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "starts.json").write_bytes(left)
    assert [start(tmp_path, at)[1] for at in (0, 60, 120, 180)] == [False, False, False, True]
