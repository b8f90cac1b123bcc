"""Everything that a bench wrote, sent, printed or showed, and a search through it that sees through encodings."""

import base64
import binascii
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

#: Also URL-safe; shorter pieces hold no secret of eight digits (11 characters).
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_MAX_DEPTH = 3
#: Runs of letters and digits, as they are and in UTF-16; what is one is looked for in them alone.
_WORDS = re.compile(rb"[A-Za-z0-9+/]{8,}|(?:[A-Za-z0-9+/]\x00){8,}")
_IS_WORD = re.compile(r"[A-Za-z0-9+/]{8,}", re.ASCII)
#: No secret runs across it.
_BETWEEN = b"\x00\n\x00\n"


class Haystack:
    """Named pieces of bytes."""

    def __init__(self) -> None:
        self._pieces: list[tuple[str, bytes]] = []

    def add(self, name: str, data: bytes | str) -> None:
        """Put something in."""
        self._pieces.append((name, data.encode() if isinstance(data, str) else data))

    def add_files(self, folder: Path) -> None:
        """Put all files of a folder in, by their paths."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add(str(path.relative_to(folder)), path.read_bytes())

    @property
    def names(self) -> list[str]:
        """Return what there is."""
        return [name for name, _ in self._pieces]

    def count(self, name: str, text: str) -> int:
        """Return how often a text stands in the piece of that name."""
        return sum(data.count(text.encode()) for one, data in self._pieces if one == name)

    def find(self, wanted: Iterable[str]) -> dict[str, set[str]]:
        """Return which of the texts stand in which pieces: as they are, as UTF-16, hex or base64, nested."""
        found: dict[str, set[str]] = {}
        needles = {text: (text.encode(), text.encode("utf-16-le")) for text in wanted}
        for name, data in self._pieces:
            views = _BETWEEN.join(_views(data, _MAX_DEPTH))  # thousands of small ones: one search instead
            words = _BETWEEN.join(
                set(_WORDS.findall(views))
            )  # each once: logs and databases say the same again and again
            for text, forms in needles.items():
                hay = words if _IS_WORD.fullmatch(text) else views
                if any(form in hay for form in forms):
                    found.setdefault(text, set()).add(name)
        return found

    def find_digits(self, wanted: Iterable[str], length: int) -> dict[str, set[str]]:
        """Return the same as `find` for many texts of `length` digits each, in one pass over all runs of digits."""
        found: dict[str, set[str]] = {}
        needles = {text.encode() for text in wanted}
        runs = re.compile(rb"\d{%d,}" % length)
        for name, data in self._pieces:
            for view in _views(data, _MAX_DEPTH):
                for run in itertools.chain(runs.findall(view), runs.findall(view.replace(b"\0", b""))):
                    for at in range(len(run) - length + 1):
                        if run[at : at + length] in needles:
                            found.setdefault(run[at : at + length].decode(), set()).add(name)
        return found


def windows(secret: str, length: int) -> list[str]:
    """Return every part of a secret of `length` characters: half a code is a leak too."""
    return [secret[at : at + length] for at in range(len(secret) - length + 1)]


def _views(data: bytes, depth: int) -> Iterator[bytes]:
    """Give the bytes themselves and what they hold in base64 and hex, also inside each other."""
    yield data
    if not depth:
        return
    for inner in _decoded(data):
        if inner:
            yield from _views(inner, depth - 1)


def _decoded(data: bytes) -> Iterator[bytes]:
    texts = []
    for match in _BASE64.finditer(data):
        text = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        # A text may begin anywhere inside a run of such characters.
        texts += [_base64(text[start:]) for start in range(4)]
    yield b"\n".join(texts)
    yield b"\n".join(binascii.unhexlify(match[0]) for match in _HEX.finditer(data))


def _base64(text: bytes) -> bytes:
    whole = text[: len(text) // 4 * 4]
    rest = text[len(whole) :]
    tail = base64.b64decode(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""
    return base64.b64decode(whole) + tail
