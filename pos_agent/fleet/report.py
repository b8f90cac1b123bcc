"""What the terminal says about its configuration on ``cfg/reported``. Pure."""

from pos_agent.domain.desired_book import Attempt, Book, Document
from pos_agent.domain.desired_rules import Site
from pos_agent.protocol.desired import ConfigAttempt, ConfigReported, ConfigVersion


def make_report(
    book: Book,
    *,
    terminal_id: str,
    latest: Attempt | None,
    fleet_keys: tuple[str, ...],
    site: Site,
    uptime_s: int,
) -> ConfigReported:
    """Return the report of a record.

    Args:
        book: The record.
        terminal_id: Whose.
        latest: The document that came last, if it is not the newest of the record.
        fleet_keys: Names of the pinned keys.
        site: For version, schema and time.
        uptime_s: Of the daemon.
    """
    attempted = latest or (book.attempts[-1] if book.attempts else None)
    return ConfigReported(
        terminal_id=terminal_id,
        book_id=book.book_id,
        seq=book.seq,
        running=_version(book.in_effect),
        attempted=None if attempted is None else _attempt(attempted),
        previous=_version(book.previous),
        highest_version=book.highest_version,
        fleet_keys=fleet_keys,
        agent=site.agent,
        schema=site.schema,
        is_clock_trusted=site.is_clock_trusted,
        uptime_s=uptime_s,
        at=site.now,
    )


def _version(document: Document | None) -> ConfigVersion:
    return ConfigVersion() if document is None else ConfigVersion(version=document.version, etag=document.etag)


def _attempt(attempt: Attempt) -> ConfigAttempt:
    return ConfigAttempt(
        version=attempt.version,
        etag=attempt.etag,
        state=attempt.state,
        at=attempt.at,
        reason=attempt.reason,
        detail=attempt.detail,
        tries=attempt.tries,
    )
