"""Joins the fleet room to the till: what runs at a start, and the ports of a running till (D17).

Imported only where fleet keys are pinned.
"""

import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from drivers.keypad.keymap import REQUIRED_KEYS, Keymap, load_keymap
from pos_agent.app import safe
from pos_agent.app.device_check import check_devices
from pos_agent.app.threads import in_own_thread
from pos_agent.devices.interfaces import EventSink
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain import desired_book
from pos_agent.domain.clock import Clock
from pos_agent.domain.config import Config
from pos_agent.domain.desired import ApplyWhen, HealthCheck, Reason
from pos_agent.domain.desired_book import Book
from pos_agent.domain.desired_rules import Health, health_of
from pos_agent.domain.events import Event, KeysWanted
from pos_agent.errors import ConfigError, JournalError, RemoteProtocolError
from pos_agent.fleet.candidate import layer_of, pinned_keys
from pos_agent.fleet.service import FleetService
from pos_agent.fleet.store import BookDamagedError, load_book, save_book, set_aside
from pos_agent.journal.store import Journal
from pos_agent.printing.spooler import Spooler
from pos_agent.settings import DataFinder, Layer, LoadedConfig, load_config
from pos_agent.sync.service import SyncService
from pos_agent.workflow.controller import Controller

log = logging.getLogger(__name__)
#: States of the menu in which nobody is signed in.
_SIGNED_OUT = frozenset({"LOGIN", "NO_OPERATORS", "SAFE"})
#: Codes of the SAFE state that a configuration causes; a damaged journal is not its doing.
_OF_THE_CONFIG = frozenset({safe.BAD_CONFIG, safe.BAD_IDENTITY})


class DesiredStart(msgspec.Struct, frozen=True, kw_only=True):
    """What a till with pinned fleet keys starts with.

    Attributes:
        loaded: The terminal's own file with what the fleet pushed over it.
        book: The record, with this start counted.
        safe_code: Why the till must start in the SAFE state; empty = it need not.
        has_left_bad: Whether a configuration was just left that is to blame for the ends before.
        load_with: Loads the same file with another layer.
    """

    loaded: LoadedConfig
    book: Book
    load_with: Callable[[Layer | None], LoadedConfig]
    safe_code: str = ""
    has_left_bad: bool = False


def layer_in_effect(folder: Path) -> Layer | None:
    """Return what the fleet pushed and what is in effect, for commands beside the daemon.

    Raises:
        BookDamagedError: The record is damaged; the daemon sets it aside.
    """
    book = load_book(folder)
    document = None if book is None else book.in_effect
    return None if document is None else layer_of(document)


def start_desired(local: LoadedConfig, *, policy_path: Path, at: datetime, is_crashing: bool) -> DesiredStart:
    """Decide what to start with; every change is durable before the till switches.

    Args:
        local: The terminal's own file.
        policy_path: Shipped policy.
        at: Now, for the record.
        is_crashing: Three abnormal ends in ten minutes.
    """
    folder = Path(local.config.terminal.data_dir)

    def load_with(layer: Layer | None) -> LoadedConfig:
        return load_config(local.path, policy_path=policy_path, layer=layer)

    before = _load_or_begin(folder)
    book = _counted(before, at=at, is_crashing=is_crashing)
    code = safe.CRASHING if is_crashing and book.running == before.running and before.trial is None else ""
    book, loaded = _first_that_loads(book, load_with, at=at)
    if book != before:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            save_book(folder, book)
        except OSError as error:
            log.critical("configuration record not saved error=%s", error)
            if book.trial is not None:  # an uncounted start could repeat for ever
                book = msgspec.structs.replace(book, trial=None)
                book, loaded = _first_that_loads(book, load_with, at=at)
    has_left_bad = (before.trial is not None and book.trial is None) or book.running != before.running
    if loaded is None:
        return DesiredStart(loaded=local, book=book, load_with=load_with, safe_code=safe.BAD_CONFIG)
    return DesiredStart(loaded=loaded, book=book, load_with=load_with, safe_code=code, has_left_bad=has_left_bad)


