"""The history of a run: one JSON line for each thing that the bench saw, in order, with the wall time in seconds.

Kinds: ``sale`` ``screen`` ``slip`` ``key`` ``scan`` ``confirm`` ``read`` and ``row`` (the back office's list) ``asked``
and ``decision`` ``kill`` ``fault`` ``clock`` ``attack`` ``wire`` (what the spy heard) ``leak`` ``quiet`` ``settled``
``unsettled`` ``final_row`` ``end``; ``backup`` and ``restore`` of the back office; ``old_card``, ``rescue``, ``clone``,
``clone_end``, ``alarm`` and ``cleared`` of a till; ``frame`` and ``reopened`` of its cables; ``bill``, how the
acquirer's differs from the record at the end. The acquirer's own ledger lies beside it.
"""

import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

HISTORY, LEDGER = "history.jsonl", "acquirer.jsonl"
Event = dict[str, Any]


class History:
    """Writes the history.

    Attributes:
        told: Screens and slips so far.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb")
        self.told: list[Event] = []
        self._lock = threading.Lock()

    def add(self, kind: str, **values: Any) -> None:
        """Write one event; from any thread."""
        with self._lock:
            self._add(kind, values)

    def _add(self, kind: str, values: Event) -> None:
        event = {"t": round(time.time(), 4), "kind": kind, **values}
        if kind in ("screen", "slip"):
            self.told.append(event)
        self._file.write(msgspec.json.encode(event) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> list[Event]:
    """Return the lines of a history or a ledger; a last line without an end is left out.

    Raises:
        OSError: Unreadable.
        msgspec.DecodeError: A line is not JSON.
    """
    data = path.read_bytes()
    return [msgspec.json.decode(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
