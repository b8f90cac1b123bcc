"""One till of the chaos world: its devices, its daemon, its own way to the broker."""

from pathlib import Path

import msgspec

from hil.chaos.history import History
from hil.chaos.leaks import find_secrets
from hil.chaos.proxy import Proxy
from hil.rig.daemon import Daemon, make_config
from hil.rig.devices import DeviceSet
from hil.rig.operator import Operator
from hil.rig.pki import Pki
from hil.rig.ports import socket_folder
from hil.simulators.printer.slip import Slip

#: Paper is as fast as the bench's ``--fast``.
PAPER_SPEED = 20.0


class Till:
    """A till; everything it shows and prints goes into the history.

    Attributes:
        secrets: What must not stand on its disk.
    """

    def __init__(self, folder: Path, *, pki: Pki, operators: tuple[Operator, ...], history: History) -> None:
        self.name = pki.terminal.common_name
        self.operators = operators
        self.folder = folder
        self.secrets = [one.pin for one in operators]
        self.proxy: Proxy | None = None
        self._pki = pki
        self._history = history
        self._shown: list[str] = []
        folder.mkdir(parents=True)
        self.devices = DeviceSet(
            socket_folder(folder), operator_size="40x12", speed=PAPER_SPEED, on_change=self._note_change
        )
        self.daemon: Daemon | None = None

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
        self._history.add("slip", till=self.name, lines=list(slip.lines), codes=codes, cut=slip.cut)

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
            pki=self._pki,
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

    async def stop(self) -> None:
        """End everything in order."""
        if self.daemon is not None:
            await self.daemon.stop()
        await self.devices.close()
        if self.proxy is not None:
            await self.proxy.close()
