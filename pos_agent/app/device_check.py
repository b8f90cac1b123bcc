"""Whether the devices that the configuration names can be built, asked as the daemon asks; nothing is opened."""

from pathlib import Path

from drivers.registry import build_devices
from pos_agent.errors import ConfigValueError
from pos_agent.settings import DataFinder, LoadedConfig


def check_devices(loaded: LoadedConfig, data: DataFinder) -> None:
    """Build all devices once and forget them: drivers of other packages, profiles, key maps, camera settings.

    Args:
        loaded: A configuration whose keys and types are right.
        data: Finds key maps and profiles.
    Raises:
        ConfigError: What the daemon would start in the SAFE state for; a value's error names its line in the file.
    """
    try:
        build_devices(
            loaded.config.devices,
            sink=lambda _event: None,
            find_data=data.find,
            allow_backend_override=not loaded.config.terminal.production,
            state_dir=Path(loaded.config.terminal.data_dir),
        )
    except ConfigValueError as error:
        origin = loaded.origins.get(error.key, error.origin)
        raise ConfigValueError(error.problem, key=error.key, origin=origin, hint=error.hint) from error
