"""All targets by name; the part before the dash names the module, so that a run loads no more than it needs."""

from collections.abc import Iterable
from importlib import import_module

from tests.fuzz.target import Target

_MODULES = {
    "escpos": "printer_targets",
    "printer": "printer_targets",
    "scan": "input_targets",
    "keypad": "input_targets",
    "text": "text_targets",
    "wire": "wire_targets",
    "signed": "signed_targets",
    "office": "office_targets",
    "file": "file_targets",
}


def load(name: str) -> Target:
    """Return one target.

    Raises:
        KeyError: There is none of that name.
    """
    module = _MODULES[name.partition("-")[0]]
    return {target.name: target for target in _targets_of(module)}[name]


def all_targets() -> dict[str, Target]:
    """Return every target by name."""
    return {target.name: target for module in dict.fromkeys(_MODULES.values()) for target in _targets_of(module)}


def _targets_of(module: str) -> Iterable[Target]:
    found: Iterable[Target] = import_module(f"tests.fuzz.{module}").TARGETS
    return found
