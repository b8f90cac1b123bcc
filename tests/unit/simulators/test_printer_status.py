"""Status bytes and real-time commands, bit for bit (Epson ESC/POS command reference; devices.md's table)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.simulators.printer import status
from hil.simulators.printer.realtime import RealTimeScanner
from hil.simulators.printer.status import Condition

PAPER_END = Condition(is_paper_end=True, is_near_end=True)
COVER = Condition(is_cover_open=True)
JAM = Condition(has_cutter_error=True)


@pytest.mark.parametrize(
    ("condition", "answers"),
    [
        (Condition(), "12 12 12 12"),
        (Condition(is_near_end=True), "12 12 12 1e"),
        (PAPER_END, "1a 32 12 7e"),
        (COVER, "1a 16 12 12"),
        (JAM, "1a 52 1a 12"),
        (Condition(has_fatal_error=True), "1a 52 32 12"),
        (Condition(is_drawer_open=True), "16 12 12 12"),
        (Condition(is_feeding=True), "1a 1a 12 12"),
    ],
)
def test_real_time_status_has_the_documented_bits(condition: Condition, answers: str) -> None:
    found = b"".join(status.real_time_status(condition, kind) for kind in (1, 2, 3, 4))
    assert found.hex(" ") == answers


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        (Condition(), "10 00 00 00"),
        (Condition(is_near_end=True), "10 00 03 00"),
        (PAPER_END, "18 00 0f 00"),
        (COVER, "38 00 00 00"),
        (JAM, "18 08 00 00"),
        (Condition(is_feeding=True), "58 00 00 00"),
    ],
)
def test_automatic_status_has_the_documented_bits(condition: Condition, answer: str) -> None:
    assert status.automatic_status(condition).hex(" ") == answer


@pytest.mark.parametrize(
    ("condition", "paper", "port"),
    [
        (Condition(), 0x00, 0x18),
        (Condition(is_near_end=True), 0x03, 0x18),
        (PAPER_END, 0x0F, 0x30),
        (COVER, 0x00, 0x10),
        (JAM, 0x00, 0x10),
    ],
)
def test_paper_sensor_and_port_status_have_the_documented_bits(condition: Condition, paper: int, port: int) -> None:
    assert status.transmitted_status(condition, 1) == bytes([paper])
    assert status.port_status(condition) == port


def test_status_unknown_kind_has_no_answer() -> None:
    assert status.real_time_status(Condition(), 9) == b""
    assert status.transmitted_status(Condition(), 7) == b""


@pytest.mark.parametrize("size", [1, 2, 64])
def test_real_time_command_inside_image_data_and_split_is_found(size: int) -> None:
    data = b"\x1dv0\x00\x10\x00\x01\x00\x10\x10\x04\x02\xff\x10\x14\x01\x00\x02\x10\x05\x02\x10\x04\x09\x10"
    scanner = RealTimeScanner()
    found = [command for start in range(0, len(data), size) for command in scanner.feed(data[start : start + size])]
    assert found == [("status", 2), ("pulse", 0), ("recover", 2)]


def test_clear_buffer_needs_its_whole_sequence() -> None:
    assert list(RealTimeScanner().feed(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08")) == [("clear", 8)]
    assert list(RealTimeScanner().feed(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x09\x10\x04\x01")) == [("status", 1)]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([b"\x10", b"\x04", b"\x14", b"\x08", b"\x01", b"\x05", b"x"]), max_size=40), st.data())
def test_real_time_commands_do_not_depend_on_packets(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cut = data.draw(st.integers(0, len(stream)))
    scanner = RealTimeScanner()
    assert [*scanner.feed(stream[:cut]), *scanner.feed(stream[cut:])] == list(RealTimeScanner().feed(stream))
