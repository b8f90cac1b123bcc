"""Which driver serves which role of the till, by configuration. A driver that is not configured is not imported."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from drivers.links.opener import Opener
from drivers.plugins import DriverRequest, FindData, build_plugin
from pos_agent.devices.interfaces import Device, EventSink, LineDisplay, POSKeyboard, POSPrinter, Scanner
from pos_agent.domain.config import DevicesConfig, DisplayConfig, KeypadConfig, PrinterConfig, ScannerConfig
from pos_agent.domain.events import DeviceName
from pos_agent.errors import ConfigValueError

if TYPE_CHECKING:
    from drivers.display.dialect import Dialect

_log = logging.getLogger(__name__)
#: The drivers of this repository by role; any other name is looked for among the installed packages.
_SCANNERS: Final = ("serial", "camera")
_PRINTERS: Final = ("escpos",)
_KEYPADS: Final = ("evdev", "matrix")


class DeviceSet(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of a till; None = not configured. Iterating gives those that are."""

    scanner: Scanner | None = None
    printer: POSPrinter | None = None
    keypad: POSKeyboard | None = None
    operator_display: LineDisplay | None = None
    customer_display: LineDisplay | None = None

    def __iter__(self) -> Iterator[Device]:
        """Iterate over the configured devices."""
        devices = (self.keypad, self.operator_display, self.scanner, self.printer, self.customer_display)
        return (device for device in devices if device is not None)


def build_devices(
    config: DevicesConfig,
    *,
    sink: EventSink,
    find_data: FindData,
    allow_backend_override: bool = False,
    state_dir: Path | None = None,
) -> DeviceSet:
    """Build the configured devices; nothing is opened yet.

    Args:
        config: The ``devices`` section.
        sink: Takes their events; see `pos_agent.devices.interfaces.EventSink`.
        find_data: Finds key maps and printer profiles.
        allow_backend_override: Whether the bench may replace the USB backend; False in production.
        state_dir: Data folder, for what the till knows of its own devices; None = nothing is kept.
    Raises:
        ConfigError: A driver, key map or profile is unknown or broken.
    """
    opener = Opener()
    return DeviceSet(
        scanner=_scanner(config.scanner, sink, opener, find_data),
        printer=_printer(config.printer, sink, opener, find_data, allow_backend_override, state_dir),
        keypad=_keypad(config.keypad, sink, opener, find_data),
        operator_display=_display(DeviceName.OPERATOR_DISPLAY, config.operator_display, sink, opener, find_data),
        customer_display=_display(DeviceName.CUSTOMER_DISPLAY, config.customer_display, sink, opener, find_data),
    )


def _plugin(
    role: DeviceName,
    config: ScannerConfig | PrinterConfig | KeypadConfig | DisplayConfig,
    sink: EventSink,
    opener: Opener,
    find_data: FindData,
    *,
    known: tuple[str, ...],
) -> Any:
    request = DriverRequest(role=role, config=config, sink=sink, opener=opener, find_data=find_data)
    return build_plugin(request, known=known)


def _scanner(config: ScannerConfig, sink: EventSink, opener: Opener, find_data: FindData) -> Scanner | None:
    if config.driver not in _SCANNERS:
        scanner: Scanner = _plugin(DeviceName.SCANNER, config, sink, opener, find_data, known=_SCANNERS)
        return scanner
    if not config.path:
        return None
    if config.driver == "camera":
        from drivers.camera.camera_scanner import CameraScanner  # noqa: PLC0415 - only what is configured

        return CameraScanner(config, sink=sink, opener=opener)
    from drivers.scanner.serial_scanner import SerialScanner  # noqa: PLC0415 - only what is configured

    return SerialScanner(config, sink=sink, opener=opener, beep=_beep_of(config.family, find_data))


def _beep_of(family: str, find_data: FindData) -> bytes:
    """Return the bytes that make a scanner of this family beep; empty for none."""
    if not family:
        return b""
    from drivers.scanner.table import TABLE_PATH, load_table  # noqa: PLC0415 - only what is configured

    table = load_table(find_data(TABLE_PATH))
    try:
        beep = table.row(family).beep
    except KeyError:
        known = ", ".join(row.id for row in table.scanner)
        key = "devices.scanner.family"
        raise ConfigValueError(f"no scanner family {family!r}", key=key, origin="config", hint=known) from None
    return b"" if beep is None else beep.request


def _printer(
    config: PrinterConfig,
    sink: EventSink,
    opener: Opener,
    find_data: FindData,
    allow_backend_override: bool,
    state_dir: Path | None,
) -> POSPrinter | None:
    if config.driver not in _PRINTERS:
        printer: POSPrinter = _plugin(DeviceName.PRINTER, config, sink, opener, find_data, known=_PRINTERS)
        return printer
    if not (config.usb if config.link in ("usb", "libusb") else config.path):
        return None
    from drivers.escpos.build import build  # noqa: PLC0415 - only what is configured

    profile_path = find_data(f"devices/{config.profile}.toml")
    return build(
        config,
        sink=sink,
        opener=opener,
        profile_path=profile_path,
        allow_backend_override=allow_backend_override,
        state_dir=state_dir,
    )


