"""Bytes of a job: golden bytes with their source, and everything read back by an independent parser."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.escpos.bitmap import Bitmap
from drivers.escpos.encoder import encode, is_han_pair
from drivers.escpos.layout import Line
from drivers.escpos.profile import CutMode, Profile, TextMode
from pos_agent.domain.slip import Align, Barcode, Block, Cut, Feed, QrCode, Row, Rule, SlipDocument, SlipKind, Text
from pos_agent.errors import UnencodableError
from tests.unit.drivers.escpos.receipt_parser import parse

HAN = Profile(name="han")
LATIN = Profile(name="latin", text_mode=TextMode.CODEPAGE, code_page="cp858", code_page_number=19)
NARROW = Profile(name="narrow", width_dots=384)
REQUEST_ID = "9812345678901234567815"


def document(*blocks: Block) -> SlipDocument:
    return SlipDocument(kind=SlipKind.RESULT, blocks=blocks)


def body(*blocks: Block, profile: Profile = HAN) -> bytes:
    """Return the bytes after the start of the job."""
    data = encode(document(*blocks), profile)
    start = b"\x1b@\x1c."
    assert data.startswith(start)
    return data[len(start) :]


def test_job_of_codepage_printer_starts_by_leaving_han_mode_and_choosing_its_page() -> None:
    # ESC @, FS ., ESC t 19: clones sold in China come out of ESC @ in Han mode (devices.md section 1).
    assert encode(document(), LATIN) == b"\x1b@\x1c.\x1bt\x13"


def test_text_of_han_and_ascii_is_bracketed_by_run() -> None:
    # GB 2312: 退 CD CB, 款 BF EE.
    assert body(Text("退款 OK")) == b"\x1c&\xcd\xcb\xbf\xee\x1c. OK\n"


def test_text_with_latin_yen_prints_the_full_width_one() -> None:
    # U+00A5 would be GB18030 81 30 84 36 and print as "0 6"; U+FFE5 is A3 A4.
    assert body(Text("\u00a51", is_critical=True)) == b"\x1c&\xa3\xa4\x1c.1\n"


def test_text_doubled_sets_both_sizes_and_returns_to_normal() -> None:
    data = body(Text("额", width=2, height=2, bold=True, align=Align.CENTER), Text("a"))
    assert data == (
        b"\x1ba\x01\x1d!\x11\x1c!\x0c\x1bE\x01\x1c&\xb6\xee\x1c.\n"  # 额 = B6 EE
        b"\x1ba\x00\x1d!\x00\x1c!\x00\x1bE\x00a\n"
    )


def test_barcode_is_code128_set_c_of_two_dot_modules_without_text() -> None:
    # GS H 0, GS w 2, GS h 80, GS k 73 n {C d…: a byte of value 0 … 99 for each pair of digits.
    expected = b"\x1ba\x01\x1dH\x00\x1dw\x02\x1dh\x50\x1dk\x49\x0d{C" + bytes(
        [98, 12, 34, 56, 78, 90, 12, 34, 56, 78, 15]
    )
    assert body(Barcode(REQUEST_ID)) == expected


@pytest.mark.parametrize("digits", ["", "123", "12a4", "１２", "12" * 40])
def test_barcode_that_no_scanner_could_read_is_refused(digits: str) -> None:
    with pytest.raises(UnencodableError):
        encode(document(Barcode(digits)), NARROW)


def test_barcode_of_a_request_id_fits_narrow_paper() -> None:
    receipt = parse(encode(document(Barcode(REQUEST_ID)), NARROW))
    assert receipt.named("code128") == [b"{C" + bytes([98, 12, 34, 56, 78, 90, 12, 34, 56, 78, 15])]


@pytest.mark.parametrize("digits", ["981620010099", "981605020099"])
def test_bars_whose_data_would_be_a_real_time_command_are_drawn(digits: str) -> None:
    data = encode(document(Barcode(digits)), HAN)
    assert not parse(data).named("code128")
    assert parse(data).named("raster")
    assert b"\x10\x14" not in data
    assert b"\x10\x05" not in data


def test_qr_stores_then_prints() -> None:
    receipt = parse(encode(document(QrCode("https://例", module_dots=5)), HAN))
    # Functions 165 (model 2), 167 (size), 169 (level M = 49), 180 (store), 181 (print).
    assert receipt.named("qr") == [b"1A2\x00", b"1C\x05", b"1E1", b"1P0" + "https://例".encode(), b"1Q0"]


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (CutMode.FEED_AND_CUT, b"\x1dV\x42\x00"),
        (CutMode.CUT, b"\x1bd\x04\x1dV\x01"),
        (CutMode.NONE, b"\x1bd\x04"),
    ],
)
def test_cut_feeds_past_the_knife(cut: CutMode, expected: bytes) -> None:
    assert body(Cut(), profile=Profile(name="x", cut=cut)) == expected


def test_feed_of_more_than_a_byte_is_limited() -> None:
    assert body(Feed(1000)) == b"\x1bd\xff"
    assert body(Feed(0)) == b""


def test_row_puts_the_value_at_the_right_edge_counting_han_twice() -> None:
    receipt = parse(encode(document(Row("商户 MERCHANT", "王小二面馆"), Rule()), NARROW))
    first, rule = receipt.lines
    assert first == "商户 MERCHANT" + " " * 9 + "王小二面馆"
    assert rule == "-" * 32


def test_row_too_long_for_a_line_moves_the_value_to_its_own() -> None:
    receipt = parse(encode(document(Row("原交易单号 ORIGINAL NO.", "1234567890123456789012345678")), NARROW))
    assert receipt.lines == ["原交易单号 ORIGINAL NO.", "    1234567890123456789012345678"]


def test_text_wraps_between_words_and_between_han() -> None:
    receipt = parse(encode(document(Text("NOT A PROOF OF PAYMENT. Paid back later"), Text("退" * 17)), NARROW))
    assert receipt.lines == ["NOT A PROOF OF PAYMENT. Paid", "back later", "退" * 16, "退"]


def test_ambiguous_width_character_counts_as_the_printer_prints_it() -> None:
    # "·" is narrow for East Asian width "A" but two bytes, and two cells, in the printer's Han font.
    assert len(parse(encode(document(Row("a·b", "1")), NARROW)).lines[0]) == 31


def test_escape_bytes_in_a_text_never_reach_the_printer() -> None:
    data = body(Text("shop\x1b@\x1dV\x00 \x10\x14\x01\x00\x05name\u202e\u200b"), Row("a\x1b", "b\x9b"))
    assert data.count(b"\x1b") + data.count(b"\x1d") + data.count(b"\x10") == 0
    assert parse(data).lines[0].split() == ["shop", "@", "V", "name"]


def test_critical_line_with_a_character_of_four_bytes_is_refused() -> None:
    with pytest.raises(UnencodableError):
        encode(document(Text("金额 㐀", is_critical=True)), HAN)


def test_other_line_with_a_character_of_four_bytes_shows_a_placeholder_of_its_width() -> None:
    assert parse(encode(document(Text("㐀x🂡")), HAN)).lines == ["〓x?"]


def test_critical_han_line_on_a_code_page_printer_is_refused() -> None:
    with pytest.raises(UnencodableError):
        encode(document(Text("金额", is_critical=True)), LATIN)


def test_other_han_line_on_a_code_page_printer_shows_question_marks() -> None:
    assert parse(encode(document(Text("é退x")), LATIN), code_page="cp858").lines == ["é?x"]


def test_line_without_codes_is_drawn_where_a_font_is_at_hand() -> None:
    drawn: list[Line] = []

    def rasterize(line: Line) -> Bitmap:
        drawn.append(line)
        return Bitmap(72, bytes(72 * 100))

    data = encode(document(Text("金额", is_critical=True), Text("ok")), LATIN, rasterize=rasterize)
    receipt = parse(data)
    assert [line.text for line in drawn] == ["金额"]
    assert [argument[:4] for argument in receipt.named("raster")] == [b"\x48\x00\x60\x00", b"\x48\x00\x04\x00"]
    assert receipt.lines == ["ok"]


def test_bars_are_drawn_for_a_printer_without_code128() -> None:
    receipt = parse(encode(document(Barcode(REQUEST_ID, height_dots=80)), Profile(name="x", has_code128=False)))
    assert not receipt.named("code128")
    assert sum(len(argument) - 4 for argument in receipt.named("raster")) == 72 * 80


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
_BLOCKS = st.one_of(
    st.builds(Text, _TEXTS, st.sampled_from(Align), st.integers(1, 2), st.integers(1, 2), st.booleans()),
    st.builds(Row, _TEXTS, _TEXTS, st.integers(1, 2), st.booleans()),
    st.builds(Rule),
    st.builds(Feed, st.integers(0, 5)),
    st.builds(Cut),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_BLOCKS, max_size=6), st.sampled_from([HAN, NARROW, LATIN]))
def test_any_document_gives_lines_that_fit_the_paper(blocks: list[Block], profile: Profile) -> None:
    receipt = parse(encode(document(*blocks), profile), code_page=profile.code_page)
    for line in receipt.lines:
        cells = sum(2 if not c.isascii() and is_han_pair(c) and profile is not LATIN else 1 for c in line)
        assert cells <= profile.columns


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999_999_999))
def test_any_amount_prints_exactly(amount_minor: int) -> None:
    figures = f"RMB {amount_minor // 100}.{amount_minor % 100:02d}"
    assert parse(encode(document(Text(figures, width=2, is_critical=True)), NARROW)).lines == [figures]


def test_lone_surrogate_has_no_code() -> None:
    assert not is_han_pair("\ud800")
    assert not is_han_pair("\ue5e5"), "private use prints as whatever the maker put there"


def test_bars_without_any_way_to_print_them_are_refused() -> None:
    with pytest.raises(UnencodableError):
        encode(document(Barcode("12")), Profile(name="x", has_code128=False, has_raster=False))


def test_qr_without_any_way_to_print_it_shows_its_text() -> None:
    data = encode(document(QrCode("https://shop.example/9812")), Profile(name="x", has_qr=False))
    assert parse(data).lines == ["https://shop.example/9812"]


def test_word_longer_than_the_line_is_broken() -> None:
    assert parse(encode(document(Text("x" * 40)), NARROW)).lines == ["x" * 32, "x" * 8]
