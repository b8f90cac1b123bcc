"""Which USB printer it is (field.md 18): the same key whether libusb or usblp leads to it. Pure."""

from typing import Final

#: Fields of an IEEE 1284 device id that stay the same; others tell paper, pages or the time.
#: Source: IEEE 1284-2000, 7.6: MANUFACTURER and MODEL, abbreviated MFG and MDL; serial numbers as makers write them.
_LASTING: Final = ("MFG", "MANUFACTURER", "MDL", "MODEL", "SN", "SERN", "SERIALNUMBER")


def lasting_fields(device_id: str) -> str:
    """Return what of an IEEE 1284 device id names the unit, such as ``MFG:EPSON;MDL:TM-T20III``."""
    fields = (field.strip() for field in device_id.split(";"))
    return ";".join(field for field in fields if field.partition(":")[0].strip().upper() in _LASTING)


def identity_key(*, vendor_id: int, product_id: int, bcd_device: int, serial: str, device_id: str, socket: str) -> str:
    """Return the key; another one means another printer, or the same in another socket.

    Args:
        vendor_id: Of the device descriptor, as are the next two.
        product_id: See above.
        bcd_device: The maker's version of the unit.
        serial: Its serial number; empty if it has none, as many clones.
        device_id: IEEE 1284 device id; empty if it has none.
        socket: Chain of hub ports such as ``1.2``. The bus address is no part of it: it changes at each plug-in.
    """
    return f"{vendor_id:04x}:{product_id:04x}:{bcd_device:04x}:{serial}:{lasting_fields(device_id)}:{socket}"
