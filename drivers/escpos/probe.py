"""Commissioning: finds out what the printer on a link answers. Runs there and nowhere else (D13, field.md 18).

A printer that does not know a question prints it, so each is sent alone, on a strip of paper that says so, and a person
says whether letters came out. What is found becomes facts of a profile (`facts_of`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from drivers.escpos.encoder import HAN_OFF, INITIALIZE
from drivers.escpos.link import PrinterLink
from drivers.escpos.overlay import OverlayFacts
from drivers.escpos.profile import Tier
from drivers.escpos.questions import PROBES, Probe, Way, is_answer, text_of
from drivers.escpos.status import DLE_EOT_REQUESTS, parse_asb, parse_dle_eot
from pos_agent.errors import DeviceTimeoutError

#: How long an answer may take to begin, and how long silence ends it. Source: devices.md section 9, "probe timeout".
ANSWER_S: Final = 0.5
_QUIET_MS: Final = 60
#: A printer that takes nothing for so long has no paper, or its cover is open.
_STALL_S: Final = 10.0
_CHUNK_BYTES: Final = 512
_HAND_OVER_S: Final = 0.01
#: Feeds the line past the tear bar, where it can be read. Source: devices.md section 9, head to cutter 15 mm.
_OUT: Final = b"\n" * 5


class Question(StrEnum):
    """What a person is asked. True = the first answer (1)."""

    STRAY = "stray"
    COVER_IS_OPEN = "cover_is_open"
    COVER_IS_SHUT = "cover_is_shut"
    IS_RULER_WHOLE = "is_ruler_whole"
    IS_HAN_RIGHT = "is_han_right"
    IS_PICTURE_RIGHT = "is_picture_right"
    IS_BARCODE_THERE = "is_barcode_there"
    IS_QR_THERE = "is_qr_there"
    IS_CUT = "is_cut"
    HAS_DRAWER = "has_drawer"
    IS_DRAWER_OPEN = "is_drawer_open"
    IS_DRAWER_SHUT = "is_drawer_shut"
    IS_BEEP_HEARD = "is_beep_heard"


#: Asks a person; the text says what it is about, such as the label on the paper.
Ask = Callable[[Question, str], Awaitable[bool]]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    Attributes:
        answers: The bytes of each way that answered rightly.
        strays: Ways whose questions came out as letters.
        moved: Ways whose answer changed when the cover was opened; None = nobody opened it.
        models: What the printer says it is: maker, model, firmware.
    """

    answers: Mapping[Way, bytes]
    strays: frozenset[Way]
    moved: frozenset[Way] | None = None
    models: tuple[str, ...] = ()

    def is_usable(self, way: Way) -> bool:
        """Return whether the daemon may use a way: it answers, prints no letters, and does not lie."""
        is_clean = way in self.answers and way not in self.strays
        return is_clean and (self.moved is None or way not in _SEES_COVER or way in self.moved)


#: Ways that must tell an open cover; the others answer something else.
_SEES_COVER: Final = frozenset({Way.PORT_STATUS, Way.ASB, Way.DLE_EOT})


async def probe(link: PrinterLink, *, ask: Ask, title: str, unasked: bytearray) -> Findings:
    """Ask the printer on an open link everything, and the person beside it what came out.

    Args:
        link: Open; nobody else may use it.
        ask: Asks the person.
        title: First line on the paper, ASCII: that this is no receipt.
        unasked: Where the link's owner puts what the printer says while nobody reads.
    Raises:
        DeviceError: The printer went away, or takes nothing.
    """
    answers: dict[Way, bytes] = {}
    strays: set[Way] = set()
    models: tuple[str, ...] = ()
    await link.read(_QUIET_MS)
    port_status = await link.port_status()
    if port_status is not None:
        answers[Way.PORT_STATUS] = bytes([port_status])
    await send(link, INITIALIZE + HAN_OFF + title.encode("ascii") + b"\n\n")
    for one in PROBES:
        replies = await _put(link, one)
        if replies:
            answers[one.way] = b"".join(replies)
        if one.way is Way.GS_I:
            models = tuple(text_of(reply) for reply in replies)
        if await ask(Question.STRAY, one.label):
            strays.add(one.way)
    usable = {way: data for way, data in answers.items() if way not in strays}
    moved = await _with_open_cover(link, usable, ask, unasked)
    return Findings(answers=answers, strays=frozenset(strays), models=models, moved=moved)


async def _put(link: PrinterLink, one: Probe) -> Sequence[bytes]:
    """Ask one question on a line of its own; return the answers, none if one of them was none."""
    await send(link, one.label.encode("ascii") + b": ")
    replies: list[bytes] = []
    for request in one.requests:
        await link.read(1)  # what was said before is no answer
        await send(link, request)
        reply = await hear(link)
        if not is_answer(one.way, reply):
            replies.clear()
            break
        replies.append(reply)
    if replies and one.ends:
        await send(link, one.ends)
    await send(link, _OUT)
    return replies


