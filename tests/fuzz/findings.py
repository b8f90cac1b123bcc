"""Inputs that once broke something, made small: each is tried by `make test` for ever."""

#: (target, input as hex); `make fuzz` prints the line to add.
FINDINGS: tuple[tuple[str, str], ...] = (
    # The simulator drew a stored picture with fewer bytes than it declared.
    ("escpos-paper", "ff1d284c0a0030703070300101310800"),
    # Endless nesting raised RecursionError on both ends.
    ("wire-up", "0001"),
    ("wire-down", "0001"),
    ("wire-envelope", "0002"),
    # Text that is no UTF-8 in a field that the head skips raised UnicodeDecodeError.
    ("wire-down", "00007b2274797065223a2261636b222c227465726d696e616c5f6964223a22ff222c22223a22222c22223a22227d"),
    # An amount on a bill that no column of 64 bits holds.
    ("office-bill", "0901316fdccb3051b5b303637372"),
    # An acquirer's answer that is a list.
    ("office-answers", "00005b5d"),
    # Half an IPv6 address as the broker's: not even the SAFE state could start.
    ("file-config", "6e3d747275650a5b62726f6b65725d0a75726c3d22713a2f2f5b220a653d22220a5b745d0a653d22220a5b735d23"),
    # A QR code of nothing but zeros, on which the library that draws it divides by zero.
    (
        "text-slip",
        "022c2c2c2c2c383b333920ffffffffba80c2b700000000000000000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    ),
)
