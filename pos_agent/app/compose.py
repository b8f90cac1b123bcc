"""The composition root: builds every room from the configuration and joins them. The only place that sees them all."""

import logging
import os
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from drivers.links.uevent import UeventSocket
from drivers.registry import DeviceSet, build_devices
from pos_agent import __version__
from pos_agent.app import safe
from pos_agent.app.clock import SystemClock
from pos_agent.app.housekeeping import Housekeeping
from pos_agent.app.identity import (
    ApprovalCodes,
    KeyedHash,
    SystemRandom,
    load_back_office_keys,
    load_device_key,
    load_keyed_hash,
)
from pos_agent.app.inbox import Inbox
from pos_agent.app.incidents import IncidentFolder
from pos_agent.app.inert import NoApprovals, NoDisplay, NoLookUp, NoPins, NoSpooler
from pos_agent.app.pins import PinWorker
from pos_agent.app.renewal import CertificateWatch, finish_interrupted
from pos_agent.app.sounding import SoundingDisplay
from pos_agent.control.server import ControlServer
from pos_agent.devices.interfaces import EventSink
from pos_agent.devices.supervisor import DeviceSupervisor
from pos_agent.domain.config import Config, DevicesConfig, DisplayConfig
from pos_agent.domain.reasons import Phrase, Reason
from pos_agent.domain.slip import SlipKind
from pos_agent.errors import ConfigError, JournalCorruptError, JournalError
from pos_agent.journal.store import Journal
from pos_agent.mqtt.connection import MqttConnection
from pos_agent.mqtt.settings import MqttSettings
from pos_agent.printing.rescue import RescueCodes
from pos_agent.printing.slips import SlipMaker
from pos_agent.printing.spooler import Spooler
from pos_agent.protocol.control import OutboxCounts, Status
from pos_agent.settings import DataFinder
from pos_agent.sync.keys import SyncKeys
from pos_agent.sync.service import SyncService
from pos_agent.workflow.controller import Controller
from pos_agent.workflow.performer import Ports

if TYPE_CHECKING:
    from pos_agent.app.fleet import FleetRoom

log = logging.getLogger(__name__)
Work = Coroutine[Any, Any, None]
#: What every machine has, for a till whose own display cannot be built.
_CONSOLE = DisplayConfig(driver="ansi", path="/dev/tty1")


class Till(msgspec.Struct, frozen=True, kw_only=True):
    """A composed till: what runs, and how it is."""

    terminal_id: str
    controller: Controller
    supervisor: DeviceSupervisor
    journal: Journal | None
    runners: tuple[tuple[str, Callable[[], Work]], ...]

    @property
    def state_name(self) -> str:
        """Return the state of the refund menu."""
        return self.controller.state

    def tasks(self) -> Iterator[tuple[str, Work]]:
        """Yield (name, coroutine) of every room that runs."""
        for name, run in self.runners:
            yield name, run()

    async def ping(self) -> None:
        """Return when the journal's thread answers; a named error is an answer too, only a hang is not."""
        if self.journal is not None:
            try:
                await self.journal.ping()
            except JournalError as error:
                log.error("journal code=%s %s", error.code, error)


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    """Shipped data that the rooms need."""

    reasons: tuple[Reason, ...]
    phrases: tuple[Phrase, ...]
    labels: Mapping[str, Mapping[str, str]]


