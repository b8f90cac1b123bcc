"""One till of the chaos world: its devices, its daemon, its own way to the broker."""

import asyncio
import contextlib
import shutil
from pathlib import Path

import msgspec

from hil.chaos.history import History
from hil.chaos.leaks import find_secrets
from hil.chaos.proxy import Proxy
from hil.rig.daemon import Daemon, make_config
from hil.rig.devices import DeviceSet
from hil.rig.operator import Operator
from hil.rig.pki import Identity, Pki
from hil.rig.ports import socket_folder
from hil.rig.process import ProcessFailedError
from hil.simulators.printer.slip import Slip

#: Paper is as fast as the bench's ``--fast``.
PAPER_SPEED = 20.0


class Till:
    """A till; everything it shows and prints goes into the history.

    Attributes:
        name: In the history; its terminal id, or another name for a copy of a till.
        secrets: What must not stand on its disk.
        hands: Held by who cuts its power.
    """

    def __init__(
        self, folder: Path, *, pki: Pki, operators: tuple[Operator, ...], history: History, name: str = ""
    ) -> None:
        self.name = name or pki.terminal.common_name
        self.hands = asyncio.Lock()
        self.operators = operators
        self.folder = folder
        self.secrets = [one.pin for one in operators]
        self.proxy: Proxy | None = None
        self._pki = pki
        self._history = history
        self._shown: list[str] = []
        folder.mkdir(parents=True)
        self._identity = self._own_identity()
        self.devices = DeviceSet(
            socket_folder(folder), operator_size="40x12", speed=PAPER_SPEED, on_change=self._note_change
        )
        self.daemon: Daemon | None = None

    def _own_identity(self) -> Identity:
        """Return the till's certificate and key in files of its own, which a technician can replace."""
        given = self._pki.terminal
        own = Identity(given.common_name, self.folder / "terminal.pem", self.folder / "terminal.key")
        _put_files(given, own)
        return own

    def swap_certificate(self, other: Identity | None) -> None:
        """Put another certificate and its key into the till's files; None puts its own back."""
        _put_files(other or self._pki.terminal, self._identity)

    @property
    def identity(self) -> Identity:
        """Return what was issued to this till."""
        return self._pki.terminal

    @property
    def pos(self) -> Daemon:
        """Return the daemon; `prepare` has made it."""
        assert self.daemon is not None
        return self.daemon

    def _note_change(self, role: str) -> None:
        if role == "printer":
            self._note_slip(self.devices.printer.slips[-1])
        elif role == "operator_display":
            lines = self.lines()
            if lines != self._shown:
                self._shown = lines
                self._history.add("screen", till=self.name, lines=lines)

    def _note_slip(self, slip: Slip) -> None:
        codes = [code.data for code in slip.codes]
        self._history.add(
            "slip", till=self.name, lines=list(slip.lines), codes=codes, cut=slip.cut, stray=len(slip.unknown)
        )

    def lines(self) -> list[str]:
        """Return what the operator sees."""
        return self.devices.operator_display.lines()

    async def prepare(self, proxy: Proxy, *, env: dict[str, str]) -> None:
        """Make devices, configuration and operators; the daemon reaches its broker through `proxy`."""
        self.proxy = proxy
        await self.devices.start()
        self.daemon = Daemon(
            self.folder, devices=self.devices, operators=self.operators, paper_speed=PAPER_SPEED, env=env
        )
        config = make_config(
            devices=self.devices,
            data_dir=self.daemon.data_dir,
            broker_url=proxy.url,
            pki=msgspec.structs.replace(self._pki, terminal=self._identity),
            locale="zh-CN",
        )
        # A clock that jumps by years must not let slips expire: the checker wants each of them.
        printing = msgspec.structs.replace(config.printing, result_slip="always", job_expiry_s=10**9)
        await self.daemon.prepare(msgspec.structs.replace(config, printing=printing))

    async def cut(self) -> None:
        """Cut the power: SIGKILL, dark displays."""
        await self.pos.cut()
        self.devices.darken()
        self._history.add("kill", what=self.name)
        for name in find_secrets(self.pos.data_dir, self.secrets):
            self._history.add("leak", till=self.name, file=name)

    def power_on(self) -> None:
        """Switch on. A new boot forgets the old one's count of crashes; a SIGKILL alone would not be a power cut."""
        (self.pos.data_dir / "starts.json").unlink(missing_ok=True)
        self.pos.on()

    async def wait_present(self, timeout_s: float) -> bool:
        """Return whether the till sees its back office within the time; it may be away."""
        with contextlib.suppress(ProcessFailedError):
            await self.pos.wait_ready(timeout_s)
            return True
        return False

    async def stop(self) -> None:
        """End everything in order."""
        if self.daemon is not None:
            await self.daemon.stop()
        await self.devices.close()
        if self.proxy is not None:
            await self.proxy.close()


def _put_files(source: Identity, target: Identity) -> None:
    """Replace a certificate and its key, each at once: a till may read at any time."""
    for from_, to in ((source.cert_file, target.cert_file), (source.key_file, target.key_file)):
        part = to.with_name(to.name + ".new")
        shutil.copy(from_, part)
        part.rename(to)
