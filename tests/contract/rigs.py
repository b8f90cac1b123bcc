"""This repository's devices, each on a bench of its own: the fake, or the driver on a pty or FIFO made here."""

import contextlib
import os
import struct
import tty
from collections.abc import Sequence
from pathlib import Path

import pyte

from drivers.contract.rig import DeviceRig, DisplayRig, KeypadRig, PrinterRig, ScannerRig, settle, until
from drivers.display.ansi import AnsiDialect
from drivers.display.framebuffer import FramebufferDisplay
from drivers.display.framebuffer_port import FramebufferPort
from drivers.display.line_display import CellDisplay
from drivers.display.serial_vfd import EpsonDialect
from drivers.keypad.evdev_keypad import EvdevKeypad
from drivers.keypad.keymap import load_keymap
from drivers.keypad.matrix_keypad import MatrixKeypad
from drivers.links.opener import Opener
from drivers.links.serial_port import SerialPort
from drivers.links.tty_port import TtyPort
from drivers.scanner.serial_scanner import SerialScanner
from hil.simulators.cell_reader import read_cells
from hil.simulators.matrix_keypad import MATRIX_4X4, SimMatrixKeypad
from pos_agent.domain.config import KeypadConfig, ScannerConfig
from pos_agent.domain.events import DeviceName, Key
from tests.fakes.devices import FakeDisplay, FakeKeypad, FakePrinter, FakeScanner

__all__ = ["DeviceRig", "DisplayRig", "KeypadRig", "PrinterRig", "ScannerRig", "settle"]
KEYMAP = Path(__file__).parents[2] / "config" / "keymaps" / "usb-numpad.toml"


class Pty:
    """A pluggable pty behind a stable symlink, with its master in our hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self.master, False)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        if self.master >= 0:
            self.path.unlink()
            os.close(self.master)
            self.master = -1

    def read_all(self) -> bytes:
        data = b""
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(self.master, 65_536):
                data += chunk
        return data


class FakeScannerRig(ScannerRig):
    def __init__(self, _: Path) -> None:
        super().__init__()
        self.device = self._fake = FakeScanner(self.events.append, is_plugged=False)

    def plug(self) -> None:
        self._fake.plug()

    def unplug(self) -> None:
        self._fake.unplug()

    async def scan(self, label: str) -> None:
        self._fake.scan(label)


class SerialScannerRig(ScannerRig):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pty = Pty(folder / "scanner")
        config = ScannerConfig(path=str(self.pty.path))
        self.device = SerialScanner(config, sink=self.events.append, opener=Opener())

    def plug(self) -> None:
        self.pty.plug()

    def unplug(self) -> None:
        self.pty.unplug()

    async def scan(self, label: str) -> None:
        os.write(self.pty.master, label.encode() + b"\r")


class FakeKeypadRig(KeypadRig):
    def __init__(self, _: Path) -> None:
        super().__init__()
        self.device = self._fake = FakeKeypad(self.events.append, is_plugged=False)

    def plug(self) -> None:
        self._fake.plug()

    def unplug(self) -> None:
        self._fake.unplug()

    async def press(self, keys: Sequence[Key]) -> None:
        self._fake.press(*keys)


class EvdevKeypadRig(KeypadRig):
    sheet = "keypad-evdev"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "keypad"
        self.writer = -1
        self._at_us = 1_000_000
        self._keymap = load_keymap(KEYMAP)
        self._codes = {key: code for code, key in self._keymap.keys_by_code().items()}
        config = KeypadConfig(path=str(self.path))
        self.device = EvdevKeypad(config, keymap=self._keymap, sink=self.events.append, opener=Opener())

    def plug(self) -> None:
        os.mkfifo(self.path)
        both = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        self.writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        os.close(both)

    def unplug(self) -> None:
        if self.writer >= 0:
            self.path.unlink()
            os.close(self.writer)
            self.writer = -1

    async def press(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self.send(self._codes[key], gap_us=100_000)

    def send(self, code: int, *, gap_us: int) -> None:
        """Send one key, down and up, with the kernel's time stamp `gap_us` after the last."""
        self._at_us += gap_us
        at = divmod(self._at_us, 1_000_000)
        down, up = (struct.pack("@llHHi", *at, 1, code, value) for value in (1, 0))
        report = struct.pack("@llHHi", *at, 0, 0, 0)
        os.write(self.writer, down + report + up + report)


