"""ESC/POS text, sizes, places and pictures on paper; python-escpos as an independent producer."""

from io import BytesIO

import pytest
from escpos.printer import Dummy
from PIL import Image, ImageChops

from hil.simulators.printer.interpreter import Effect
from hil.simulators.printer.text import MISSING
from tests.unit.simulators.press import Press


def kanji(text: str) -> bytes:
    return b"\x1c&" + text.encode("gb18030") + b"\x1c."


def test_python_escpos_job_is_printed_as_its_text() -> None:
    job = Dummy()
    job.set(align="center", bold=True, double_width=True, double_height=True)
    job.textln("REFUND")
    job.set(align="left", normal_textsize=True)
    job.textln("Café crème  €12,00")
    job.textln("Добрый день")
    job.ln(2)
    job.textln("end")
    job.cut()
    press = Press(job.output)
    assert press.lines == ["REFUND", "Café crème  €12,00", "Добрый день", "", "", "end"]
    assert press.effects == [Effect("cut", b"full")]
    assert press.interpreter.unknown == []


@pytest.mark.parametrize("implementation", ["bitImageRaster", "graphics", "bitImageColumn"])
def test_python_escpos_image_is_printed_dot_for_dot(implementation: str) -> None:
    picture = Image.effect_noise((96, 48), 200).point(lambda value: 255 if value > 128 else 0).convert("1")
    encoded = BytesIO()
    picture.save(encoded, "PNG")
    job = Dummy()
    job.image(encoded, impl=implementation)
    printed = Press(job.output).paper.snapshot().crop((0, 0, 96, 48))
    assert ImageChops.difference(printed.convert("L"), picture.convert("L")).getbbox() is None


@pytest.mark.parametrize(
    ("page", "encoding", "text"),
    [(0, "cp437", "é£½"), (2, "cp850", "éøÐ"), (16, "cp1252", "€éŸ"), (17, "cp866", "Возврат"), (19, "cp858", "€ñ")],
)
def test_code_page_chosen_decodes_its_bytes(page: int, encoding: str, text: str) -> None:
    assert Press(b"\x1bt" + bytes([page]) + text.encode(encoding) + b"\n").lines == [text]


def test_gb18030_two_and_four_bytes_become_characters() -> None:
    assert Press(kanji("退款￥12.00，已保存㐂\U00020087") + b"\n").lines == ["退款￥12.00，已保存㐂\U00020087"]


def test_kanji_mode_off_shows_code_page_characters() -> None:
    assert Press("退".encode("gb18030") + b"\n").lines == ["退".encode("gb18030").decode("cp437")]


def test_kanji_mode_by_default_comes_back_with_initialise() -> None:
    data = b"\x1c.\x1b@" + "退".encode("gb18030") + b"\n"
    assert Press(data, is_kanji_default=True).lines == ["退"]


def test_kanji_lead_byte_followed_by_a_command_shows_a_missing_character() -> None:
    assert Press(b"\x1c&\xcd\n").lines == [MISSING]


def test_han_character_is_24_dots_wide_and_latin_12() -> None:
    assert Press(kanji("国") * 24 + b"A\n").lines == ["国" * 24, "A"]
    assert Press(b"A" * 49 + b"\n").lines == ["A" * 48, "A"]
    assert Press(b"\x1bM\x01" + b"A" * 65 + b"\n").lines == ["A" * 64, "A"]


@pytest.mark.parametrize(
    ("command", "per_line"),
    [(b"\x1d!\x11", 12), (b"\x1c!\x0c", 12), (b"\x1cW\x01", 12), (b"\x1b!\x30", 24)],
    ids=["GS ! both", "FS ! kanji", "FS W kanji", "ESC ! Latin only"],
)
def test_double_size_of_han_follows_its_own_commands(command: bytes, per_line: int) -> None:
    assert Press(command + kanji("国" * (per_line + 1)) + b"\n").lines == ["国" * per_line, "国"]


def test_double_height_line_is_48_dots_and_feeds_no_more() -> None:
    press = Press(b"\x1d!\x01A\n")
    assert press.paper.fed_dots == 48
    assert Press(b"A\n").paper.fed_dots == 30
    assert Press(b"\x1b3\x40A\n").paper.fed_dots == 64


def test_alignment_places_ink_in_the_print_area() -> None:
    left, center, right = (Press(b"\x1ba" + bytes([align]) + b"HH\n").ink() for align in (0, 1, 2))
    assert left[0] < 12
    assert (center[0] + center[2]) // 2 in range(284, 292)
    assert right[2] > 564
    margin = Press(b"\x1dL\x64\x00HH\n").ink()
    assert margin[0] == left[0] + 100


def test_alignment_inside_a_line_is_ignored() -> None:
    assert Press(b"H\x1ba\x02H\n").ink()[0] < 12


def test_bold_underline_and_reverse_change_the_ink() -> None:
    def black(data: bytes) -> int:
        return Press(data + b"AA\n").paper.snapshot().convert("L").histogram()[0]

    plain = black(b"")
    assert black(b"\x1bE\x01") > plain
    assert black(b"\x1b-\x01") == plain + 24
    assert black(b"\x1dB\x01") == 24 * 24 - plain


def test_feeds_move_the_paper_by_their_dots() -> None:
    assert Press(b"A\x1bJ\x50").paper.fed_dots == 80
    assert Press(b"A\x1bd\x03").paper.fed_dots == 90


def test_tabs_and_positions_become_blanks() -> None:
    assert Press(b"A\tB\n").lines == ["A       B"]
    assert Press(b"A\x1b$\x78\x00B\n").lines == ["A         B"]


def test_raster_doubled_is_scaled() -> None:
    press = Press(b"\x1dv0\x03\x01\x00\x02\x00\x80\x80")
    assert press.ink() == (0, 0, 2, 4)


def test_unknown_command_is_shown_on_paper_and_listed() -> None:
    press = Press(b"ok\x1b\x7f!\n")
    assert press.lines == ["ok‹1B 7F›!"]
    assert press.interpreter.unknown == ["1B 7F"]


def test_cut_leaves_what_is_between_knife_and_head_for_the_next_sheet() -> None:
    press = Press(b"first\n" * 6)
    sheet = press.paper.cut(120)
    assert sheet.lines == ["first"] * 2
    assert sheet.image.height == 60
    assert press.lines == ["first"] * 4


def test_drawer_beeper_and_questions_are_left_to_the_engine() -> None:
    press = Press(b"\x1bp\x00\x19\xfa\x1bB\x03\x02\x1dr\x01\x1dIC\x1d(H\x06\x00\x30\x30ABCD\x1da\x08")
    assert [(effect.kind, effect.args) for effect in press.effects] == [
        ("drawer", b"\x00\x19\xfa"),
        ("beep", b"\x03\x02"),
        ("status", b"\x01"),
        ("identify", b"C"),
        ("process_id", b"\x30\x30ABCD"),
        ("asb", b"\x08"),
    ]
