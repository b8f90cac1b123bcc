"""What a terminal does with a configuration document, and when a trial ends (trust.md 13, 15). Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

import msgspec

from pos_agent.domain.desired import MAX_VERSION_STEP, ConfigState, HealthCheck, Reason
from pos_agent.domain.desired_book import Book, Document, Trial

#: Running time of a trial before which nothing is confirmed: devices come up, a crash shows.
MIN_TRIAL_S: Final = 5.0
#: What a document may ask for as `confirm_within_s`.
MIN_CONFIRM_S, MAX_CONFIRM_S = 10, 86_400


#: What another version of the agent may judge otherwise.
_OF_THE_AGENT: Final = frozenset({Reason.SCHEMA, Reason.MIN_AGENT})


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A document that at least one fleet key signed.

    Attributes:
        signers: How many different fleet keys did.
        needs_two: Whether two must, because of what would change.
        local_key: A key in it that belongs to this machine; empty = none.
        problem: Why the configuration that it makes cannot be used; empty = it can.
    """

    document: Document
    terminal_id: str
    signers: int
    needs_two: bool
    schema: int
    min_agent: str
    not_after: datetime
    local_key: str = ""
    problem: str = ""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The terminal at which a document is judged. An untrusted clock judges no expiry (D19)."""

    terminal_id: str
    agent: str
    schema: int
    now: datetime
    is_clock_trusted: bool


class Step(Enum):
    """What to do with a document."""

    NOOP = "noop"
    GO_ON = "go_on"
    REPORT = "report"
    LATER = "later"
    REJECT = "reject"
    STAGE = "stage"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do and why.

    Attributes:
        is_kept: A rejection that is remembered: what was judged may look different tomorrow. The other rejections
            follow from the record itself, and nobody can push them in to crowd it.
        note: What was not judged.
    """

    step: Step
    reason: Reason | None = None
    detail: str = ""
    is_kept: bool = False
    note: str = ""


def decide(book: Book, offer: Offer, site: Site) -> Decision:
    """Judge a document, in the order of trust.md 13; size and one valid signature have been judged before.

    signature(s) → terminal id → etag → version → schema, min_agent, expiry.
    """
    document = offer.document
    known = _by_etag(book, document.etag, agent=site.agent)
    if known is None and offer.needs_two and offer.signers < 2:
        return _rejected(Reason.SECOND_SIGNATURE, "broker, trust, limits or merchant change: two fleet keys must sign")
    if offer.terminal_id != site.terminal_id:
        return _rejected(Reason.OTHER_TERMINAL, f"for {offer.terminal_id}")
    if known is not None:
        return known
    if refused := _refused_version(book, document):
        return refused
    if book.trial is not None:
        return Decision(step=Step.LATER)
    return _refused_content(offer, site) or Decision(
        step=Step.STAGE, note="" if site.is_clock_trusted else "clock not trusted: expiry not judged"
    )


def is_known(book: Book, etag: str, *, agent: str) -> bool:
    """Return whether the record already says what is to be done with a document, so that it need not be examined."""
    return _by_etag(book, etag, agent=agent) is not None


def _by_etag(book: Book, etag: str, *, agent: str) -> Decision | None:
    """Return what is to be done with a document that is known; None = it must be judged."""
    if book.trial is not None and book.trial.document.etag == etag:
        return Decision(step=Step.GO_ON)
    if book.running is not None and book.running.etag == etag:
        return Decision(step=Step.NOOP)
    if book.staged is not None and book.staged.etag == etag:
        return Decision(step=Step.GO_ON)
    attempt = book.attempt(etag)
    if attempt is None:
        return None
    if attempt.state is ConfigState.ROLLED_BACK:
        if attempt.reason == Reason.NO_NETWORK and attempt.tries <= 1 and book.highest_etag == etag:
            return None  # once more: it may have been the provider's bad hour
        return Decision(step=Step.REPORT)
    if attempt.state is ConfigState.REJECTED and (attempt.agent == agent or attempt.reason not in _OF_THE_AGENT):
        return Decision(step=Step.REPORT)
    return None


def _refused_version(book: Book, document: Document) -> Decision | None:
    if document.version < book.highest_version:
        return _rejected(Reason.OLD_VERSION, f"{document.version}, accepted was {book.highest_version}")
    if document.version == book.highest_version and document.etag != book.highest_etag:
        return _rejected(Reason.CONFLICT, f"another document of version {document.version} was accepted")
    if document.version > book.highest_version + MAX_VERSION_STEP:
        return _rejected(Reason.VERSION_JUMP, f"{document.version}, accepted was {book.highest_version}")
    return None


