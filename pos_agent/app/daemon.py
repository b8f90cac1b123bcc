"""The life of the daemon: configuration or SAFE state, signals, watchdog, clean stop (D1, D18)."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pos_agent import __version__
from pos_agent.app import safe
from pos_agent.app.clock import SystemClock
from pos_agent.app.compose import Till, compose
from pos_agent.app.crashes import CrashCounter
from pos_agent.app.identity import read_boot_id
from pos_agent.app.notify import Notifier, watchdog_interval_s
from pos_agent.domain.config import Config
from pos_agent.errors import ConfigError, ConfigFileError
from pos_agent.logsetup import set_up_logging
from pos_agent.settings import DataFinder, LoadedConfig, load_config, salvage_config

if TYPE_CHECKING:
    from pos_agent.app.fleet import DesiredStart, FleetRoom

log = logging.getLogger(__name__)

#: sysexits.h EX_CONFIG; systemd does not restart after it (RestartPreventExitStatus).
EXIT_CONFIG = 78
#: A stop may take this long, then it is a fault.
STOP_TIMEOUT_S = 5.0
#: What a serial display of 80 cells at 9600 baud needs to show the last screen (10 bits a byte, commands included).
LAST_SCREEN_S = 0.15


def run_daemon(config_path: Path, *, data_dir: Path | None, log_level: str) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. A new configuration takes the place of this process."""
    set_up_logging(level=log_level)
    safe_code = ""
    data = DataFinder(data_dir)
    local: LoadedConfig | None = None
    try:
        local = load_config(config_path, policy_path=data.find("policy.toml"))
        config = local.config
    except ConfigError as error:
        log.critical("configuration refused code=%s %s", error.code, error)
        try:
            config = salvage_config(config_path)
        except ConfigFileError as missing:
            log.critical("not even the SAFE state can start: %s", missing)
            return EXIT_CONFIG
        safe_code = safe.BAD_CONFIG
    clock = SystemClock()
    boot_id = read_boot_id(production=config.terminal.production)
    crashes = CrashCounter(Path(config.terminal.data_dir), boot_id=boot_id, boottime_s=clock.boottime_s())
    is_crashing = crashes.record_start()
    start = None
    if local is not None and local.config.fleet.keys:
        start = _start_desired(local, data, clock, is_crashing=is_crashing)
        config, safe_code = start.loaded.config, start.safe_code
        if start.has_left_bad:
            crashes.record_clean_stop()
            crashes.record_start()
    else:
        safe_code = safe_code or (safe.CRASHING if is_crashing else "")
        log.info("configuration is not pushed to this till: no fleet.keys")
    daemon = Daemon(config, data, clock=clock, boot_id=boot_id, safe_code=safe_code, start=start)
    exit_code = asyncio.run(daemon.run())
    if exit_code == 0:
        crashes.record_clean_stop()
        if daemon.is_restart_wanted:
            log.info("restarting with another configuration")
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves, as we were started
    return exit_code


def _start_desired(local: LoadedConfig, data: DataFinder, clock: SystemClock, *, is_crashing: bool) -> "DesiredStart":
    from pos_agent.app.fleet import start_desired  # noqa: PLC0415 - only where fleet keys are pinned

    return start_desired(local, policy_path=data.find("policy.toml"), at=clock.now(), is_crashing=is_crashing)


class Daemon:
    """One run of the daemon.

    Args:
        config: Valid, or salvaged when `safe_code` is set.
        data: Finder of shipped data.
        clock: The clock of this run.
        boot_id: Of this boot.
        safe_code: Why the till must start in the SAFE state; empty = it need not.
        start: What the fleet pushed; None = no fleet keys are pinned.
    Attributes:
        is_restart_wanted: Whether the stop was for another configuration.
    """

    def __init__(
        self,
        config: Config,
        data: DataFinder,
        *,
        clock: SystemClock,
        boot_id: str,
        safe_code: str = "",
        start: "DesiredStart | None" = None,
    ) -> None:
        self._config = config
        self._data = data
        self._clock = clock
        self._boot_id = boot_id
        self._safe_code = safe_code
        self._start = start
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self.is_restart_wanted = False

    async def run(self) -> int:
        """Compose the till, run its tasks, stop them in order; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        async with AsyncExitStack() as stack:
            till = await compose(
                self._config,
                self._data,
                clock=self._clock,
                boot_id=self._boot_id,
                safe_code=self._safe_code,
                stack=stack,
                fleet=self._fleet(),
            )
            is_clean = await self._live(till)
            # After STOPPING systemd would end the process that takes our place.
            self._notifier.send("STATUS=new configuration" if self.is_restart_wanted else "STOPPING=1")
        log.info("stopped clean=%s", is_clean)
        return 0 if is_clean else 1

    def _fleet(self) -> "FleetRoom | None":
        if self._start is None:
            return None
        from pos_agent.app.fleet import FleetRoom  # noqa: PLC0415 - only where fleet keys are pinned

        return FleetRoom(self._start, self._data, clock=self._clock, restart=self._restart)

    def _end(self) -> None:
        """Stop for good, also if a restart was just wanted."""
        self.is_restart_wanted = False
        self._stop.set()

    def _restart(self) -> None:
        if not self._stop.is_set():
            self.is_restart_wanted = True
            self._stop.set()

    async def _live(self, till: Till) -> bool:
        """Run until the stop signal; return False if a task ended by itself: a fault, systemd starts us again."""
        tasks = [asyncio.create_task(work, name=name) for name, work in till.tasks()]
        tasks.append(asyncio.create_task(self._feed_watchdog(till), name="watchdog"))
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        self._notifier.send("READY=1", f"STATUS={till.state_name}")
        log.info("ready version=%s terminal=%s state=%s", __version__, till.terminal_id, till.state_name)
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        is_clean = True
        for task in done - {stopping}:
            is_clean = False
            log.critical("task=%s ended", task.get_name(), exc_info=_failure(task))
        stopping.cancel()
        await self._end_workflow(tasks)
        for task in tasks:
            task.cancel()
        ended, late = await asyncio.wait([*tasks, stopping], timeout=STOP_TIMEOUT_S)
        for task in ended - done:
            if failure := _failure(task):
                is_clean = False
                log.error("task=%s failed while it stopped", task.get_name(), exc_info=failure)
        for task in late:
            is_clean = False
            log.error("task=%s did not stop within %s s", task.get_name(), STOP_TIMEOUT_S)
        return is_clean

    @staticmethod
    async def _end_workflow(tasks: list["asyncio.Task[None]"]) -> None:
        """End the menu before the devices: what was begun becomes durable, and both displays say that it has ended."""
        menu = [task for task in tasks if task.get_name() == "workflow"]
        for task in menu:
            task.cancel()
        await asyncio.wait(menu, timeout=STOP_TIMEOUT_S / 2)
        await asyncio.sleep(LAST_SCREEN_S)

    async def _feed_watchdog(self, till: Till) -> None:
        """Feed systemd while the loop turns and the journal thread answers, with ok or with a named error."""
        interval_s = watchdog_interval_s()
        if interval_s is None:
            await asyncio.get_running_loop().create_future()
            return
        while True:
            await till.ping()
            self._notifier.send("WATCHDOG=1", f"STATUS={till.state_name}")
            await asyncio.sleep(interval_s)


def _failure(task: "asyncio.Task[Any]") -> BaseException | None:
    """Return what a task has ended with; None = it returned, or was cancelled."""
    return None if task.cancelled() else task.exception()
