"""Drivers of other people: packages that name a factory in the entry-point group ``pos_agent.drivers``.

    [project.entry-points."pos_agent.drivers"]
    acme-scanner = "pos_agent_acme:build"

A package is imported only when the configuration names its driver (``devices.scanner.driver = "acme-scanner"``);
being installed is not enough. A whole package with its tests: docs/driver-template; the contract: `drivers.contract`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from drivers.links.opener import Opener
from pos_agent.devices.interfaces import Device, EventSink
from pos_agent.domain.config import DisplayConfig, KeypadConfig, PrinterConfig, ScannerConfig
from pos_agent.domain.events import DeviceName
from pos_agent.errors import ConfigError, ConfigValueError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "pos_agent.drivers"
#: Finds a file of the shipped data by its path below config/, such as ``keymaps/usb-numpad.toml``.
FindData = Callable[[str], Path]

_DEVICE: Final = ("name", "counters", "open", "close", "wait_lost")
_DISPLAY: Final = (*_DEVICE, "size", "show", "beep")
#: What `pos_agent.devices.interfaces` asks of each role.
_NEEDS: Final[dict[DeviceName, tuple[str, ...]]] = {
    DeviceName.SCANNER: _DEVICE,
    DeviceName.KEYPAD: _DEVICE,
    DeviceName.OPERATOR_DISPLAY: _DISPLAY,
    DeviceName.CUSTOMER_DISPLAY: _DISPLAY,
    DeviceName.PRINTER: (*_DEVICE, "profile_id", "status", "render", "wait_ready", "print_job"),
}


class DriverRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a factory is given.

    Attributes:
        role: What the device is to be; its `name`.
        config: The section of the configuration; ``config.options`` is the driver's own.
        sink: Takes the events; never blocks.
        opener: Opens and closes ports under a deadline; shared by all devices.
        find_data: Finds shipped data.
    """

    role: DeviceName
    config: ScannerConfig | PrinterConfig | KeypadConfig | DisplayConfig
    sink: EventSink
    opener: Opener
    find_data: FindData


#: Builds a device; opens nothing. Raises `ConfigError` where the configuration cannot be used.
DriverFactory = Callable[[DriverRequest], Device]


def build_plugin(request: DriverRequest, *, known: Sequence[str]) -> Any:
    """Build a device by the installed driver that the configuration names.

    Args:
        request: What the factory is given; ``config.driver`` is the name.
        known: Drivers of this repository for the role, for the message.
    Raises:
        ConfigValueError: No such driver, several, or one that cannot be loaded or is no driver of this role.
    """
    name, key = request.config.driver, f"devices.{request.role}.driver"

    def refuse(message: str, hint: str) -> ConfigValueError:
        return ConfigValueError(message, key=key, origin="config", hint=hint)

    found = [entry for entry in installed() if entry.name == name]
    if len(found) != 1:
        if found:
            packages = ", ".join(sorted(_package(entry) for entry in found))
            raise refuse(f"several packages have a driver {name!r}: {packages}", "uninstall all but one")
        others = sorted({entry.name for entry in installed()})
        hint = f"one of {', '.join(known)}"
        hint += f", or of the installed drivers: {', '.join(others)}" if others else ""
        raise refuse(f"no {_WORDS[request.role]} driver {name!r}", hint)
    package = _package(found[0])
    try:
        device = found[0].load()(request)
    except ConfigError:
        raise
    except Exception as error:  # the code of others: whatever it does, the till says it and goes on
        raise refuse(f"driver {name!r} of {package} failed: {error!r}", f"ask the makers of {package}") from error
    missing = [need for need in _NEEDS[request.role] if not hasattr(device, need)]
    if missing:
        problem = f"driver {name!r} of {package} is no {_WORDS[request.role]}: it lacks {', '.join(missing)}"
        raise refuse(problem, "see pos_agent.devices.interfaces")
    if device.name != request.role:
        raise refuse(f"driver {name!r} of {package} calls itself {device.name!r}", f"its name must be {request.role}")
    return device


def installed() -> "tuple[EntryPoint, ...]":
    """Return the drivers that are installed; nothing of them is imported."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms that only tills with such a driver pay

    return tuple(entry_points(group=GROUP))


def _package(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


_WORDS: Final = {
    DeviceName.SCANNER: "scanner",
    DeviceName.PRINTER: "printer",
    DeviceName.KEYPAD: "keypad",
    DeviceName.OPERATOR_DISPLAY: "display",
    DeviceName.CUSTOMER_DISPLAY: "display",
}
