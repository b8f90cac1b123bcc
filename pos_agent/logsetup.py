"""The one place that sets handlers and levels: standard error, which journald stamps with time and level."""

import logging
import os
import sys
from collections.abc import Mapping

#: sd-daemon(3): "<N>" at the start of a line is the syslog level.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class JournalFormatter(logging.Formatter):
    """``<6>name: message`` for journald; with times for people."""

    def __init__(self, *, is_journal: bool) -> None:
        super().__init__(
            "%(name)s: %(message)s" if is_journal else "%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        )
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; every line of a traceback gets the level."""
        text = super().format(record)
        if not self._is_journal:
            return text
        mark = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return mark + text.replace("\n", f"\n{mark}")


def set_up_logging(*, level: str = "INFO", environment: Mapping[str, str] = os.environ) -> None:
    """Install the one handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JournalFormatter(is_journal="JOURNAL_STREAM" in environment))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("transitions").setLevel(logging.WARNING)
