"""In which mode a USB scanner is, and what a person has to do about it. Reads sysfs, sends nothing.

A unit in keyboard mode types its codes, a HID-POS unit has neither a tty nor an event node (field.md 10): to a driver
of serial ports both are simply absent.

Source: USB HID 1.11 (boot keyboard = class 03, subclass 01, protocol 01); HID Point of Sale usage tables 1.02 (bar code
scanner = usage page 8C); USB CDC 1.2 (class 02).
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from drivers.scanner.table import ScannerRow, ScannerTable, Words

_HID, _CDC, _VENDOR = 0x03, 0x02, 0xFF
_BOOT_KEYBOARD: Final = (_HID, 0x01, 0x01)
#: Usage Page (Bar Code Scanner), one byte of data.
_USAGE_PAGE_SCANNER: Final = b"\x05\x8c"
#: Words in the product name of scanners of makers that the table does not know.
_SCANNER_WORDS: Final = ("scan", "barcode", "bar code", "imager", "reader", "2d")


class Mode(StrEnum):
    """How a USB scanner shows itself."""

    SERIAL = "serial"
    KEYBOARD = "keyboard"
    HID_POS = "hid_pos"
    UNKNOWN = "unknown"


class UsbUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A USB device as sysfs describes it.

    Attributes:
        vendor, product: Four hex digits.
        name: Maker and product, as the unit says.
        interfaces: (class, subclass, protocol) of each.
        report_descriptors: Of its HID interfaces.
        port: Where it is plugged in, such as ``1-1.2``.
        serial: Its serial number; empty = it has none.
        usb_node: The node that libusb opens, such as ``/dev/bus/usb/001/004``.
    """

    vendor: str
    product: str
    name: str
    interfaces: tuple[tuple[int, int, int], ...]
    report_descriptors: tuple[bytes, ...] = ()
    port: str = ""
    serial: str = ""
    usb_node: str = ""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What a technician is told about a unit."""

    unit: UsbUnit
    mode: Mode
    family: str
    zh: str
    en: str


def mode_of(unit: UsbUnit) -> Mode:
    """Return the mode of a unit that is a scanner."""
    if any(_USAGE_PAGE_SCANNER in descriptor for descriptor in unit.report_descriptors):
        return Mode.HID_POS
    if any(interface[0] == _CDC for interface in unit.interfaces):
        return Mode.SERIAL
    if _BOOT_KEYBOARD in unit.interfaces:
        return Mode.KEYBOARD
    return Mode.SERIAL if any(interface[0] == _VENDOR for interface in unit.interfaces) else Mode.UNKNOWN


def advise(unit: UsbUnit, table: ScannerTable) -> Advice | None:
    """Say what to do about a unit; None if it is no scanner."""
    row = _row_of(unit, table)
    is_named_so = any(word in unit.name.lower() for word in _SCANNER_WORDS)
    mode = mode_of(unit)
    if row is None and not is_named_so and mode is not Mode.HID_POS:
        return None
    words: Words = getattr(table.advice, mode.value)
    barcode = table.advice.any_barcode if row is None else Words(row.serial_barcode.zh, row.serial_barcode.en)
    code = f" ({row.serial_barcode.text})" if row is not None and row.serial_barcode.text else ""
    shown = f"{unit.name or (row.vendor if row else '')} {unit.vendor}:{unit.product}".strip()
    return Advice(
        unit=unit,
        mode=mode,
        family="" if row is None else row.id,
        zh=words.zh.format(unit=shown, barcode=barcode.zh + code),
        en=words.en.format(unit=shown, barcode=barcode.en + code),
    )


def find_scanners(table: ScannerTable, *, sysfs: Path = Path("/sys")) -> list[Advice]:
    """Return all USB scanners that are attached, with what to do about each."""
    found = (advise(unit, table) for unit in attached_units(sysfs))
    return [advice for advice in found if advice is not None]


def attached_units(sysfs: Path = Path("/sys")) -> Iterator[UsbUnit]:
    """Give every USB device; one that goes away meanwhile is left out."""
    for folder in sorted(sysfs.glob("bus/usb/devices/*")):
        vendor, product = _text(folder / "idVendor"), _text(folder / "idProduct")
        if not vendor:
            continue
        parts = sorted(folder.glob(f"{folder.name}:*"))
        interfaces = tuple(
            (
                _hex(part / "bInterfaceClass"),
                _hex(part / "bInterfaceSubClass"),
                _hex(part / "bInterfaceProtocol"),
            )
            for part in parts
        )
        descriptors = tuple(_bytes(path) for part in parts for path in sorted(part.glob("*/report_descriptor")))
        name = " ".join(filter(None, (_text(folder / "manufacturer"), _text(folder / "product"))))
        yield UsbUnit(
            vendor=vendor.lower(),
            product=product.lower(),
            name=name,
            interfaces=interfaces,
            report_descriptors=descriptors,
            port=folder.name,
            serial=_text(folder / "serial"),
            usb_node=_usb_node(folder),
        )


def _usb_node(folder: Path) -> str:
    bus, device = _text(folder / "busnum"), _text(folder / "devnum")
    return f"/dev/bus/usb/{int(bus):03}/{int(device):03}" if bus.isdigit() and device.isdigit() else ""


def _row_of(unit: UsbUnit, table: ScannerTable) -> ScannerRow | None:
    return next((row for row in table.scanner if row.usb_vendor == unit.vendor), None)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace").strip()


def _hex(path: Path) -> int:
    try:
        return int(_text(path), 16)
    except ValueError:
        return -1
