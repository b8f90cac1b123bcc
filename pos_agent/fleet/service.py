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
from pos_agent.domain.desired import ConfigState, Reason
from pos_agent.domain.desired_book import Attempt, Book, Document
from pos_agent.domain.desired_rules import Decision, Step
from pos_agent.domain.events import Event, KeyPressed
from pos_agent.errors import BrokerError
from pos_agent.fleet.candidate import UnusableError, examine, open_envelope, unexamined
from pos_agent.fleet.keeper import Keeper
from pos_agent.fleet.ports import OfficePort, TillPort
from pos_agent.fleet.report import make_report
from pos_agent.fleet.trial import TrialRunner, site_of
from pos_agent.mqtt.messages import InboundMessage
from pos_agent.protocol import codec
from pos_agent.protocol.ed25519 import PublicKey

_log = logging.getLogger(__name__)
TICK_S: Final = 1.0
#: Stands for bytes of which nothing is believed.
_UNREAD: Final = Document(version=0, etag="", payload=b"")


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
        self._keeper = Keeper(book, till, clock)
        self._trial = TrialRunner(self._keeper, config=config, till=till, office=office, clock=clock)
        self._config = config
        self._keys = keys
        self._till = till
        self._office = office
        self._clock = clock
        self._wake = asyncio.Event()
        self._message: InboundMessage | None = None
        self._later = b""
        self._started_s = clock.monotonic_s()
        self.counters: dict[str, int] = {}

    @property
    def book(self) -> Book:
        """Return the record as it stands."""
        return self._keeper.book

    # -- what others tell; never blocks ---------------------------------------------------------------------------

    def take(self, message: InboundMessage) -> None:
        """Take a message of ``cfg/desired``; an older one that still waits makes way."""
        if self._message is not None:
            self._message.ack()
        self._message = message
        self._wake.set()

    def connected(self) -> None:
        """The broker is there (again): report."""
        self._keeper.is_news = True
        self._wake.set()

    def note(self, event: Event) -> None:
        """Note a key that was pressed in a trial that waits for it."""
        if isinstance(event, KeyPressed) and self._trial.note_key(event.key.value):
            self._wake.set()

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            await self._step()
            is_waiting = self._trial.restart_when or self.book.trial or self.book.staged
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S if is_waiting else None):
                    await self._wake.wait()

    async def _step(self) -> None:
        if self._trial.restart_when is None:
            await self._trial.go_on()
            await self._take_message()
            await self._trial.begin()
            await self._report()
        when = self._trial.restart_when
        if when is not None and self._till.may_switch(when):
            self._till.restart()

    # -- a document comes -----------------------------------------------------------------------------------------

    async def _take_message(self) -> None:
        message, self._message = self._message, None
        if message is not None:
            try:
                await self._judge_envelope(message.payload)
            finally:
                message.ack()
        elif self._later and self.book.trial is None:
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
        if desired_rules.is_known(self.book, document.etag, agent=__version__):
            candidate = unexamined(document, desired, signers)
        else:
            candidate = examine(document, desired, signers, running=self._config, load_with=self._till.load_with)
        decision = desired_rules.decide(self.book, candidate.offer, site_of(self._config, self._clock))
        _log.log(
            logging.INFO if decision.step in (Step.STAGE, Step.REJECT, Step.LATER) else logging.DEBUG,
            "configuration version=%d etag=%.12s step=%s reason=%s %s",
            document.version,
            document.etag,
            decision.step.value,
            decision.reason or "-",
            decision.detail or decision.note,
        )
        await self._follow(decision, document, envelope)

    async def _follow(self, decision: Decision, document: Document, envelope: bytes) -> None:
        at = self._clock.now()
        match decision.step:
            case Step.STAGE:
                await self._keeper.commit(desired_book.stage(self.book, document, at=at))
            case Step.LATER:
                self._later = envelope
            case Step.REPORT:
                self._keeper.latest = self.book.attempt(document.etag)
                self._keeper.is_news = True
            case Step.REJECT if decision.reason is not None:
                self._refuse(document, decision.reason, decision.detail)
                if decision.is_kept:
                    reason, detail = decision.reason, decision.detail
                    await self._keeper.commit(
                        desired_book.reject(self.book, document, reason=reason, detail=detail, at=at, agent=__version__)
                    )
            case _:
                pass

    def _refuse(self, document: Document, reason: Reason, detail: str) -> None:
        """Report a refusal that is not kept; the same one again is counted only."""
        self.counters[reason] = self.counters.get(reason, 0) + 1
        was = self._keeper.latest
        if was is not None and (was.etag, was.reason) == (document.etag, reason):
            return
        _log.warning("configuration refused version=%d reason=%s %s", document.version, reason, detail)
        self._keeper.latest = Attempt(
            version=document.version,
            etag=document.etag,
            state=ConfigState.REJECTED,
            at=self._clock.now(),
            reason=reason,
            detail=detail,
        )
        self._keeper.is_news = True

    # -- the report -----------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        if not self._keeper.is_news or not self._office.is_connected or self._trial.restart_when is not None:
            return
        report = make_report(
            self.book,
            terminal_id=self._config.terminal.terminal_id,
            latest=self._keeper.latest,
            fleet_keys=tuple(sorted(self._keys)),
            site=site_of(self._config, self._clock),
            uptime_s=int(self._clock.monotonic_s() - self._started_s),
        )
        self._keeper.is_news = False
        try:
            await self._office.report(codec.encode(report))
        except BrokerError as error:
            _log.debug("configuration report not sent error=%s", error)
            self._keeper.is_news = True
