"""The terminal's record of desired configurations (D17), as one value: every change makes a new one. Pure.

It is stored whole (`pos_agent.fleet.store`), so a document and the highest version are accepted in one transaction.
"""

from datetime import datetime
from typing import Final

import msgspec

from pos_agent.domain.desired import ConfigState, HealthCheck, Reason

#: A trial that was started this often without being confirmed is rolled back (trust.md 15).
TRIAL_STARTS: Final = 2
_MOST_ATTEMPTS: Final = 16


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted document: its exact bytes and what they are called."""

    version: int
    etag: str
    payload: bytes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a document.

    Attributes:
        tries: How often it was in trial.
        agent: Version that rejected it; a later one may understand it.
    """

    version: int
    etag: str
    state: ConfigState
    at: datetime
    reason: str = ""
    detail: str = ""
    tries: int = 0
    agent: str = ""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A document in trial.

    Attributes:
        remaining_s: Running time left; a till that is off does not lose any.
        ran_s: Running time so far.
        starts_left: Starts that may still come without a rollback.
        baseline: Checks of the document that were green right before.
        moved: Devices that the document looks for in another place than before.
        needs_ack: Confirmed only after an answer of the back office.
        keys_wanted: Logical keys whose codes changed and that nobody has pressed yet.
    """

    document: Document
    remaining_s: float
    ran_s: float = 0.0
    starts_left: int = TRIAL_STARTS
    baseline: tuple[HealthCheck, ...] = ()
    moved: tuple[HealthCheck, ...] = ()
    needs_ack: bool = False
    keys_wanted: tuple[str, ...] = ()


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """All that a terminal remembers of its configurations.

    Attributes:
        book_id: Random, made with the record.
        seq: Rises with each change that is reported.
        highest_version, highest_etag: Of the newest document ever accepted.
        running: Confirmed and in effect; None = the terminal's own file alone.
        previous: What `running` replaced; None with `has_previous` = the file alone.
        staged: Accepted, waits until the till is idle.
        trial: Switched to, not confirmed yet.
        attempts: Newest last, one for each etag.
    """

    book_id: str
    seq: int = 0
    highest_version: int = 0
    highest_etag: str = ""
    running: Document | None = None
    previous: Document | None = None
    has_previous: bool = False
    staged: Document | None = None
    trial: Trial | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def in_effect(self) -> Document | None:
        """Return what the till runs now: the document in trial while there is one."""
        return self.trial.document if self.trial is not None else self.running

    def attempt(self, etag: str) -> Attempt | None:
        """Return what became of a document."""
        return next((one for one in self.attempts if one.etag == etag), None)


def stage(book: Book, document: Document, *, at: datetime) -> Book:
    """Accept a document: it and the highest version in one change. One that still waited makes way."""
    changed = msgspec.structs.replace(
        book, staged=document, highest_version=document.version, highest_etag=document.etag
    )
    return _noted(changed, document, ConfigState.STAGED, at=at)


def reject(book: Book, document: Document, *, reason: Reason, detail: str, at: datetime, agent: str = "") -> Book:
    """Remember a rejection, so that the same document is reported again instead of judged again."""
    changed = book
    if book.staged is not None and book.staged.etag == document.etag:
        changed = msgspec.structs.replace(book, staged=None)
    return _noted(changed, document, ConfigState.REJECTED, reason=reason, detail=detail, at=at, agent=agent)


def begin_trial(book: Book, trial: Trial, *, at: datetime) -> Book:
    """Put the staged document in trial; to be committed before the till switches.

    Raises:
        ValueError: It is not the staged one, or another is in trial.
    """
    if book.trial is not None or book.staged != trial.document:
        raise ValueError("only the staged document can be tried, one at a time")
    changed = msgspec.structs.replace(book, staged=None, trial=trial)
    return _noted(changed, trial.document, ConfigState.TRIAL, at=at, is_try=True)


def start(book: Book, *, at: datetime) -> Book:
    """Count a start of the daemon; the third one in a trial rolls it back (trust.md 15)."""
    trial = book.trial
    if trial is None:
        return book
    if trial.starts_left <= 0:
        return roll_back(book, reason=Reason.STARTS, detail=f"{TRIAL_STARTS} starts without being confirmed", at=at)
    return msgspec.structs.replace(book, trial=msgspec.structs.replace(trial, starts_left=trial.starts_left - 1))


def run(book: Book, ran_s: float, *, pressed: frozenset[str] = frozenset()) -> Book:
    """Let running time pass in a trial, in which these logical keys were pressed."""
    trial = book.trial
    if trial is None:
        return book
    later = msgspec.structs.replace(
        trial,
        remaining_s=max(0.0, trial.remaining_s - ran_s),
        ran_s=trial.ran_s + ran_s,
        keys_wanted=tuple(key for key in trial.keys_wanted if key not in pressed),
    )
    return msgspec.structs.replace(book, trial=later)


def confirm(book: Book, *, at: datetime) -> Book:
    """Make the document in trial the confirmed one; what it replaces is what a crash would bring back."""
    trial = _trial_of(book)
    changed = msgspec.structs.replace(
        book, trial=None, previous=book.running, has_previous=True, running=trial.document
    )
    return _noted(changed, trial.document, ConfigState.CONFIRMED, at=at)


def roll_back(book: Book, *, reason: Reason, detail: str = "", at: datetime) -> Book:
    """End the trial: the confirmed configuration is in effect again. A staged one is judged anew when it comes."""
    trial = _trial_of(book)
    changed = msgspec.structs.replace(book, trial=None, staged=None)
    return _noted(changed, trial.document, ConfigState.ROLLED_BACK, reason=reason, detail=detail, at=at)


def fall_back(book: Book, *, reason: Reason, detail: str = "", at: datetime) -> Book:
    """Go from the confirmed configuration, which crashes or cannot be read any more, to the one before.

    Raises:
        ValueError: There is none before; the SAFE state is next.
    """
    if book.running is None or not book.has_previous:
        raise ValueError("no configuration to fall back to")
    bad = book.running
    changed = msgspec.structs.replace(
        book, running=book.previous, previous=None, has_previous=False, staged=None, trial=None
    )
    return _noted(changed, bad, ConfigState.ROLLED_BACK, reason=reason, detail=detail, at=at)


def _trial_of(book: Book) -> Trial:
    if book.trial is None:
        raise ValueError("nothing is in trial")
    return book.trial


def _noted(
    book: Book,
    document: Document,
    state: ConfigState,
    *,
    at: datetime,
    reason: str = "",
    detail: str = "",
    is_try: bool = False,
    agent: str = "",
) -> Book:
    before = book.attempt(document.etag)
    tries = (before.tries if before is not None else 0) + is_try
    attempt = Attempt(
        version=document.version,
        etag=document.etag,
        state=state,
        at=at,
        reason=str(reason),
        detail=detail,
        tries=tries,
        agent=agent,
    )
    others = [one for one in book.attempts if one.etag != document.etag]
    return msgspec.structs.replace(book, attempts=(*others, attempt)[-_MOST_ATTEMPTS:], seq=book.seq + 1)
