"""The simulated panel reads text from dots, whoever drew them."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hil.simulators.framebuffer import SimFramebuffer
from tests.fakes.waiting import until

UNIFONT = "/usr/share/fonts/opentype/unifont/unifont.otf"


def _drawn(lines: list[str]) -> bytes:
    """Return RGB565 of a 40 × 12 screen as Pillow draws it, 16 × 32 dots a cell."""
    small = Image.new("1", (320, 192))
    draw = ImageDraw.Draw(small)
    draw.fontmode = "1"
    for row, line in enumerate(lines):
        draw.text((0, row * 16 + 14), line, fill=1, font=ImageFont.truetype(UNIFONT, 16), anchor="ls")
    dots = small.resize((640, 384), Image.Resampling.NEAREST).convert("L").tobytes()
    return bytes(byte for dot in dots for byte in (dot, dot))


async def test_panel_reads_what_pillow_drew_and_forgets_it_unplugged(tmp_path: Path) -> None:
    changes: list[int] = []
    panel = SimFramebuffer(tmp_path / "fb0", on_change=lambda one: changes.append(one.seq))
    panel.plug()
    assert panel.lines() == [""] * 12
    with panel.path.open("r+b") as file:
        file.write(_drawn(["退款终端 01", "", "Refund ￥128.00 all"]))
    await until(lambda: panel.seq == 1)
    assert panel.lines() == ["退款终端 01", "", "Refund ￥128.00 all", *[""] * 9]
    assert changes == [1]
    panel.unplug()
    assert not panel.path.exists()
    assert panel.lines() == [""] * 12
