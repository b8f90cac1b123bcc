"""The real daemon as a child process: configuration, operators, power, clock, status."""

import asyncio
import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hil.rig.devices import CUSTOMER_SIZE, DeviceSet
from hil.rig.operator import MERCHANT_ID, MERCHANT_NAME, Operator
from hil.rig.pki import Pki
from hil.rig.process import ROOT, ManagedProcess, run_tool
from hil.rig.toml_text import toml_text
from hil.simulators.framebuffer import SimFramebuffer
from pos_agent.domain.config import (
    BrokerConfig,
    Config,
    DevicesConfig,
    DisplayConfig,
    KeypadConfig,
    PolicyConfig,
    PrinterConfig,
    TerminalConfig,
    TrustConfig,
)
from pos_agent.protocol.control import Status

_STATUS_TIMEOUT_S = 2.0
#: The model that the simulated printer is, and its profile with the speed of this bench.
REAL_PROFILE, SIMULATED_PROFILE = "epson-tm-t20iii", "simulated"
#: Where Debian's `libfaketime` package puts the multi-thread variant.
_FAKETIME_GLOB = "*/faketime/libfaketimeMT.so.1"


def find_faketime() -> Path | None:
    """Return libfaketime, or None when it is not installed."""
    for root in (Path("/usr/lib"), Path("/usr/local/lib")):
        for path in root.glob(_FAKETIME_GLOB):
            return path
    return None


