"""From configuration to a printer: profile and link; nothing is opened."""

import logging
from pathlib import Path

from drivers.escpos import memory
from drivers.escpos import overlay as overlay_module
from drivers.escpos.link import PrinterLink
from drivers.escpos.memory import Keeper
from drivers.escpos.overlay import Overlay, parse_overlay
from drivers.escpos.printer import EscposPrinter
from drivers.escpos.profile import Profile, limited, parse_profile
from drivers.links.fd_printer import IdleListener
from drivers.links.opener import Opener
from drivers.links.usb_backend import is_overridden
from pos_agent.devices.interfaces import EventSink
from pos_agent.domain.config import PrinterConfig
from pos_agent.errors import ConfigFileError, ConfigValueError

_LOG = logging.getLogger(__name__)


def build(
    config: PrinterConfig,
    *,
    sink: EventSink,
    profile_path: Path,
    allow_backend_override: bool,
    opener: Opener | None = None,
    state_dir: Path | None = None,
) -> EscposPrinter:
    """Make the printer that the config names; nothing is opened.

    Args:
        config: With `usb` or `path` set, as its link needs.
        sink: Gets the printer's events.
        profile_path: The profile's file in config/devices.
        allow_backend_override: False in production.
        opener: Opens and closes what the event loop must not wait for; None = one of its own.
        state_dir: Data folder, where the till keeps what it knows of its printer; None = nothing is kept.
    Raises:
        ConfigError: The profile is missing or wrong; the USB id or network address is malformed; a backend is named
            in production.
    """
    opener = opener or Opener()
    profile = load_profile(config, profile_path, state_dir)
    keeper = _keeper(profile_path.stem, opener, state_dir)
    printer: EscposPrinter

    def on_idle(port_status: int | None, data: bytes) -> None:
        printer.take_idle(port_status, data)

    link = make_link(config, profile, opener=opener, on_idle=on_idle, allow_backend_override=allow_backend_override)
    printer = EscposPrinter(profile, link, sink=sink, keeper=keeper)
    return printer


def _keeper(profile_id: str, opener: Opener, state_dir: Path | None) -> Keeper:
    if state_dir is None:
        return Keeper(None, profile_id=profile_id, opener=opener)
    overlay = read_overlay(state_dir)
    commissioned = overlay.identity if overlay is not None and overlay.base == profile_id else ""
    return Keeper(state_dir / memory.NAME, profile_id=profile_id, opener=opener, commissioned=commissioned)


def load_profile(config: PrinterConfig, path: Path, state_dir: Path | None) -> Profile:
    """Return the facts about the till's printer: of the profile, and of the commissioning if it was of this profile.

    Raises:
        ConfigError: The profile is missing or wrong.
    """
    base = _shipped(config, path)
    overlay = read_overlay(state_dir) if state_dir is not None else None
    if overlay is None:
        return base
    if overlay.base != path.stem:
        _LOG.warning("printer was commissioned as %s, configured is %s: not used", overlay.base, path.stem)
        return base
    try:
        return limited(overlay.over(base), text_mode=config.text_mode, tier=config.tier)
    except ConfigValueError as error:
        _LOG.error("printer commissioning cannot be used cause=%s", error)
        return base


def read_overlay(state_dir: Path) -> Overlay | None:
    """Return what commissioning has found out, None = nothing that can be used; the till prints all the same."""
    try:
        return parse_overlay((state_dir / overlay_module.NAME).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ConfigValueError) as error:
        _LOG.error("printer commissioning cannot be read cause=%s", error)
        return None


def _shipped(config: PrinterConfig, path: Path) -> Profile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"printer profile {path}: {error}") from error
    return parse_profile(text, profile_id=path.stem, text_mode=config.text_mode, tier=config.tier)


def make_link(
    config: PrinterConfig,
    profile: Profile,
    *,
    opener: Opener,
    on_idle: IdleListener,
    allow_backend_override: bool,
) -> PrinterLink:
    """Return the way to the printer that the config names; nothing is opened.

    Raises:
        ConfigError: See `build`.
    """
    match config.link:
        case "usblp":
            from drivers.links.fd_printer import NodePrinterLink  # noqa: PLC0415 - only what is configured
            from drivers.links.usblp_port import UsblpPort  # noqa: PLC0415 - see above

            return NodePrinterLink(UsblpPort(config.path), opener=opener, on_idle=on_idle)
        case "serial":
            from drivers.links.fd_printer import NodePrinterLink  # noqa: PLC0415 - only what is configured
            from drivers.links.serial_printer import SerialPrinterPort  # noqa: PLC0415 - see above

            port = SerialPrinterPort(config.path, baud=config.baud, flow=config.flow)
            return NodePrinterLink(port, opener=opener, on_idle=on_idle)
        case "tcp":
            from drivers.links.tcp_printer import TcpPrinterLink, parse_tcp_address  # noqa: PLC0415 - see above

            return TcpPrinterLink(*parse_tcp_address(config.path), opener=opener, on_idle=on_idle)
        case _:
            return _usb_link(config, profile, opener, on_idle, allow_backend_override)


def _usb_link(
    config: PrinterConfig, profile: Profile, opener: Opener, on_idle: IdleListener, allow_backend_override: bool
) -> PrinterLink:
    from drivers.links.usb_bulk import UsbBulkLink  # noqa: PLC0415 - only what is configured
    from drivers.links.usb_device import parse_usb_address  # noqa: PLC0415 - see above

    address = parse_usb_address(config.usb, interface=profile.interface)
    bulk = UsbBulkLink(address, on_idle=on_idle, allow_backend_override=allow_backend_override)
    if config.link == "libusb" or is_overridden():
        return bulk
    from drivers.links.usb_printer import UsbPrinterLink  # noqa: PLC0415 - see above

    return UsbPrinterLink(address, bulk, opener=opener, on_idle=on_idle)
