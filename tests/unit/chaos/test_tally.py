"""What a chaos run says about the tills' cables."""

from hil.chaos.tally import tally
from hil.chaos.verdict import Report


def test_tally_counts_frames_stray_slips_and_the_slowest_return() -> None:
    frames = [{"outcome": one} for one in ("read", "read", "refused", "missing")]
    reopened = [{"device": "printer", "seconds": seconds} for seconds in (0.4, 2.1, 1.0)]
    slips: list[dict[str, object]] = [{"stray": 0}, {"stray": 3}, {}]
    lines = tally(frames, reopened, slips).summary().splitlines()
    assert lines[0] == "scanner frames=4 read=2 refused=1 away=0 missing=1  slips_with_stray_bytes=1"
    assert lines[1] == "plugged in -> in use, s: printer n=3 median=1.00 slowest=2.10"


def test_report_without_cables_says_that_nothing_was_pulled() -> None:
    assert Report().summary().endswith("nothing was pulled")