class MatrixKeypadRig(KeypadRig):
    """The serial matrix pad in front of its simulator; it has no function keys."""

    sheet = "keypad-matrix"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pad = SimMatrixKeypad(folder / "keypad", is_framed=True)
        self.keys = [key for key in Key if key.value in MATRIX_4X4]
        config = KeypadConfig(driver="matrix", path=str(self.pad.path))
        self.device = MatrixKeypad(config, keymap=load_keymap(KEYMAP), sink=self.events.append, opener=Opener())

    def plug(self) -> None:
        self.pad.plug()

    def unplug(self) -> None:
        self.pad.unplug()

    async def press(self, keys: Sequence[Key]) -> None:
        await self.pad.press(keys)


class FakeDisplayRig(DisplayRig):
    def __init__(self, _: Path) -> None:
        super().__init__()
        self.device = self._fake = FakeDisplay(columns=20, rows=4, is_plugged=False)

    def plug(self) -> None:
        self._fake.plug()

    def unplug(self) -> None:
        self._fake.unplug()

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._fake.lines]


class AnsiDisplayRig(DisplayRig):
    """The ANSI display, read by pyte as an independent terminal."""

    sheet = "display-ansi"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pty = Pty(folder / "display")
        self.screen = pyte.Screen(20, 4)
        self._stream = pyte.ByteStream(self.screen)
        self.device = CellDisplay(
            DeviceName.OPERATOR_DISPLAY,
            port=TtyPort(str(self.pty.path)),
            dialect=AnsiDialect,
            size=(20, 4),
            opener=Opener(),
        )

    def plug(self) -> None:
        self.pty.plug()

    def unplug(self) -> None:
        self.pty.unplug()

    def lines(self) -> list[str]:
        self._stream.feed(self.pty.read_all())
        return ["".join(self.screen.buffer[row][column].data for column in range(20)).rstrip() for row in range(4)]


class FramebufferDisplayRig(DisplayRig):
    """The framebuffer on a plain file, its dots read back by comparing each cell with the glyphs of the font file."""

    sheet = "display-framebuffer"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "fb0"
        port = FramebufferPort(str(self.path), geometry="320x128x16")
        self.device = FramebufferDisplay(DeviceName.OPERATOR_DISPLAY, port=port, size=(20, 4), opener=Opener())

    def plug(self) -> None:
        self.path.write_bytes(bytes(320 * 128 * 2))

    def unplug(self) -> None:
        self.path.unlink(missing_ok=True)

    def lines(self) -> list[str]:
        return read_cells(self.path.read_bytes()[::2], width=320, size=(20, 4), cell=(16, 32))


class EpsonDisplayRig(DisplayRig):
    """The serial display, read by a few lines that know the manual only."""

    sheet = "display-epson"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pty = Pty(folder / "display")
        self._cells = [bytearray(b" " * 20) for _ in range(4)]
        self.device = CellDisplay(
            DeviceName.CUSTOMER_DISPLAY,
            port=SerialPort(str(self.pty.path), baud=9600),
            dialect=lambda: EpsonDialect(encoding="gb18030"),
            size=(20, 4),
            opener=Opener(),
            baud=9600,
        )

    def plug(self) -> None:
        self.pty.plug()

    def unplug(self) -> None:
        self.pty.unplug()

    def lines(self) -> list[str]:
        self._take(self.pty.read_all())
        return [bytes(row).decode("gb18030").rstrip() for row in self._cells]

    def _take(self, data: bytes) -> None:
        row = column = index = 0
        while index < len(data):
            if data[index] == 0x0C:
                self._cells = [bytearray(b" " * 20) for _ in range(4)]
            elif data[index : index + 2] == b"\x1f\x24":
                column, row = data[index + 2] - 1, data[index + 3] - 1
                index += 3
            elif data[index : index + 2] == b"\x1fC":
                index += 2
            elif data[index] in b"\x1b\x1f":
                index += 1
            else:
                self._cells[row][column] = data[index]
                column += 1
            index += 1


class FakePrinterRig(PrinterRig):
    def __init__(self, _: Path) -> None:
        super().__init__()
        self.device = self._fake = FakePrinter(self.events.append, is_plugged=False)

    def plug(self) -> None:
        self._fake.plug()

    def unplug(self) -> None:
        self._fake.unplug()

    async def see_printed_once(self, data: bytes) -> None:
        await until(lambda: bytes(self._fake.accepted).count(data) == 1)

    def end_paper_after(self, count: int) -> None:
        self._fake.paper_bytes = count

    async def refill(self) -> None:
        self._fake.refill()
