"""Counts abnormal ends, so that a till that crashes again and again stops at the SAFE state (D17, D18)."""

import contextlib
from pathlib import Path

import msgspec

from pos_agent.files import replace_file

MAX_ABNORMAL_ENDS = 3
WINDOW_S = 600.0


class _Starts(msgspec.Struct):
    boot_id: str
    at_s: list[float]


class CrashCounter:
    """Remembers starts that had no clean stop, in powered-on time of one boot: a power cut is not a crash.

    Args:
        folder: The data folder.
        boot_id: Of this boot.
        boottime_s: Now.
    """

    def __init__(self, folder: Path, *, boot_id: str, boottime_s: float) -> None:
        self._path = folder / "starts.json"
        self._boot_id = boot_id
        self._now_s = boottime_s

    def record_start(self) -> bool:
        """Note this start; return True if the daemon has ended abnormally three times in ten minutes."""
        starts = self._read()
        recent = [at for at in starts.at_s if 0 <= self._now_s - at < WINDOW_S]
        starts.at_s = [*recent, self._now_s][-MAX_ABNORMAL_ENDS - 1 :]
        self._write(starts)
        return len(recent) >= MAX_ABNORMAL_ENDS

    def record_clean_stop(self) -> None:
        """Forget everything: the daemon ended as it should."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> _Starts:
        try:
            starts = msgspec.json.decode(self._path.read_bytes(), type=_Starts)
        except (OSError, ValueError, RecursionError):  # a power cut can leave any bytes here
            return _Starts(self._boot_id, [])
        return starts if starts.boot_id == self._boot_id else _Starts(self._boot_id, [])

    def _write(self, starts: _Starts) -> None:
        # A full disk is a state of its own; it must not keep the menu from starting.
        with contextlib.suppress(OSError):
            replace_file(self._path, msgspec.json.encode(starts), is_durable=False)
