"""Making one-bit pictures larger by any factor from 1, with every stroke and every gap kept. Pure.

A dot of the result is black if any dot of the source under it is: at 1.5 (16 → 24 dots, the Han cell of a receipt)
every stroke of one dot becomes two wide and every gap stays one, wherever it lies. Taking the nearest dot instead
would make strokes of one and of two side by side. At other factors below 2 that rule could close a gap of one dot, so
there the nearest dot is taken.
"""

from functools import lru_cache


@lru_cache(maxsize=64)
def sources(size: int, target: int) -> tuple[tuple[int, int], ...]:
    """Return, for each dot of `target`, the first and the last dot of `size` that it is made of.

    Raises:
        ValueError: `target` is smaller than `size`: dots would be lost.
    """
    if target < size:
        raise ValueError(f"cannot make {size} dots {target} small")
    if target < 2 * size and 2 * target != 3 * size:
        nearest = [(2 * index + 1) * size // (2 * target) for index in range(target)]
        return tuple(zip(nearest, nearest, strict=True))
    return tuple((index * size // target, ((index + 1) * size - 1) // target) for index in range(target))


@lru_cache(maxsize=4096)
def stretch_bits(bits: int, size: int, target: int) -> int:
    """Return a row of `size` dots as a row of `target` dots; the leftmost dot is the highest bit in both."""
    stretched = 0
    for first, last in sources(size, target):
        under = bits >> (size - 1 - last) & ((1 << (last - first + 1)) - 1)
        stretched = stretched << 1 | (under != 0)
    return stretched


def stretch_rows(rows: tuple[int, ...], target: int) -> list[int]:
    """Return `target` rows made of fewer; each is a source row, or two of them on top of each other."""
    return [rows[first] | rows[last] for first, last in sources(len(rows), target)]