def _load_or_begin(folder: Path) -> Book:
    try:
        book = load_book(folder)
    except BookDamagedError as error:
        log.critical("configuration record damaged: %s", error)
        with contextlib.suppress(OSError):  # a disk that refuses has its own state; the till starts all the same
            log.critical("configuration record kept as %s", set_aside(folder))
        book = None
    except OSError as error:
        log.critical("configuration record unreadable: %s", error)
        book = None
    return book or Book(book_id=secrets.token_hex(8))


def _counted(book: Book, *, at: datetime, is_crashing: bool) -> Book:
    if book.trial is not None:
        if is_crashing:
            return desired_book.roll_back(book, reason=Reason.CRASHES, at=at)
        return desired_book.start(book, at=at)
    if is_crashing and book.running is not None and book.has_previous:
        return desired_book.fall_back(book, reason=Reason.CRASHES, at=at)
    return book


def _first_that_loads(
    book: Book, load_with: Callable[[Layer | None], LoadedConfig], *, at: datetime
) -> tuple[Book, LoadedConfig | None]:
    """Return the newest configuration that can be read; a trial before its predecessor, that before the one before."""
    while True:
        document = book.in_effect
        try:
            return book, load_with(None if document is None else layer_of(document))
        except (ConfigError, RemoteProtocolError) as error:
            log.critical("configuration version=%d refused %s", document.version if document else 0, error)
            if book.trial is not None:
                book = desired_book.roll_back(book, reason=Reason.CONFIG, detail=str(error), at=at)
            elif document is not None and book.has_previous:
                book = desired_book.fall_back(book, reason=Reason.CONFIG, detail=str(error), at=at)
            else:
                return book, None


class TillSide:
    """Implements `fleet.ports.TillPort` over the rooms of a composed till."""

    def __init__(self, start: DesiredStart, data: DataFinder, *, restart: Callable[[], None]) -> None:
        self._start = start
        self._data = data
        self._restart = restart
        self._put: EventSink = lambda _event: None
        self._supervisor: DeviceSupervisor | None = None
        self._controller: Controller | None = None
        self._spooler: Spooler | None = None
        self._journal: Journal | None = None
        self.refused_code = ""

    def attach(
        self,
        supervisor: DeviceSupervisor,
        controller: Controller,
        *,
        spooler: Spooler | None,
        journal: Journal | None,
        put: EventSink,
        safe_code: str,
    ) -> None:
        """Say what was composed, before anything runs."""
        self._supervisor, self._controller, self._put = supervisor, controller, put
        self._spooler, self._journal = spooler, journal
        self.refused_code = safe_code if safe_code in _OF_THE_CONFIG else ""

    def load_with(self, layer: Layer | None) -> LoadedConfig:
        """Load the configuration with a layer and try its devices."""
        loaded = self._start.load_with(layer)
        check_devices(loaded, self._data)
        self._keymap(loaded.config)
        return loaded

    def health(self, *, moved: tuple[HealthCheck, ...] = ()) -> Mapping[HealthCheck, Health]:
        """Return how the configured devices are."""
        if self._supervisor is None:
            return {}
        return {
            HealthCheck(status.name): health_of(
                is_online=status.is_online, code=status.code, is_moved=HealthCheck(status.name) in moved
            )
            for status in self._supervisor.statuses()
        }

    def changed_keypad_keys(self, before: Config, after: Config) -> tuple[str, ...]:
        """Return the logical keys that other keys of the keypad mean afterwards."""
        if not after.devices.keypad.path:
            return ()
        old, new = (self._codes(config) for config in (before, after))
        # Pads have no F keys; what cannot be pressed must not be waited for.
        return tuple(name for name in new if name in REQUIRED_KEYS and new[name] != old.get(name))

    def _codes(self, config: Config) -> dict[str, object]:
        """Return what each key sends: kernel codes, or characters for a pad on a serial line."""
        is_matrix = config.devices.keypad.driver == "matrix"
        keys = self._keymap(config).keys
        return {
            name: spec.matrix if is_matrix else frozenset(spec.evdev)
            for name, spec in keys.items()
            if (spec.matrix if is_matrix else spec.evdev)
        }

    def _keymap(self, config: Config) -> Keymap:
        return load_keymap(self._data.find(f"keymaps/{config.devices.keypad.keymap}.toml"))

    def ask_for_keys(self, keys: tuple[str, ...]) -> None:
        """Ask the cashier to press these logical keys once."""
        self._put(KeysWanted(keys))

    def may_switch(self, when: ApplyWhen) -> bool:
        """Return whether nobody is interrupted: no refund, no sign-in under way, no slip in the printer."""
        controller = self._controller
        if controller is None or not controller.is_idle:
            return False
        if self._spooler is not None and self._spooler.is_printing:
            return False
        return when is ApplyWhen.IDLE or controller.state in _SIGNED_OUT

    def restart(self) -> None:
        """Stop in order and start again."""
        self._restart()

    async def save(self, book: Book) -> None:
        """Make the record durable, off the loop."""
        folder = Path(self._start.loaded.config.terminal.data_dir)
        await in_own_thread(lambda: save_book(folder, book), name="config")

    async def audit(self, event: str, data: Mapping[str, str]) -> None:
        """Write a line to the audit chain."""
        if self._journal is None:
            return
        try:
            await self._journal.audit(event, "fleet", dict(data))
        except JournalError as error:
            log.error("audit event=%s code=%s %s", event, error.code, error)


