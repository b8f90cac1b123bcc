"""The back office as a child process: database, people, demo sales, faults of its network and speed."""

import asyncio
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import httpx
import msgspec

from hil.rig.operator import MERCHANT_ID, MERCHANT_NAME, Operator
from hil.rig.pki import Pki
from hil.rig.process import ManagedProcess, run_tool
from hil.rig.toml_text import toml_text

#: Acquirers of the demo sales, with the names that people read.
ACQUIRERS = {"simulated": "模拟收单机构", "ruiyinxin": "瑞银信"}
#: payments.md case 42: the institution has ended.
_TERMINATED = {"ruiyinxin": "2025-07-09"}
#: What a demo sale is for, by its number in `backoffice.demo`; the others are spare.
_SALE_KINDS = {
    1: "wechat",
    2: "alipay",
    3: "unionpay",
    4: "card",
    5: "small",
    6: "partly_refunded",
    7: "too_old",
    8: "paid_twice",
    9: "paid_twice_again",
    10: "ambiguous",
    11: "large",
    12: "terminated",
    13: "today",
    14: "nothing_left",
}
#: How long a decision waits for a request that is on its way.
_ARRIVAL_S = 5.0
#: What the shop may give away in a month: 500 yuan.
_COUPON_BUDGET_MINOR = 50_000
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
    """The back-office process.

    Args of `__init__` beyond the obvious:
        settings: Laid over the configuration of the bench, section by section.
        env: Variables of the process, added to our own.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int,
        pki: Pki,
        broker_url: str,
        acquirer_url: str,
        terminal_id: str,
        operators: tuple[Operator, ...],
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.mode = "down"
        self.users = (
            WebUser("finance", make_password(), "finance"),
            WebUser("manager", make_password(), "manager"),
        )
        self._pki = pki
        self._broker_url = broker_url
        self._acquirer_url = acquirer_url
        self._terminal_id = terminal_id
        self._operators = operators
        self._settings = settings or {}
        self._env = env
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
        config = self._bench_config()
        for section, values in self._settings.items():
            config[section] = {**config[section], **values}
        return config

    def _bench_config(self) -> dict[str, Any]:
        worker = next(iter(self._pki.workers.values()))
        return {
            "lookup_key_file": str(self._pki.lookup_key_file),
            "server": {"host": "127.0.0.1", "port": self.port, "time_zone": machine_time_zone()},
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
            "coupons": {"budgets": {MERCHANT_ID: _COUPON_BUDGET_MINOR}},
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
            "terminated_on": _TERMINATED.get(name, ""),
        }

    async def prepare(self) -> None:
        """Make the database with terminal, people and demo sales, and keep a picture of it for `reset_data`."""
        self._folder.mkdir(parents=True)
        self._config_path.write_text(toml_text(self._config()), "utf-8")
        self._config_path.chmod(0o600)
        await self._tool("setup", "-", input_text=msgspec.json.encode(self._shop()).decode())
        output = await self._tool("demo-data", "--merchant", MERCHANT_ID, "--terminal", self._terminal_id, "--json")
        self.sales = [describe_sale(row) for row in msgspec.json.decode(output)]
        shutil.copytree(self._folder, self._fresh)

    def _shop(self) -> dict[str, list[dict[str, str]]]:
        """Return the tills, those who review, and who the till's operators are (I3)."""
        tills = {self._terminal_id: self._pki.device_key, **{one: key for one, (_, key) in self._pki.others.items()}}
        shop = {"merchant": MERCHANT_ID, "merchant_name": MERCHANT_NAME}
        return {
            "terminals": [
                {"id": terminal_id, **shop, "device_kid": key.kid, "device_key": key.public_base64}
                for terminal_id, key in tills.items()
            ],
            "persons": [{"login": user.name, "role": user.role, "password": user.password} for user in self.users],
            "operators": [
                {"merchant": MERCHANT_ID, "no": one.no, "person": f"person-{one.no}", "name": one.name}
                for one in self._operators
            ],
        }

    async def import_sales(self, path: Path) -> None:
        """Import a file of further sales."""
        await self._tool("sales", "import", str(path))

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
        self._process.spawn(command, env=self._env)
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

    async def stall(self) -> None:
        """Freeze it: the broker still takes it for present, and nothing is answered."""
        await self._stop_slowness()
        self._process.signal(signal.SIGSTOP)
        self.mode = "stalled"

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

    async def decide(self, refund_request_id: str, decision: str, reason: str, user_name: str = "") -> dict[str, Any]:
        """Decide through the login, CSRF and version checks that every reviewer goes through.

        A request that is still on its way is waited for.

        Args:
            refund_request_id: Which request.
            decision: approve, reject, need_info, release or retry.
            reason: Shown to cashier and customer.
            user_name: Who decides; empty = the first reviewer.
        Raises:
            DecisionRefusedError: Unknown user, not known, not open, or refused.
        """
        user = next((one for one in self.users if one.name == (user_name or self.users[0].name)), None)
        if user is None:
            raise DecisionRefusedError(f"no user {user_name!r}; there are: {', '.join(one.name for one in self.users)}")
        async with self._client() as client:
            csrf = await _sign_in(client, user)
            request = await _wait_request(client, f"/api/requests/{refund_request_id}")
            answer = await client.post(
                f"/api/requests/{refund_request_id}/decision",
                json={"decision": decision, "reason": reason, "shown": request["shown"]},
                headers={"X-CSRF-Token": csrf},
            )
            return _answer(answer)

    async def requests(self) -> list[dict[str, Any]]:
        """Return the requests that the back office has, newest first.

        Raises:
            DecisionRefusedError: It does not answer as documented.
        """
        async with self._client() as client:
            await _sign_in(client, self.users[0])
            requests: list[dict[str, Any]] = _answer(await client.get("/api/requests"))["requests"]
            return requests

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=10.0, trust_env=False)


async def _sign_in(client: httpx.AsyncClient, user: WebUser) -> str:
    """Sign in; returns the CSRF token."""
    answer = _answer(await client.post("/api/login", json={"user": user.name, "password": user.password}))
    return str(answer["csrf"])


async def _wait_request(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + _ARRIVAL_S
    response = await client.get(path)
    while response.status_code == HTTPStatus.NOT_FOUND and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
        response = await client.get(path)
    return _answer(response)


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise DecisionRefusedError(f"{response.request.url.path}: {response.status_code} {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


def describe_sale(row: dict[str, Any]) -> dict[str, Any]:
    """Return a demo sale with what the page shows: what it is for, both labels, and the code on the customer's bill."""
    chinese, _, english = row["label"].partition(" / ")
    kind = _SALE_KINDS.get(int(row["sale_id"].rsplit("-", 1)[1]), "spare")
    # Alipay's bill shows Alipay's own number, WeChat's the merchant's order number (payments.md section 3).
    code = row["channel_trade_no"] if kind == "alipay" else row["order_no"]
    return {**row, "kind": kind, "label_zh": chinese, "label_en": english or chinese, "code": code}


def machine_time_zone() -> str:
    """Return the name of this machine's time zone: till and back office of a bench stand in the same shop."""
    name = str(Path("/etc/localtime").resolve()).rpartition("/zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


def make_password() -> str:
    """Return a password that people can type: twelve letters and digits that are not mistaken for each other."""
    return "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12))
