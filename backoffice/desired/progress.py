"""How far a rollout is, till by till and in sums."""

from collections import Counter
from datetime import datetime

import msgspec
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased, defer

from backoffice.desired.bundle import BundleError
from backoffice.store.rollout_tables import ConfigDocument, ConfigReport, Rollout
from backoffice.store.schema import Terminal
from pos_agent.domain.desired import ConfigState

HELD, WAITING, SENT, PASSED = "held", "waiting", "sent", "passed"
#: What a till has answered: it is not waited for any more.
ANSWERED = (ConfigState.CONFIRMED.value, ConfigState.ROLLED_BACK.value, ConfigState.REJECTED.value)
_WRONG = (ConfigState.ROLLED_BACK.value, ConfigState.REJECTED.value)
_newer = aliased(ConfigDocument)
#: Of a `Terminal`: what was given to it last did not stay (`TillConfig.is_wrong`, in SQL).
WENT_WRONG = Terminal.terminal_id.in_(
    select(ConfigReport.terminal_id).where(
        ConfigReport.state.in_(_WRONG),
        ~exists()
        .where(
            _newer.terminal_id == ConfigReport.terminal_id,
            _newer.released_at.is_not(None),
            _newer.version > ConfigReport.attempted_version,
        )
        .correlate(ConfigReport),
    )
)


class TillProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One till of a rollout.

    Attributes:
        state: ``held`` (not released to it), ``waiting`` (for the broker), ``sent`` (not answered), or what the till
            says: staged, trial, confirmed, rolled_back, rejected; ``passed`` = it knows a newer number.
    """

    terminal_id: str
    version: int
    state: str
    is_undo: bool = False
    reason: str = ""
    at: datetime | None = None


class RolloutProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout: `share` in ten-thousandths, tills by state."""

    rollout: str
    title: str
    state: str
    share: int
    signers: list[str]
    pushed_at: datetime
    released_at: datetime | None
    counts: dict[str, int]
    tills: list[TillProgress]

    @property
    def answered(self) -> int:
        """Return how many tills have said how it ended."""
        return sum(self.counts.get(state, 0) for state in ANSWERED)


def rollouts(session: Session) -> list[str]:
    """Return the ids, newest first."""
    return list(session.scalars(select(Rollout.rollout).order_by(Rollout.pushed_at.desc(), Rollout.rollout)))


def of(session: Session, rollout: str) -> RolloutProgress:
    """Return the progress of one.

    Raises:
        BundleError: There is none.
    """
    row = session.get(Rollout, rollout)
    if row is None:
        raise BundleError(f"no rollout {rollout}")
    found = session.execute(
        select(ConfigDocument, ConfigReport)
        .options(defer(ConfigDocument.envelope))
        .outerjoin(ConfigReport, ConfigReport.terminal_id == ConfigDocument.terminal_id)
        .where(ConfigDocument.rollout == rollout)
        .order_by(ConfigDocument.terminal_id, ConfigDocument.version)
    )
    # Of each till the configuration, or its undo once that is out.
    tills: dict[str, TillProgress] = {}
    for document, report in found:
        if not document.is_undo or document.released_at is not None:
            tills[document.terminal_id] = _till(document, report)
    return RolloutProgress(
        rollout=row.rollout,
        title=row.title,
        state=row.state,
        share=row.share,
        signers=[str(kid) for kid in row.signers],
        pushed_at=row.pushed_at,
        released_at=row.released_at,
        counts=dict(Counter(till.state for till in tills.values())),
        tills=list(tills.values()),
    )


def _till(document: ConfigDocument, report: ConfigReport | None) -> TillProgress:
    told = report if report is not None and report.attempted_etag == document.etag else None
    return TillProgress(
        terminal_id=document.terminal_id,
        version=document.version,
        state=_state(document, report),
        is_undo=document.is_undo,
        reason=told.reason if told else "",
        at=told.at if told else None,
    )


def _state(document: ConfigDocument, report: ConfigReport | None) -> str:
    if report is not None:
        if report.attempted_etag == document.etag:
            return report.state
        if report.running_etag == document.etag:
            return ConfigState.CONFIRMED
        if report.highest > document.version:
            return PASSED
    if document.released_at is None:
        return HELD
    return WAITING if document.is_waiting else SENT


class TillConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a till runs, what it was given last, and what it said about that.

    Attributes:
        desired: Number of the newest configuration that was released to it; 0 = none.
        running: Number of what it runs; 0 = its own file alone; None = it has never said.
        state: Of `desired`, as `TillProgress.state`; empty without one.
        reason, detail: Of the last attempt, if it went wrong.
    """

    desired: int = 0
    rollout: str = ""
    running: int | None = None
    running_etag: str = ""
    attempted: int = 0
    state: str = ""
    reason: str = ""
    detail: str = ""
    at: datetime | None = None
    reported_at: datetime | None = None

    @property
    def is_wrong(self) -> bool:
        """Return True if what it was given last did not stay."""
        return self.state in _WRONG


def tills(session: Session, terminal_ids: list[str]) -> dict[str, TillConfig]:
    """Return the configuration of each of these tills; those without a word or document have an empty one."""
    newest = (
        select(ConfigDocument.terminal_id, func.max(ConfigDocument.version).label("version"))
        .where(ConfigDocument.terminal_id.in_(terminal_ids), ConfigDocument.released_at.is_not(None))
        .group_by(ConfigDocument.terminal_id)
        .subquery()
    )
    documents = {
        row.terminal_id: row
        for row in session.scalars(
            select(ConfigDocument)
            .options(defer(ConfigDocument.envelope))
            .join(
                newest,
                (newest.c.terminal_id == ConfigDocument.terminal_id) & (newest.c.version == ConfigDocument.version),
            )
        )
    }
    reports = {
        row.terminal_id: row
        for row in session.scalars(select(ConfigReport).where(ConfigReport.terminal_id.in_(terminal_ids)))
    }
    return {each: _config(documents.get(each), reports.get(each)) for each in terminal_ids}


def _config(document: ConfigDocument | None, report: ConfigReport | None) -> TillConfig:
    if report is not None and (document is None or report.attempted_version > document.version):
        state = report.state
    else:
        state = _state(document, report) if document else ""
    is_wrong = state in _WRONG
    return TillConfig(
        desired=document.version if document else 0,
        rollout=document.rollout if document else "",
        running=report.running_version if report else None,
        running_etag=report.running_etag if report else "",
        attempted=report.attempted_version if report else 0,
        state=state,
        reason=report.reason if report and is_wrong else "",
        detail=report.detail if report and is_wrong else "",
        at=report.at if report else None,
        reported_at=report.reported_at if report else None,
    )