async def compose(
    config: Config,
    data: DataFinder,
    *,
    clock: SystemClock,
    boot_id: str,
    safe_code: str,
    stack: AsyncExitStack,
    fleet: "FleetRoom | None" = None,
) -> Till:
    """Build and join all rooms; what must be closed is pushed on `stack`.

    A room that cannot be built puts the till into the SAFE state with a code; display and keypad come up all the same.

    Raises:
        ConfigError: Not even display and keypad can be built.
    """
    inbox = Inbox()
    journal, journal_code = await _open_journal(config, clock=clock, boot_id=boot_id)
    if journal is not None:
        stack.push_async_callback(journal.close)
    devices, device_code = _devices(config, data, inbox.put if fleet is None else fleet.tap(inbox.put))
    finish_interrupted(config)
    keys, keyed_hash, identity_code = _identity(config)
    if journal is not None and keys is not None and config.printing.rescue_code:
        journal.finish_slips = RescueCodes(kid=keys.device_key_id, key=keys.device_key)
    code = safe_code or journal_code or device_code or identity_code
    supervisor = DeviceSupervisor(devices, sink=inbox.put)
    shipped = _shipped(config, data)
    slips = SlipMaker(
        config.terminal, config.policy, config.printing, {reason.code: reason for reason in shipped.reasons}
    )
    runners: list[tuple[str, Callable[[], Work]]] = [("devices", supervisor.run)]
    sync = None
    if journal is not None and keys is not None:
        sync = _sync(config, journal, keys, slips, inbox, clock=clock, boot_id=boot_id, fleet=fleet)
        runners.append(("sync", sync.run))
    spooler = None
    if journal is not None and not code:
        spooler = Spooler(
            journal,
            devices.printer,
            clock=clock,
            sink=inbox.put,
            expiry_s=config.printing.job_expiry_s,
            drawer_kinds=frozenset(map(SlipKind, config.printing.open_drawer_after)),
            can_sound=config.printing.beep_at_refusals,
        )
        runners.append(("spooler", spooler.run))
    pins = PinWorker(journal, inbox.put) if journal is not None else None
    if pins is not None:
        stack.push_async_callback(pins.close)
    controller = Controller(
        config=config,
        journal=journal,
        ports=Ports(
            lookup=sync.look_up if sync is not None else NoLookUp(inbox.put),
            pins=pins or NoPins(inbox.put),
            slips=slips,
            spooler=spooler or NoSpooler(),
            random=SystemRandom(),
            keyed_hash=keyed_hash,
            approvals=NoApprovals() if keys is None else ApprovalCodes(keys),
            incidents=IncidentFolder(Path(config.terminal.data_dir) / "incidents"),
        ),
        operator_display=SoundingDisplay(devices.operator_display or _no_display(), (devices.keypad, devices.scanner)),
        customer_display=devices.customer_display,
        clock=clock,
        inbox=inbox.queue,
        reasons=shipped.reasons,
        phrases=shipped.phrases,
        boot_id=boot_id,
        version=__version__,
        key_labels=shipped.labels,
        safe_code=code,
    )
    runners.append(("workflow", controller.run))
    if sync is not None and config.renewal.url:
        renewal = CertificateWatch(config, clock=clock, sink=inbox.put, on_renewed=sync.reconnect)
        runners.append(("renewal", renewal.run))
    if journal is not None:
        upkeep = Housekeeping(
            journal,
            clock=clock,
            sink=inbox.put,
            is_idle=lambda: controller.is_idle,
            retention_days=config.journal.retention_days,
            sign=_signer(keys),
        )
        runners.append(("housekeeping", upkeep.run))
    if fleet is not None:
        fleet.attach(supervisor, controller, spooler=spooler, journal=journal, sync=sync, put=inbox.put, safe_code=code)
        runners.append(("fleet", fleet.service.run))
    till = Till(
        terminal_id=config.terminal.terminal_id,
        controller=controller,
        supervisor=supervisor,
        journal=journal,
        runners=tuple(runners),
    )
    await _serve_status(till, config, sync, clock=clock, boot_id=boot_id, safe_code=code, stack=stack, fleet=fleet)
    _attach_uevents(supervisor, stack)
    return till


async def _open_journal(config: Config, *, clock: SystemClock, boot_id: str) -> tuple[Journal | None, str]:
    terminal = config.terminal
    try:
        journal = await Journal.open(
            Path(terminal.data_dir), terminal_id=terminal.terminal_id, boot_id=boot_id, clock=clock
        )
    except JournalCorruptError as error:
        log.critical("journal code=%s %s", error.code, error)
        return None, safe.BAD_JOURNAL
    except JournalError as error:
        log.critical("journal code=%s %s", error.code, error)
        return None, error.code
    return journal, ""


def _signer(keys: SyncKeys | None) -> Callable[[bytes], str] | None:
    """Return what signs the beginning of a purged audit chain with the device key."""
    return None if keys is None else lambda statement: b64encode(keys.device_key.sign(statement)).decode()


def _devices(config: Config, data: DataFinder, put: EventSink) -> tuple[DeviceSet, str]:
    """Build the devices; if one cannot be, the screen and the keypad alone."""
    allow = not config.terminal.production
    try:
        devices = build_devices(
            config.devices,
            sink=put,
            find_data=data.find,
            allow_backend_override=allow,
            state_dir=Path(config.terminal.data_dir),
        )
        return devices, ""
    except ConfigError as error:
        log.critical("devices code=%s %s", error.code, error)
        return _screen_and_keypad(config.devices, data, put), safe.BAD_CONFIG


