"""A machine made of files: /sys, /dev and /proc as the kernel lays them out, for `pos-agent devices --root`."""

import os
from pathlib import Path

CONFIG = """\
[terminal]
terminal_id = "t-devices-01"
merchant_id = "898310000000001"
merchant_name = "示例商店"
production = false
runtime_dir = "{runtime}"

[broker]
url = "mqtt://localhost:1883"

[trust]
device_key_file = "/nonexistent"
device_key_id = "k"

[trust.back_office_keys]
"bo" = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

"""
KEYBOARD, POS_HID = (3, 1, 1), (3, 0, 0)
#: HID Point of Sale usage tables 1.02.
POS_DESCRIPTOR = bytes.fromhex("05 8C 09 02 A1 01")


class Machine:
    """Builds the tree; paths are those of the real system, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime = root.parent / "run"
        for folder in ("sys/bus/usb/devices", "dev", "proc"):
            (root / folder).mkdir(parents=True)

    def usb(
        self,
        port: str,
        identity: str,
        name: str,
        *interfaces: tuple[int, int, int],
        serial: str = "",
        descriptor: bytes = b"",
    ) -> Path:
        """Plug a unit in."""
        unit = self.root / "sys/devices/usb1" / port
        vendor, product = identity.split(":")
        facts = {"idVendor": vendor, "idProduct": product, "product": name, "serial": serial}
        facts |= {"busnum": "1", "devnum": port.rsplit(".", 1)[-1].rsplit("-", 1)[-1]}
        self._write(unit, {key: value for key, value in facts.items() if value})
        for index, numbers in enumerate(interfaces):
            part = unit / f"{port}:1.{index}"
            keys = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
            self._write(part, {key: f"{number:02x}" for key, number in zip(keys, numbers, strict=True)})
            if descriptor:
                (part / "0003").mkdir()
                (part / "0003" / "report_descriptor").write_bytes(descriptor)
        (self.root / "sys/bus/usb/devices" / port).symlink_to(unit)
        return unit

    def node(
        self, kind: str, node: str, /, *, below: Path | None = None, links: tuple[str, ...] = (), **facts: str
    ) -> str:
        """Make a node of a class, such as ("tty", "ttyUSB0"); returns its path."""
        place = {"input": "dev/input", "usbmisc": "dev/usb"}.get(kind, "dev")
        owner = (below or self.root / "sys/devices/platform/soc") / kind / node
        self._write(owner, facts)
        (owner / "device").mkdir(exist_ok=True)
        (self.root / "sys/class" / kind).mkdir(parents=True, exist_ok=True)
        (self.root / "sys/class" / kind / node).symlink_to(owner)
        path = self.root / place / node
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        for link in links:
            made = self.root / link.lstrip("/")
            made.parent.mkdir(parents=True, exist_ok=True)
            made.symlink_to(os.path.relpath(path, made.parent))
        return f"/{place}/{node}"

    def process(self, pid: int, name: str, *opened: str) -> None:
        """Start a process that has these paths open."""
        folder = self.root / "proc" / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(name + "\n")
        for number, path in enumerate(opened):
            (folder / "fd" / str(number)).symlink_to(path)

    def configure(self, devices: str) -> Path:
        """Write the till's configuration."""
        path = self.root.parent / "terminal.toml"
        path.write_text(CONFIG.format(runtime=self.runtime) + devices, encoding="utf-8")
        return path

    @staticmethod
    def _write(folder: Path, facts: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in facts.items():
            (folder / key).write_text(value + "\n")
