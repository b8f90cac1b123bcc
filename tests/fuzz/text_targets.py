"""Words on paper and on panels: nothing lost, nothing too wide, nothing that commands a printer."""

from unicodedata import category

from drivers.display.cells import changed_runs
from drivers.display.geometry import Framebuffer, lay_out
from drivers.display.painter import Painter
from drivers.escpos.encoder import encode
from drivers.escpos.layout import Line, lines_of, printable, width_of, wrap
from drivers.escpos.profile import Profile, TextMode
from drivers.escpos.raster import LineRasterizer
from hil.simulators.printer.tokens import Tokenizer, TokenKind
from pos_agent.domain.screen import cell_width, clip, pad
from pos_agent.domain.slip import Align, Barcode, Block, Cut, Feed, QrCode, Row, Rule, SlipDocument, SlipKind, Text
from pos_agent.errors import UnencodableError
from pos_agent.workflow.views import layout as views
from tests.fuzz.source import Source
from tests.fuzz.target import Target, plain

_PROFILES = (
    Profile(name="80 mm"),
    Profile(name="58 mm", width_dots=384, has_qr=False, has_code128=False),
    Profile(name="raster", text_mode=TextMode.RASTER),
    Profile(name="Latin", width_dots=256, text_mode=TextMode.CODEPAGE, has_raster=False, has_qr=False),
)
_RASTERIZERS = [LineRasterizer(profile) for profile in _PROFILES]
#: Commands that the encoder writes; no text may bring another one with it.
_OURS = frozenset(
    {
        "ESC @",
        "ESC a",
        "ESC E",
        "ESC t",
        "ESC d",
        "ESC J",
        "ESC m",
        "ESC i",
        "GS !",
        "GS V",
        "GS k",
        "GS h",
        "GS w",
        "GS H",
    }
    | {"GS v 0", "GS ( k", "FS &", "FS .", "FS !", "FS S"}
)


def _wrap(data: bytes) -> None:
    """Break lines: each fits, none is lost but spaces."""
    source = Source(data)
    columns = 2 + source.byte() % 48
    text = source.rest().decode("utf-8", "ignore")
    shown = printable(text.replace("\n", " "))
    pieces = wrap(shown, columns, cell_width)
    assert all(cell_width(piece) <= columns for piece in pieces)
    assert "".join(pieces).replace(" ", "") == "".join(shown.split()).replace(" ", "") or _has_other_space(shown)
    on_screen = views.wrap(shown, columns)
    assert all(cell_width(piece) <= columns for piece in on_screen)
    assert "".join("".join(on_screen).split()) == "".join(shown.split())
    assert cell_width(pad(shown, columns)) == columns
    assert shown.startswith(clip(shown, columns))


def _has_other_space(text: str) -> bool:
    return any(character.isspace() and character != " " for character in text)


def _slip(data: bytes) -> None:
    """Render any slip on any printer: only our own commands, every line within the paper."""
    source = Source(data)
    index = source.byte() % len(_PROFILES)
    profile, raster = _PROFILES[index], _RASTERIZERS[index]
    blocks = tuple(_blocks(source))
    for block in blocks:
        if isinstance(block, Text | Row | Rule):
            for line in lines_of(block, profile.columns, cell_width):
                _check_line(line, profile.columns)
    try:
        job = encode(
            SlipDocument(kind=SlipKind.RESULT, blocks=blocks), profile, rasterize=raster.line, rasterize_qr=raster.qr
        )
    except UnencodableError:
        return
    tokenizer = Tokenizer()
    tokens = list(tokenizer.feed(job))
    assert not tokenizer.pending
    wrong = [token for token in tokens if token.kind is TokenKind.UNKNOWN]
    assert not wrong, wrong
    names = {token.name for token in tokens if token.kind is TokenKind.COMMAND}
    assert names <= _OURS, names - _OURS
    controls = {token.name for token in tokens if token.kind is TokenKind.CONTROL}
    assert controls <= {"LF"}, controls


