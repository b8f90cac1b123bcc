"""What the searches of this folder share."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers.escpos.encoder import encode
from drivers.escpos.timing import estimate_print_s, measure


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work out a slip's bytes, and how long they print, once: hundreds of runs print the same two on one profile."""
    places: dict[str, Callable[..., Any]] = {
        "drivers.escpos.printer.encode": encode,
        "drivers.escpos.printer.measure": measure,
        "drivers.escpos.job.estimate_print_s": estimate_print_s,
    }
    for place, function in places.items():
        monkeypatch.setattr(place, _remembering(function))


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[Any, Any] = {}

    def remembered(what: Any, *rest: Any, **named: Any) -> Any:
        if what not in kept:
            kept[what] = function(what, *rest, **named)
        return kept[what]

    return remembered
