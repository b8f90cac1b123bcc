"""Two robot reviewers at the back office's HTTP API, and eyes on its list."""

import asyncio
import random
import time
from http import HTTPStatus
from typing import Any, Final

import httpx

from hil.chaos.history import History
from hil.rig.backoffice import BackOffice, WebUser

_PAUSE_S = 0.25
_STALE_SHARE, _TOGETHER_SHARE = 0.1, 0.2
_LIST_LIMIT: Final = 500
_DECIDABLE: Final = ("held", "reviewing", "need_info")
FINAL: Final = frozenset({"succeeded", "failed", "rejected", "canceled", "coupon_issued", "closed"})
#: Nobody closes these here: a person would, with the acquirer on the phone.
RESTING: Final = FINAL | {"abnormal", "manual"}


class Reviewer:
    """Decides until cancelled.

    Attributes:
        rows: The newest row of each request.
        failures: Answers that no client should ever see (5xx).
    """

    def __init__(self, office: BackOffice, history: History, *, seed: int) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.failures = 0
        self.reads = 0
        self._office = office
        self._history = history
        self._random = random.Random(seed)
        self._csrf: dict[str, str] = {}
        self._clients = {user.name: self._client() for user in office.users}

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._office.url, timeout=5.0, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    async def run(self) -> None:
        """Decide."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                await self._turn()
            except (httpx.HTTPError, ValueError, KeyError):
                self._csrf.clear()

    async def _turn(self) -> None:
        first, second = self._office.users
        await self._read(first)
        for request_id in [one for one, row in self.rows.items() if row["state"] in _DECIDABLE or row["hold"]]:
            await self._decide(request_id, first, second)

    async def _read(self, user: WebUser) -> None:
        client = await self._signed_in(user)
        began = time.time()
        rows = (await self._call(client, "GET", "/api/requests")).json()["requests"]
        self._history.add("read", began=round(began, 4))
        for row in rows:
            self._note(row)
        if len(rows) >= _LIST_LIMIT:
            for request_id in [one for one, row in self.rows.items() if row["state"] not in RESTING]:
                self._note((await self._call(client, "GET", f"/api/requests/{request_id}")).json()["summary"])
        self.reads += 1

    def _note(self, row: dict[str, Any]) -> None:
        known = self.rows.get(row["refund_request_id"])
        if known is None or (known["state"], known["hold"]) != (row["state"], row["hold"]):
            self.rows[row["refund_request_id"]] = row
            names = ("refund_request_id", "state", "hold", "money_moved", "amount_minor", "sale_id", "terminal_id")
            self._history.add("row", **{name: row[name] for name in names})

    async def note_all(self) -> None:
        """Write down all that the back office holds of each request, at the end."""
        client = await self._signed_in(self._office.users[0])
        for request_id in self.rows:
            answer = await self._call(client, "GET", f"/api/requests/{request_id}")
            if answer.status_code == HTTPStatus.OK:
                page = answer.json()
                kept = {name: page[name] for name in ("refund_no", "is_trail_whole", "is_delivered")}
                state = page["summary"]["state"]
                self._history.add("final_row", refund_request_id=request_id, state=state, **kept)

    async def are_all_told(self) -> bool:
        """Return whether each till has acknowledged the newest state of each of its requests."""
        client = await self._signed_in(self._office.users[0])
        for request_id in self.rows:
            answer = await self._call(client, "GET", f"/api/requests/{request_id}")
            if not answer.json().get("is_delivered", False):  # unknown after a restore: it comes back
                return False
        return True

    async def _signed_in(self, user: WebUser) -> httpx.AsyncClient:
        client = self._clients[user.name]
        if user.name not in self._csrf:
            answer = await self._call(client, "POST", "/api/login", json={"user": user.name, "password": user.password})
            self._csrf[user.name] = answer.json()["csrf"]
        return client

    async def _call(self, client: httpx.AsyncClient, method: str, path: str, **arguments: Any) -> httpx.Response:
        answer = await client.request(method, path, **arguments)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.failures += 1
            self._history.add("failure", path=path, status=answer.status_code, text=answer.text[:300])
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            self._csrf.clear()
        return answer

    async def _decide(self, request_id: str, first: WebUser, second: WebUser) -> None:
        client = await self._signed_in(first)
        page = (await self._call(client, "GET", f"/api/requests/{request_id}")).json()
        kind = self._choose(page)
        if not kind:
            return
        if self._random.random() < _STALE_SHARE:
            # A page that was left open: other sums than now. It must be refused (D9).
            old = {**page["shown"], "reserved_minor": page["shown"]["reserved_minor"] + 1}
            await self._post(first, request_id, kind, old, is_stale=True)
        elif kind == "approve" and self._random.random() < _TOGETHER_SHARE:
            # Two reviewers on one stale page: at most one decision may count (D9).
            await self._signed_in(second)
            await asyncio.gather(
                self._post(first, request_id, kind, page["shown"]),
                self._post(second, request_id, "reject", page["shown"]),
            )
        else:
            await self._post(first, request_id, kind, page["shown"])

    def _choose(self, page: dict[str, Any]) -> str:
        allowed, summary = page["allowed"], page["summary"]
        if summary["state"] in ("reviewing", "need_info"):
            return "reject" if self._random.random() < 0.12 else "approve"
        if "release" in allowed:
            return "release"
        if summary["state"] == "held" and "reject" in allowed:
            return "reject"  # its till knows an end of it
        return "retry" if "retry" in allowed and self._random.random() < 0.2 else ""

    async def _post(
        self, user: WebUser, request_id: str, kind: str, shown: dict[str, int], *, is_stale: bool = False
    ) -> None:
        body = {"decision": kind, "reason": "机器人审核" if kind == "reject" else "", "shown": shown}
        headers = {"X-CSRF-Token": self._csrf[user.name]}
        told = {
            "request_id": request_id,
            "decision": kind,
            "version": shown["version"],
            "user": user.name,
            "is_stale": is_stale,
        }
        # Written before it is sent: an answer that a kill swallows may be a decision all the same.
        self._history.add("asked", **told)
        path = f"/api/requests/{request_id}/decision"
        answer = await self._call(self._clients[user.name], "POST", path, json=body, headers=headers)
        self._history.add("decision", **told, status=answer.status_code)
