"""A real daemon on ptys and a FIFO, driven as closely as the clock allows: nothing of the bench's page in between."""

import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import tty
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pos_agent.control.server import read_status
from pos_agent.protocol.control import Status

ROOT = Path(__file__).resolve().parents[2]
#: linux/input-event-codes.h
KEY_CODES = {"ENTER": 96, "CANCEL": 98, "CLEAR": 74, "FN": 55} | dict(
    zip("1234567890", (79, 80, 81, 75, 76, 77, 71, 72, 73, 82), strict=True)
)
_INPUT_EVENT = struct.Struct("@llHHi")
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
#: A person types slower than this; faster keys are a scanner in keyboard mode (the burst guard of D20).
_TYPING_PACE_S = 0.3
PIN = "7391"
#: Stands on MENU only (screens.md, MENU at 40x12).
_MENU = "请扫顾客账单条码"

_CONFIG = """\
[terminal]
terminal_id = "t-bench-01"
merchant_id = "898310000000001"
merchant_name = "Bench"
data_dir = "{folder}/data"
runtime_dir = "{folder}/run"
[broker]
url = "{broker_url}"
[trust]
device_key_file = "{folder}/device.pem"
device_key_id = "k1"
[trust.back_office_keys]
"bo" = "{back_office_key}"
[devices.scanner]
path = "{folder}/scanner"
[devices.keypad]
path = "{folder}/keypad"
[devices.operator_display]
driver = "ansi"
path = "{folder}/display"
{printer}
"""


class BenchTill:
    """A daemon with a scanner, a keypad and a display, and a stop-watch on their wires."""

    def __init__(self, folder: Path, *, broker_url: str = "mqtt://127.0.0.1:9", printer: str = "") -> None:
        self.folder = folder
        self._config = folder / "terminal.toml"
        key = Ed25519PrivateKey.generate()
        (folder / "device.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
        self._config.write_text(
            _CONFIG.format(folder=folder, back_office_key=public, broker_url=broker_url, printer=printer),
            encoding="utf-8",
        )
        self.scanner = self._pty("scanner")
        self.display = self._pty("display")
        os.mkfifo(folder / "keypad")
        self.keypad = os.open(folder / "keypad", os.O_RDWR)
        self.process: subprocess.Popen[bytes] | None = None

    def _pty(self, name: str) -> int:
        master, slave = os.openpty()
        tty.setraw(slave)
        (self.folder / name).symlink_to(os.ttyname(slave))
        self._slaves = [*getattr(self, "_slaves", []), slave]
        os.set_blocking(master, False)
        return master

    def add_operator(self) -> None:
        """Create operator 01."""
        added = self.run_tool("operator", "add", "--no", "01", "--name", "Bench", "--role", "cashier", given=PIN)
        added.check_returncode()

    def edit(self, old: str, new: str) -> None:
        """Replace a text of the configuration."""
        text = self._config.read_text(encoding="utf-8")
        assert old in text
        self._config.write_text(text.replace(old, new), encoding="utf-8")

    def run_tool(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of pos-agent with the till's configuration."""
        return subprocess.run(
            [sys.executable, "-m", "pos_agent", *arguments, "--config", str(self._config)],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=self._environment({}),
        )

    def status(self) -> Status:
        """Return what the daemon says of itself."""
        return read_status(self.folder / "run")

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "POS_AGENT_ALLOW_VOLATILE": "1", **extra}

    def start(self, extra: Mapping[str, str] | None = None) -> float:
        """Start the daemon; return the seconds from exec to READY=1."""
        address = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.settimeout(20)
            started = time.monotonic()
            with (self.folder / "daemon.log").open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "pos_agent", "run", "--config", str(self._config), "--log-level", "WARNING"],
                    cwd=ROOT,
                    env=self._environment({"NOTIFY_SOCKET": str(address), **(extra or {})}),
                    stderr=log,
                )
            while not notify.recv(4096).startswith(b"READY=1"):
                pass
            ready_s = time.monotonic() - started
        address.unlink()
        return ready_s

    def stop(self) -> None:
        """Stop the daemon; it may be started again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None

    def close(self) -> None:
        """Stop the daemon and give everything back."""
        self.stop()
        for fd in (self.scanner, self.display, self.keypad, *self._slaves):
            os.close(fd)

    @property
    def pid(self) -> int:
        """Return the daemon's process id."""
        assert self.process is not None
        return self.process.pid

    def settle(self, quiet_s: float = 0.15, timeout_s: float = 10.0) -> bytes:
        """Read the display until nothing has come for a while; return what came."""
        data = b""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not select.select([self.display], [], [], quiet_s)[0]:
                return data
            data += os.read(self.display, 65_536)
        raise TimeoutError("the display does not come to rest")

    def see(self, text: str, timeout_s: float = 20.0) -> str:
        """Read the display until `text` was drawn; return all that was drawn meanwhile, without escapes."""
        data, shown = b"", ""
        deadline = time.monotonic() + timeout_s
        while text not in shown:
            if not select.select([self.display], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the display never showed {text!r}, but: {shown}")
            data += os.read(self.display, 65_536)
            shown = _ESCAPES.sub(b"", data).decode("utf-8", "replace")
        return shown

    def press(self, *names: str) -> None:
        """Put key events on the wire."""
        for name in names:
            self._write_key(name)

    def _write_key(self, name: str) -> None:
        self.press_code(KEY_CODES[name])

    def press_code(self, code: int) -> None:
        """Put the events of a key on the wire, by the kernel's code."""
        frames = ((1, code, 1), (0, 0, 0), (1, code, 0), (0, 0, 0))
        os.write(self.keypad, b"".join(_input_event(*frame) for frame in frames))

    def time_to_display(self, fd: int, data: bytes, timeout_s: float = 2.0) -> float:
        """Write `data` to a wire and return the seconds until the display's wire changes."""
        started = time.perf_counter()
        os.write(fd, data)
        if not select.select([self.display], [], [], timeout_s)[0]:
            raise TimeoutError("the display did not change")
        elapsed = time.perf_counter() - started
        os.read(self.display, 65_536)
        return elapsed

    def time_key(self, name: str) -> float:
        """Return the seconds from a key's event to changed bytes on the display."""
        code = KEY_CODES[name]
        down = _input_event(1, code, 1) + _input_event(0, 0, 0)
        elapsed = self.time_to_display(self.keypad, down)
        os.write(self.keypad, _input_event(1, code, 0) + _input_event(0, 0, 0))
        return elapsed

    def sign_in(self) -> None:
        """Sign in operator 01 and wait for the menu."""
        self.settle()
        for name in ("0", "1", "ENTER", *PIN, "ENTER"):
            time.sleep(_TYPING_PACE_S)
            self.press(name)
        self.see(_MENU)
        self.settle()


@contextmanager
def bench_till() -> Iterator[BenchTill]:
    """A till that is not switched on yet, and is closed at the end; sockets need a short folder."""
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        till = BenchTill(Path(folder))
        try:
            yield till
        finally:
            till.close()


def _input_event(kind: int, code: int, value: int) -> bytes:
    """Return one `struct input_event`, stamped now as the kernel does."""
    microseconds = time.time_ns() // 1000
    return _INPUT_EVENT.pack(microseconds // 1_000_000, microseconds % 1_000_000, kind, code, value)
