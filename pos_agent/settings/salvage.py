"""What can be used of a broken configuration, so that a bad key never gives a black till (D18)."""

from collections.abc import Mapping
from pathlib import Path

from pos_agent.domain.config import BrokerConfig, Config, DevicesConfig, DisplayConfig, TerminalConfig, TrustConfig
from pos_agent.errors import ConfigError, ConfigFileError, ConfigValueError
from pos_agent.settings.load import LoadedConfig, load_config

#: Placeholders for keys without a safe default: nothing can be sent or sold under these names.
_PLACEHOLDERS: Mapping[str, str | dict[str, str]] = {
    "terminal": {},
    "broker": {},
    "trust": {},
    "trust.back_office_keys": {},
    "terminal.terminal_id": "t-safe",
    "terminal.merchant_id": "-",
    "terminal.merchant_name": "-",
    "broker.url": "mqtts://localhost:8883",
    "broker.ca_file": "/nonexistent",
    "broker.cert_file": "/nonexistent",
    "broker.key_file": "/nonexistent",
    "trust.device_key_file": "/nonexistent",
    "trust.device_key_id": "-",
}
_MAX_REPAIRS = 40
#: Where a till without a usable answer shows that it is SAFE: a panel can show Chinese, the console cannot (D21).
_PANEL, _CONSOLE = Path("/dev/fb0"), "/dev/tty1"


def salvage_config(path: Path, *, panel: Path = _PANEL) -> Config:
    """Return what remains of the configuration when bad keys are dropped and missing ones get placeholders.

    The result is for the SAFE state only: display, keypad and help. A file that is no TOML gives built-in defaults; a
    display that is not named any more, or never was, is the panel if there is one, else the console.

    Args:
        path: The configuration.
        panel: The framebuffer of this machine.
    Raises:
        ConfigFileError: The file is missing or unreadable; then not even the SAFE state can start (exit 78).
    """
    if not path.is_file():
        raise ConfigFileError(f"{path}: not found")
    dropped: dict[str, str | dict[str, str] | None] = {}
    for _ in range(_MAX_REPAIRS):
        try:
            return _with_display(_load_with(path, dropped).config, panel)
        except ConfigValueError as error:
            if error.key in dropped:
                break
            dropped[error.key] = _PLACEHOLDERS.get(error.key)
        except ConfigError:
            break
    return _with_display(_built_in(), panel)


def _with_display(config: Config, panel: Path) -> Config:
    """Return the configuration with a display: a till in SAFE state is never black."""
    if config.devices.operator_display.driver in ("", "none"):
        display = DisplayConfig(driver="ansi", path=_CONSOLE)
        if panel.exists():
            display = DisplayConfig(driver="framebuffer", path=str(panel), console=_CONSOLE)
        config.devices.operator_display = display
    return config


def _load_with(path: Path, dropped: Mapping[str, str | dict[str, str] | None]) -> LoadedConfig:
    return load_config(path, {}, replaced=dropped)


def _built_in() -> Config:
    return Config(
        terminal=TerminalConfig(terminal_id="t-safe", merchant_id="-", merchant_name="-"),
        broker=BrokerConfig(url="mqtts://localhost:8883"),
        trust=TrustConfig(device_key_file="/nonexistent", device_key_id="-", back_office_keys={}),
        devices=DevicesConfig(),
    )
