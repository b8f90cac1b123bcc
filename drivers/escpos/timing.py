"""How long a printer needs for a job, from the job's own bytes. Pure.

Knows the commands that the encoder writes; anything else counts as text. An estimate that is too long delays a claim by
a moment; one that is too short would claim "clean" while the head still runs, so roundings go up.
"""

from typing import NamedTuple

from drivers.escpos.profile import Profile

#: Dots of one text line: 24 high and 6 between. Source: devices.md section 9 (203 dpi, default line spacing).
LINE_DOTS = 30
#: From the head to the knife. Source: devices.md section 9, "head-to-cutter ~15 mm".
KNIFE_MM = 15
_ESC, _FS, _GS, _LF = 0x1B, 0x1C, 0x1D, 0x0A


class Usage(NamedTuple):
    """What a job takes of a printer."""

    paper_mm: float
    cuts: int

    def duration_s(self, profile: Profile) -> float:
        """Return how long the head and the knife are at it."""
        return self.paper_mm / profile.speed_mm_s + self.cuts * profile.cut_s


def estimate_print_s(data: bytes, profile: Profile) -> float:
    """Return the seconds from the first byte to the end of the last cut."""
    return measure(data, profile).duration_s(profile)


def measure(data: bytes, profile: Profile) -> Usage:
    """Return the paper that a job feeds, and its cuts."""
    dots, cuts, position, height = 0, 0, 0, 1
    while position < len(data):
        byte = data[position]
        if byte == _LF:
            dots += LINE_DOTS * height
            position += 1
        elif byte in (_ESC, _FS, _GS):
            length, feed, is_cut = _command(data, position)
            if data[position : position + 2] == b"\x1d!":
                height = 1 + (data[position + 2] & 7) if position + 2 < len(data) else 1
            dots, cuts, position = dots + feed, cuts + is_cut, position + length
        else:
            position += 1
    return Usage(dots / profile.dots_per_mm + cuts * KNIFE_MM, cuts)


def _command(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (length, dots fed, cuts) of the command at `at`."""
    head = data[at : at + 2]
    argument = data[at + 2] if at + 2 < len(data) else 0
    match head:
        case b"\x1b@" | b"\x1c&" | b"\x1c.":
            return 2, 0, 0
        case b"\x1bd":
            return 3, argument * LINE_DOTS, 0
        case b"\x1dV":
            return (4 if argument in (0x41, 0x42) else 3), 0, 1
        case b"\x1dv":
            width = int.from_bytes(data[at + 4 : at + 6], "little")
            height = int.from_bytes(data[at + 6 : at + 8], "little")
            return 8 + width * height, height, 0
        case b"\x1dk":
            count = data[at + 3] if at + 3 < len(data) else 0
            return 4 + count, 255, 0
        case b"\x1d(":
            return 5 + int.from_bytes(data[at + 3 : at + 5], "little"), 64, 0
        case _:
            return 3, 0, 0
