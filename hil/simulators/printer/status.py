"""The printer's condition and the bytes that tell it. Pure.

Source: Epson ESC/POS command reference, DLE EOT, GS a, GS r, GS ( H; USB printer class 1.1, GET_PORT_STATUS.
"""

from dataclasses import dataclass


@dataclass
class Condition:
    """What the sensors say.

    Attributes:
        is_feeding: The feed button is held.
        has_cutter_error: Recoverable: the knife is stuck.
        has_fatal_error: Only switching off and on helps.
    """

    is_paper_end: bool = False
    is_near_end: bool = False
    is_cover_open: bool = False
    has_cutter_error: bool = False
    has_fatal_error: bool = False
    is_feeding: bool = False
    is_drawer_open: bool = False

    @property
    def is_offline(self) -> bool:
        """Return whether the printer does not print."""
        return (
            self.is_paper_end or self.is_cover_open or self.has_cutter_error or self.has_fatal_error or self.is_feeding
        )


def real_time_status(condition: Condition, kind: int) -> bytes:
    """Return the answer to `DLE EOT n`, b"" for an unknown n."""
    has_error = condition.has_cutter_error or condition.has_fatal_error
    bits = {
        1: (0x08, condition.is_offline, 0x04, condition.is_drawer_open),
        2: (0x04, condition.is_cover_open, 0x08, condition.is_feeding, 0x20, condition.is_paper_end, 0x40, has_error),
        3: (0x08, condition.has_cutter_error, 0x20, condition.has_fatal_error),
        4: (0x0C, condition.is_near_end or condition.is_paper_end, 0x60, condition.is_paper_end),
    }.get(kind)
    return b"" if bits is None else bytes([0x12 | _sum(bits)])


def automatic_status(condition: Condition) -> bytes:
    """Return the four bytes of Automatic Status Back."""
    first = _sum((0x04, condition.is_drawer_open, 0x08, condition.is_offline, 0x20, condition.is_cover_open))
    first |= 0x10 | _sum((0x40, condition.is_feeding))
    second = _sum((0x08, condition.has_cutter_error, 0x20, condition.has_fatal_error))
    third = _sum((0x03, condition.is_near_end or condition.is_paper_end, 0x0C, condition.is_paper_end))
    return bytes([first, second, third, 0x00])


def watched_part(condition: Condition, mask: int) -> tuple[bool, ...]:
    """Return what `GS a mask` reports changes of (1 drawer, 2 online, 4 errors, 8 paper, 64 feed button)."""
    groups = {
        0x01: (condition.is_drawer_open,),
        0x02: (condition.is_offline, condition.is_cover_open),
        0x04: (condition.has_cutter_error, condition.has_fatal_error),
        0x08: (condition.is_near_end, condition.is_paper_end),
        0x40: (condition.is_feeding,),
    }
    return tuple(value for bit, values in groups.items() if mask & bit for value in values)


def transmitted_status(condition: Condition, kind: int) -> bytes:
    """Return the answer to `GS r n` (1 paper, 2 drawer), b"" for an unknown n."""
    match kind:
        case 1 | 49:
            paper = (0x03, condition.is_near_end or condition.is_paper_end, 0x0C, condition.is_paper_end)
            return bytes([_sum(paper)])
        case 2 | 50:
            return bytes([_sum((0x01, condition.is_drawer_open))])
        case _:
            return b""


def port_status(condition: Condition) -> int:
    """Return the byte of GET_PORT_STATUS: 0x20 paper empty, 0x10 selected, 0x08 no error."""
    has_error = condition.is_cover_open or condition.has_cutter_error or condition.has_fatal_error
    return 0x10 | _sum((0x20, condition.is_paper_end, 0x08, not has_error and not condition.is_paper_end))


def process_id(identifier: bytes) -> bytes:
    """Return the answer to `GS ( H` fn 48: 37 22 d1 d2 d3 d4 00."""
    return b"\x37\x22" + identifier + b"\x00"


def _sum(pairs: tuple[int | bool, ...]) -> int:
    return sum(int(bit) for bit, is_set in zip(pairs[::2], pairs[1::2], strict=True) if is_set)
