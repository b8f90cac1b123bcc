"""What would change at a till, in lines that a person reads before signing."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

#: Values that are never shown; that they change is.
_SECRET: Final = ("pin", "hash", "secret", "password")


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line a key that differs: ``+`` new, ``-`` gone, ``~`` another value; sorted, secrets hidden."""
    before, after = dict(flat(old)), dict(flat(new))
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if key not in before:
            lines.append(f"+ {key} = {_shown(key, after[key])}")
        elif key not in after:
            lines.append(f"- {key} = {_shown(key, before[key])}")
        elif before[key] != after[key]:
            lines.append(f"~ {key}: {_shown(key, before[key])} -> {_shown(key, after[key])}")
    return lines


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and their values."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(key: str, value: Any) -> str:
    if any(word in key.rpartition(".")[2] for word in _SECRET):
        return "(not shown)"
    return msgspec.json.encode(_without_secrets(value)).decode()


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: "(not shown)" if any(word in key for word in _SECRET) else _without_secrets(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_secrets(item) for item in value]
    return value
