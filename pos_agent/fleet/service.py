"""The life of desired configuration in a running till: take, stage, try, confirm or roll back, report.

Wakes for a message, a connection, and once a second while something is staged or in trial; else it sleeps.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Final

from pos_agent import __version__
from pos_agent.domain import desired_book, desired_rules
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import Config
from pos_agent.domain.desired import ApplyWhen, ConfigState, Reason
from pos_agent.domain.desired_book import Attempt, Book, Document
from pos_agent.domain.desired_rules import Decision, Site, Step, Verdict
from pos_agent.domain.events import Event, KeyPressed
from pos_agent.errors import BrokerError
from pos_agent.fleet.candidate import Candidate, UnusableError, examine, make_trial, open_envelope, unexamined
from pos_agent.fleet.ports import OfficePort, TillPort
from pos_agent.fleet.report import make_report
from pos_agent.mqtt.messages import InboundMessage
from pos_agent.protocol import codec
from pos_agent.protocol.desired import SCHEMA, ConfigDesired
from pos_agent.protocol.ed25519 import PublicKey

_log = logging.getLogger(__name__)
TICK_S: Final = 1.0
#: Stands for bytes of which nothing is believed.
_UNREAD: Final = Document(version=0, etag="", payload=b"")
#: How much of a trial's running time a power cut may give back.
SAVE_S: Final = 5.0


class FleetService:
    """Runs beside the workflow where fleet keys are pinned.

    Only the newest message waits: a document is whole, an older one is nobody's wish any more.

    Args:
        book: As it stands after the start was counted.
        config: What runs now.
        keys: Pinned fleet keys.
        till: The till around.
        office: The way to the back office.
        clock: For expiry and running time.
    """

    def __init__(
        self,
        book: Book,
        *,
        config: Config,
        keys: Mapping[str, PublicKey],
        till: TillPort,
        office: OfficePort,
        clock: Clock,
    ) -> None:
        self._book = book
        self._config = config
        self._keys = keys
        self._till = till
        self._office = office
        self._clock = clock
        self._wake = asyncio.Event()
        self._message: InboundMessage | None = None
        self._later = b""
        self._pressed: set[str] = set()
        self._asked_keys: tuple[str, ...] = ()
        self._started_s = self._looked_s = self._saved_s = clock.monotonic_s()
        self._restart_when: ApplyWhen | None = None
        self._latest: Attempt | None = None
        self._is_report_due = True
        self._is_disk_bad = False
        self.counters: dict[str, int] = {}

    @property
    def book(self) -> Book:
        """Return the record as it stands."""
        return self._book

    # -- what others tell; never blocks ---------------------------------------------------------------------------

    def take(self, message: InboundMessage) -> None:
        """Take a message of ``cfg/desired``; an older one that still waits makes way."""
        if self._message is not None:
            self._message.ack()
        self._message = message
        self._wake.set()

    def connected(self) -> None:
        """The broker is there (again): report."""
        self._is_report_due = True
        self._wake.set()

    def note(self, event: Event) -> None:
        """Note a key that was pressed in a trial that waits for it."""
        if isinstance(event, KeyPressed) and self._book.trial is not None and self._book.trial.keys_wanted:
            self._pressed.add(event.key.value)
            self._wake.set()

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            await self._step()
            is_waiting = self._restart_when or self._book.trial or self._book.staged
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if is_waiting else None):
                    await self._wake.wait()

    async def _step(self) -> None:
        now_s = self._clock.monotonic_s()
        ran_s, self._looked_s = now_s - self._looked_s, now_s
        if self._restart_when is None:
            await self._go_on_with_trial(ran_s)
            await self._take_message()
            await self._begin_trial()
            await self._report()
        if self._restart_when is not None and self._till.may_switch(self._restart_when):
            self._till.restart()

    def _site(self) -> Site:
        return Site(
            terminal_id=self._config.terminal.terminal_id,
            agent=__version__,
            schema=SCHEMA,
            now=self._clock.now(),
            is_clock_trusted=self._clock.is_trusted(),
        )

    async def _commit(self, book: Book) -> bool:
        """Make a change durable, then true; return False if the disk refuses: the old record stands."""
        try:
            await self._till.save(book)
        except OSError as error:
            if not self._is_disk_bad:
                _log.error("configuration record not saved error=%s", error)
            self._is_disk_bad = True
            return False
        self._is_disk_bad = False
        self._saved_s = self._clock.monotonic_s()
        if book.seq != self._book.seq:
            self._is_report_due = True
            self._latest = None
        self._book = book
        return True

    # -- a document comes -----------------------------------------------------------------------------------------

    async def _take_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            try:
                await self._judge_envelope(message.payload)
            finally:
                message.ack()
        elif self._later and self._book.trial is None:
            payload, self._later = self._later, b""
            await self._judge_envelope(payload)

    async def _judge_envelope(self, envelope: bytes) -> None:
        """Consider a document; the broker keeps it, so what ends the daemon would end it at each start."""
        try:
            await self._consider(envelope)
        except Exception as error:  # noqa: BLE001 - supervisor of one message: no loop of crash and redelivery
            _log.exception("configuration not judged")
            self._refuse(_UNREAD, Reason.MALFORMED, f"defect: {error!r:.200}")

    async def _consider(self, envelope: bytes) -> None:
        if not envelope:
            return  # the retained document was deleted: nothing is asked
        try:
            document, desired, signers = open_envelope(envelope, self._keys)
        except UnusableError as error:
            self._refuse(error.document or _UNREAD, error.reason, error.detail)
            return
        if desired_rules.is_known(self._book, document.etag, agent=__version__):
            candidate = unexamined(document, desired, signers)
        else:
            candidate = examine(document, desired, signers, running=self._config, load_with=self._till.load_with)
        decision = desired_rules.decide(self._book, candidate.offer, self._site())
        _log.log(
            logging.DEBUG if decision.step is Step.NOOP else logging.INFO,
            "configuration version=%d etag=%.12s step=%s reason=%s %s",
            document.version,
            document.etag,
            decision.step.value,
            decision.reason or "-",
            decision.detail or decision.note,
        )
        await self._follow(decision, document, envelope)

    async def _follow(self, decision: Decision, document: Document, envelope: bytes) -> None:
        match decision.step:
            case Step.STAGE:
                await self._commit(desired_book.stage(self._book, document, at=self._clock.now()))
            case Step.LATER:
                self._later = envelope
            case Step.REPORT:
                self._latest = self._book.attempt(document.etag)
                self._is_report_due = True
            case Step.REJECT if decision.reason is not None:
                self._refuse(document, decision.reason, decision.detail)
                if decision.is_kept:
                    await self._reject(document, decision.reason, decision.detail)
            case _:
                pass

    def _refuse(self, document: Document, reason: Reason, detail: str) -> None:
        """Report a refusal that is not kept; the same one again is counted only."""
        self.counters[reason] = self.counters.get(reason, 0) + 1
        was = self._latest
        if was is not None and (was.etag, was.reason) == (document.etag, reason):
            return
        _log.warning("configuration refused version=%d reason=%s %s", document.version, reason, detail)
        self._latest = Attempt(
            version=document.version,
            etag=document.etag,
            state=ConfigState.REJECTED,
            at=self._clock.now(),
            reason=reason,
            detail=detail,
        )
        self._is_report_due = True

    async def _reject(self, document: Document, reason: Reason, detail: str) -> None:
        await self._commit(
            desired_book.reject(
                self._book, document, reason=reason, detail=detail, at=self._clock.now(), agent=__version__
            )
        )

    # -- the trial ------------------------------------------------------------------------------------------------

    async def _begin_trial(self) -> None:
        """Switch to the staged document if nobody is interrupted: the trial is durable before anything changes."""
        staged = self._book.staged
        if staged is None or self._book.trial is not None:
            return
        desired = codec.decode_desired(staged.payload)
        if not self._till.may_switch(desired.apply):
            return
        candidate = self._examined_again(staged, desired)
        if candidate is None or candidate.config is None:
            problem = "defect, see the log" if candidate is None else candidate.offer.problem
            await self._reject(staged, Reason.SCHEMA, problem)
            return
        if desired_rules.is_expired(desired.not_after, self._site()):
            await self._reject(staged, Reason.EXPIRED, f"before the till was idle, {desired.not_after.isoformat()}")
            return
        trial = make_trial(
            candidate,
            health=self._till.health(),
            keys_wanted=self._till.changed_keypad_keys(self._config, candidate.config),
        )
        if await self._commit(desired_book.begin_trial(self._book, trial, at=self._clock.now())):
            await self._tell("config.trial", candidate)
            self._restart_when = desired.apply

    def _examined_again(self, staged: Document, desired: ConfigDesired) -> Candidate | None:
        """Examine the staged document against what runs now; None = that failed in a way that nobody foresaw."""
        try:
            return examine(staged, desired, (), running=self._config, load_with=self._till.load_with)
        except Exception:  # noqa: BLE001 - supervisor: a staged document must not end the daemon at each start
            _log.exception("staged configuration version=%d not examined", staged.version)
            return None

    async def _tell(self, event: str, candidate: Candidate) -> None:
        changed = " ".join(sorted(candidate.changed))
        _log.info("%s version=%d changed=%s", event, candidate.desired.version, changed)
        await self._till.audit(
            event,
            {
                "version": str(candidate.desired.version),
                "etag": candidate.offer.document.etag,
                "rollout": candidate.desired.rollout,
                "changed": changed,
            },
        )

    async def _go_on_with_trial(self, ran_s: float) -> None:
        if self._book.trial is None:
            return
        pressed, self._pressed = frozenset(self._pressed), set()
        self._book = desired_book.run(self._book, ran_s, pressed=pressed)
        self._ask_for_keys()
        verdict = self._judge()
        if verdict is not None:
            await self._end_trial(verdict)
        elif self._clock.monotonic_s() - self._saved_s >= SAVE_S:
            await self._commit(self._book)

    def _ask_for_keys(self) -> None:
        wanted = self._book.trial.keys_wanted if self._book.trial is not None else ()
        if wanted != self._asked_keys:
            self._asked_keys = wanted
            self._till.ask_for_keys(wanted)

    def _judge(self) -> Verdict | None:
        trial = self._book.trial
        if trial is None:
            return None
        if code := self._till.refused_code:
            return Verdict(is_confirmed=False, reason=Reason.CONFIG, detail=code)
        health = self._till.health(moved=trial.moved)
        return desired_rules.judge_trial(trial, health, is_acked=self._office.is_acked)

    async def _end_trial(self, verdict: Verdict) -> None:
        trial, at = self._book.trial, self._clock.now()
        if trial is None:
            return
        if verdict.is_confirmed:
            book = desired_book.confirm(self._book, at=at)
        else:
            reason = verdict.reason or Reason.HEALTH
            book = desired_book.roll_back(self._book, reason=reason, detail=verdict.detail, at=at)
        if not await self._commit(book):
            return
        event = "config.confirmed" if verdict.is_confirmed else "config.rolled_back"
        _log.warning("%s version=%d reason=%s %s", event, trial.document.version, verdict.reason or "-", verdict.detail)
        data = {"version": str(trial.document.version), "etag": trial.document.etag}
        await self._till.audit(event, data | {"reason": verdict.reason or "", "detail": verdict.detail})
        if not verdict.is_confirmed:
            self._restart_when = ApplyWhen.IDLE

    # -- the report -----------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        if not self._is_report_due or not self._office.is_connected or self._restart_when is not None:
            return
        report = make_report(
            self._book,
            terminal_id=self._config.terminal.terminal_id,
            latest=self._latest,
            fleet_keys=tuple(sorted(self._keys)),
            site=self._site(),
            uptime_s=int(self._clock.monotonic_s() - self._started_s),
        )
        self._is_report_due = False
        try:
            await self._office.report(codec.encode(report))
        except BrokerError as error:
            _log.debug("configuration report not sent error=%s", error)
            self._is_report_due = True
