"""Inputs from inputs, by a seed: for machines without a coverage-guided fuzzer, and for the part in `make test`."""

import random
from collections.abc import Iterator

from tests.fuzz.target import Check, Target

_EDGES = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x20, 0x30)


def inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Yield the seeds of a target, then changes of them, for ever; the same for the same number."""
    chance = random.Random(f"{target.name} {seed}")
    yield from target.seeds
    pool = [*target.seeds, b""]
    while True:
        data = bytearray(chance.choice(pool))
        for _ in range(chance.randint(1, 8)):
            _change(data, target, chance, pool)
        yield bytes(data[: target.max_bytes])


def _change(data: bytearray, target: Target, chance: random.Random, pool: list[bytes]) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.randint(1, 16))
    match chance.randint(0, 7):
        case 0:
            data[at:end] = chance.randbytes(end - at)
        case 1:
            data[at:at] = chance.randbytes(chance.randint(1, 24))
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * chance.randint(1, 4)
        case 4:
            data[at:end] = bytes(chance.choice(_EDGES) for _ in range(end - at))
        case 5 if target.words:
            data[at:at] = chance.choice(target.words)
        case 6:
            data[at:] = chance.choice(pool)[at:]
        case _ if at < len(data):
            data[at] ^= 1 << chance.randint(0, 7)


def smallest(check: Check, data: bytes) -> bytes:
    """Return a shorter input on which `check` raises the same kind of error."""
    kind = type(raised(check, data))
    size = max(1, len(data) // 2)
    while size:
        start = 0
        while start < len(data):
            shorter = data[:start] + data[start + size :]
            if kind is not type(None) and type(raised(check, shorter)) is kind:
                data = shorter
            else:
                start += size
        size //= 2
    return data


def raised(check: Check, data: bytes) -> Exception | None:
    """Return what `check` raises on an input, None if nothing."""
    try:
        check(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return error
    return None
