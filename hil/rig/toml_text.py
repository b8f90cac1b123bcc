"""Writes TOML: the standard library reads it only."""

import json
from collections.abc import Mapping
from typing import Any


def toml_text(document: Mapping[str, Any], prefix: str = "") -> str:
    """Return a nested mapping as TOML: plain values first, then one table a nested mapping.

    Raises:
        TypeError: A value that TOML has no word for, such as None.
    """
    lines = [f"{_key(key)} = {_value(value)}" for key, value in document.items() if not isinstance(value, Mapping)]
    text = "\n".join(lines) + ("\n" if lines else "")
    for key, value in document.items():
        if isinstance(value, Mapping):
            path = f"{prefix}{_key(key)}"
            text += f"\n[{path}]\n" + toml_text(value, f"{path}.")
    return text


def _key(key: str) -> str:
    is_bare = key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()
    return key if is_bare else _string(key)


def _string(text: str) -> str:
    # JSON's escapes are a subset of TOML's; DEL must be escaped in TOML alone. Source: toml.io 1.0, String.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")
