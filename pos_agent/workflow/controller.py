"""The one taker of the inbox: events → triggers → effects (D2).

Thin and asynchronous. What happens is decided by the table; this module reads keys, timers and facts, lets effects be
performed, and draws. PINs and scanned frames are never logged here.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from pos_agent.domain import events as ev
from pos_agent.domain.badges import badge_operator_no
from pos_agent.domain.clock import Clock
from pos_agent.domain.codes import APPROVAL_PREFIX
from pos_agent.domain.config import Config
from pos_agent.domain.reasons import Phrase, Reason
from pos_agent.errors import IllegalTriggerError, JournalError
from pos_agent.i18n import KEY_LABELS
from pos_agent.journal.store import Journal
from pos_agent.workflow import effects as fx
from pos_agent.workflow import states, timers
from pos_agent.workflow.classifier import Classifier
from pos_agent.workflow.curtain import Curtain
from pos_agent.workflow.machine import RefundMachine
from pos_agent.workflow.model import Context, Input, Rules
from pos_agent.workflow.performer import Performer, Ports
from pos_agent.workflow.ports import DisplayPort
from pos_agent.workflow.situation import Situation
from pos_agent.workflow.states import KEY_TRIGGERS, State, Trigger
from pos_agent.workflow.table_codes import SCANNING

_logger = logging.getLogger(__name__)
#: Unreadable scans until the cashier is told what to do (payments.md 9d, case 13).
MISREADS: Final = 3
_Handler = Callable[[Any], Awaitable[None]]


class Controller:
    """Runs the refund menu: `await run()` until it is cancelled."""

    def __init__(
        self,
        *,
        config: Config,
        journal: Journal | None,
        ports: Ports,
        operator_display: DisplayPort,
        customer_display: DisplayPort | None,
        clock: Clock,
        inbox: "asyncio.Queue[ev.Event]",
        reasons: tuple[Reason, ...],
        phrases: tuple[Phrase, ...],
        boot_id: str,
        version: str = "",
        key_labels: Mapping[str, Mapping[str, str]] = KEY_LABELS,
        safe_code: str = "",
    ) -> None:
        """Build the controller; nothing happens before `run`.

        Args:
            config: Of the terminal; its policy judges, its terminal section goes into requests.
            journal: None only in the SAFE state, where it may not exist.
            ports: The rooms beside.
            operator_display: Where the cashier looks; 40×12 or 20×4.
            customer_display: Where the customer looks, if there is one.
            clock: Wall, monotonic and powered-on time.
            inbox: Of `pos_agent.app.inbox`; only this class takes from it.
            reasons: config/reasons.toml.
            phrases: config/phrases.toml.
            boot_id: Of this start, for drafts and requests.
            version: Of the package, for FN 9.
            key_labels: Locale → key → label, from the shop's key map.
            safe_code: Set = the SAFE state (D18): no refunds, this code on the screen.
        """
        if journal is None and not safe_code:
            raise ValueError("a journal is needed outside the SAFE state")
        self._journal = journal
        self._ports = ports
        self._clock = clock
        self._inbox = inbox
        terminal = config.terminal
        rules = Rules(
            policy=config.policy,
            reasons=reasons,
            phrases=phrases,
            terminal_id=terminal.terminal_id,
            service_phone=terminal.service_phone,
            version=version,
        )
        initial = State.SAFE if safe_code else State.LOGIN
        self._machine = RefundMachine(rules, initial=initial, context=Context(locale=terminal.locale))
        self._situation = Situation(journal, clock, safe_code=safe_code)
        self._classifier = Classifier(journal, ports.keyed_hash, config.policy, clock)
        self._timers = timers.Timers(inbox)
        self._curtain = Curtain(
            operator_display, customer_display, clock=clock, rules=rules, labels=key_labels, sound=ports.spooler.sound
        )
        self._performer = Performer(
            journal=journal,
            ports=ports,
            clock=clock,
            terminal=terminal,
            boot_id=boot_id,
            machine=self._machine,
            situation=self._situation,
            policy_version=config.policy.version,
            put=inbox.put,
        )
        self._misreads = 0
        self._is_stale = False
        self._deadline_s = 0.0
        self._handlers: dict[type, _Handler] = {
            ev.KeyPressed: self._on_key,
            ev.ScanRead: self._on_scan,
            ev.ScanGarbled: self._on_garbled,
            ev.DeviceStatusChanged: self._on_device,
            ev.LookUpAnswered: self._on_look_up,
            ev.RefundChanged: self._on_refund_changed,
            ev.LinkChanged: self._on_link,
            ev.PrintJobPaused: self._on_paused,
            ev.PinChecked: self._on_pin,
            ev.RefundCommitted: self._on_committed,
            ev.CommitFailed: self._on_commit_failed,
            **dict.fromkeys((ev.StorageChanged, ev.CertificateChanged, ev.KeysWanted), self._on_standing),
            ev.TimerFired: self._on_timer,
            ev.RequestStored: self._on_fact,
            ev.RequestHeld: self._on_fact,
            ev.PrintJobEnded: self._on_printed,
        }

    # -- what others may ask --------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Return the name of the workflow state."""
        return str(self._machine.state.value)

    @property
    def view(self) -> str:
        """Return the name of the view on the operator display."""
        return self._curtain.view

    @property
    def locale(self) -> str:
        """Return the language on the screen."""
        return self._machine.context.locale

    @property
    def is_training(self) -> bool:
        """Return whether the training mode is on."""
        return self._machine.context.is_training

    @property
    def is_idle(self) -> bool:
        """Return whether no refund is under way (MENU, LOGIN): a new configuration may be applied (D17)."""
        return self._machine.state in states.RESULTS_PRINT

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take events until cancelled; what was begun becomes durable before this returns."""
        try:
            await self._start()
            while True:
                if self._is_stale and self._inbox.empty():
                    await self._refresh()
                await self._handle(await self._inbox.get())
        finally:
            if isinstance(sys.exception(), Exception):
                self._performer.save_incident("crash")
            self._timers.stop_all()
            await self._performer.close()
            self._curtain.draw_stopped(self._machine.context.locale)

    async def _start(self) -> None:
        try:
            await self._load()
        except JournalError as error:
            _logger.error("journal failed at start code=%s error=%s", error.code, error)
            self._machine.context.message = error.code
        await self._perform([fx.StartTimer(self._machine.timeout_s), fx.Show()])
        self._start_minute()

    async def _load(self) -> None:
        if self._journal is None:
            return
        await self._situation.load_start()
        if not self._situation.facts.has_operators and self._machine.state is State.LOGIN:
            await self._fire(Trigger.UPDATE)

    async def _handle(self, event: ev.Event) -> None:
        self._performer.recorder.note(event, self._clock.monotonic_s())
        try:
            await self._handlers[type(event)](event)
        except JournalError as error:
            _logger.error("journal failed code=%s error=%s", error.code, error)
            self._machine.context.message = error.code
            self._show()

    async def _fire(self, trigger: Trigger, **data: Any) -> None:
        self._situation.touch()
        given, recorder = Input(facts=self._situation.facts, **data), self._performer.recorder
        step = recorder.before(trigger, given, self._clock.monotonic_s())
        try:
            effects = self._machine.fire(trigger, given)
        except IllegalTriggerError as error:
            _logger.warning("trigger refused state=%s trigger=%s", error.state, error.trigger)
            self._curtain.beep()
            return
        recorder.after(step, effects)
        await self._perform(effects)

    async def _perform(self, effects: list[fx.Effect]) -> None:
        """Perform effects in order; what nobody waits for goes behind the screen by itself."""
        for effect in effects:
            match effect:
                case fx.Show():
                    self._show()
                case fx.Beep():
                    self._curtain.beep()
                case fx.StartTimer(timeout_s):
                    self._start_timer(timeout_s)
                case fx.ClassifyTyped(text):
                    await self._classify_typed(text)
                case fx.LookUp():
                    self._situation.facts.lookup_s = 0
                    self._timers.start(timers.SLOW, states.LOOKUP_HIDDEN_S)
                    await self._performer.perform(effect)
                case _:
                    await self._performer.perform(effect)

    # -- screen and timers ----------------------------------------------------------------------------------------

    def _show(self) -> None:
        state = self._machine.state
        if state is State.LOOKUP and not self._machine.context.is_lookup_shown:
            return
        self._curtain.draw(state, self._machine.context, self._situation.facts)
        self._ports.spooler.allow_results(state in states.RESULTS_PRINT)

    def _start_timer(self, timeout_s: float | None) -> None:
        self._situation.facts.countdown_s = None
        self._timers.stop(timers.COUNTDOWN)
        if timeout_s is None:
            self._timers.stop(timers.TIMEOUT)
            return
        self._deadline_s = self._clock.monotonic_s() + timeout_s
        self._timers.start(timers.TIMEOUT, timeout_s)
        if self._machine.state not in states.NO_COUNTDOWN:
            self._timers.start(timers.COUNTDOWN, timeout_s - states.COUNTDOWN_S)

    def _start_minute(self) -> None:
        self._timers.start(timers.MINUTE, 60.0 - self._clock.now().second)

    async def _on_timer(self, event: ev.TimerFired) -> None:
        if not self._timers.take(event):
            return
        match event.name:
            case timers.TIMEOUT:
                await self._check_operators()
                await self._fire(Trigger.TIMEOUT)
            case timers.COUNTDOWN:
                await self._count_down()
            case timers.SLOW:
                self._timers.start(timers.SECOND, 1.0 - states.LOOKUP_HIDDEN_S)
                await self._fire(Trigger.LOOKUP_SLOW)
            case timers.SECOND if self._machine.state is State.LOOKUP:
                self._situation.facts.lookup_s += 1
                self._timers.start(timers.SECOND, 1.0)
                self._show()
            case timers.MINUTE:
                self._situation.touch()
                self._start_minute()
                self._show()

    async def _count_down(self) -> None:
        left_s = self._deadline_s - self._clock.monotonic_s()
        self._situation.facts.countdown_s = max(1, round(left_s))
        if left_s > 1:
            self._timers.start(timers.COUNTDOWN, 1.0)
        if self._machine.state is State.RESULT:
            await self._situation.refresh()  # an attempt row makes "not paid" stale without an event (I9)
        self._show()

    # -- input ----------------------------------------------------------------------------------------------------

    async def _on_key(self, event: ev.KeyPressed) -> None:
        trigger = KEY_TRIGGERS.get(event.key, Trigger.DIGIT)
        if trigger is Trigger.ENTER and event.at_s < self._curtain.enter_alive_at_s:
            _logger.debug("ENTER dropped, screen just changed state=%s", self.state)
            return
        await self._check_operators()
        is_asking = trigger is Trigger.NEXT and self._machine.state is State.SUPERVISOR
        fresh = self._performer.fresh() if is_asking else None
        await self._fire(trigger, key="." if event.key is ev.Key.DOT else str(event.key.value), fresh=fresh)

    async def _check_operators(self) -> None:
        """An operator is added by another process: look again while there is none."""
        if self._machine.state is State.NO_OPERATORS and self._journal is not None:
            self._situation.facts.has_operators = bool(await self._journal.operators())

    async def _on_scan(self, event: ev.ScanRead) -> None:
        self._misreads = 0
        if self._machine.state is State.LOGIN:
            await self._fire(Trigger.SCAN, key=badge_operator_no(event.scan_data_label))
            return
        if self._machine.state in states.AWAITS_ANSWER and event.scan_data_label.startswith(APPROVAL_PREFIX):
            answer, problem = self._performer.read_answer(event.scan_data_label)
            await self._fire(Trigger.SCAN, approval=answer, failure=problem)
            return
        if self._machine.state not in SCANNING and self._machine.state is not State.FIND:
            await self._fire(Trigger.SCAN)
            return
        code, hashed = await self._classifier.classify(
            event.scan_data_label, event.scan_data_type, is_training=self.is_training
        )
        _logger.info("scanned kind=%s scheme=%s length=%d", code.kind.value, code.scheme or "-", code.length)
        await self._fire(Trigger.SCAN, code=code, hashed=hashed)

    async def _classify_typed(self, text: str) -> None:
        code, hashed = await self._classifier.classify(text, "", is_typed=True, is_training=self.is_training)
        _logger.info("typed kind=%s scheme=%s length=%d", code.kind.value, code.scheme or "-", code.length)
        await self._fire(Trigger.CODE, code=code, hashed=hashed, key="typed")

    async def _on_garbled(self, event: ev.ScanGarbled) -> None:
        self._misreads += 1
        _logger.info("scan unreadable cause=%s length=%d", event.cause, event.length)
        if self._misreads >= MISREADS:
            self._misreads = 0
            await self._fire(Trigger.MISREAD)

    # -- answers and facts ----------------------------------------------------------------------------------------

    async def _on_look_up(self, event: ev.LookUpAnswered) -> None:
        if not event.result.lookup_id or event.result.lookup_id != self._performer.lookup_id:
            _logger.debug("look-up answer dropped lookup_id=%s", event.result.lookup_id)
            return
        self._performer.lookup_id = ""
        self._timers.stop(timers.SLOW)
        self._timers.stop(timers.SECOND)
        await self._fire(Trigger.LOOKUP_DONE, answer=event.result)

    async def _on_pin(self, event: ev.PinChecked) -> None:
        if event.attempt_id != self._performer.attempt_id:
            return
        is_sign_in = self._machine.state is State.LOGIN and event.is_right
        found, has_stale = await self._performer.offer(event.operator_no) if is_sign_in else (None, False)
        if found is None:
            await self._fire(Trigger.PIN_CHECKED, pin=event, has_stale_draft=has_stale)
        else:
            await self._fire(Trigger.PIN_CHECKED, pin=event, draft=found[0], draft_state=found[1])

    async def _on_committed(self, event: ev.RefundCommitted) -> None:
        try:
            await self._situation.refresh()
        finally:  # SAVING has no other way on
            await self._fire(Trigger.COMMITTED, request_id=event.refund_request_id)

    async def _on_commit_failed(self, event: ev.CommitFailed) -> None:
        await self._fire(Trigger.COMMIT_FAILED, failure=event.code)

    async def _on_standing(self, event: ev.StorageChanged | ev.CertificateChanged | ev.KeysWanted) -> None:
        self._situation.on_standing(event)
        await self._fire(Trigger.UPDATE)

    async def _on_device(self, event: ev.DeviceStatusChanged) -> None:
        self._situation.on_device(event)
        await self._fire(Trigger.DEVICE)

    async def _on_link(self, event: ev.LinkChanged) -> None:
        self._situation.on_link(event)
        self._is_stale = True
        await self._fire(Trigger.UPDATE)

    async def _on_paused(self, event: ev.PrintJobPaused) -> None:
        self._situation.on_paused(event)
        self._is_stale = True

    async def _on_refund_changed(self, event: ev.RefundChanged) -> None:
        self._situation.on_changed(event, is_record_visible=self._machine.state in states.LIVE - {State.MENU})
        self._is_stale = True

    async def _on_printed(self, event: ev.PrintJobEnded) -> None:
        self._situation.on_printed(event)
        self._is_stale = True

    async def _on_fact(self, _event: ev.Event) -> None:
        self._is_stale = True

    async def _refresh(self) -> None:
        """Read the journal once for all facts that came since; a flood of acks costs one read."""
        self._is_stale = False
        if self._journal is None:
            return
        await self._situation.refresh()
        if self._machine.state in states.LIVE:
            await self._fire(Trigger.UPDATE)