def _blocks(source: Source) -> list[Block]:
    def one() -> Block:
        is_critical, bold = source.byte() % 4 == 0, source.byte() % 2 == 0
        match source.byte() % 9:
            case 0 | 1 | 2:
                size = 1 + source.byte() % 2
                align = source.pick(tuple(Align))
                return Text(source.text(), align=align, width=size, height=size, bold=bold, is_critical=is_critical)
            case 3 | 4:
                return Row(source.text(), source.text(), bold=bold, is_critical=is_critical)
            case 5:
                return Barcode(source.number(4).__str__().zfill(22), height_dots=source.byte())
            case 6:
                return QrCode(source.text(), module_dots=1 + source.byte() % 6, caption=source.text(), is_optional=bold)
            case 7:
                return Feed(source.byte())
            case _:
                return Cut() if source.byte() % 2 else Rule()

    found: list[Block] = []
    while not source.is_empty and len(found) < 12:
        found.append(one())
    return found


def _check_line(line: Line, columns: int) -> None:
    assert width_of(line.text, cell_width) * line.width <= columns, line
    assert not any(category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in line.text)


def _panel(data: bytes) -> None:
    """Draw any screen over any other: only visible memory is written, and all that differs is."""
    source = Source(data)
    bits = source.pick((16, 24, 32))
    width, height = 320 + source.byte() * 2, 192 + source.byte() * 2
    stride = width * bits // 8 + source.pick((0, 2, 64))
    framebuffer = Framebuffer(
        width=width, height=height, bits=bits, stride_bytes=stride, start_bytes=source.byte() % 2 * stride
    )
    rotate = source.pick((0, 90, 180, 270))
    size = source.pick(((40, 12), (20, 4)))
    try:
        painter = Painter(lay_out(framebuffer, size=size, rotate=rotate))
    except ValueError:
        return
    columns, rows = size
    shown: tuple[str, ...] | None = None
    while not source.is_empty:
        wanted = tuple(pad(source.text(), columns) for _ in range(rows))
        cells = [_cells(line) for line in shown] if shown else [["?"] * columns for _ in range(rows)]
        for run in changed_runs(shown, wanted):
            cells[run.row][run.column : run.column + cell_width(run.text)] = _cells(run.text)
            for offset, row in painter.paint(run):
                assert framebuffer.start_bytes <= offset
                assert offset + len(row) <= framebuffer.size_bytes
                assert (offset - framebuffer.start_bytes) % stride + len(row) <= width * bits // 8
        assert cells == [_cells(line) for line in wanted]
        shown = wanted


def _cells(line: str) -> list[str]:
    return [part for character in line for part in ([character, ""] if cell_width(character) == 2 else [character])]


_TEXT = "退款单号: 9812345678 （已提交）￥128.00, see www.example.cn/退款。\u200b\u00a5\U00020000·Ａ"
_SEEDS = (b"\x20" + _TEXT.encode(), b"\x00" + b"word " * 30, b"\x05" + "，。）（".encode() * 8)
_WORDS = tuple(
    text.encode()
    for text in (
        "（",
        "）",
        "。",
        "￥",
        "\u0301",
        "\u2028",
        "\u00ad",
        "\u3000",
        "\x1b@",
        "\x10\x14\x01",
        "\U0002000b",
        "é",
        "\x85",
    )
)
_ROW = bytes((len(_TEXT.encode()) % 256,)) + _TEXT.encode()
_SLIPS = tuple(
    bytes((profile, critical, 0, kind, 1, 1)) + _ROW + _ROW
    for profile in range(4)
    for critical in (0, 1)
    for kind in (0, 3, 5, 6)
)

TARGETS = (
    Target(name="text-wrap", make=plain(_wrap), seeds=_SEEDS, words=_WORDS),
    Target(name="text-slip", make=plain(_slip), seeds=_SLIPS, words=_WORDS, max_bytes=1024, quick_examples=150),
    Target(
        name="text-panel",
        make=plain(_panel),
        seeds=(bytes(7) + _ROW * 4, bytes((1, 90, 90, 1, 1, 1, 0)) + _ROW * 14),
        words=_WORDS,
        quick_examples=40,
    ),
)
