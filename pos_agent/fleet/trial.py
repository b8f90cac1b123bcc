"""From staged to confirmed or rolled back (D17; trust.md 15, 16)."""

import logging
from datetime import datetime
from typing import Final

from pos_agent import __version__
from pos_agent.domain import desired_book, desired_rules
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import Config
from pos_agent.domain.desired import ApplyWhen, Reason
from pos_agent.domain.desired_book import Document
from pos_agent.domain.desired_rules import Site, Verdict
from pos_agent.errors import RemoteProtocolError
from pos_agent.fleet.candidate import Candidate, examine, make_trial
from pos_agent.fleet.keeper import Keeper
from pos_agent.fleet.ports import OfficePort, TillPort
from pos_agent.protocol import codec
from pos_agent.protocol.desired import SCHEMA, ConfigDesired

_log = logging.getLogger(__name__)
#: How much of a trial's running time a power cut may give back.
SAVE_S: Final = 5.0


def site_of(config: Config, clock: Clock) -> Site:
    """Return the terminal at which documents are judged now."""
    return Site(
        terminal_id=config.terminal.terminal_id,
        agent=__version__,
        schema=SCHEMA,
        now=clock.now(),
        is_clock_trusted=clock.is_trusted(),
    )


class TrialRunner:
    """Begins and ends trials; whoever owns it calls `begin` and `go_on` once a second.

    Args:
        keeper: The record.
        config: What runs now.
        till: The till around.
        office: The way to the back office.
        clock: For expiry and running time.
    Attributes:
        restart_when: When the till may start again to run what the record says; None = it need not.
    """

    def __init__(self, keeper: Keeper, *, config: Config, till: TillPort, office: OfficePort, clock: Clock) -> None:
        self._keeper = keeper
        self._config = config
        self._till = till
        self._office = office
        self._clock = clock
        self._looked_s = clock.monotonic_s()
        self._pressed: set[str] = set()
        self._asked_keys: tuple[str, ...] = ()
        self.restart_when: ApplyWhen | None = None

    def note_key(self, key: str) -> bool:
        """Note a logical key; return whether the trial waits for keys."""
        trial = self._keeper.book.trial
        if trial is None or not trial.keys_wanted:
            return False
        self._pressed.add(key)
        return True

    # -- begin ----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Switch to the staged document if nobody is interrupted: the trial is durable before anything changes."""
        staged = self._keeper.book.staged
        if staged is None or self._keeper.book.trial is not None:
            return
        try:
            desired = codec.decode_desired(staged.payload)
        except RemoteProtocolError as error:  # staged by a newer build, which somebody took back since
            await self._reject(staged, Reason.SCHEMA, str(error))
            return
        if not self._till.may_switch(desired.apply):
            return
        candidate = self._examined_again(staged, desired)
        if candidate is None or candidate.config is None:
            problem = "defect, see the log" if candidate is None else candidate.offer.problem
            await self._reject(staged, Reason.SCHEMA, problem)
            return
        if desired_rules.is_expired(desired.not_after, site_of(self._config, self._clock)):
            await self._reject(staged, Reason.EXPIRED, f"before the till was idle, {desired.not_after.isoformat()}")
            return
        trial = make_trial(
            candidate,
            health=self._till.health(),
            keys_wanted=self._till.changed_keypad_keys(self._config, candidate.config),
        )
        if await self._keeper.commit(desired_book.begin_trial(self._keeper.book, trial, at=self._clock.now())):
            await self._tell_begun(candidate)
            self.restart_when = desired.apply

    def _examined_again(self, staged: Document, desired: ConfigDesired) -> Candidate | None:
        """Examine the staged document against what runs now; None = that failed in a way that nobody foresaw."""
        try:
            return examine(staged, desired, (), running=self._config, load_with=self._till.load_with)
        except Exception:  # noqa: BLE001 - supervisor: a staged document must not end the daemon at each start
            _log.exception("staged configuration version=%d not examined", staged.version)
            return None

    async def _reject(self, staged: Document, reason: Reason, detail: str) -> None:
        book = desired_book.reject(
            self._keeper.book, staged, reason=reason, detail=detail, at=self._clock.now(), agent=__version__
        )
        await self._keeper.commit(book)

    async def _tell_begun(self, candidate: Candidate) -> None:
        changed = " ".join(sorted(candidate.changed))
        version = candidate.desired.version
        _log.info("config.trial version=%d changed=%s", version, changed)
        facts = {"etag": candidate.offer.document.etag, "rollout": candidate.desired.rollout, "changed": changed}
        await self._till.audit("config.trial", {"version": str(version)} | facts)

    # -- end ------------------------------------------------------------------------------------------------------

    async def go_on(self) -> None:
        """Let running time pass, save it now and then, and end the trial when it has ended."""
        now_s = self._clock.monotonic_s()
        ran_s, self._looked_s = now_s - self._looked_s, now_s
        if self._keeper.book.trial is None:
            return
        pressed, self._pressed = frozenset(self._pressed), set()
        self._keeper.book = desired_book.run(self._keeper.book, ran_s, pressed=pressed)
        self._ask_for_keys()
        verdict = self._judge()
        if verdict is not None:
            await self._end(verdict, at=self._clock.now())
        elif now_s - self._keeper.saved_s >= SAVE_S:
            await self._keeper.commit(self._keeper.book)

    def _ask_for_keys(self) -> None:
        trial = self._keeper.book.trial
        wanted = () if trial is None else trial.keys_wanted
        if wanted != self._asked_keys:
            self._asked_keys = wanted
            self._till.ask_for_keys(wanted)

    def _judge(self) -> Verdict | None:
        trial = self._keeper.book.trial
        if trial is None:
            return None
        if code := self._till.refused_code:
            return Verdict(is_confirmed=False, reason=Reason.CONFIG, detail=code)
        health = self._till.health(moved=trial.moved)
        return desired_rules.judge_trial(trial, health, is_acked=self._office.is_acked)

    async def _end(self, verdict: Verdict, *, at: datetime) -> None:
        document = self._keeper.book.in_effect
        if verdict.is_confirmed:
            book = desired_book.confirm(self._keeper.book, at=at)
        else:
            reason = verdict.reason or Reason.HEALTH
            book = desired_book.roll_back(self._keeper.book, reason=reason, detail=verdict.detail, at=at)
        if document is None or not await self._keeper.commit(book):
            return
        event = "config.confirmed" if verdict.is_confirmed else "config.rolled_back"
        _log.warning("%s version=%d reason=%s %s", event, document.version, verdict.reason or "-", verdict.detail)
        facts = {"version": str(document.version), "etag": document.etag, "reason": verdict.reason or ""}
        await self._till.audit(event, facts | {"detail": verdict.detail})
        if not verdict.is_confirmed:
            self.restart_when = ApplyWhen.IDLE