def _keypad(config: KeypadConfig, sink: EventSink, opener: Opener, find_data: FindData) -> POSKeyboard | None:
    if config.driver not in _KEYPADS:
        keypad: POSKeyboard = _plugin(DeviceName.KEYPAD, config, sink, opener, find_data, known=_KEYPADS)
        return keypad
    if not config.path:
        return None
    from drivers.keypad.keymap import load_keymap  # noqa: PLC0415 - only what is configured

    keymap = load_keymap(find_data(f"keymaps/{config.keymap}.toml"))
    if config.driver == "evdev":
        from drivers.keypad.evdev_keypad import EvdevKeypad  # noqa: PLC0415 - see above

        return EvdevKeypad(config, keymap=keymap, sink=sink, opener=opener)
    from drivers.keypad.matrix_keypad import MatrixKeypad  # noqa: PLC0415 - see above

    return MatrixKeypad(config, keymap=keymap, sink=sink, opener=opener)


def _display(
    name: DeviceName, config: DisplayConfig, sink: EventSink, opener: Opener, find_data: FindData
) -> LineDisplay | None:
    if config.driver == "none":
        return None
    if config.driver not in _DISPLAYS:
        display: LineDisplay = _plugin(name, config, sink, opener, find_data, known=(*_DISPLAYS, "none"))
        return display
    return _DISPLAYS[config.driver](name, config, opener)


def _ansi(name: DeviceName, config: DisplayConfig, opener: Opener) -> LineDisplay:
    from drivers.display.ansi import AnsiDialect, KernelConsoleDialect  # noqa: PLC0415 - only what is configured
    from drivers.display.line_display import CellDisplay  # noqa: PLC0415 - see above
    from drivers.links.tty_port import TtyPort  # noqa: PLC0415 - see above

    port = TtyPort(config.path)

    def dialect() -> "Dialect":
        if not port.is_kernel_console:
            return AnsiDialect()
        _log.warning("device=%s %s is the kernel's console: it has no Chinese glyphs", name, config.path)
        return KernelConsoleDialect()

    return CellDisplay(name, port=port, dialect=dialect, size=(config.columns, config.rows), opener=opener)


def _framebuffer(name: DeviceName, config: DisplayConfig, opener: Opener) -> LineDisplay:
    from drivers.display.framebuffer import FramebufferDisplay  # noqa: PLC0415 - only what is configured
    from drivers.display.framebuffer_port import FramebufferPort  # noqa: PLC0415 - see above

    if config.rotate not in (0, 90, 180, 270):
        key = f"devices.{name}.rotate"
        raise ConfigValueError(f"cannot rotate by {config.rotate}", key=key, origin="config", hint="0, 90, 180 or 270")
    port = FramebufferPort(config.path, console=config.console, geometry=config.geometry)
    size = (config.columns, config.rows)
    return FramebufferDisplay(name, port=port, size=size, opener=opener, rotate=config.rotate)


def _serial(name: DeviceName, config: DisplayConfig, opener: Opener) -> LineDisplay:
    from drivers.display.line_display import CellDisplay  # noqa: PLC0415 - only what is configured
    from drivers.display.notice import without_han  # noqa: PLC0415 - see above
    from drivers.display.serial_vfd import Cd5220Dialect, EpsonDialect  # noqa: PLC0415 - see above
    from drivers.links.serial_port import SerialPort  # noqa: PLC0415 - see above

    def dialect() -> "Dialect":
        chosen = Cd5220Dialect if config.driver == "cd5220" else EpsonDialect
        return chosen(encoding=config.encoding)

    return CellDisplay(
        name,
        port=SerialPort(config.path, baud=config.baud),
        dialect=dialect,
        size=(config.columns, config.rows),
        opener=opener,
        baud=config.baud,
        # A customer sees at least the amount; a cashier must be able to read every word, or be told why not.
        compose=without_han if config.encoding == "ascii" and name is DeviceName.OPERATOR_DISPLAY else None,
    )


def _led8(name: DeviceName, config: DisplayConfig, opener: Opener) -> LineDisplay:
    from drivers.display import led8  # noqa: PLC0415 - only what is configured
    from drivers.display.line_display import CellDisplay  # noqa: PLC0415 - see above
    from drivers.links.serial_port import SerialPort  # noqa: PLC0415 - see above

    has_lamp_command = config.driver == "led8"
    return CellDisplay(
        name,
        port=SerialPort(config.path, baud=config.baud),
        dialect=lambda: led8.Led8Dialect(has_lamp_command=has_lamp_command),
        size=led8.PLACES,
        compose=led8.compose,
        screen_size=(config.columns, config.rows),
        opener=opener,
        baud=config.baud,
    )


_DISPLAYS: dict[str, Callable[[DeviceName, DisplayConfig, Opener], LineDisplay]] = {
    "framebuffer": _framebuffer,
    "ansi": _ansi,
    "serial": _serial,
    "epson": _serial,
    "cd5220": _serial,
    "led8": _led8,
    "led8s": _led8,
}
