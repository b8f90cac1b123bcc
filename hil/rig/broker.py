"""Debian's mosquitto with a generated configuration on loopback: mTLS, the shipped ACL (D15, D25)."""

import os
import shutil
import signal
import socket
from pathlib import Path
from string import Template

from hil.rig.pki import Pki
from hil.rig.process import ROOT, ManagedProcess, ProcessFailedError

_TEMPLATES = ROOT / "config" / "broker"


def find_mosquitto() -> str:
    """Return the path of mosquitto; Debian puts it where ordinary users' PATH does not look.

    Raises:
        FileNotFoundError: Not installed.
    """
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError("mosquitto is not installed: apt-get install mosquitto")
    return found


class Broker:
    """The broker process of the bench, and what a network can do to it.

    Args:
        folder: Of its configuration and what it keeps.
        port: On loopback.
        pki: Its certificate.
        log_path: Its log.
        extra_acl: Added to the shipped ACL.
    """

    def __init__(self, folder: Path, *, port: int, pki: Pki, log_path: Path, extra_acl: str = "") -> None:
        self.port = port
        self.url = f"mqtts://127.0.0.1:{port}"
        self.mode = "down"
        self._folder = folder
        self._pki = pki
        self._extra_acl = extra_acl
        self._process = ManagedProcess("mosquitto", log_path)

    @property
    def pid(self) -> int:
        """Return the broker's process id."""
        return self._process.pid

    def _write_config(self) -> Path:
        persistence = self._folder / "persistence"
        persistence.mkdir(parents=True, exist_ok=True)
        values = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "ca_file": str(self._pki.ca_file),
            "cert_file": str(self._pki.broker.cert_file),
            "key_file": str(self._pki.broker.key_file),
            "acl_file": str(self._folder / "acl"),
            "persistence_dir": f"{persistence}/",
            # As root mosquitto drops to `mosquitto`, which may not write here, and then silently saves nothing.
            "user": "root" if os.geteuid() == 0 else "",
        }
        acl = Template((_TEMPLATES / "acl").read_text("utf-8")).safe_substitute(values)
        (self._folder / "acl").write_text(acl + self._extra_acl, "utf-8")
        (self._folder / "acl").chmod(0o600)
        text = Template((_TEMPLATES / "mosquitto.conf").read_text("utf-8")).safe_substitute(values)
        if not values["user"]:
            text = "\n".join(line for line in text.splitlines() if not line.startswith("user ")) + "\n"
        path = self._folder / "mosquitto.conf"
        path.write_text(text, "utf-8")
        return path

    async def up(self) -> None:
        """Start the broker, or let a stalled one go on; return when it listens."""
        if self._process.is_running:
            self._process.signal(signal.SIGCONT)
            self.mode = "up"
            return
        config = self._write_config()
        self._process.spawn([find_mosquitto(), "-c", str(config)])
        await self._process.wait_until(self._is_listening, timeout_s=10, what="listening socket")
        # Only what it says before it runs: our own look at the port is an "Error" of a TLS client to it.
        text = self._process.log_text()
        if "Error" in text.rpartition(" running\n")[0]:
            await self._process.kill()
            raise ProcessFailedError(f"mosquitto does not like its configuration:\n{text[-2000:]}")
        self.mode = "up"

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def down(self, *, is_abrupt: bool = False) -> None:
        """Stop the broker: by SIGTERM, which saves its state, or abruptly by SIGKILL."""
        if is_abrupt:
            await self._process.kill()
        else:
            await self._process.stop()
        self.mode = "down"

    def stall(self) -> None:
        """Freeze the broker: connections stay open and nothing moves."""
        self._process.signal(signal.SIGSTOP)
        self.mode = "stalled"

    async def wipe(self) -> None:
        """Kill the broker, delete all it has kept, start it again."""
        await self.down(is_abrupt=True)
        persistence = self._folder / "persistence"
        shutil.rmtree(persistence, ignore_errors=True)
        await self.up()
