"""`pos-agent outbox export`: what could not be sent, as a signed file for ``pos-backoffice rescue`` (trust.md 16).

Works beside the daemon, in SAFE state, on journals of older and newer builds and on damaged ones, as far as each can be
read. Nothing is marked as sent: only the back office's own ack does that.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from pos_agent.app.clock import SystemClock
from pos_agent.app.identity import load_device_key
from pos_agent.domain.config import Config
from pos_agent.errors import ConfigError, ConfigFileError
from pos_agent.journal import set_aside
from pos_agent.journal.saved_rows import SavedRows
from pos_agent.protocol.outbox_file import Writer
from pos_agent.settings.salvage import salvage_config


class Source(msgspec.Struct, kw_only=True):
    """One journal, and what became of it.

    Attributes:
        unreadable: Rows that could not be read; None = the whole file.
    """

    file: str
    schema: int | None = None
    messages: int = 0
    unreadable: int | None = 0


def export(options: argparse.Namespace, load: Callable[[argparse.Namespace], Config]) -> int:
    """Write the file; 0 everything was read, 1 something could not be, or nothing was written.

    Raises:
        ConfigError: There is no terminal id or no device key to sign with.
    """
    config = _config(options, load)
    key = load_device_key(config.trust)
    writer = Writer(config.terminal.terminal_id, kid=config.trust.device_key_id, key=key)
    journals = options.journal or set_aside.readable(Path(config.terminal.data_dir))
    if not journals:
        print(f"pos-agent: no journal in {config.terminal.data_dir}; name one with --journal", file=sys.stderr)
        return 1
    part = options.file.with_name(options.file.name + ".part")
    try:
        with part.open("wb") as out:
            part.chmod(0o600)
            sources = [_copy(path, writer, out, every=options.all) for path in journals]
            unreadable = sum(source.unreadable or 0 for source in sources)
            names = tuple(source.file for source in sources)
            out.write(writer.trailer(at=SystemClock().now(), unreadable=unreadable, sources=names))
            out.flush()
            os.fsync(out.fileno())
        part.replace(options.file)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        print(f"pos-agent: {options.file}: {error}", file=sys.stderr)
        return 1
    return _tell(options, writer.lines, sources)


def _config(options: argparse.Namespace, load: Callable[[argparse.Namespace], Config]) -> Config:
    """Return the configuration, or what can be used of a bad one: id and key are enough (D18)."""
    try:
        config = load(options)
    except ConfigFileError:
        raise
    except ConfigError:
        config = salvage_config(options.config)
    if options.device_key is not None:
        config.trust.device_key_file = str(options.device_key)
    return config


def _copy(path: Path, writer: Writer, out: BinaryIO, *, every: bool) -> Source:
    source = Source(file=path.name)
    rows = SavedRows(path, every=every)
    try:
        for row in rows:
            line = writer.line(row.leaf, row.payload)
            if line is None:
                rows.unreadable += 1
                continue
            out.write(line)
            source.messages += 1
        source.unreadable = rows.unreadable
    except sqlite3.Error as error:
        print(f"pos-agent: {path}: {error}", file=sys.stderr)
        source.unreadable = None if not source.messages else rows.unreadable + 1
    source.schema = rows.schema
    return source


def _tell(options: argparse.Namespace, messages: int, sources: list[Source]) -> int:
    is_whole = all(source.unreadable == 0 for source in sources)
    facts: dict[str, Any] = {"file": str(options.file), "messages": messages, "is_whole": is_whole, "sources": sources}
    if options.json:
        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
        return 0 if is_whole else 1
    for source in sources:
        lost = "could not be read" if source.unreadable is None else f"{source.unreadable} unreadable"
        print(f"{source.file}: schema {source.schema}, {source.messages} messages, {lost}")
    print(f"{messages} messages in {options.file}; give it to: pos-backoffice rescue {options.file.name}")
    return 0 if is_whole else 1
