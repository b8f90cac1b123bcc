"""Rollouts: planned, pushed, released in waves, paused, undone. Who wrote a configuration is proved by its signatures.

A rollout is ``pushed`` (nothing is out), ``releasing``, ``paused`` (nothing more goes out) or ``undone``.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice import deeds
from backoffice.clock import Now
from backoffice.deeds import Deed
from backoffice.desired import waiting
from backoffice.desired.bundle import (
    Bundle,
    BundleError,
    Opened,
    Plan,
    PlannedTill,
    missing_signature,
    needs_two,
    open_pair,
)
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport, Rollout
from backoffice.store.schema import Terminal
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.domain.desired_book import Book, Document
from pos_agent.domain.desired_rules import Offer, Site, Step, decide
from pos_agent.protocol.desired import SCHEMA
from pos_agent.protocol.ed25519 import PublicKey

PUSHED, RELEASING, PAUSED, UNDONE = "pushed", "releasing", waiting.PAUSED, "undone"
ALL: Final = 10_000
#: Tills that a line of the record names; of more it says how many.
_NAMED: Final = 5
_NUMBER = (Reason.OLD_VERSION, Reason.CONFLICT, Reason.VERSION_JUMP)
_UNSETTLED = (ConfigState.STAGED.value, ConfigState.TRIAL.value)


class Skipped(msgspec.Struct, frozen=True):
    """A till that was left out, and why."""

    terminal_id: str
    why: str


def cohort(rollout: str, terminal_id: str) -> int:
    """Return where a till stands in a rollout, 0 to 9,999: the same everywhere, another one in each rollout.

    Source:
        reference/mqtt_fleet.md A.5: sha256(rollout ‖ terminal_id) mod 10,000.
    """
    return int.from_bytes(sha256(f"{rollout}{terminal_id}".encode()).digest()) % ALL


def plan(session: Session, terminal_ids: list[str], now: Now) -> tuple[Plan, list[Skipped]]:
    """Return what a signer needs to know of these tills, and those that cannot be configured now.

    Raises:
        BundleError: No such till.
    """
    _refuse_unknown(session, terminal_ids)
    numbers = waiting.highest_numbers(session, terminal_ids)
    reports = _reports(session, terminal_ids)
    tills, skipped = [], []
    for terminal_id in terminal_ids:
        report = reports.get(terminal_id)
        base, why = _base(session, terminal_id, report)
        if why:
            skipped.append(Skipped(terminal_id, why))
            continue
        tills.append(
            PlannedTill(
                terminal_id=terminal_id,
                version=numbers[terminal_id] + 1,
                base=msgspec.Raw(base) if base else None,
                agent=report.agent if report else "",
            )
        )
    return Plan(made_at=now(), tills=tuple(tills)), skipped


def _base(session: Session, terminal_id: str, report: ConfigReport | None) -> tuple[bytes | None, str]:
    """Return the envelope of what a till runs (None = its own file alone), or why that cannot be said."""
    newest = session.scalars(
        select(ConfigDocument)
        .where(ConfigDocument.terminal_id == terminal_id, ConfigDocument.released_at.is_not(None))
        .order_by(ConfigDocument.version.desc())
        .limit(1)
    ).one_or_none()
    if report is None:
        return None, "a configuration is out and it has never reported" if newest else ""
    if report.state in _UNSETTLED:
        return None, f"version {report.attempted_version} is {report.state}: wait for its end"
    if newest is not None and newest.version > report.highest and newest.etag != report.attempted_etag:
        return None, f"version {newest.version} is out and not yet answered"
    if not report.running_etag:
        return None, ""
    found = session.scalars(
        select(ConfigDocument.envelope).where(
            ConfigDocument.terminal_id == terminal_id, ConfigDocument.etag == report.running_etag
        )
    ).first()
    return found, "" if found else f"runs version {report.running_version}, which is not ours: push its bundle --again"


def _reports(session: Session, terminal_ids: list[str]) -> dict[str, ConfigReport]:
    found: dict[str, ConfigReport] = {}
    for chunk in waiting.chunks(terminal_ids):
        rows = session.scalars(select(ConfigReport).where(ConfigReport.terminal_id.in_(chunk)))
        found |= {row.terminal_id: row for row in rows}
    return found


def _refuse_unknown(session: Session, terminal_ids: list[str]) -> None:
    known: set[str] = set()
    for chunk in waiting.chunks(terminal_ids):
        known |= set(session.scalars(select(Terminal.terminal_id).where(Terminal.terminal_id.in_(chunk))))
    unknown = [each for each in terminal_ids if each not in known]
    if unknown:
        raise BundleError(f"not enrolled: {', '.join(unknown[:10])}")


def push(
    session: Session, bundle: Bundle, pins: Mapping[str, PublicKey], *, now: Now, by: str, is_again: bool = False
) -> int:
    """Take a bundle; nothing goes out yet. Returns how many tills it is for. All of it is taken, or nothing.

    Args:
        session: Writing.
        bundle: As it came; nothing of it is believed.
        pins: Public fleet keys.
        now: Clock.
        by: Who pushes, for the record.
        is_again: It was out before the database went back: its numbers may be known to the tills.
    Raises:
        RemoteProtocolError, SignatureError: A document that no pinned fleet key signed.
        BundleError: What the tills would refuse, or a number that is not free.
    """
    if session.get(Rollout, bundle.rollout) is not None:
        raise BundleError(f"{bundle.rollout} is here already")
    terminal_ids = [pair.terminal_id for pair in bundle.pairs]
    if not terminal_ids or len(set(terminal_ids)) != len(terminal_ids):
        raise BundleError("no tills in it, or one twice")
    _refuse_unknown(session, terminal_ids)
    numbers = waiting.highest_numbers(session, terminal_ids)
    opened = [open_pair(pair, pins) for pair in bundle.pairs]
    reports = _reports(session, terminal_ids)
    for config, undo in opened:
        terminal_id = config.document.terminal_id
        highest = 0 if is_again else numbers[terminal_id]
        if config.document.rollout != bundle.rollout or undo.document.rollout != bundle.rollout:
            raise BundleError(f"{terminal_id}: signed for rollout {config.document.rollout}, not {bundle.rollout}")
        if missing := missing_signature(config, undo, pins):
            raise BundleError(f"{terminal_id}: {missing}: pos-backoffice config countersign")
        _judge(config, undo, report=reports.get(terminal_id), highest=highest, now=now)
    signers = sorted({kid for config, _ in opened for kid in config.signers})
    session.add(
        Rollout(
            rollout=bundle.rollout,
            title=bundle.title[:200],
            state=PUSHED,
            signers=signers,
            pushed_at=now(),
            pushed_by=by[:64],
            changed_at=now(),
        )
    )
    try:
        session.flush()
        session.execute(insert(ConfigDocument), _rows(bundle, opened))
    except IntegrityError as error:
        raise BundleError("somebody else pushed just now: make a new plan and sign that") from error
    signed = ", ".join(signers)
    detail = f"{bundle.rollout}: {len(opened)} tills, signed by {signed}{', again' if is_again else ''}"
    deeds.note(session, Deed.PUSHED, by=by, detail=detail, now=now)
    return len(opened)


def _judge(config: Opened, undo: Opened, *, report: ConfigReport | None, highest: int, now: Now) -> None:
    """Refuse what the till would refuse, by its own rules (`desired_rules.decide`), and a number that is not free."""
    terminal_id = config.document.terminal_id
    two = needs_two(config, undo)
    agent = report.agent if report else ""
    site = Site(terminal_id=terminal_id, agent=agent, schema=SCHEMA, now=now(), is_clock_trusted=True)
    for opened, below in ((config, highest), (undo, config.document.version)):
        decision = decide(Book(book_id="", highest_version=below), _offer(opened, two=two, agent=agent), site)
        if decision.reason in _NUMBER:
            version, free = opened.document.version, below + 1
            raise BundleError(
                f"{terminal_id}: version {version} is not free, the next one is {free}; make a new plan and sign that"
            )
        if decision.step is not Step.STAGE:
            raise BundleError(f"{terminal_id}: the till would refuse it: {decision.reason}: {decision.detail}")


def _offer(opened: Opened, *, two: bool, agent: str) -> Offer:
    document = opened.document
    return Offer(
        document=Document(version=document.version, etag=opened.etag, payload=b""),
        terminal_id=document.terminal_id,
        signers=len(opened.signers),
        needs_two=two,
        schema=document.schema,
        # A till that never spoke judges it itself.
        min_agent=document.min_agent if agent else "",
        not_after=document.not_after,
    )


def _rows(bundle: Bundle, opened: list[tuple[Opened, Opened]]) -> list[dict[str, object]]:
    return [
        {
            "terminal_id": pair.terminal_id,
            "version": each.document.version,
            "rollout": bundle.rollout,
            "is_undo": is_undo,
            "cohort": cohort(bundle.rollout, pair.terminal_id),
            "etag": each.etag,
            "envelope": bytes(envelope),
            "is_waiting": False,
        }
        for pair, documents in zip(bundle.pairs, opened, strict=True)
        for each, envelope, is_undo in zip(documents, (pair.config, pair.undo), (False, True), strict=True)
    ]


def release(
    session: Session, rollout: str, *, now: Now, share: int = 0, terminal_ids: list[str] | None = None, by: str = ""
) -> tuple[int, list[Skipped]]:
    """Let a part of the tills have it: those in the first `share` ten-thousandths, or these.

    Args:
        session: Writing.
        rollout: Which.
        now: Clock.
        share: The wave.
        terminal_ids: These tills instead.
        by: Who releases, for the record (`deeds.note`).
    Returns:
        How many tills are new in it, and those whose number was taken meanwhile.
    Raises:
        BundleError: No such rollout, paused or undone, or a till that is not in it.
    """
    row = _locked(session, rollout)
    if row.state not in (PUSHED, RELEASING):
        raise BundleError(f"{rollout} is {row.state}")
    statement = select(ConfigDocument.terminal_id, ConfigDocument.version, ConfigDocument.released_at).where(
        ConfigDocument.rollout == rollout, ConfigDocument.is_undo.is_(False)
    )
    found = session.execute(statement.where(ConfigDocument.cohort < share) if terminal_ids is None else statement).all()
    if terminal_ids is not None:
        missing = set(terminal_ids) - {each.terminal_id for each in found}
        if missing:
            raise BundleError(f"not in {rollout}: {', '.join(sorted(missing)[:10])}")
        found = [each for each in found if each.terminal_id in set(terminal_ids)]
    wanted = [each for each in found if each.released_at is None]
    told = _reports(session, [each.terminal_id for each in wanted])
    skipped = [
        Skipped(each.terminal_id, f"knows version {told[each.terminal_id].highest} already, this is {each.version}")
        for each in wanted
        if each.terminal_id in told and told[each.terminal_id].highest >= each.version
    ]
    left_out = {each.terminal_id for each in skipped}
    go = [each.terminal_id for each in wanted if each.terminal_id not in left_out]
    waiting.release(session, rollout=rollout, is_undo=False, terminal_ids=go, now=now)
    row.state, row.released_at, row.changed_at = RELEASING, row.released_at or now(), now()
    row.share = max(row.share, share)
    wave = f"{share / 100:g} %" if terminal_ids is None else ", ".join(terminal_ids[:_NAMED])
    detail = f"{rollout}: {wave}, {len(go)} tills more, {len(skipped)} left out"
    deeds.note(session, Deed.RELEASED, by=by, detail=detail, now=now)
    return len(go), skipped


def undo(session: Session, rollout: str, *, now: Now, by: str = "") -> int:
    """Send the undo to every till that was given the configuration, and give it to no more; returns how many.

    Raises:
        BundleError: No such rollout, or it is undone already.
    """
    row = _locked(session, rollout)
    if row.state == UNDONE:
        raise BundleError(f"{rollout} is undone already")
    given = session.scalars(
        select(ConfigDocument.terminal_id).where(
            ConfigDocument.rollout == rollout,
            ConfigDocument.is_undo.is_(False),
            ConfigDocument.released_at.is_not(None),
        )
    ).all()
    waiting.release(session, rollout=rollout, is_undo=True, terminal_ids=list(given), now=now)
    row.state, row.changed_at = UNDONE, now()
    deeds.note(session, Deed.UNDONE, by=by, detail=f"{rollout}: {len(given)} tills", now=now)
    return len(given)


def pause(session: Session, rollout: str, *, now: Now, by: str = "") -> None:
    """Let nothing more of it out, also of what was released and not yet published.

    Raises:
        BundleError: No such rollout, or nothing of it goes out.
    """
    row = _locked(session, rollout)
    if row.state != RELEASING:
        raise BundleError(f"{rollout} is {row.state}")
    row.state, row.changed_at = PAUSED, now()
    deeds.note(session, Deed.PAUSED, by=by, detail=rollout, now=now)


def resume(session: Session, rollout: str, *, now: Now, by: str = "") -> None:
    """End a pause.

    Raises:
        BundleError: No such rollout, or it is not paused.
    """
    row = _locked(session, rollout)
    if row.state != PAUSED:
        raise BundleError(f"{rollout} is {row.state}")
    row.state, row.changed_at = RELEASING, now()
    deeds.note(session, Deed.RESUMED, by=by, detail=rollout, now=now)


def _locked(session: Session, rollout: str) -> Rollout:
    row = session.get(Rollout, rollout, with_for_update=True)
    if row is None:
        raise BundleError(f"no rollout {rollout}")
    return row