class OfficeSide:
    """Implements `fleet.ports.OfficePort` over sync; a till that cannot sync reports nothing."""

    def __init__(self) -> None:
        self._sync: SyncService | None = None

    def attach(self, sync: SyncService) -> None:
        """Say what was composed."""
        self._sync = sync

    @property
    def is_connected(self) -> bool:
        """Return whether the broker is there."""
        return self._sync is not None and self._sync.is_broker_connected

    @property
    def is_acked(self) -> bool:
        """Return whether the back office has answered on this connection, with its signature."""
        return self._sync is not None and self._sync.is_back_office_present

    async def report(self, payload: bytes) -> None:
        """Publish the report, retained."""
        if self._sync is not None:
            await self._sync.report_configuration(payload)


class FleetRoom:
    """The fleet room of one till, to be composed.

    Attributes:
        service: What runs.
    """

    def __init__(self, start: DesiredStart, data: DataFinder, *, clock: Clock, restart: Callable[[], None]) -> None:
        config = start.loaded.config
        self._till = TillSide(start, data, restart=restart)
        self._office = OfficeSide()
        self.service = FleetService(
            start.book,
            config=config,
            keys=pinned_keys(config),
            till=self._till,
            office=self._office,
            clock=clock,
        )

    @property
    def version(self) -> int:
        """Return the version in effect; 0 = the till's own file alone."""
        document = self.service.book.in_effect
        return 0 if document is None else document.version

    @property
    def note(self) -> str:
        """Return what is under way, for the status."""
        book = self.service.book
        if book.trial is not None:
            keys = f", press {' '.join(book.trial.keys_wanted)}" if book.trial.keys_wanted else ""
            return f"in trial, {book.trial.remaining_s:.0f} s left{keys}"
        return "" if book.staged is None else f"version {book.staged.version} waits until the till is idle"

    def tap(self, sink: EventSink) -> EventSink:
        """Return a sink that shows the trial which keys were pressed; without a trial the sink itself."""
        if self.service.book.trial is None:
            return sink

        def put(event: Event) -> None:
            self.service.note(event)
            sink(event)

        return put

    def attach(
        self,
        supervisor: DeviceSupervisor,
        controller: Controller,
        *,
        spooler: Spooler | None,
        journal: Journal | None,
        sync: SyncService | None,
        put: EventSink,
        safe_code: str,
    ) -> None:
        """Say what was composed, before anything runs."""
        self._till.attach(supervisor, controller, spooler=spooler, journal=journal, put=put, safe_code=safe_code)
        if sync is not None:
            self._office.attach(sync)