class Daemon:
    """The daemon under test.

    Args:
        state_dir: Folder of its data, configuration and log.
        devices: What it opens.
        operators: Whom `prepare` creates.
        paper_speed: How many times faster than real paper moves.
        log_level: INFO or DEBUG.
        env: Variables of the process, added to our own.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        devices: DeviceSet,
        operators: tuple[Operator, ...],
        paper_speed: float,
        log_level: str = "INFO",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.operators = operators
        self.is_powered = False
        self.skew_s = 0
        self._devices = devices
        self._data_dir = state_dir / "data"
        self._fresh_dir = state_dir / "data.fresh"
        self._config_path = state_dir / "terminal.toml"
        self._clock_path = state_dir / "clock"
        self._shipped_dir = state_dir / "config"
        self._paper_speed = paper_speed
        self._log_level = log_level
        self._log_path = state_dir / "logs" / "daemon.log"
        self._env = env or {}
        self._process = ManagedProcess("pos_agent", self._log_path)

    @property
    def pid(self) -> int:
        """Return the daemon's process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self._process.is_running

    @property
    def socket_path(self) -> Path:
        """Return the status socket."""
        return self._devices.folder / "status.sock"

    @property
    def data_dir(self) -> Path:
        """Return the folder of the journal."""
        return self._data_dir

    async def prepare(self, config: Config) -> None:
        """Write the configuration, create the operators, and keep a picture of the fresh data for `reset_data`."""
        write_data(self._shipped_dir, paper_speed=self._paper_speed)
        self.configure(config)
        self._data_dir.mkdir(mode=0o700)
        for one in self.operators:
            command = ["pos_agent", "operator", "add", "--config", str(self._config_path)]
            command += ["--no", one.no, "--name", one.name, "--role", one.role]
            await run_tool(command, log_path=self._log_path, input_text=one.pin + "\n", env=_ENVIRONMENT)
        shutil.copytree(self._data_dir, self._fresh_dir)

    def configure(self, config: Config) -> None:
        """Write the configuration; a running daemon has read the last one."""
        self._config_path.write_text(toml_text(msgspec.to_builtins(config)), "utf-8")
        self._config_path.chmod(0o600)

    async def restart(self) -> None:
        """End the daemon in order and start it again on the same data, if it is on."""
        if self._process.is_running:
            await self._process.stop()
            self.on()

    def reset_data(self) -> None:
        """Put the fresh data back. The daemon must not run."""
        assert not self._process.is_running
        shutil.rmtree(self._data_dir)
        shutil.copytree(self._fresh_dir, self._data_dir)
        self.skew_s = 0

    def on(self) -> None:
        """Switch the till on; returns at once."""
        if self._process.is_running:
            return
        environment = {
            **_ENVIRONMENT,
            # Each power-on is a boot of its own: the bench cuts the power of one till, not of this machine.
            "POS_AGENT_BOOT_ID": secrets.token_hex(16),
            "POS_AGENT_USB_BACKEND": "hil.simulators.usb_backend:get_backend",
            "POS_AGENT_SIM_USB_SOCKET": str(self._devices.printer_socket),
            **self._clock_environment(),
            **self._env,
        }
        command = [sys.executable, "-m", "pos_agent", "run", "--config", str(self._config_path)]
        command += ["--data-dir", str(self._shipped_dir), "--log-level", self._log_level]
        self._process.spawn(command, env=environment)
        self.is_powered = True

    def _clock_environment(self) -> dict[str, str]:
        """Return what makes libfaketime read the skew from a file; nothing when the clock is right.

        Source: libfaketime's README, FAKETIME_TIMESTAMP_FILE, FAKETIME_NO_CACHE, FAKETIME_DONT_FAKE_MONOTONIC.
        """
        library = find_faketime()
        if not self.skew_s or library is None:
            return {}
        self._clock_path.write_text(f"{self.skew_s:+d}s\n", "ascii")
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock_path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    async def set_skew(self, skew_s: int) -> bool:
        """Make the till's clock wrong by `skew_s`; returns whether the daemon had to be started again for it.

        The library that does it is loaded only then, so that nothing slows down an ordinary run.
        """
        was_loaded = bool(self.skew_s)
        self.skew_s = skew_s
        if was_loaded and self._process.is_running:
            self._clock_path.write_text(f"{skew_s:+d}s\n", "ascii")
            return False
        if skew_s and self._process.is_running:
            await self.restart()
            return True
        return False

    async def cut(self) -> None:
        """Cut the power: SIGKILL."""
        self.is_powered = False
        await self._process.kill()

    async def stop(self) -> None:
        """End the daemon in order."""
        self.is_powered = False
        await self._process.stop()

    async def status(self) -> Status | None:
        """Ask the status socket; None while the daemon does not answer."""
        if not self._process.is_running or not self.socket_path.exists():
            return None
        try:
            async with asyncio.timeout(_STATUS_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self.socket_path)
                try:
                    line = await reader.readline()
                finally:
                    writer.close()
            return msgspec.json.decode(line, type=Status)
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None

    async def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Return when the daemon answers, is connected, and sees its back office.

        Raises:
            ProcessFailedError: It ended, or the time is over.
        """
        ready = asyncio.Event()
        watcher = asyncio.create_task(self._watch_ready(ready), name="daemon-ready")
        try:
            await self._process.wait_until(ready.is_set, timeout_s=timeout_s, what="status with back office present")
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch_ready(self, ready: asyncio.Event) -> None:
        while not ready.is_set():
            status = await self.status()
            if status is not None and status.is_back_office_present and all(d.is_online for d in status.devices):
                ready.set()
            await asyncio.sleep(0.02)


#: The bench's own disk may be an overlay or tmpfs; a till's may not (I8).
_ENVIRONMENT = {"POS_AGENT_ALLOW_VOLATILE": "1"}


def write_data(folder: Path, *, paper_speed: float) -> None:
    """Copy the shipped data, with one more printer profile: the simulated printer as fast as its paper moves.

    Args:
        folder: Must not exist.
        paper_speed: How many times faster than the real model.
    """
    shutil.copytree(ROOT / "config", folder)
    profile = (folder / "devices" / f"{REAL_PROFILE}.toml").read_text("utf-8")
    profile = _scaled(_scaled(profile, "speed_mm_s", paper_speed), "cut_s", 1 / paper_speed)
    (folder / "devices" / f"{SIMULATED_PROFILE}.toml").write_text(profile, "utf-8")


def _scaled(profile: str, key: str, factor: float) -> str:
    def scale(found: re.Match[str]) -> str:
        return f"{found[1]}{float(found[2]) * factor:g}"

    text, count = re.subn(rf"^({key}\s*=\s*)([\d.]+)", scale, profile, flags=re.MULTILINE)
    assert count == 1, f"{REAL_PROFILE} has no {key}"
    return text


def make_config(*, devices: DeviceSet, data_dir: Path, broker_url: str, pki: Pki, locale: str) -> Config:
    """Return the terminal's configuration: what a technician would write for these devices."""
    return Config(
        terminal=TerminalConfig(
            terminal_id=pki.terminal.common_name,
            merchant_id=MERCHANT_ID,
            merchant_name=MERCHANT_NAME,
            store_name="示范店 Demo store",
            service_phone="400-000-1234",
            serial="SIM-0001",
            locale=locale,
            data_dir=str(data_dir),
            runtime_dir=str(devices.folder),
        ),
        broker=BrokerConfig(
            url=broker_url,
            ca_file=str(pki.ca_file),
            cert_file=str(pki.terminal.cert_file),
            key_file=str(pki.terminal.key_file),
        ),
        trust=TrustConfig(
            device_key_file=str(pki.device_key.key_file),
            device_key_id=pki.device_key.kid,
            back_office_keys={pki.back_office_key.kid: pki.back_office_key.public_base64},
            lookup_key_file=str(pki.lookup_key_file),
        ),
        devices=DevicesConfig(
            scanner=devices.scanner.config,
            printer=_printer_config(devices),
            keypad=KeypadConfig(path=str(devices.folder / "keypad")),
            operator_display=_operator_display_config(devices),
            customer_display=DisplayConfig(
                driver="epson",
                path=str(devices.folder / "customer"),
                columns=CUSTOMER_SIZE[0],
                rows=CUSTOMER_SIZE[1],
            ),
        ),
        policy=PolicyConfig(
            text_zh="凭小票或账单办理退款,审核通过后原路退回。", text_en="Refunds go back the way they were paid."
        ),
    )


def _operator_display_config(devices: DeviceSet) -> DisplayConfig:
    columns, rows = devices.operator_size
    path = str(devices.folder / "operator")
    if isinstance(devices.operator_display, SimFramebuffer):
        geometry = devices.operator_display.geometry
        return DisplayConfig(driver="framebuffer", path=path, columns=columns, rows=rows, geometry=geometry)
    return DisplayConfig(driver="ansi" if rows == 12 else "serial", path=path, columns=columns, rows=rows)


def _printer_config(devices: DeviceSet) -> PrinterConfig:
    """Return the printer's section for its link; a serial line is as fast as the printer, so that slips do not wait."""
    match devices.printer_link:
        case "tcp":
            path = f"127.0.0.1:{devices.printer.tcp_port}"
            return PrinterConfig(link="tcp", path=path, profile=SIMULATED_PROFILE)
        case "usblp" | "serial" as link:
            path = str(devices.printer_socket)
            return PrinterConfig(link=link, path=path, baud=115_200, flow="rtscts", profile=SIMULATED_PROFILE)
        case _:
            return PrinterConfig(usb="04b8:0e28", profile=SIMULATED_PROFILE)
