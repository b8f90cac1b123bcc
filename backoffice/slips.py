"""What ``pos-backoffice rescue`` does: requests from the QR codes of slips, and from a till's outbox file."""

import argparse
import secrets
import sys

import msgspec

from backoffice import outbox_files
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.ingest import rescue
from backoffice.ingest.context import Context
from backoffice.ingest.rescue import Rescued
from backoffice.store.database import Database, open_database
from pos_agent.i18n.backoffice import LOCALES, text

#: A page of codes is typed by a scanner, one a line; nobody has more slips of one dead card in hand.
_MOST_CHARS = 1_000_000


def rescue_slips(arguments: argparse.Namespace, config: Config) -> tuple[str, object, bool]:
    """Take one request a line; return words, facts, and whether all of them stand here now.

    Raises:
        OSError: The file cannot be read.
    """
    if arguments.file is not None and outbox_files.is_outbox_file(arguments.file):
        return _outbox_file(arguments, config)
    lines = [line.strip() for line in _read(arguments).splitlines() if line.strip()] or [""]
    with open_database(config.database.url) as database:
        found = [_take(database, config, line, actor=f"rescue:{arguments.by}"[:80]) for line in lines]
    facts = [{**msgspec.to_builtins(each), **_sentences(each)} for each in found]
    words = "\n".join(" / ".join(_sentences(each).values()) for each in found)
    return words, facts, all(each.is_here for each in found)


def _outbox_file(arguments: argparse.Namespace, config: Config) -> tuple[str, object, bool]:
    with open_database(config.database.url) as database:
        context = Context(config, system_now, lambda: secrets.token_hex(16))
        taken = outbox_files.take(database, context, arguments.file, actor=f"rescue:{arguments.by}"[:80])
    if taken.refused:
        sentences = {locale: text(f"error.rescue_file_{taken.refused}", locale) for locale in LOCALES}
    else:
        here = {name: taken.counts.get(name, 0) for name in ("stored", "duplicate")}
        counts = {**here, "other": taken.messages - sum(here.values()), "unreadable": taken.unreadable}
        values = {"terminal": taken.terminal_id, "messages": taken.messages, **counts}
        sentences = {locale: text("rescue.file", locale, **values) for locale in LOCALES}
    facts = {**msgspec.to_builtins(taken), "is_whole": taken.is_whole, **sentences}
    return " / ".join(sentences.values()), facts, taken.is_whole


def _read(arguments: argparse.Namespace) -> str:
    if arguments.text:
        return str(arguments.text)
    if arguments.file is not None and str(arguments.file) != "-":
        return str(arguments.file.read_text("utf-8", errors="replace"))[:_MOST_CHARS]
    return sys.stdin.read(_MOST_CHARS)


def _take(database: Database, config: Config, line: str, *, actor: str) -> Rescued:
    context = Context(config, system_now, lambda: "")
    with database.writing() as session:
        return rescue.take(session, context, line, actor=actor)


def _sentences(found: Rescued) -> dict[str, str]:
    """Return the sentence in every language."""
    sentences = {}
    for locale in LOCALES:
        state = text(f"state.{found.state}", locale) if found.state else ""
        sentences[locale] = text(found.words, locale, id=found.refund_request_id, state=state)
    return sentences
