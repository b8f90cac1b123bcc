"""Changes single keys of a TOML text and leaves the rest, comments too, as people wrote it."""

import json
import re
from collections.abc import Mapping

_SECTION = re.compile(r"^\s*\[([^\[\]]+)\]\s*(#.*)?$")


def put(text: str, section: str, values: Mapping[str, str | bool]) -> str:
    """Return `text` with `values` in ``[section]``; keys that are there already are replaced in their line."""
    lines = _lines(text)
    start = _find(lines, section)
    if start is None:
        lines += ["", f"[{section}]"] if lines and lines[-1].strip() else [f"[{section}]"]
        start = len(lines) - 1
    for key, value in values.items():
        end = _end(lines, start)
        line = f"{_key(key)} = {_value(value)}"
        at = next((i for i in range(start + 1, end) if re.match(rf"\s*{re.escape(_key(key))}\s*=", lines[i])), None)
        if at is None:
            last = max(i for i in range(start, end) if lines[i].strip())
            lines.insert(last + 1, line)
        else:
            lines[at] = line
    return "\n".join(lines) + "\n"


def replace_section(text: str, section: str, values: Mapping[str, str | bool]) -> str:
    """Return `text` with a section that holds `values` and nothing else."""
    lines = _lines(text)
    start = _find(lines, section)
    if start is not None:
        kept = [line for line in lines[start + 1 : _end(lines, start)] if line.lstrip().startswith("#")]
        lines[start + 1 : _end(lines, start)] = [*kept, ""] if _end(lines, start) < len(lines) else kept
    return put("\n".join(lines), section, values)


def _lines(text: str) -> list[str]:
    """Split at what ends a line of TOML: `str.splitlines` knows more, and some of those may stand in a value.

    Source: toml.io 1.0, Spec: LF or CRLF.
    """
    lines = re.split(r"\r?\n", text)
    return lines[:-1] if not lines[-1] else lines


def _find(lines: list[str], section: str) -> int | None:
    for number, line in enumerate(lines):
        match = _SECTION.match(line)
        if match and match.group(1).replace('"', "").replace(" ", "") == section:
            return number
    return None


def _end(lines: list[str], start: int) -> int:
    """Return the line of the next section, or behind the last line."""
    return next((i for i in range(start + 1, len(lines)) if lines[i].lstrip().startswith("[")), len(lines))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_]+", key) else _string(key)


def _value(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else _string(value)


def _string(text: str) -> str:
    # JSON's escapes are a subset of TOML's; DEL must be escaped in TOML alone. Source: toml.io 1.0, String.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