async def _with_open_cover(
    link: PrinterLink, usable: Mapping[Way, bytes], ask: Ask, unasked: bytearray
) -> frozenset[Way] | None:
    """Have the cover opened and see who tells; None = nobody did, or there is nobody to tell."""
    watched = _SEES_COVER & usable.keys()
    if not watched:
        return None
    if Way.ASB in watched:
        await send(link, b"\x1da\xff")
        await hear(link)
    unasked.clear()
    if not await ask(Question.COVER_IS_OPEN, ""):
        return None
    moved = {way for way in sorted(watched) if await _tells_stop(link, way, usable[way], unasked)}
    await ask(Question.COVER_IS_SHUT, "")
    if Way.ASB in watched:
        await send(link, b"\x1da\x00")
        await hear(link)
    return frozenset(moved)


async def _tells_stop(link: PrinterLink, way: Way, before: bytes, unasked: bytearray) -> bool:
    match way:
        case Way.PORT_STATUS:
            status = await link.port_status()
            return status is not None and bytes([status]) != before
        case Way.ASB:
            heard = await hear(link)
            return _any_asb_tells(bytes(unasked) + heard)
        case _:
            return await _dle_eot_tells(link)


def _any_asb_tells(data: bytes) -> bool:
    quadruples = (data[at : at + 4] for at in range(0, len(data) - 3, 4))
    facts = [parse_asb(one) for one in quadruples if is_answer(Way.ASB, one)]
    return any(one.is_offline or one.cover_open or one.rec_empty for one in facts)


async def _dle_eot_tells(link: PrinterLink) -> bool:
    """Ask while the cover is open; a printer that takes nothing off line tells nothing by this way."""
    for n, request in enumerate(DLE_EOT_REQUESTS, 1):
        if await link.write(request) < len(request):
            return False
        reply = await hear(link)
        if is_answer(Way.DLE_EOT, reply):
            facts = parse_dle_eot(n, reply[0])
            if facts.is_offline or facts.cover_open or facts.rec_empty:
                return True
    return False


def facts_of(findings: Findings) -> OverlayFacts:
    """Return what the findings say about the model."""
    usable = findings.is_usable
    tier = Tier.SENT
    if any(usable(way) for way in _SEES_COVER):
        tier = Tier.SENT_CLEAN
    if usable(Way.GS_R):
        tier = Tier.PROCESSED
    if usable(Way.GS_H):
        tier = Tier.CONFIRMED
    return OverlayFacts(
        has_port_status=usable(Way.PORT_STATUS),
        has_asb=usable(Way.ASB),
        has_dle_eot=usable(Way.DLE_EOT),
        has_transmit_status=usable(Way.GS_R),
        has_process_id=usable(Way.GS_H),
        tier=tier.value,
    )


#: Which fact each way decides.
_FACT: Final = {
    Way.PORT_STATUS: "has_port_status",
    Way.DLE_EOT: "has_dle_eot",
    Way.ASB: "has_asb",
    Way.GS_R: "has_transmit_status",
    Way.GS_H: "has_process_id",
}


def sources_of(findings: Findings) -> dict[str, str]:
    """Return how each fact was found out."""
    said = {fact: _how(findings, way) for way, fact in _FACT.items()}
    return {**said, "tier": "commissioning: the highest that these answers justify"}


def _how(findings: Findings, way: Way) -> str:
    answer = findings.answers.get(way)
    words = f"commissioning: answered {answer.hex(' ')}" if answer is not None else "commissioning: no answer"
    if way in findings.strays:
        words += ", printed stray letters"
    if findings.moved is not None and way in _SEES_COVER and answer is not None:
        words += ", told the open cover" if way in findings.moved else ", did not tell the open cover"
    return words


async def send(link: PrinterLink, data: bytes) -> None:
    """Hand over all bytes.

    Raises:
        DeviceTimeoutError: The printer took nothing for 10 s.
        OfflineError: It is gone.
    """
    loop = asyncio.get_running_loop()
    sent, progress_s = 0, loop.time()
    while sent < len(data):
        count = await link.write(data[sent : sent + _CHUNK_BYTES])
        sent += count
        if count:
            progress_s = loop.time()
        elif loop.time() - progress_s > _STALL_S:
            raise _stalled()
    while link.unsent_bytes:  # whoever is asked what came out must not be asked before
        if loop.time() - progress_s > _STALL_S:
            raise _stalled()
        await asyncio.sleep(_HAND_OVER_S)


def _stalled() -> DeviceTimeoutError:
    return DeviceTimeoutError("printer", "takes nothing: is there paper, is the cover shut?")


async def hear(link: PrinterLink) -> bytes:
    """Return what the printer says within `ANSWER_S`, up to the first pause."""
    loop = asyncio.get_running_loop()
    deadline_s, heard = loop.time() + ANSWER_S, b""
    while loop.time() < deadline_s:
        data = await link.read(_QUIET_MS)
        if heard and not data:
            break
        heard += data
    return heard
