"""The back office as a child process: database, people, demo sales, faults of its network and speed."""

import asyncio
import secrets
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hil.rig.pki import Pki
from hil.rig.process import ManagedProcess, run_tool
from hil.rig.toml_text import toml_text

MERCHANT_ID = "M0001"
#: Acquirers of the demo sales, with the names that people read.
ACQUIRERS = {"simulated": "模拟收单机构"}
#: While slow, it sleeps this long and then works a moment, over and over.
_SLOW_STOP_S, _SLOW_GO_S = 1.5, 0.05


class DecisionRefusedError(RuntimeError):
    """The back office did not take a decision; the text is its answer."""


class WebUser(msgspec.Struct, frozen=True):
    """Who signs in at the back office's pages."""

    name: str
    password: str
    role: str


class BackOffice:
    """The back-office process."""

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int,
        pki: Pki,
        broker_url: str,
        acquirer_url: str,
        terminal_id: str,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.mode = "down"
        self.users = (
            WebUser("finance", secrets.token_urlsafe(8), "approver"),
            WebUser("manager", secrets.token_urlsafe(8), "approver"),
        )
        self._pki = pki
        self._broker_url = broker_url
        self._acquirer_url = acquirer_url
        self._terminal_id = terminal_id
        self._folder = state_dir / "backoffice"
        self._fresh = state_dir / "backoffice.fresh"
        self._config_path = state_dir / "backoffice.toml"
        self._log_path = state_dir / "logs" / "backoffice.log"
        self._process = ManagedProcess("backoffice", self._log_path)
        self._slow_task: asyncio.Task[None] | None = None
        self.sales: list[dict[str, Any]] = []

    @property
    def pid(self) -> int:
        """Return the back office's process id."""
        return self._process.pid

    def _config(self) -> dict[str, Any]:
        """Return the configuration: the shipped defaults, with the waits of a demo instead of those of a bank."""
        worker = next(iter(self._pki.workers.values()))
        return {
            "lookup_key_file": str(self._pki.lookup_key_file),
            "server": {"host": "127.0.0.1", "port": self.port},
            "database": {"url": f"sqlite:///{self._folder / 'backoffice.db'}"},
            "broker": {
                "url": self._broker_url,
                "ca_file": str(self._pki.ca_file),
                "cert_file": str(worker.cert_file),
                "key_file": str(worker.key_file),
                "client_id": worker.common_name,
            },
            "signing": {
                "key_file": str(self._pki.back_office_key.key_file),
                "kid": self._pki.back_office_key.kid,
            },
            "acquirers": {name: self._acquirer(name) for name in ACQUIRERS},
            "review": {"max_requests_per_hour": 60},
            "execution": {"poll_s": 0.5, "poll_max_s": 5.0, "hold_retry_s": 3600.0, "lease_s": 5.0},
        }

    def _acquirer(self, name: str) -> dict[str, Any]:
        return {
            "adapter": "simulated",
            "url": self._acquirer_url,
            "name": ACQUIRERS[name],
            "refund_no_prefix": "R",
            "settle_s": 1.0,
            "idempotent_by_number": True,
            "timeout_s": 2.0,
        }

    async def prepare(self) -> None:
        """Make the database with terminal, people and demo sales, and keep a picture of it for `reset_data`."""
        self._folder.mkdir(parents=True)
        self._config_path.write_text(toml_text(self._config()), "utf-8")
        self._config_path.chmod(0o600)
        await self._tool("init")
        await self._tool(
            "terminal",
            "add",
            "--id",
            self._terminal_id,
            "--merchant",
            MERCHANT_ID,
            "--device-kid",
            self._pki.device_key.kid,
            "--device-key",
            self._pki.device_key.public_base64,
        )
        for user in self.users:
            await self._tool(
                "person", "add", "--login", user.name, "--role", user.role, input_text=user.password + "\n"
            )
        today = datetime.now(UTC).date().isoformat()  # noqa: TID251 - demo sales are a few days old, from today
        output = await self._tool("demo-data", "--today", today, "--json")
        self.sales = msgspec.json.decode(output)
        shutil.copytree(self._folder, self._fresh)

    async def _tool(self, *arguments: str, input_text: str = "") -> str:
        command = ["backoffice.cli", *arguments, "--config", str(self._config_path)]
        return await run_tool(command, log_path=self._log_path, input_text=input_text)

    def reset_data(self) -> None:
        """Put the fresh database back. The back office must not run."""
        assert not self._process.is_running
        shutil.rmtree(self._folder)
        shutil.copytree(self._fresh, self._folder)

    async def start(self) -> None:
        """Start; return when it serves its pages."""
        command = [sys.executable, "-m", "backoffice.cli", "serve", "--config", str(self._config_path)]
        self._process.spawn(command)
        await self._process.wait_until(lambda: '"ready"' in self._process.log_text(), timeout_s=20, what="ready line")
        self.mode = "up"

    async def up(self) -> None:
        """Start it, or end its slowness."""
        await self._stop_slowness()
        if not self._process.is_running:
            await self.start()
        self.mode = "up"

    async def down(self) -> None:
        """End it by SIGKILL: it has no time to say that it goes."""
        await self.kill()

    async def kill(self) -> None:
        """End it by SIGKILL."""
        await self._stop_slowness()
        await self._process.kill()
        self.mode = "down"

    async def stop(self) -> None:
        """End it in order."""
        await self._stop_slowness()
        await self._process.stop()
        self.mode = "down"

    async def slow(self) -> None:
        """Let it work only a moment at a time."""
        if self._slow_task is None and self._process.is_running:
            self._slow_task = asyncio.create_task(self._pulse(), name="backoffice-slow")
            self.mode = "slow"

    async def _pulse(self) -> None:
        while True:
            self._process.signal(signal.SIGSTOP)
            await asyncio.sleep(_SLOW_STOP_S)
            self._process.signal(signal.SIGCONT)
            await asyncio.sleep(_SLOW_GO_S)

    async def _stop_slowness(self) -> None:
        if self._slow_task is not None:
            self._slow_task.cancel()
            await asyncio.gather(self._slow_task, return_exceptions=True)
            self._slow_task = None
        self._process.signal(signal.SIGCONT)

    async def decide(self, refund_request_id: str, decision: str, reason: str) -> dict[str, Any]:
        """Decide as the first reviewer, through the login and the version check that every reviewer goes through.

        Raises:
            DecisionRefusedError: Not known, not open, or refused.
        """
        async with httpx.AsyncClient(base_url=self.url, timeout=10.0, trust_env=False) as client:
            user = self.users[0]
            session = _answer(await client.post("/api/login", json={"login": user.name, "password": user.password}))
            request = _answer(await client.get(f"/api/requests/{refund_request_id}"))
            answer = await client.post(
                f"/api/requests/{refund_request_id}/decision",
                json={"decision": decision, "reason": reason, "version": request["version"]},
                headers={"X-CSRF-Token": session["csrf"]},
            )
            return _answer(answer)


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise DecisionRefusedError(f"{response.request.url.path}: {response.status_code} {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer
