"""Row 14: bytes and CPU of one slip, against the same slip by python-escpos with software QR and raster text (issue 4).

The same document, on the same 80 mm paper: ours as the spooler renders it for a Chinese printer (text as GB18030, the
printer's own bar and QR codes); theirs as its users must for a printer whose Han text cannot be told from its profile:
every line drawn by Pillow and sent as a picture, the QR code drawn too, all into `Dummy`.
"""

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path

from escpos.printer import Dummy
from PIL import Image, ImageDraw, ImageFont

from drivers.escpos.encoder import encode
from drivers.escpos.layout import lines_of
from drivers.escpos.profile import Profile
from drivers.escpos.raster import LineRasterizer
from pos_agent.domain.screen import cell_width
from pos_agent.domain.slip import Barcode, Block, Cut, Feed, QrCode, Row, Rule, SlipDocument, Text
from tests.bench.measure import Measured, median
from tests.fakes.slip_samples import REQUEST, maker

_FONTS = ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
_WIDTH_DOTS, _CELL_DOTS = 576, 12
_PROFILE = Profile(name="80 mm")
#: As long as the signed request that a slip keeps for the day its till's card dies.
_RESCUE = "PR1." + "Abcd1234" * 60


def row(runs: int) -> Measured:
    """Return the row; both render warm, their fonts loaded."""
    document = _document()
    raster = LineRasterizer(_PROFILE)
    font = next(ImageFont.truetype(name, _CELL_DOTS * 2) for name in _FONTS if Path(name).is_file())
    ours, ours_s = _timed(lambda: encode(document, _PROFILE, rasterize=raster.line, rasterize_qr=raster.qr), runs)
    theirs, theirs_s = _timed(lambda: _by_python_escpos(document, font), max(3, runs // 20))
    ratio = ours_s / theirs_s
    return Measured(
        number=14,
        what="slip rendered: CPU, bytes",
        figure=f"{ours_s * 1e3:.2f} ms, {len(ours)} bytes, n={runs}",
        floor=f"python-escpos raster {theirs_s * 1e3:.0f} ms, {len(theirs)} bytes",
        ratio=ratio,
        budget="<= 0.1x CPU, <= 0.1x bytes",
        is_within=ratio <= 0.1 and len(ours) <= 0.1 * len(theirs),
    )


def _document() -> SlipDocument:
    slip = maker().request_slips(REQUEST)[0]
    return SlipDocument(kind=slip.kind, blocks=(*slip.blocks[:-1], QrCode(_RESCUE, module_dots=3), Cut()))


def _timed(render: Callable[[], bytes], runs: int) -> tuple[bytes, float]:
    """Return what is rendered and the median of the CPU seconds that it takes."""
    made, times = render(), []
    for _ in range(runs):
        started = time.process_time()
        render()
        times.append(time.process_time() - started)
    return made, median(times)


def _by_python_escpos(document: SlipDocument, font: ImageFont.FreeTypeFont) -> bytes:
    printer = Dummy(profile="TM-T20II")
    printer.hw("INIT")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints which way it takes
        for block in document.blocks:
            _print(printer, block, font)
    output: bytes = printer.output
    return output


def _print(printer: Dummy, block: Block, font: ImageFont.FreeTypeFont) -> None:
    match block:
        case Text() | Row() | Rule():
            for line in lines_of(block, _PROFILE.columns, cell_width):
                printer.image(_drawn(line.text, line.width, font))
        case Barcode():
            printer.barcode("{C" + block.digits, "CODE128", height=block.height_dots, width=2, function_type="B")
        case QrCode():
            printer.qr(block.text, size=block.module_dots, native=False)
        case Feed():
            printer.ln(block.lines)
        case Cut():
            printer.cut()


def _drawn(text: str, size: int, font: ImageFont.FreeTypeFont) -> Image.Image:
    """Return a line in cells, so that the columns stand as on our slip."""
    picture = Image.new("1", (_WIDTH_DOTS // size, _CELL_DOTS * 2 + 4), 1)
    draw, x = ImageDraw.Draw(picture), 0
    for character in text:
        draw.text((x, 0), character, font=font, fill=0)
        x += cell_width(character) * _CELL_DOTS
    return picture if size == 1 else picture.resize((picture.width * size, picture.height * size))
