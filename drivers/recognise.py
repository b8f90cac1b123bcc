"""Which profile of config/devices fits a USB unit, and why. Data in, sentences out; nothing is opened."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from drivers.escpos.profile import Profile, parse_profile
from drivers.scanner.modes import Mode, UsbUnit, advise
from drivers.scanner.table import TABLE_PATH, ScannerTable, load_table
from pos_agent.errors import ConfigFileError

_ADAPTERS: Final = "devices/adapters/serial-adapters.toml"
#: USB class codes, usb.org/defined-class-codes.
_PRINTER_CLASS, _VIDEO_CLASS = 0x07, 0x0E
_BOOT_KEYBOARD: Final = (0x03, 0x01, 0x01)


class Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A USB serial adapter; `has_serial`: two of the kind can be told apart."""

    usb: str
    name: str
    has_serial: bool
    source: str


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What config/devices knows."""

    printers: Mapping[str, Profile]
    scanners: ScannerTable
    adapters: Mapping[str, Adapter]


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit is taken for.

    Attributes:
        role: scanner, printer, keypad, camera or adapter.
        profile: Its profile, family or kind; empty = none fits.
        why: On what grounds.
        mode: For scanners: serial, keyboard, hid_pos or unknown.
        zh, en: What a person has to do; empty = nothing.
    """

    role: str
    profile: str
    why: str
    mode: str = ""
    zh: str = ""
    en: str = ""


def load_knowledge(find_data: Callable[[str], Path]) -> Knowledge:
    """Read the profiles, the scanner families and the adapters.

    Args:
        find_data: Finds a file by its path below config/.

    Raises:
        ConfigError: A file is broken.
    """
    adapters = find_data(_ADAPTERS)
    folder = adapters.parents[2]  # all of one version
    printers = {}
    for path in sorted((folder / "devices").glob("*.toml")):
        printers[path.stem] = parse_profile(path.read_text("utf-8"), profile_id=path.stem)
    try:
        rows = msgspec.convert(tomllib.loads(adapters.read_text("utf-8"))["adapter"], tuple[Adapter, ...])
    except (OSError, ValueError, KeyError) as error:
        raise ConfigFileError(f"{adapters}: {error}") from error
    return Knowledge(
        printers=printers, scanners=load_table(folder / TABLE_PATH), adapters={row.usb: row for row in rows}
    )


def recognise(unit: UsbUnit, knowledge: Knowledge) -> Recognised | None:
    """Say what a unit is; None = nothing that a till knows."""
    if any(interface[0] == _PRINTER_CLASS for interface in unit.interfaces) or _named(unit, knowledge):
        return _printer(unit, knowledge)
    if (adapter := knowledge.adapters.get(f"{unit.vendor}:{unit.product}")) is not None:
        return _adapter(adapter, unit)
    if (advice := advise(unit, knowledge.scanners)) is not None:
        grounds = f"vendor {unit.vendor} is its maker" if advice.family else "its name, or its HID usage page 8C"
        is_fine = advice.mode is Mode.SERIAL
        return Recognised(
            role="scanner",
            profile=advice.family,
            why=f"{grounds}; {advice.mode.value.replace('_', '-')} mode by its interfaces",
            mode=advice.mode.value,
            zh="" if is_fine else advice.zh,
            en="" if is_fine else advice.en,
        )
    if any(interface[0] == _VIDEO_CLASS for interface in unit.interfaces):
        return Recognised(role="camera", profile="uvc", why="USB video class 0E")
    if _BOOT_KEYBOARD in unit.interfaces:
        return Recognised(
            role="keypad", profile="", why="a keyboard (HID 03/01/01): which one it is, a person must say"
        )
    return None


def _named(unit: UsbUnit, knowledge: Knowledge) -> list[str]:
    """Return the printer profiles that name exactly this unit."""
    identity = f"{unit.vendor}:{unit.product}"
    return [name for name, profile in knowledge.printers.items() if identity in profile.match.usb]


def _printer(unit: UsbUnit, knowledge: Knowledge) -> Recognised:
    if names := _named(unit, knowledge):
        why = f"{names[0]}.toml names {unit.vendor}:{unit.product}"
        return Recognised(role="printer", profile=names[0], why=why)
    of_maker = [name for name, profile in knowledge.printers.items() if unit.vendor in profile.match.usb_vendor]
    fallbacks = [name for name, profile in knowledge.printers.items() if profile.match.is_fallback]
    why = f"printer class 07; no profile names {unit.vendor}:{unit.product}"
    if of_maker:
        why += f", {', '.join(of_maker)} is of the same maker"
    return Recognised(
        role="printer",
        profile="",
        why=why,
        zh=f"按纸宽选一个配置: {'、'.join(fallbacks)}",
        en=f"choose by the width of its paper: {', '.join(fallbacks)}",
    )


def _adapter(adapter: Adapter, unit: UsbUnit) -> Recognised:
    if adapter.has_serial and unit.serial:
        return Recognised(role="adapter", profile=adapter.name, why=f"{adapter.usb} is a {adapter.name}")
    return Recognised(
        role="adapter",
        profile=adapter.name,
        why=f"{adapter.usb} is a {adapter.name}, without a serial number",
        zh="两个同型号分不清: 请用 /dev/serial/by-path 的名字 (按插口)",
        en="two of the kind look alike: name the port, /dev/serial/by-path/…",
    )
