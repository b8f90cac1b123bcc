"""Any byte stream is partitioned exactly, whatever it holds and however it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.simulators.printer.tokens import Token, Tokenizer, TokenKind

#: Bytes that make commands likely.
SPICY = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                b"\x1b@",
                b"\x1da\xff",
                b"\x1dv0\x00",
                b"\x1d(k",
                b"\x1dk\x49",
                b"\x1bD",
                b"\x10\x04",
                b"\x1c&",
                b"\x1b*\x21",
            ]
        ),
    ),
    max_size=20,
).map(b"".join)


def tokens(data: bytes) -> list[Token]:
    return list(Tokenizer().feed(data))


@settings(max_examples=150, deadline=None)
@given(SPICY)
def test_tokens_any_stream_partition_it_exactly(data: bytes) -> None:
    tokenizer = Tokenizer()
    found = b"".join(token.data for token in tokenizer.feed(data))
    assert found + tokenizer.pending == data


@settings(max_examples=80, deadline=None)
@given(SPICY, st.integers(1, 7))
def test_tokens_fed_in_pieces_give_the_same_commands(data: bytes, size: int) -> None:
    tokenizer = Tokenizer()
    pieces = [token for start in range(0, len(data), size) for token in tokenizer.feed(data[start : start + size])]
    commands = [token for token in pieces if token.kind is not TokenKind.TEXT]
    assert commands == [token for token in tokens(data) if token.kind is not TokenKind.TEXT]


@pytest.mark.parametrize(
    ("data", "name", "args"),
    [
        # Lengths: Epson ESC/POS command reference
        (b"\x1b@", "ESC @", b""),
        (b"\x1bd\x03", "ESC d", b"\x03"),
        (b"\x1b\x21\x30", "ESC !", b"\x30"),
        (b"\x1bp\x00\x19\xfa", "ESC p", b"\x00\x19\xfa"),
        (b"\x1bB\x03\x02", "ESC B", b"\x03\x02"),
        (b"\x1bD\x08\x10\x00", "ESC D", b"\x08\x10\x00"),
        (b"\x1b*\x21\x02\x00abcdef", "ESC *", b"\x21\x02\x00abcdef"),
        (b"\x1bc5\x01", "ESC c", b"5\x01"),
        (b"\x1b&\x03\x41\x42\x01abc\x02abcdef", "ESC &", b"\x03\x41\x42\x01abc\x02abcdef"),
        (b"\x1dC0\x05\x01", "GS C", b"0\x05\x01"),
        (b"\x1cq\x01\x01\x00\x01\x00" + b"d" * 8, "FS q", b"\x01\x01\x00\x01\x00" + b"d" * 8),
        (b"\x1cg1\x00\x00\x00\x00\x00\x02\x00ab", "FS g", b"1\x00\x00\x00\x00\x00\x02\x00ab"),
        (b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", "DLE DC4", b"\x08\x01\x03\x14\x01\x06\x02\x08"),
        (b"\x1dV\x00", "GS V", b"\x00"),
        (b"\x1dVB\x03", "GS V", b"B\x03"),
        (b"\x1dk\x02690123456789\x00", "GS k", b"\x02690123456789\x00"),
        (b"\x1dk\x49\x04{B12", "GS k", b"\x49\x04{B12"),
        (b"\x1dv0\x00\x01\x00\x02\x00\xff\x0a", "GS v 0", b"\x00\x01\x00\x02\x00\xff\x0a"),
        (b"\x1d(k\x03\x00\x31\x51\x30", "GS ( k", b"\x03\x00\x31\x51\x30"),
        (b"\x1d(H\x06\x00\x30\x30ABCD", "GS ( H", b"\x06\x00\x30\x30ABCD"),
        (b"\x1d8L\x02\x00\x00\x00\x30\x32", "GS 8 L", b"\x02\x00\x00\x00\x30\x32"),
        (b"\x1cS\x00\x00", "FS S", b"\x00\x00"),
        (b"\x1c.", "FS .", b""),
        (b"\x10\x04\x01", "DLE EOT", b"\x01"),
        (b"\x10\x14\x01\x00\x02", "DLE DC4", b"\x01\x00\x02"),
    ],
)
def test_command_complete_is_one_token_with_its_arguments(data: bytes, name: str, args: bytes) -> None:
    assert tokens(data + b"after") == [
        Token(TokenKind.COMMAND, data, name, args),
        Token(TokenKind.TEXT, b"after"),
    ]
    assert tokens(data[:-1]) == []


def test_unknown_command_takes_two_bytes_and_the_rest_shows() -> None:
    assert tokens(b"\x1b\x7fab") == [Token(TokenKind.UNKNOWN, b"\x1b\x7f"), Token(TokenKind.TEXT, b"ab")]


def test_absurd_count_is_shown_and_not_waited_for() -> None:
    first, *_ = tokens(b"\x1dv0\x00\xff\xff\xff\xff rest")
    assert first == Token(TokenKind.UNKNOWN, b"\x1dv")


def test_raster_unfinished_tells_its_rows() -> None:
    tokenizer = Tokenizer()
    assert list(tokenizer.feed(b"\x1dv0\x02\x04\x00\x64\x00" + b"\0" * 14)) == []
    assert tokenizer.pending_raster_rows == 6  # three whole rows, double height


def test_long_raster_in_small_packets_is_one_token() -> None:
    data = b"\x1dv0\x00\x48\x00\xe8\x03" + b"\x55" * 72_000
    tokenizer = Tokenizer()
    found = [token for start in range(0, len(data), 64) for token in tokenizer.feed(data[start : start + 64])]
    assert [token.data for token in found] == [data]
