"""The simulated acquirer: its own process with its own ledger, never killed by a fault of the bench (trust.md 20)."""

import sys
from pathlib import Path
from typing import Any

import httpx

from hil.rig.process import ManagedProcess

#: A refund that is "processing" succeeds by itself after this; a real one takes minutes to days.
PROCESSING_S = 8.0


class Acquirer:
    """The acquirer process."""

    def __init__(self, state_dir: Path, *, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ledger_path = state_dir / "acquirer.jsonl"
        self._process = ManagedProcess("acquirer", state_dir / "logs" / "acquirer.log")

    @property
    def pid(self) -> int:
        """Return the acquirer's process id."""
        return self._process.pid

    async def start(self) -> None:
        """Start the acquirer; return when it listens."""
        command = [sys.executable, "-m", "hil.acquirer", "--port", str(self.port), "--ledger", str(self.ledger_path)]
        command += ["--processing-s", str(PROCESSING_S)]
        self._process.spawn(command)
        await self._process.wait_until(lambda: '"ready"' in self._process.log_text(), timeout_s=15, what="ready line")

    async def stop(self) -> None:
        """End the acquirer in order."""
        await self._process.stop()

    async def control(self, answers: list[str], *, is_settled: bool) -> None:
        """Queue answers to the next refunds, and settle what is processing.

        Args:
            answers: accepted, processing, timeout, timeout:lost, failed:CODE, abnormal.
            is_settled: Whether refunds that are processing succeed now.
        """
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False) as client:
            response = await client.post("/control", json={"next": answers, "settle": is_settled})
            response.raise_for_status()

    async def movements(self) -> list[dict[str, Any]]:
        """Return every movement of money, from the acquirer's own ledger."""
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0, trust_env=False) as client:
            movements: list[dict[str, Any]] = (await client.get("/bill")).raise_for_status().json()["movements"]
            return movements

    async def reset(self) -> None:
        """Start again with an empty ledger: the demo sales are the same after a reset, what was refunded is not."""
        await self._process.kill()
        self.ledger_path.unlink(missing_ok=True)
        await self.start()
