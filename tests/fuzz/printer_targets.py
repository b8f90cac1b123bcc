"""What goes to a printer and what comes back: the simulator's tokens and paper, the driver's status reader."""

from collections.abc import Iterator

from drivers.escpos import status
from hil.simulators.printer.interpreter import Interpreter
from hil.simulators.printer.paper import Paper
from hil.simulators.printer.tokens import Token, Tokenizer, TokenKind
from tests.fuzz.source import Source
from tests.fuzz.target import Target, plain

_COMMANDS = (
    b"\x1b@\x1c.",
    b"\x1b!\x38\x1da\xff",
    b"\x1dv0\x00\x01\x00\x02\x00\xaa\x55",
    b"\x1d(k\x03\x001A2\x1d(k\x03\x001Q0",
    b"\x1d(k\x06\x001P0abc",
    b"\x1dk\x49\x06{C\x01\x02\x03\x04",
    b"\x1dk\x04ABC\0",
    b"\x1bD\x04\x08\0\x09",
    b"\x10\x04\x01\x10\x14\x01\x00\x02",
    b"\x1c&\xcd\xcb\xbf\xee\x1c.",
    b"\x1b*\x21\x02\x00\xff\xff\xff\xff\xff\xff",
    b"\x1b&\x03AB\x01\x00\x00\x00\x01\x00\x00\x00",
    b"\x1cq\x01\x01\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x1d(L\x0a\x000p0\x01\x011\x08\x00\x01\x00\xff",
    b"\x1dV\x42\x00\x1di\x1bm",
    b"\x1d(H\x06\x0000ABCD\x1dr\x01",
    b"\x1d8L\x0b\x00\x00\x000p0\x01\x011\x08\x00\x01\x00\xff",
)
_SLIP = b"\x1b@\x1c.\x1ba\x01\x1d!\x11\x1c&\xcd\xcb\xbf\xee\x1c.\n\x1b2AMOUNT 1.00\n\x1dV\x00"


def _tokens(data: bytes) -> None:
    """Partition a stream exactly, however it is cut, and see the same commands in it."""
    whole, cut = Tokenizer(), Tokenizer()
    found = list(whole.feed(data))
    assert b"".join(token.data for token in found) + whole.pending == data
    in_pieces = [token for piece in Source(data).pieces() for token in cut.feed(piece)]
    source = Source(data)
    fed = b"".join(source.pieces())
    assert b"".join(token.data for token in in_pieces) + cut.pending == fed
    again = Tokenizer()
    assert _commands(again.feed(fed)) == _commands(iter(in_pieces))
    assert again.pending == cut.pending


def _commands(tokens: Iterator[Token]) -> list[Token]:
    return [token for token in tokens if token.kind is not TokenKind.TEXT]


def _paper(data: bytes) -> None:
    """Print anything; the first byte says which printer."""
    source = Source(data)
    kind = source.byte()
    paper = Paper(384)
    interpreter = Interpreter(paper, is_kanji_default=bool(kind & 1), has_four_byte_kanji=bool(kind & 2))
    for token in Tokenizer().feed(source.rest()):
        for effect in interpreter.execute(token):
            if effect.kind == "cut":
                paper.cut(0)
    assert all(isinstance(line, str) for line in paper.lines)


def _status(data: bytes) -> None:
    """Account for every byte that a printer says; the first says which answers are expected."""
    source = Source(data)
    kind = source.byte()
    reader = status.StatusReader(has_process_id=bool(kind & 1), has_transmit_status=bool(kind & 2))
    sizes = {status.Facts: 4, status.ProcessId: 7, status.PaperStatus: 1, int: 1}
    facts, used, fed = status.Facts(), 0, 0
    for piece in source.pieces():
        fed += sum(byte not in (0x11, 0x13) for byte in piece)
        for answer in reader.feed(piece):
            used += sizes[type(answer)]
            facts = facts.merged(_facts_of(answer))
    waiting = len(reader._asb) + len(reader._block)
    assert used + reader.unknown_count + waiting == fed
    assert waiting < 7
    assert facts.status(is_open=True).is_online in (True, False)
    for byte in data[:8]:
        assert status.parse_port_status(byte).rec_empty is bool(byte & 0x20)


def _facts_of(answer: status.Answer) -> status.Facts:
    match answer:
        case status.Facts():
            return answer
        case status.PaperStatus():
            return answer.facts
        case int():
            return status.parse_dle_eot(1 + answer % 4, answer)
        case _:
            return status.Facts()


TARGETS = (
    Target(name="escpos-tokens", make=plain(_tokens), seeds=(_SLIP, b"".join(_COMMANDS)), words=_COMMANDS),
    Target(
        name="escpos-paper",
        make=plain(_paper),
        seeds=(b"\0" + _SLIP, b"\3" + b"".join(_COMMANDS)),
        words=_COMMANDS,
        max_bytes=1024,
        quick_examples=120,
    ),
    Target(
        name="printer-status",
        make=plain(_status),
        seeds=(b"\3\x08\x10\x00\x00\x00\x12\x37\x22ABCD\0", b"\0\x08\x14\x00\x0c\x0f\x16\x12\x11\x13"),
        words=(b"\x37\x22ABCD\0", b"\x10\x00\x00\x00", b"\x12", b"\x0c"),
        max_bytes=512,
    ),
)
