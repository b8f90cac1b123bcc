"""A private PostgreSQL cluster of Debian's package, in its own folder, run by an unprivileged user."""

import asyncio
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from hil.rig.ports import free_port
from hil.rig.process import ProcessFailedError

_BINARIES = "*/bin/initdb"


def find_postgres() -> Path | None:
    """Return the folder of the newest server's programs, or None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(_BINARIES), key=lambda path: int(path.parts[-3].split(".")[0]))
    return found[-1].parent if found else None


def _unprivileged() -> str:
    """Return the user that may run the server: PostgreSQL refuses root. Empty = ourselves."""
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise FileNotFoundError("no unprivileged user to run PostgreSQL")


class Postgres:
    """The cluster.

    Args:
        folder: Holds the log. The data lie in the temporary folder, where the unprivileged user may go.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log_folder = folder
        self._user = _unprivileged()
        self._root = Path(tempfile.mkdtemp(prefix="pos-agent-pg-"))
        self._data = self._root / "data"

    @property
    def url(self) -> str:
        """Return where the back office connects to."""
        return f"postgresql+psycopg://chaos@127.0.0.1:{self.port}/postgres"

    async def start(self) -> None:
        """Make the cluster and start it.

        Raises:
            FileNotFoundError: PostgreSQL is not installed.
        """
        programs = find_postgres()
        if programs is None:
            raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
        self._log_folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(self._root, self._user)
        await self._run(programs, "initdb", "-D", str(self._data), "-U", "chaos", "-A", "trust", "-E", "UTF8")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._root}"
        await self._control(programs, "-o", options, "-l", str(self._root / "log"), "-w", "start")

    async def kill(self) -> None:
        """End it at once, as a power cut would, and start it again: it recovers from its log."""
        programs = find_postgres()
        assert programs is not None
        await self._control(programs, "-m", "immediate", "stop")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._root}"
        await self._control(programs, "-o", options, "-l", str(self._root / "log"), "-w", "start")

    async def dump(self, path: Path) -> None:
        """Copy the database while it is in use, as docs/backoffice.md says."""
        programs = find_postgres()
        assert programs is not None
        part = self._root / path.name
        await self._run(programs, "pg_dump", "--format=custom", "--dbname=postgres", f"--file={part}", *self._client())
        shutil.copyfile(part, path)

    async def restore(self, path: Path) -> None:
        """Put a copy in the place of the database; nobody may use it."""
        programs = find_postgres()
        assert programs is not None
        part = self._root / path.name
        options = ("--clean", "--if-exists", "--single-transaction", "--dbname=postgres")
        await self._run(programs, "pg_restore", *options, *self._client(), str(part))

    def _client(self) -> tuple[str, ...]:
        return ("--host=127.0.0.1", f"--port={self.port}", "--username=chaos")

    async def stop(self) -> None:
        """End it and remove its data; the log is kept."""
        programs = find_postgres()
        if programs is not None and (self._data / "postmaster.pid").exists():
            await self._control(programs, "-m", "fast", "-w", "stop")
        log = self._root / "log"
        if log.exists():
            shutil.copyfile(log, self._log_folder / "postgres.log")
        shutil.rmtree(self._root, ignore_errors=True)

    async def _control(self, programs: Path, *arguments: str) -> None:
        await self._run(programs, "pg_ctl", "-D", str(self._data), *arguments)

    async def _run(self, programs: Path, program: str, *arguments: str) -> None:
        child = await asyncio.create_subprocess_exec(
            str(programs / program),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._root,
            user=self._user or None,
        )
        if await child.wait() != 0:
            raise ProcessFailedError(f"{program} {' '.join(arguments[:2])} failed; see {self._root / 'log'}")
