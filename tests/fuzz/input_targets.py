"""What people and scanners put in: framers of every family, kernel events, the burst guard, the matrix pad."""

import asyncio
import itertools
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from drivers.keypad.burst import BURST_KEYS, GAP_S, BurstGuard
from drivers.keypad.decoder import EvdevDecoder, KeyDown
from drivers.keypad.keycodes import KEY_ENTER, KEY_KPENTER
from drivers.keypad.keymap import load_keymap
from drivers.keypad.matrix_keypad import MatrixKeypad
from drivers.links.opener import Opener
from drivers.scanner.families import make_protocol
from drivers.scanner.framer import MAX_FRAME_BYTES, Frame, Garbled
from drivers.scanner.grow_frame import crc16
from drivers.scanner.protocol import Item, ScanProtocol
from drivers.scanner.ssi_packet import checksum
from pos_agent.domain.codes import ClassifyContext, classify
from pos_agent.domain.config import KeypadConfig, ScannerConfig
from pos_agent.domain.events import Event, KeyPressed
from tests.fuzz.source import Source
from tests.fuzz.target import Check, Target, plain

_KEYMAP = Path(__file__).parents[2] / "config" / "keymaps" / "usb-numpad.toml"
#: So many ends of silence settle everything: a frame, three heartbeats or tries of a command, what was held back.
_SETTLES = 12
_CONTEXT = ClassifyContext(today=date(2026, 11, 23), window_days=30, order_patterns=(r"\d{17}", r"A.{5,30}"))


def _scanner(**settings: object) -> Check:
    config = ScannerConfig(**settings)  # type: ignore[arg-type] # keys are those of the schema

    def check(data: bytes) -> None:
        _drive(make_protocol(config), Source(data))

    return check


def _drive(protocol: ScanProtocol, source: Source) -> None:
    """Feed pieces with silences and whole good packets between them; what comes out was put in."""
    items: list[Item] = list(protocol.start())
    fed = 0
    while not source.is_empty:
        match source.byte() % 8:
            case 0:
                items += protocol.end_of_silence()
            case 1:
                piece = _ssi_packet(source)
                items += protocol.feed(piece)
                fed += len(piece)
            case 2:
                piece = _grow_reply(source)
                items += protocol.feed(piece)
                fed += len(piece)
            case 3 if source.byte() == 0:
                protocol.reset()
            case _:
                piece = source.take(1 + source.byte() % 64)
                items += protocol.feed(piece)
                fed += len(piece)
        assert protocol.gap_s > 0
    for _ in range(_SETTLES):
        items += protocol.end_of_silence()
    taken = 0
    for item in items:
        match item:
            case Frame():
                assert 0 < len(item.scan_data_label) <= MAX_FRAME_BYTES
                taken += len(item.scan_data_label.encode(item.encoding))
                classify(item.scan_data_label, item.scan_data_type, context=_CONTEXT)
            case Garbled():
                assert item.length >= 0
                taken += item.length
    assert taken <= fed


def _ssi_packet(source: Source) -> bytes:
    data = source.take(source.byte() % 64)
    body = bytes((len(data) + 4, source.pick((0xF3, 0xF3, 0xF3, 0xD0, 0xD1, 0xF6, 0xA4, 0x00)), 0, source.byte() % 4))
    return body + data + checksum(body + data)


def _grow_reply(source: Source) -> bytes:
    data = source.take(source.byte() % 16)
    body = bytes((0, len(data))) + data
    return source.pick((b"\x02\x00", b"\x03\x00")) + body + crc16(body).to_bytes(2, "big")


