"""What is attached to this machine: USB units and their nodes, ports without USB. Reads sysfs, opens and sends nothing.

Source: Linux Documentation/ABI (sysfs-bus-usb, sysfs-class-*); /sys/class/X/Y is a link into the tree of its device.
"""

import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from drivers.links.holders import Holder, open_files
from drivers.scanner.modes import UsbUnit, attached_units


class NodeKind(StrEnum):
    """What a node is for."""

    SERIAL = "serial"
    EVENT = "event"
    USBLP = "usblp"
    VIDEO = "video"
    FRAMEBUFFER = "framebuffer"


#: Class folder below /sys/class, beginning of the names, folder below /dev.
_CLASSES: Final = {
    NodeKind.SERIAL: ("tty", "tty", "/dev"),
    NodeKind.EVENT: ("input", "event", "/dev/input"),
    NodeKind.USBLP: ("usbmisc", "lp", "/dev/usb"),
    NodeKind.VIDEO: ("video4linux", "video", "/dev"),
    NodeKind.FRAMEBUFFER: ("graphics", "fb", "/dev"),
}
#: Where udev makes names that last, the best first: a unit's own name needs a serial number to be unique.
_LINK_FOLDERS: Final = (
    *(f"/dev/{kind}/{by}" for kind in ("serial", "input", "v4l") for by in ("by-id", "by-path")),
    "/dev/usblp-by-path",  # of our own rules, systemd/60-pos-agent.rules
)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A device node.

    Attributes:
        path: Such as ``/dev/ttyUSB0``; changes when plugged in again.
        links: Names that last.
        usb_port: The USB unit it belongs to, empty if none.
        name: What its driver calls it.
        holders: Who has it open.
    """

    kind: NodeKind
    path: str
    links: tuple[str, ...] = ()
    usb_port: str = ""
    name: str = ""
    holders: tuple[Holder, ...] = ()


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A USB unit and its nodes; `holders` have the unit itself open, as libusb does."""

    usb: UsbUnit
    nodes: tuple[Node, ...] = ()
    holders: tuple[Holder, ...] = ()


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is attached; `is_complete`: nobody hides who holds what."""

    units: tuple[Unit, ...]
    other_nodes: tuple[Node, ...]
    is_complete: bool

    @property
    def nodes(self) -> Iterator[Node]:
        """Iterate over all nodes."""
        for unit in self.units:
            yield from unit.nodes
        yield from self.other_nodes

    def node(self, path: str) -> Node | None:
        """Return the node with this path or lasting name."""
        return next((node for node in self.nodes if path == node.path or path in node.links), None)


def take_inventory(root: Path = Path("/")) -> Inventory:
    """Look at sysfs, /dev and /proc below `root`."""
    opened = open_files(root / "proc")
    links = _links(root)
    nodes = [
        msgspec.structs.replace(node, links=tuple(links.get(node.path, ())), holders=opened.by_path.get(node.path, ()))
        for kind in NodeKind
        for node in _nodes(root, kind)
    ]
    units = tuple(
        Unit(
            usb=usb,
            nodes=tuple(node for node in nodes if node.usb_port == usb.port),
            holders=opened.by_path.get(usb.usb_node, ()),
        )
        for usb in attached_units(root / "sys")
        if not _is_hub(usb)
    )
    ports = {unit.usb.port for unit in units}
    others = tuple(node for node in nodes if node.usb_port not in ports)
    return Inventory(units=units, other_nodes=others, is_complete=opened.is_complete)


def _is_hub(usb: UsbUnit) -> bool:
    return usb.port.startswith("usb") or (bool(usb.interfaces) and all(one[0] == 0x09 for one in usb.interfaces))


def _nodes(root: Path, kind: NodeKind) -> Iterator[Node]:
    folder, beginning, place = _CLASSES[kind]
    entries = sorted((root / "sys/class" / folder).glob(f"{beginning}*"), key=lambda one: (len(one.name), one.name))
    for entry in entries:
        if not (entry / "device").exists() and kind is not NodeKind.FRAMEBUFFER:
            continue  # a virtual terminal
        if kind is NodeKind.SERIAL and _text(entry / "type") == "0":
            continue  # a place for a UART that is not there: serial_core.h, PORT_UNKNOWN
        if kind is NodeKind.VIDEO and _text(entry / "index") not in ("", "0"):
            continue  # the metadata beside the pictures
        yield Node(
            kind=kind,
            path=f"{place}/{entry.name}",
            usb_port=_usb_port(entry),
            name=_text(entry / "name") or _text(entry / "device/name"),
        )


def _usb_port(entry: Path) -> str:
    return next((folder.name for folder in entry.resolve().parents if (folder / "idVendor").is_file()), "")


def _links(root: Path) -> dict[str, list[str]]:
    """Return the lasting names by the node that they lead to."""
    found: dict[str, list[str]] = {}
    for folder in _LINK_FOLDERS:
        for link in sorted((root / folder.lstrip("/")).glob("*")):
            target = os.path.normpath(f"{folder}/{link.readlink()}") if link.is_symlink() else ""
            found.setdefault(target, []).append(f"{folder}/{link.name}")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
