"""Zebra SSI: golden packets of the manual, repetitions, several packets, noise, unanswered commands."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scanner.framer import Frame, Garble, Garbled
from drivers.scanner.protocol import Counted, Item, Reply
from drivers.scanner.ssi import PACKET_GAP_S, RESPONSE_TIMEOUT_S, WAKE_UP_S, SsiProtocol
from drivers.scanner.ssi_packet import Opcode, Status, build, checksum, parse

ACK = bytes.fromhex("04 D0 04 00 FF 28")  # CMD_ACK of a host; Programmer's Guide
DECODER_ACK = bytes.fromhex("04 D0 00 00 FF 2C")  # published for GM67 units
NAK_RESEND = bytes.fromhex("05 D1 04 00 01 FF 25")
SCAN_ENABLE = bytes.fromhex("04 E9 04 00 FF 0F")


def decode_data(data: bytes, code_type: int = 0x03, status: int = 0) -> bytes:
    body = bytes((5 + len(data), 0xF3, 0, status, code_type)) + data
    return body + checksum(body)


def labels(items: list[Item]) -> list[str]:
    return [item.scan_data_label for item in items if isinstance(item, Frame)]


@pytest.fixture
def ssi() -> SsiProtocol:
    protocol = SsiProtocol()
    assert protocol.start() == [Reply(b"\x00")]
    assert protocol.gap_s == WAKE_UP_S
    assert protocol.end_of_silence() == [Reply(SCAN_ENABLE)]
    assert protocol.feed(DECODER_ACK) == []
    return protocol


@pytest.mark.parametrize(
    ("opcode", "data", "golden"),
    [
        (Opcode.CMD_ACK, b"", ACK),
        (Opcode.CMD_NAK, b"\x01", NAK_RESEND),
        (Opcode.SCAN_ENABLE, b"", SCAN_ENABLE),
        (Opcode.START_SESSION, b"", bytes.fromhex("04 E4 04 00 FF 14")),
    ],
)
def test_build_gives_the_bytes_of_the_manual(opcode: Opcode, data: bytes, golden: bytes) -> None:
    assert build(opcode, data) == golden


def test_build_more_than_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="252"):
        build(Opcode.PARAM_SEND, bytes(252))


def test_packet_repr_hides_the_data() -> None:
    packet = parse(decode_data(b"134567890123456789"))
    assert "134567" not in repr(packet)


def test_ssi_code_is_acknowledged_before_it_is_handed_on(ssi: SsiProtocol) -> None:
    items = ssi.feed(decode_data(b"6901234567892", 0x0B))
    assert items == [Reply(ACK), Frame("6901234567892", "]E0", "utf-8")]
    assert not ssi.has_pending


@pytest.mark.parametrize(
    ("code_type", "identifier"), [(0x03, "]C0"), (0x0F, "]C1"), (0x1C, "]Q1"), (0x0A, "]E4"), (0xEE, "")]
)
def test_ssi_code_type_becomes_the_aim_identifier(ssi: SsiProtocol, code_type: int, identifier: str) -> None:
    frame = ssi.feed(decode_data(b"96385074\r\n", code_type))[1]
    assert frame == Frame("96385074", identifier, "utf-8")


def test_ssi_wrong_checksum_is_asked_for_again_and_the_repetition_taken(ssi: SsiProtocol) -> None:
    good = decode_data(b"6901234567892")
    spoilt = good[:6] + bytes((good[6] ^ 0x10,)) + good[7:]
    assert ssi.feed(spoilt) == [Garbled(Garble.CHECKSUM, len(spoilt)), Reply(NAK_RESEND)]
    assert labels(ssi.feed(decode_data(b"6901234567892", status=Status.RETRANSMIT))) == ["6901234567892"]


def test_ssi_repetition_of_what_was_taken_is_acknowledged_and_dropped(ssi: SsiProtocol) -> None:
    assert labels(ssi.feed(decode_data(b"6901234567892"))) == ["6901234567892"]
    again = ssi.feed(decode_data(b"6901234567892", status=Status.RETRANSMIT))
    assert again == [Reply(ACK), Counted("RetransmitScanCount")]


def test_ssi_same_code_scanned_anew_without_the_bit_is_a_scan(ssi: SsiProtocol) -> None:
    for _ in range(2):
        assert labels(ssi.feed(decode_data(b"6901234567892"))) == ["6901234567892"]


@pytest.mark.parametrize("repeats_type", [False, True])
def test_ssi_long_code_in_several_packets_is_one_code(ssi: SsiProtocol, repeats_type: bool) -> None:
    text = bytes(0x30 + number % 10 for number in range(600))
    parts = [text[:250], text[250:500], text[500:]]
    items: list[Item] = []
    for number, part in enumerate(parts):
        status = Status.CONTINUES if number < 2 else Status.NONE
        data = part if number and not repeats_type else b"\x1c" + part
        body = bytes((4 + len(data), 0xF3, 0, status)) + data
        items += ssi.feed(body + checksum(body))
    assert items.count(Reply(ACK)) == 3
    assert labels(items) == [text.decode()]


def test_ssi_repeated_part_of_a_long_code_is_taken_once(ssi: SsiProtocol) -> None:
    body = bytes((4 + 1 + 100, 0xF3, 0, Status.CONTINUES, 0x03)) + b"7" * 100
    again = bytes((4 + 1 + 100, 0xF3, 0, Status.CONTINUES | Status.RETRANSMIT, 0x03)) + b"7" * 100
    last = bytes((4 + 3, 0xF3, 0, 0)) + b"888"
    ssi.feed(body + checksum(body))
    assert ssi.feed(again + checksum(again)) == [Reply(ACK), Counted("RetransmitScanCount")]
    assert labels(ssi.feed(last + checksum(last))) == ["7" * 100 + "888"]


def test_ssi_rest_of_a_long_code_that_never_comes_is_garbled(ssi: SsiProtocol) -> None:
    body = bytes((4 + 4, 0xF3, 0, Status.CONTINUES, 0x03)) + b"777"
    ssi.feed(body + checksum(body))
    assert ssi.has_pending
    assert ssi.gap_s == RESPONSE_TIMEOUT_S
    assert ssi.end_of_silence() == [Garbled(Garble.UNTERMINATED, 4)]
    assert not ssi.has_pending


def test_ssi_half_a_packet_is_asked_for_again_after_silence(ssi: SsiProtocol) -> None:
    packet = decode_data(b"6901234567892")
    assert ssi.feed(packet[:9]) == []
    assert ssi.gap_s == PACKET_GAP_S
    assert ssi.end_of_silence() == [Garbled(Garble.CHECKSUM, 9), Reply(NAK_RESEND)]
    assert labels(ssi.feed(packet)) == ["6901234567892"]


def test_ssi_endless_code_is_limited(ssi: SsiProtocol) -> None:
    body = bytes((255, 0xF3, 0, Status.CONTINUES)) + b"7" * 251
    items: list[Item] = []
    for _ in range(33):
        items += ssi.feed(body + checksum(body))
    assert [item.cause for item in items if isinstance(item, Garbled)] == [Garble.OVERFLOW]


def test_ssi_unanswered_command_is_repeated_twice_with_the_bit_then_given_up() -> None:
    ssi = SsiProtocol()
    ssi.start()
    ssi.end_of_silence()
    repeated = [Reply(build(Opcode.SCAN_ENABLE, status=Status.RETRANSMIT))]
    assert ssi.gap_s == RESPONSE_TIMEOUT_S
    assert ssi.end_of_silence() == repeated
    assert ssi.end_of_silence() == repeated
    assert ssi.end_of_silence() == [Counted("CommandUnansweredCount")]
    assert not ssi.has_pending


def test_ssi_refused_command_is_not_repeated() -> None:
    ssi = SsiProtocol()
    ssi.start()
    ssi.end_of_silence()
    denied = bytes((5, 0xD1, 0, 0, 6))
    assert ssi.feed(denied + checksum(denied)) == [Counted("CommandRefusedCount")]
    assert not ssi.has_pending


def test_ssi_wake_up_bytes_are_no_noise(ssi: SsiProtocol) -> None:
    assert labels(ssi.feed(b"\x00\x00" + decode_data(b"6901234567892"))) == ["6901234567892"]


def test_ssi_plain_text_of_a_misconfigured_unit_is_noise_and_never_a_code(ssi: SsiProtocol) -> None:
    items = ssi.feed(b"6901234567892\r\n") + ssi.end_of_silence()
    assert labels(items) == []
    assert any(isinstance(item, Garbled) for item in items)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=3, max_size=60), min_size=1, max_size=4), st.lists(st.integers(0, 300), max_size=9))
def test_ssi_any_split_of_the_stream_gives_the_same_codes(codes: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(decode_data(code.hex().encode()) for code in codes)
    ssi = SsiProtocol()
    items: list[Item] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        items += ssi.feed(stream[start:end])
    assert labels(items) == [code.hex() for code in codes]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_ssi_after_any_noise_and_silence_the_next_code_is_read(noise: bytes) -> None:
    ssi = SsiProtocol()
    ssi.feed(noise)
    while ssi.has_pending:
        ssi.end_of_silence()
    assert labels(list(ssi.feed(decode_data(b"6901234567892"))))[-1:] == ["6901234567892"]