def _refused_content(offer: Offer, site: Site) -> Decision | None:
    if not 1 <= offer.schema <= site.schema:
        return _rejected(Reason.SCHEMA, f"schema {offer.schema}, this agent has {site.schema}", is_kept=True)
    if offer.local_key:
        return _rejected(Reason.LOCAL_KEY, f"{offer.local_key} belongs to the machine", is_kept=True)
    if offer.problem:
        return _rejected(Reason.SCHEMA, offer.problem, is_kept=True)
    if not _is_new_enough(site.agent, offer.min_agent):
        return _rejected(Reason.MIN_AGENT, f"agent {site.agent}, needed {offer.min_agent}", is_kept=True)
    if is_expired(offer.not_after, site):
        return _rejected(Reason.EXPIRED, f"since {offer.not_after.isoformat()}", is_kept=True)
    return None


def is_expired(not_after: datetime, site: Site) -> bool:
    """Return whether a document may not be begun any more; an untrusted clock cannot say so (D19)."""
    return site.is_clock_trusted and site.now > not_after


def _is_new_enough(agent: str, least: str) -> bool:
    if not least:
        return True
    have, need = _numbers(agent), _numbers(least)
    return bool(need) and have >= need


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "0.2.0rc1" is (0, 2, 0). Empty = no version."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits.isascii() or not digits:
            break
        numbers.append(int(digits[:9]))
    return tuple(numbers)


def _rejected(reason: Reason, detail: str, *, is_kept: bool = False) -> Decision:
    return Decision(step=Step.REJECT, reason=reason, detail=detail, is_kept=is_kept)


# -- the trial ------------------------------------------------------------------------------------------------------


class Health(Enum):
    """What is known of one check."""

    GREEN = "green"
    #: A person's doing, not the configuration's: no paper, cover open, unplugged.
    EXCUSED = "excused"
    RED = "red"
    UNKNOWN = "unknown"


#: Codes of `DeviceStatus` that are a person's doing.
_PERSONS_DOING: Final = frozenset({"EPTR_REC_EMPTY", "EPTR_COVER_OPEN"})
_UNPLUGGED: Final = "E_NOHARDWARE"
#: What only warns; the device works.
_FINE: Final = frozenset({"", "EPTR_REC_NEAR_END", "paper_low", "printer_swapped", "keyboard_mode"})


def health_of(*, is_online: bool, code: str, is_moved: bool = False) -> Health:
    """Return what a device's status means for the trial.

    Args:
        is_online: Open and answering.
        code: As in `domain.events.DeviceStatusChanged`.
        is_moved: The document looks for it in another place: then "not found" is the document's doing (ADR 0021).
    """
    if code in _PERSONS_DOING:
        return Health.EXCUSED
    if code == _UNPLUGGED:
        return Health.RED if is_moved else Health.EXCUSED
    if is_online:
        return Health.GREEN if code in _FINE else Health.RED
    return Health.RED if code else Health.UNKNOWN


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial ends."""

    is_confirmed: bool
    reason: Reason | None = None
    detail: str = ""


def judge_trial(trial: Trial, health: Mapping[HealthCheck, Health], *, is_acked: bool) -> Verdict | None:
    """Say how a trial ends; None = it goes on.

    Only a check that was green before and is not now counts (trust.md 15); a device that is not configured any more is
    what the document asked for. Reconnecting counts only where the document could have cut the till off.
    """
    states = {check: health.get(check, Health.EXCUSED) for check in trial.baseline}
    bad = [check.value for check, state in states.items() if state in (Health.RED, Health.UNKNOWN)]
    lacks_ack = trial.needs_ack and not is_acked
    if trial.remaining_s > 0:
        is_good = not (bad or lacks_ack or trial.keys_wanted) and trial.ran_s >= MIN_TRIAL_S
        return Verdict(is_confirmed=True) if is_good else None
    if bad:
        return Verdict(is_confirmed=False, reason=Reason.HEALTH, detail=" ".join(bad))
    if lacks_ack:
        return Verdict(is_confirmed=False, reason=Reason.NO_NETWORK)
    if trial.keys_wanted:
        return Verdict(is_confirmed=False, reason=Reason.KEYS_NOT_PRESSED, detail=" ".join(trial.keys_wanted))
    return Verdict(is_confirmed=True)
