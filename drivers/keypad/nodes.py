"""Which event nodes are the keypad: bound by port or by VID:PID, never by what a node can do (field.md 10).

Many pads show two nodes (keys; volume, power and the like). All nodes of the one USB device are the keypad's: a power
key on an ungrabbed second node would reach the system.

Source: Linux Documentation/ABI/stable/sysfs-bus-usb (idVendor, idProduct, serial); /sys/class/input/eventN is a link
into the tree of the device.
"""

import errno
import stat
from pathlib import Path

SYSTEM = Path("/sys/class/input")
DEVICES = Path("/dev/input")


def find_nodes(path: str, *, system: Path = SYSTEM, devices: Path = DEVICES) -> tuple[str, ...]:
    """Return the nodes of the keypad, the configured one first.

    Args:
        path: A node or a link to one (``/dev/input/by-path/…`` = this port), ``usb:VID:PID`` or ``usb:VID:PID:SERIAL``
            in hex (this unit, wherever it is plugged in), or a FIFO (the bench).
        system: Where the kernel lists its event nodes.
        devices: Where their device nodes are.
    Raises:
        OSError: ENODEV: not attached. ENOTUNIQ: several keypads match; name the port or the serial number instead.
    """
    if path.startswith("usb:"):
        return _by_identity(path, system, devices)
    node = Path(path)
    if not node.exists():
        raise OSError(errno.ENODEV, "not attached", path)
    if not stat.S_ISCHR(node.stat().st_mode):
        return (path,)
    unit = _usb_device(system / node.resolve().name)
    if unit is None:
        return (path,)
    others = [
        name for name in _event_names(system) if _usb_device(system / name) == unit and name != node.resolve().name
    ]
    return (path, *(str(devices / name) for name in others))


def is_event_node(path: str, *, devices: Path = DEVICES) -> bool:
    """Return whether this is an event node of the kernel, not a stand-in for one (the bench's FIFO)."""
    return Path(path).resolve().parent == devices


def _by_identity(path: str, system: Path, devices: Path) -> tuple[str, ...]:
    wanted = path.removeprefix("usb:").lower().split(":", 2)
    units: dict[Path, list[str]] = {}
    for name in _event_names(system):
        unit = _usb_device(system / name)
        if unit is not None and _identity(unit)[: len(wanted)] == wanted:
            units.setdefault(unit, []).append(str(devices / name))
    if not units:
        raise OSError(errno.ENODEV, "not attached", path)
    if len(units) > 1:
        raise OSError(errno.ENOTUNIQ, "several keypads match; name a port of /dev/input/by-path", path)
    return tuple(units.popitem()[1])


def _event_names(system: Path) -> list[str]:
    names = [entry.name for entry in system.iterdir() if entry.name.startswith("event")] if system.is_dir() else []
    return sorted(names, key=lambda name: (len(name), name))


def _usb_device(event: Path) -> Path | None:
    """Return the folder of the USB device that an event node belongs to; None = it is on no USB."""
    return next((folder for folder in event.resolve().parents if (folder / "idVendor").is_file()), None)


def _identity(unit: Path) -> list[str]:
    return [_attribute(unit / name) for name in ("idVendor", "idProduct", "serial")]


def _attribute(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip().lower()
    except OSError:
        return ""