def _evdev(data: bytes) -> None:
    """Press keys as the kernel tells them, torn anywhere, and let none through that a scanner typed."""
    source = Source(data)
    decoder, guard = EvdevDecoder(), BurstGuard()
    downs: list[KeyDown] = []
    passed: list[KeyDown] = []
    at_us = 0
    while not source.is_empty:
        match source.byte() % 8:
            case 0:
                raw = source.take(source.byte() % 48)
            case 1:
                raw = _event(at_us, 0, source.pick((0, 3, 1)), 0)
            case 2:
                passed += guard.end_of_silence()
                at_us += 20_000
                continue
            case _:
                at_us += source.pick((0, 1_000, 5_000, 14_000, 16_000, 400_000))
                code = source.pick((2, 3, 79, 82, KEY_ENTER, KEY_KPENTER, 0xFFFF))
                raw = _event(at_us, 1, code, source.pick((1, 1, 0, 2, -1, 2**31 - 1)))
        found = [key for part in (raw[:5], raw[5:]) for key in decoder.feed(part)]
        if decoder.is_stale:
            decoder.resync(decoder.down)
        downs += found
        passed += guard.feed(found)
    passed += guard.end_of_silence()
    assert not guard.has_held
    assert len(passed) + guard.dropped_key_count == len(downs)
    rest = iter(downs)
    assert all(key in rest for key in passed), "keys out of order, or made up"
    _refuse_bursts(downs, passed)


def _refuse_bursts(downs: list[KeyDown], passed: list[KeyDown]) -> None:
    """Check that no ENTER at the end of a machine's run gets through."""
    run = 0
    let_through = {id(key) for key in passed}
    for before, key in itertools.pairwise(downs):
        run = run + 1 if 0 <= key.at_s - before.at_s < GAP_S else 0
        if run >= BURST_KEYS + 2 and key.code in (KEY_ENTER, KEY_KPENTER):
            assert id(key) not in let_through or _was_ended_inside(downs, key)


def _was_ended_inside(downs: list[KeyDown], key: KeyDown) -> bool:
    """Silence that the caller told, although the kernel's stamps show none: then the guard cannot know better."""
    return any(other.at_s < key.at_s - GAP_S for other in downs)


def _event(at_us: int, kind: int, code: int, value: int) -> bytes:
    return struct.pack("@llHHi", at_us // 1_000_000, at_us % 1_000_000, kind, code, value)


@contextmanager
def _matrix() -> Iterator[Check]:
    keymap = load_keymap(_KEYMAP)
    known = keymap.keys_by_character()
    config = KeypadConfig(driver="matrix", path="/nonexistent", baud=9600)

    async def drive(data: bytes) -> None:
        events: list[Event] = []
        pad = MatrixKeypad(config, keymap=keymap, sink=events.append, opener=Opener())
        source = Source(data)
        fed = 0
        for piece in source.pieces():
            pad._on_bytes(piece)
            fed += len(piece)
        counters = pad.counters
        assert len(events) == counters["KeyPressedCount"]
        assert len(events) + counters["UnknownKeyCount"] <= fed
        assert all(isinstance(event, KeyPressed) and event.key in known.values() for event in events)

    with asyncio.Runner() as runner:
        yield lambda data: runner.run(drive(data))


_LABELS = (
    b"6901234567892\r",
    b"]C10106901234567892\r\n",
    b"139912345678901234\r",
    b"\x02ORDER-1\x03",
    "订单号\r".encode(),
)
_SCAN_SEEDS = (
    b"".join(bytes((7, len(label) - 1)) + label for label in _LABELS),
    b"\x01\x0e\x0b6901234567892\x00\x00\x00",
    b"\x02\x01\x00\x00\x07\x05abcdef",
)

TARGETS = (
    *(
        Target(
            name=f"scan-{name}", make=plain(_scanner(**settings)), seeds=_SCAN_SEEDS, words=(*_LABELS, b"\x02", b"\x00")
        )
        for name, settings in {
            "plain": {"protocol": "plain"},
            "tab": {"protocol": "plain", "suffix": "tab", "prefix": "~"},
            "idle": {"protocol": "plain", "suffix": "idle"},
            "ack-nak": {"protocol": "ack_nak"},
            "ssi": {"protocol": "ssi"},
            "grow": {"protocol": "grow"},
        }.items()
    ),
    Target(
        name="keypad-evdev",
        make=plain(_evdev),
        seeds=(
            bytes((3, 5, 0, 0)) * 6 + bytes((3, 1, 4, 0)),
            bytes((3, 1, 0, 0)) * 8 + bytes((3, 1, 4, 0)),
            b"\x01\x01\x01\x00",
        ),
        max_bytes=1024,
    ),
    Target(name="keypad-matrix", make=_matrix, seeds=(b"\x051234#\x02*\r",), max_bytes=256, quick_examples=60),
)
