"""Grow modules: published frames, answers between scanned text, heartbeat."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scanner import grow_frame
from drivers.scanner.framer import Frame, ScanFramer
from drivers.scanner.grow import HEARTBEAT_INTERVAL_S, REPLY_TIMEOUT_S, GrowProtocol
from drivers.scanner.grow_frame import CommandType, GrowReply, Mode, find_reply
from drivers.scanner.protocol import Counted, Item, Reply, Silent

#: Answers as published: to a write, and to a heartbeat.
DONE = bytes.fromhex("02 00 00 01 00 33 31")
ALIVE = bytes.fromhex("03 00 00 01 00 33 31")


def labels(items: list[Item]) -> list[str]:
    return [item.scan_data_label for item in items if isinstance(item, Frame)]


@pytest.mark.parametrize(
    ("made", "golden"),
    [
        (grow_frame.save(), "7E 00 09 01 00 00 00 DE C8"),  # GM65 and GM812 manuals
        (grow_frame.set_baud(9600), "7E 00 08 02 00 2A 39 01 A7 EA"),
        (grow_frame.read_zone(0x002A, 2), "7E 00 07 01 00 2A 02 D8 0F"),
        (grow_frame.heartbeat(), "7E 00 0A 01 00 00 00 30 1A"),
    ],
)
def test_command_gives_the_published_bytes(made: bytes, golden: str) -> None:
    assert made == bytes.fromhex(golden)


def test_trigger_is_the_published_command_with_its_crc() -> None:
    assert grow_frame.trigger()[:-2] == bytes.fromhex("7E 00 08 01 00 02 01")


def test_set_mode_keeps_the_other_bits() -> None:
    assert grow_frame.set_mode(Mode.CONTINUOUS, current=0xD5)[6] == 0xD6


@pytest.mark.parametrize("baud", [0, 300, 12345])
def test_set_baud_unknown_speed_is_refused(baud: int) -> None:
    with pytest.raises(ValueError, match=str(baud)):
        grow_frame.set_baud(baud)


def test_command_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match="0 bytes"):
        grow_frame.command(CommandType.WRITE, 0, b"")


def test_find_reply_takes_zone_bytes() -> None:
    body = bytes((0x00, 0x02, 0x39, 0x01))
    frame = b"\x02\x00" + body + grow_frame.crc16(body).to_bytes(2, "big")
    assert find_reply(b"abc" + frame + b"def") == (3, 11, GrowReply(is_heartbeat=False, type=0, data=b"\x39\x01"))


def test_grow_greets_and_its_answer_is_no_scan() -> None:
    grow = GrowProtocol(ScanFramer())
    assert grow.start() == [Reply(grow_frame.heartbeat())]
    assert grow.gap_s == REPLY_TIMEOUT_S
    assert grow.feed(ALIVE) == []
    assert grow.gap_s == HEARTBEAT_INTERVAL_S


@pytest.mark.parametrize("cut", range(1, 7))
def test_grow_answer_split_at_every_place_between_codes_is_taken_out(cut: int) -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    items = [*grow.feed(b"6901234567892\r" + ALIVE[:cut]), *grow.feed(ALIVE[cut:] + b"96385074\r")]
    assert labels(items) == ["6901234567892", "96385074"]
    assert len(items) == 2


def test_grow_text_prefix_stx_without_an_answer_under_way_is_plain_text() -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    grow.feed(ALIVE)
    assert labels(list(grow.feed(b"\x026901234567892\x03"))) == ["6901234567892"]


def test_grow_module_that_stops_answering_is_gone_after_three_misses() -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    grow.feed(ALIVE)
    items: list[Item] = []
    for _ in range(3):
        assert grow.end_of_silence() == [Reply(grow_frame.heartbeat())]
        items += grow.end_of_silence()
    assert items == [*[Counted("HeartbeatMissedCount")] * 3, Silent()]
    assert not grow.has_pending


def test_grow_module_that_never_answered_is_left_in_peace() -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    items: list[Item] = []
    while grow.has_pending:
        items += grow.end_of_silence()
    assert not any(isinstance(item, Silent | Counted) for item in items)
    assert labels(list(grow.feed(b"6901234567892\r"))) == ["6901234567892"]


def test_grow_half_an_answer_is_not_kept_from_the_text() -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    assert grow.feed(b"\x03") == []
    grow.end_of_silence()
    assert labels(list(grow.feed(b"6901234567892\r"))) == ["6901234567892"]


def test_grow_words_for_nothing_read_are_no_code() -> None:
    grow = GrowProtocol(ScanFramer())
    assert labels(list(grow.feed(b"RF\r"))) == []


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_grow_any_bytes_in_any_pieces_never_raise_and_the_next_code_is_read(noise: bytes, cuts: list[int]) -> None:
    grow = GrowProtocol(ScanFramer())
    grow.start()
    edges = [0, *sorted(min(cut, len(noise)) for cut in cuts), len(noise)]
    for start, end in itertools.pairwise(edges):
        grow.feed(noise[start:end])
    while grow.has_pending:
        grow.end_of_silence()
    assert labels(list(grow.feed(b"6901234567892\r")))[-1:] == ["6901234567892"]
