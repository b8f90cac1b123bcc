"""Bytes → choices: how a target that needs more than bytes reads its input, so that any input means something."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

_T = TypeVar("_T")


class Source:
    """Reads choices off the front; when the bytes are used up every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        if self.is_empty:
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def number(self, count: int) -> int:
        """Return an unsigned number of `count` bytes."""
        return int.from_bytes(self.take(count), "little")

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[self.byte() % len(choices)]

    def text(self) -> str:
        """Return some text; what is no UTF-8 is left out."""
        return self.take(self.byte()).decode("utf-8", "ignore")

    def pieces(self) -> Iterator[bytes]:
        """Yield all that is left, in pieces of 1 to 32 bytes whose sizes are choices too."""
        while not self.is_empty:
            yield self.take(1 + self.byte() % 32)


#: Values of JSON that a sender can write where others stand.
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**40,
    0.5,
    1e300,
    "",
    "\0",
    "x" * 300,
    "退款" * 40,
    "\ufeff\u202e",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-11-23T04:00:00",
    [],
    {},
    [[]],
    {"": {}},
)


def twist(value: Any, source: Source) -> Any:
    """Return a JSON document with some of its leaves, fields and items replaced, doubled, renamed or gone."""
    for _ in range(source.byte() % 4):
        value = _twist_once(value, source, depth=0)
    return value


def _twist_once(value: Any, source: Source, depth: int) -> Any:
    if isinstance(value, dict) and value and depth < 6 and source.byte() % 8:
        name = source.pick(sorted(value))
        rest = {key: item for key, item in value.items() if key != name}
        match source.byte() % 16:
            case 0:
                return rest
            case 1:
                return {**rest, source.text(): value[name]}
            case _:
                return {**rest, name: _twist_once(value[name], source, depth + 1)}
    if isinstance(value, list) and value and depth < 6 and source.byte() % 4:
        index = source.byte() % len(value)
        if source.byte() % 8 == 0:
            return value * (1 + source.byte() % 4)
        return [*value[:index], _twist_once(value[index], source, depth + 1), *value[index + 1 :]]
    return _leaf(value, source)


def _leaf(value: Any, source: Source) -> Any:
    match source.byte() % 4:
        case 0:
            return source.text()
        case 1:
            return source.number(9) - 2**40
        case 2 if isinstance(value, str):
            return value[: source.byte()] + source.text()
        case _:
            return source.pick(ODD)
