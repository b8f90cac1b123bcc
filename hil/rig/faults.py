"""Faults that can be switched on and off, by name and device."""

from typing import Any

import msgspec

from hil.rig.changes import Changes
from hil.rig.devices import DeviceSet
from hil.simulators.printer.device import FAULTS as PRINTER_FAULTS

#: Fault → devices that can have it, the usual one first.
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(PRINTER_FAULTS, ("printer",)),
    "garbage": ("printer", "scanner"),
    "half_frame": ("scanner", "printer"),
    "stuck_key": ("keypad",),
    "burst": ("keypad",),
}
#: Faults that happen once: there is nothing to switch off.
_MOMENTARY = {("garbage", "scanner"), ("half_frame", "scanner"), ("burst", "keypad")}


class UnknownFaultError(ValueError):
    """No such fault, or not with this device. The text says what there is."""


class Fault(msgspec.Struct, frozen=True):
    """A fault that is on. `id` names it for `clear`."""

    id: str
    kind: str
    device: str
    params: dict[str, Any]


class Faults:
    """The faults of one bench."""

    def __init__(self, devices: DeviceSet, changes: Changes) -> None:
        self._devices = devices
        self._changes = changes
        self._active: dict[str, Fault] = {}
        self._count = 0

    @property
    def active(self) -> list[Fault]:
        """Return the faults that are on, oldest first."""
        return list(self._active.values())

    async def set(self, kind: str, device: str, params: dict[str, Any]) -> Fault:
        """Switch a fault on; the same fault on the same device is not doubled.

        Args:
            kind: A key of `KINDS`.
            device: Empty = the usual device of this fault.
            params: Of the fault, such as ``after_mm`` or ``key``.
        Raises:
            UnknownFaultError: No such fault, device or parameter.
        """
        devices = KINDS.get(kind)
        if devices is None:
            raise UnknownFaultError(f"no fault {kind!r}; there are: {', '.join(sorted(KINDS))}")
        role = device or devices[0]
        if role not in devices:
            raise UnknownFaultError(f"{kind} is a fault of: {', '.join(devices)}")
        for fault in self._active.values():
            if (fault.kind, fault.device) == (kind, role):
                return fault
        self._count += 1
        fault = Fault(f"f{self._count}", kind, role, params)
        try:
            await self._apply(fault)
        except TypeError as error:
            raise UnknownFaultError(f"{kind}: {error}") from error
        if (kind, role) not in _MOMENTARY:
            self._active[fault.id] = fault
        self._changes.add("fault", id=fault.id, fault=kind, device=role, is_on=True)
        return fault

    async def _apply(self, fault: Fault) -> None:
        if fault.device == "printer":
            self._devices.printer.set_fault(fault.kind, **fault.params)
        elif fault.device == "keypad":
            await self._apply_keypad(fault)
        else:
            await self._apply_scanner(fault)

    async def _apply_keypad(self, fault: Fault) -> None:
        if fault.kind == "burst":
            await self._devices.keypad.burst(str(fault.params.get("data", "6901234567892")))
        else:
            self._devices.keypad.stick(str(fault.params.get("key", "5")))

    async def _apply_scanner(self, fault: Fault) -> None:
        if fault.kind == "half_frame":
            await self._devices.scanner.send(b"69012345", suffix=b"")
        else:
            await self._devices.scanner.noise(bytes(range(128, 256)) * int(fault.params.get("blocks", 4)))

    async def clear(self, fault_id: str) -> bool:
        """Switch a fault off; False if it is not on."""
        fault = self._active.pop(fault_id, None)
        if fault is None:
            return False
        if fault.device == "printer":
            self._devices.printer.clear_fault(fault.kind)
            if fault.kind in ("paper_end", "near_end"):
                self._devices.printer.refill()
        elif fault.kind == "stuck_key":
            self._devices.keypad.release(str(fault.params.get("key", "5")))
        self._changes.add("fault", id=fault.id, fault=fault.kind, device=fault.device, is_on=False)
        return True

    async def clear_all(self) -> None:
        """Switch all faults off."""
        for fault_id in tuple(self._active):
            await self.clear(fault_id)
