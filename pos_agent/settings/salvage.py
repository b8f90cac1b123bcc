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


def salvage_config(path: Path) -> Config:
    """Return what remains of the configuration when bad keys are dropped and missing ones get placeholders.

    The result is for the SAFE state only: display, keypad and help. A file that is no TOML gives built-in defaults with
    the display on the console.

    Raises:
        ConfigFileError: The file is missing or unreadable; then not even the SAFE state can start (exit 78).
    """
    if not path.is_file():
        raise ConfigFileError(f"{path}: not found")
    dropped: dict[str, str | dict[str, str] | None] = {}
    for _ in range(_MAX_REPAIRS):
        try:
            return _load_with(path, dropped).config
        except ConfigValueError as error:
            if error.key in dropped:
                break
            dropped[error.key] = _PLACEHOLDERS.get(error.key)
        except ConfigError:
            break
    return _built_in()


def _load_with(path: Path, dropped: Mapping[str, str | dict[str, str] | None]) -> LoadedConfig:
    return load_config(path, {}, replaced=dropped)


def _built_in() -> Config:
    return Config(
        terminal=TerminalConfig(terminal_id="t-safe", merchant_id="-", merchant_name="-"),
        broker=BrokerConfig(url="mqtts://localhost:8883"),
        trust=TrustConfig(device_key_file="/nonexistent", device_key_id="-", back_office_keys={}),
        devices=DevicesConfig(operator_display=DisplayConfig(driver="ansi", path="/dev/tty1")),
    )
