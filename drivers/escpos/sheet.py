"""The test sheet of commissioning: width, Han in each way, codes, knife; then drawer and buzzer. A person judges it.

The lines are numbered on the paper, as the questions are.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from drivers.escpos import extras
from drivers.escpos.encoder import HAN_OFF, INITIALIZE, encode
from drivers.escpos.link import PrinterLink
from drivers.escpos.overlay import OverlayFacts
from drivers.escpos.probe import Ask, Findings, Question, hear, send
from drivers.escpos.profile import Buzzer, CutMode, DrawerSensor, Profile, TextMode
from drivers.escpos.questions import Way, is_answer
from drivers.escpos.raster import LineRasterizer
from drivers.escpos.status import DLE_EOT_REQUESTS, parse_dle_eot
from pos_agent.domain.slip import Barcode, Block, Cut, Feed, QrCode, SlipDocument, SlipKind, Text

#: Ten digits: what a request's number begins with, and short enough for any paper.
_DIGITS: Final = "9812345670"
_NARROW_DOTS: Final = 384


def sheet(profile: Profile, sample: str) -> bytes:
    """Return the bytes of the sheet.

    Args:
        profile: What is known so far.
        sample: A line with Han characters and a sum of money, as on every slip.
    """
    columns = profile.columns
    ruler = "1 " + "".join(str(n % 10) for n in range(3, columns)) + "|"
    latin = _as(profile, text_mode=TextMode.CODEPAGE, has_raster=False)
    han = _as(profile, text_mode=TextMode.GB18030, has_raster=False)
    drawn = _as(profile, text_mode=TextMode.RASTER, has_raster=True)
    native = _as(profile, text_mode=TextMode.CODEPAGE, has_code128=True, has_qr=True, has_raster=True)
    knife = _as(native, cut=CutMode.FEED_AND_CUT)
    return b"".join(
        (
            _part(latin, Text(ruler), Feed()),
            _part(han, Text(f"2 {sample}"), Feed()),
            _part(drawn, Text(f"3 {sample}"), Feed()),
            _part(native, Text("4"), Barcode(_DIGITS), Feed(), Text("5"), QrCode(_DIGITS), Feed(), Text("6")),
            _part(knife, Feed(profile.feed_to_knife_lines), Cut()),
        )
    )


def _as(profile: Profile, **changes: object) -> Profile:
    return msgspec.structs.replace(profile, **changes)


def _part(profile: Profile, *blocks: Block) -> bytes:
    document = SlipDocument(kind=SlipKind.POLICY, blocks=blocks)  # the kind is the journal's, not the encoder's
    return encode(document, profile, rasterize=LineRasterizer(profile).line)


async def judge(link: PrinterLink, profile: Profile, *, ask: Ask, sample: str) -> OverlayFacts:
    """Print the sheet, have it looked at, and return what the printer can do.

    Raises:
        DeviceError: The printer went away, or takes nothing.
    """
    await send(link, sheet(profile, sample))
    is_whole = await ask(Question.IS_RULER_WHOLE, "1")
    has_han = await ask(Question.IS_HAN_RIGHT, "2")
    has_raster = await ask(Question.IS_PICTURE_RIGHT, "3")
    has_code128 = await ask(Question.IS_BARCODE_THERE, "4")
    has_qr = await ask(Question.IS_QR_THERE, "5")
    is_cut = await ask(Question.IS_CUT, "6")
    return OverlayFacts(
        width_dots=profile.width_dots if is_whole else min(profile.width_dots, _NARROW_DOTS),
        text_mode=_text_mode(has_han=has_han, has_raster=has_raster).value,
        has_raster=has_raster,
        has_code128=has_code128,
        has_qr=has_qr,
        cut=_cut_mode(profile, is_cut=is_cut).value,
    )


def _text_mode(*, has_han: bool, has_raster: bool) -> TextMode:
    if has_han:
        return TextMode.GB18030
    return TextMode.RASTER if has_raster else TextMode.CODEPAGE


def _cut_mode(profile: Profile, *, is_cut: bool) -> CutMode:
    if not is_cut:
        return CutMode.NONE
    return CutMode.FEED_AND_CUT if profile.cut is CutMode.NONE else profile.cut


async def judge_equipment(link: PrinterLink, profile: Profile, findings: Findings, *, ask: Ask) -> OverlayFacts:
    """Try buzzer and cash drawer.

    Raises:
        DeviceError: The printer went away, or takes nothing.
    """
    await send(link, extras.beep(_as(profile, buzzer=Buzzer.ESC_B)))
    buzzer = Buzzer.ESC_B if await ask(Question.IS_BEEP_HEARD, "") else Buzzer.NONE
    await send(link, INITIALIZE + HAN_OFF + b"\n")  # whatever a printer without a buzzer made of it
    drawer_pin, sensor = 0, DrawerSensor.NONE
    if await ask(Question.HAS_DRAWER, ""):
        drawer_pin = await _find_pin(link, profile, ask)
        if drawer_pin:
            sensor = await _find_sensor(link, findings, ask)
    return OverlayFacts(buzzer=buzzer.value, drawer_pin=drawer_pin, drawer_sensor=sensor.value)


async def _find_pin(link: PrinterLink, profile: Profile, ask: Ask) -> int:
    """Return the pin whose pulse opens the drawer, 0 if none does."""
    for pin in (2, 5):
        await send(link, extras.open_drawer(_as(profile, drawer_pin=pin)))
        if await ask(Question.IS_DRAWER_OPEN, f"pin {pin}"):
            return pin
    return 0


async def _find_sensor(link: PrinterLink, findings: Findings, ask: Ask) -> DrawerSensor:
    """Return what the open drawer looks like to the printer: read once open, once shut."""
    if not findings.is_usable(Way.DLE_EOT):
        return DrawerSensor.NONE
    was_open = await _is_pin_high(link)
    if not await ask(Question.IS_DRAWER_SHUT, "") or was_open is None:
        return DrawerSensor.NONE
    is_shut = await _is_pin_high(link)
    if is_shut is None or is_shut == was_open:
        return DrawerSensor.NONE
    return DrawerSensor.HIGH if was_open else DrawerSensor.LOW


async def _is_pin_high(link: PrinterLink) -> bool | None:
    await link.read(1)
    await send(link, DLE_EOT_REQUESTS[0])
    reply = await hear(link)
    return parse_dle_eot(1, reply[0]).is_drawer_pin_high if is_answer(Way.DLE_EOT, reply) else None


def joined(*parts: OverlayFacts) -> OverlayFacts:
    """Return all facts; a later part wins."""
    known: dict[str, object] = {}
    for part in parts:
        known |= part.known
    return msgspec.convert(known, OverlayFacts)


#: Facts that an eye has judged, for the sources.
JUDGED: Final[Sequence[str]] = (
    "width_dots",
    "text_mode",
    "has_raster",
    "has_code128",
    "has_qr",
    "cut",
    "buzzer",
    "drawer_pin",
    "drawer_sensor",
)
