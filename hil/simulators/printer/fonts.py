"""Glyphs in the cells of a receipt printer: 12×24 (A), 9×17 (B), 24×24 (Han), as one-bit pictures."""

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

#: Searched in this order; the first that exists is taken.
MONOSPACED_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationMono-Regular.ttf",
    "/usr/share/fonts/truetype/freefont/FreeMono.ttf",
    "/usr/share/fonts/truetype/noto/NotoSansMono-Regular.ttf",
)
HAN_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
)
FONT_A, FONT_B, HAN = (12, 24), (9, 17), (24, 24)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def has_han_font() -> bool:
    """Return whether Han characters can be drawn; without a font they come out as boxes."""
    return any(Path(name).exists() for name in HAN_FONTS)


@lru_cache(maxsize=8)
def _font(names: tuple[str, ...], size: int) -> _Font:
    for name in names:
        if Path(name).exists():
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def glyph(text: str, cell: tuple[int, int], magnify: tuple[int, int] = (1, 1), *, is_bold: bool = False) -> Image.Image:
    """Return the picture of one character, black (0) on white (1), `cell` × `magnify` dots."""
    width, height = cell
    is_han = cell == HAN
    font = _font(HAN_FONTS, 24) if is_han else _font(MONOSPACED_FONTS, round(width / 0.602))
    picture = Image.new("L", cell, 255)
    draw = ImageDraw.Draw(picture)
    baseline = height * 5 // 6 if is_han else height * 4 // 5
    for shift in (0, 1) if is_bold else (0,):
        draw.text((shift, baseline), text, font=font, fill=0, anchor="ls")
    mono = picture.point(lambda value: 255 if value > 140 else 0).convert("1", dither=Image.Dither.NONE)
    if magnify == (1, 1):
        return mono
    return mono.resize((width * magnify[0], height * magnify[1]), Image.Resampling.NEAREST)
