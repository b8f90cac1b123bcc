"""Framing of scanner bytes: whole, byte by byte, joined, with noise before, inside and after."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.scanner.framer import MAX_FRAME_BYTES, Frame, Garble, Garbled, ScanFramer, decode_payload, parse_frame

ORDER_NO = "4200002089202611201078907890"


def _labels(items: list[Frame | Garbled]) -> list[str]:
    return [item.scan_data_label for item in items if isinstance(item, Frame)]


def _causes(items: list[Frame | Garbled]) -> list[Garble]:
    return [item.cause for item in items if isinstance(item, Garbled)]


@pytest.mark.parametrize("suffix", [b"\r", b"\n", b"\r\n", b"\x00", b"\x03", b"\r\n\r\n", b"\t\r"])
def test_framer_any_suffix_ends_frame_once(suffix: bytes) -> None:
    framer = ScanFramer()

    assert _labels(framer.feed(ORDER_NO.encode() + suffix)) == [ORDER_NO]
    assert not framer.has_pending


@pytest.mark.parametrize("suffix", [b"\r", b"\r\n", b"\x03"])
def test_framer_byte_by_byte_equals_whole(suffix: bytes) -> None:
    framer = ScanFramer()
    found: list[Frame | Garbled] = []
    for byte in b"\x02" + ORDER_NO.encode() + suffix:
        found += framer.feed(bytes([byte]))

    assert found == [Frame(ORDER_NO, "", "utf-8")]


def test_framer_joined_frames_are_parted() -> None:
    framer = ScanFramer()

    assert _labels(framer.feed(b"6901234567892\r\n6907654321098\r\n690")) == ["6901234567892", "6907654321098"]
    assert framer.has_pending
    assert _labels(framer.feed(b"1111111111\r")) == ["6901111111111"]


@pytest.mark.parametrize(
    ("data", "label", "scan_data_type"),
    [
        (b"]C06901234567892", "6901234567892", "]C0"),
        (b"]E06901234567892", "6901234567892", "]E0"),
        (b"]Q1https://example.com/r?x=1", "https://example.com/r?x=1", "]Q1"),
        (b"]d20112345678901231", "0112345678901231", "]d2"),
        (b"]", None, ""),
        (b"]-1234", "]-1234", ""),
    ],
)
def test_framer_aim_identifier_becomes_scan_data_type(data: bytes, label: str | None, scan_data_type: str) -> None:
    item = parse_frame(data)

    if label is None:
        assert item == Garbled(Garble.SHORT, 1)
    else:
        assert isinstance(item, Frame)
        assert (item.scan_data_label, item.scan_data_type) == (label, scan_data_type)


def test_framer_without_suffix_silence_ends_frame() -> None:
    framer = ScanFramer(idle_gap_s=0.05)

    assert framer.feed(ORDER_NO.encode()) == []
    assert framer.has_pending
    assert framer.gap_s == 0.5  # half of the very first code must not pass for a whole one
    assert _labels(framer.end_of_silence()) == [ORDER_NO]
    assert framer.gap_s == 0.05  # from then on silence is known to be the end
    assert not framer.has_pending


def test_framer_tab_suffix_is_taken_off_when_silence_ends_the_frame() -> None:
    framer = ScanFramer()
    framer.feed(ORDER_NO.encode() + b"\t")

    assert _labels(framer.end_of_silence()) == [ORDER_NO]


def test_framer_tab_as_suffix_ends_a_frame_at_once() -> None:
    framer = ScanFramer(ends_at_tab=True)

    assert _labels(framer.feed(b"6901234567892\t96385074\t\r\n690")) == ["6901234567892", "96385074"]


def test_framer_tab_inside_data_ends_nothing_unless_it_is_the_suffix() -> None:
    assert _labels(ScanFramer().feed(b"ABC\t123\r")) == ["ABC\t123"]


def test_framer_named_prefix_is_taken_off_once_and_only_in_front() -> None:
    framer = ScanFramer(prefix="A")

    assert _labels(framer.feed(b"A134567890123456789\rAA12345\r12A45\r")) == ["134567890123456789", "A12345", "12A45"]
    framer = ScanFramer(prefix="A", ends_at_suffix=False)
    framer.feed(b"A96385074")
    assert _labels(framer.end_of_silence()) == ["96385074"]


@pytest.mark.parametrize("place", range(1, 18))
def test_framer_pause_at_any_place_of_a_payment_code_is_waited_out(place: int) -> None:
    code = b"134567890123456789"
    framer = ScanFramer(idle_gap_s=0.05)
    framer.feed(ORDER_NO.encode())
    framer.end_of_silence()
    assert framer.gap_s == 0.05  # this scanner sends no suffix, and silence is known to be the end

    framer.feed(code[:place])
    assert framer.gap_s == 0.5
    framer.feed(code[place:])
    assert framer.gap_s == 0.05
    assert _labels(framer.end_of_silence()) == [code.decode()]


def test_framer_reset_forgets_the_half_but_not_the_suffix() -> None:
    framer = ScanFramer()
    framer.feed(b"6901234567892\r13456")
    framer.reset()

    assert not framer.has_pending
    assert framer.gap_s == 0.5
    assert _labels(framer.feed(ORDER_NO.encode() + b"\r")) == [ORDER_NO]


def test_framer_suffix_known_half_a_frame_is_no_frame() -> None:
    framer = ScanFramer(idle_gap_s=0.05)
    framer.feed(b"6901234567892\r")
    framer.feed(ORDER_NO[:17].encode())

    assert framer.gap_s == 0.5
    assert framer.end_of_silence() == [Garbled(Garble.UNTERMINATED, 17)]
    assert _labels(framer.feed(ORDER_NO.encode() + b"\r")) == [ORDER_NO]


def test_framer_suffix_switched_off_is_learned_after_two_frames() -> None:
    framer = ScanFramer(idle_gap_s=0.05)
    framer.feed(b"6901234567892\r")
    for _ in range(2):
        framer.feed(ORDER_NO.encode())
        assert _causes(framer.end_of_silence()) == [Garble.UNTERMINATED]
    framer.feed(ORDER_NO.encode())

    assert _labels(framer.end_of_silence()) == [ORDER_NO]


def test_framer_idle_mode_keeps_line_ends_inside_data() -> None:
    framer = ScanFramer(ends_at_suffix=False)
    framer.feed(b"]Q1line one\r\nline")
    framer.feed(b" two\r\n")

    assert _labels(framer.end_of_silence()) == ["line one\r\nline two"]


def test_framer_idle_mode_lone_suffix_is_nothing() -> None:
    framer = ScanFramer(ends_at_suffix=False)
    framer.feed(b"\r\n")

    assert framer.end_of_silence() == []


def test_framer_stx_discards_what_was_cut_off() -> None:
    framer = ScanFramer()
    framer.feed(b"42000020")

    items = framer.feed(b"\x02" + ORDER_NO.encode() + b"\x03")

    assert items == [Garbled(Garble.UNTERMINATED, 8), Frame(ORDER_NO, "", "utf-8")]


def test_framer_ten_kilobytes_without_end_are_counted_once_and_resynchronised_by_silence() -> None:
    framer = ScanFramer()
    items: list[Frame | Garbled] = []
    for _ in range(10):
        items += framer.feed(b"7" * 1024)

    assert _causes(items) == [Garble.OVERFLOW]
    assert framer.has_pending
    assert framer.end_of_silence() == []
    assert _labels(framer.feed(ORDER_NO.encode() + b"\r")) == [ORDER_NO]


def test_framer_overflow_is_resynchronised_by_the_next_suffix() -> None:
    framer = ScanFramer()

    items = framer.feed(b"7" * (MAX_FRAME_BYTES + 1) + b"tail\r" + ORDER_NO.encode() + b"\r")

    assert _causes(items) == [Garble.OVERFLOW]
    assert _labels(items) == [ORDER_NO]


def test_framer_largest_qr_code_fits() -> None:
    framer = ScanFramer()

    assert _labels(framer.feed(b"7" * 7089 + b"\r")) == ["7" * 7089]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\x01\x02\x04\x1a9", Garble.CONTROL_BYTES),
        (b"69012\x7f4567", Garble.CONTROL_BYTES),
        (b"ab", Garble.SHORT),
        (b"  1  ", Garble.SHORT),
        (b"RF", Garble.NO_READ),
        (b"NR", Garble.NO_READ),
    ],
)
def test_parse_frame_noise_is_garbled(data: bytes, cause: Garble) -> None:
    assert parse_frame(data) == Garbled(cause, len(data))


@pytest.mark.parametrize("is_odd", [False, True])
def test_parse_frame_wrong_parity_setting_is_recognised(is_odd: bool) -> None:
    sent = bytes(byte | 0x80 if (byte.bit_count() + is_odd) % 2 else byte for byte in ORDER_NO.encode())

    assert parse_frame(sent) == Garbled(Garble.PARITY, len(sent))


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        ("退款单123".encode(), "退款单123", "utf-8"),
        ("退款单123".encode("gb18030"), "退款单123", "gb18030"),
        (b"caf\xe9", "café", "latin-1"),
    ],
)
def test_decode_payload_tries_utf8_then_gb18030_then_latin1(data: bytes, text: str, encoding: str) -> None:
    assert decode_payload(data) == (text, encoding)


def test_parse_frame_chinese_payloads_are_no_parity_error() -> None:
    for text in ("退款申请单号码", "微信支付订单一二三四五六七八", "商户单号"):
        for encoding in ("utf-8", "gb18030"):
            item = parse_frame(text.encode(encoding))
            assert isinstance(item, Frame)
            assert item.scan_data_label == text


def test_frame_repr_never_shows_the_label() -> None:
    assert "134567890123456789" not in repr(Frame("134567890123456789", "", "utf-8"))


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.text(alphabet="0123456789ABCxyz-_", min_size=3, max_size=40), min_size=1, max_size=5),
    suffix=st.sampled_from([b"\r", b"\n", b"\r\n", b"\x03"]),
    cuts=st.lists(st.integers(min_value=0, max_value=200), max_size=12),
)
def test_framer_any_split_of_the_stream_gives_the_same_frames(
    labels: list[str], suffix: bytes, cuts: list[int]
) -> None:
    stream = b"".join(label.encode() + suffix for label in labels)
    framer = ScanFramer()
    found: list[Frame | Garbled] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        found += framer.feed(stream[start:end])

    assert _labels(found) == labels
    assert _causes(found) == []


@settings(max_examples=60, deadline=None)
@given(noise=st.binary(max_size=12_000))
def test_framer_after_any_noise_the_next_frame_is_read(noise: bytes) -> None:
    framer = ScanFramer()
    framer.feed(noise)
    framer.end_of_silence()

    assert _labels(framer.feed(ORDER_NO.encode() + b"\r")) == [ORDER_NO]