def _screen_and_keypad(devices: DevicesConfig, data: DataFinder, put: EventSink) -> DeviceSet:
    """Build each by itself; one that cannot be built leaves the others, and a screen there is always (D18)."""
    roles = ("keypad", "operator_display", "customer_display")
    built: dict[str, Any] = {}
    for role in roles:
        alone = msgspec.structs.replace(DevicesConfig(), **{role: getattr(devices, role)})
        try:
            built[role] = getattr(build_devices(alone, sink=put, find_data=data.find), role)
        except ConfigError as error:
            log.critical("devices role=%s code=%s %s", role, error.code, error)
    if "operator_display" not in built:
        console = msgspec.structs.replace(DevicesConfig(), operator_display=_CONSOLE)
        built["operator_display"] = build_devices(console, sink=put, find_data=data.find).operator_display
    return DeviceSet(**built)


def _identity(config: Config) -> tuple[SyncKeys | None, KeyedHash, str]:
    try:
        keys = SyncKeys(
            device_key=load_device_key(config.trust),
            device_key_id=config.trust.device_key_id,
            back_office=load_back_office_keys(config.trust),
        )
        return keys, load_keyed_hash(config.trust), ""
    except ConfigError as error:
        log.critical("identity code=%s %s", error.code, error)
        return None, KeyedHash.throw_away(), safe.BAD_IDENTITY


def _shipped(config: Config, data: DataFinder) -> _Data:
    from drivers.keypad.keymap import load_keymap  # noqa: PLC0415 - the keypad's driver has it loaded

    keymap = load_keymap(data.find(f"keymaps/{config.devices.keypad.keymap}.toml"))
    return _Data(
        reasons=tuple(msgspec.convert(data.load("reasons.toml")["reason"], list[Reason])),
        phrases=tuple(msgspec.convert(data.load("phrases.toml")["phrase"], list[Phrase])),
        labels={locale: keymap.labels(locale) for locale in ("zh-CN", "en")},
    )


def _sync(
    config: Config,
    journal: Journal,
    keys: SyncKeys,
    slips: SlipMaker,
    inbox: Inbox,
    *,
    clock: SystemClock,
    boot_id: str,
    fleet: "FleetRoom | None",
) -> SyncService:
    settings = MqttSettings.from_broker(config.broker, client_id=config.terminal.terminal_id)
    return SyncService(
        journal=journal,
        connection=MqttConnection(settings),
        config=config,
        keys=keys,
        sink=inbox.put,
        clock=clock,
        boot_id=boot_id,
        result_slips=slips.result_slips,
        version=__version__,
        on_signed_time=clock.note_signed_time,
        configuration=None if fleet is None else fleet.service,
    )


def _no_display() -> NoDisplay:
    log.warning("no operator display is configured: nobody can see the menu")
    return NoDisplay()


async def _serve_status(
    till: Till,
    config: Config,
    sync: SyncService | None,
    *,
    clock: SystemClock,
    boot_id: str,
    safe_code: str,
    stack: AsyncExitStack,
    fleet: "FleetRoom | None",
) -> None:
    started_s = time.monotonic()

    async def status() -> Status:
        journal = till.journal
        newest = await journal.newest_refunds(1) if journal is not None else []
        return Status(
            terminal_id=config.terminal.terminal_id,
            version=__version__,
            pid=os.getpid(),
            boot_id=boot_id,
            uptime_s=time.monotonic() - started_s,
            workflow_state=till.controller.state,
            view=till.controller.view,
            locale=till.controller.locale,
            is_training=till.controller.is_training,
            is_broker_connected=sync is not None and sync.is_broker_connected,
            is_back_office_present=sync is not None and sync.is_back_office_present,
            is_clock_trusted=clock.is_trusted(),
            outbox=await journal.outbox_counts() if journal is not None else OutboxCounts(),
            printer_jobs=await journal.unfinished_print_jobs() if journal is not None else 0,
            devices=till.supervisor.statuses(),
            last_request_id=newest[0].request.refund_request_id if newest else "",
            safe_code=safe_code,
            config_version=0 if fleet is None else fleet.version,
            config_note="" if fleet is None else fleet.note,
        )

    server = ControlServer(Path(config.terminal.runtime_dir), status)
    try:
        await server.start()
    except OSError as error:  # a technician sees less; the shop must not lose its till for that
        log.error("status socket not made, pos-agent status will not answer: %s", error)
        return
    stack.push_async_callback(server.close)


def _attach_uevents(supervisor: DeviceSupervisor, stack: AsyncExitStack) -> None:
    uevents = UeventSocket(supervisor.nudge)
    uevents.attach()
    stack.callback(uevents.detach)
