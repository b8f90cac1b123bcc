"""Row 9 on PostgreSQL: two worker processes against one, on a private cluster of Debian's package."""

import asyncio
import multiprocessing as mp
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

from backoffice.clock import system_now
from backoffice.config import AcquirerConfig, Config
from backoffice.ingest.context import Context
from backoffice.ingest.receiver import Receiver
from backoffice.link import BATCH
from backoffice.store.database import Database, upgrade
from hil.chaos.postgres import Postgres, find_postgres
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from tests.bench import ingest
from tests.bench.measure import Measured, median

_ROUNDS = 3


def rows(folder: Path, requests: int) -> list[Measured]:
    """Row 9 with two workers; nothing where PostgreSQL is not installed."""
    if find_postgres() is None:
        return []
    one, two = asyncio.run(_measure(folder / "postgres", requests))
    ratio = median([second / first for first, second in zip(one, two, strict=True)])
    return [
        Measured(
            number=9,
            what="the same, two workers on PostgreSQL",
            figure=f"{median(two):.0f}/s, n={requests} x {_ROUNDS}",
            floor=f"one worker on PostgreSQL {median(one):.0f}/s",
            ratio=ratio,
            budget=">= 1.6x",
            is_within=ratio >= 1.6,
        )
    ]


async def _measure(folder: Path, requests: int) -> tuple[list[float], list[float]]:
    server = Postgres(folder)
    await server.start()
    try:
        return await asyncio.to_thread(_rates, server.url, requests)
    finally:
        await server.stop()


def _rates(url: str, requests: int) -> tuple[list[float], list[float]]:
    """Return requests a second of one and of two workers, measured by turns."""
    upgrade(url)
    database = Database(url, pool=1)
    keys = ingest.enrol(database, requests * _ROUNDS * 2)
    database.close()
    raw = {name: key.to_pem() for name, key in keys.items()}
    one, two = [], []
    for start in range(_ROUNDS):
        first = start * 2 * requests
        one.append(requests / _run(url, raw, [range(first, first + requests)]))
        middle, end = first + requests, first + 2 * requests
        two.append(requests / _run(url, raw, [range(middle, end, 2), range(middle + 1, end, 2)]))
    return one, two


def _run(url: str, keys: dict[str, bytes], shares: Sequence[range]) -> float:
    """Return the seconds that processes, one a share, need together."""
    context = mp.get_context("spawn")
    gate = context.Barrier(len(shares) + 1)
    processes = [context.Process(target=_work, args=(url, keys, share, gate)) for share in shares]
    for process in processes:
        process.start()
    gate.wait(120)
    started = time.perf_counter()
    for process in processes:
        process.join()
        assert process.exitcode == 0, "a worker failed"
    return time.perf_counter() - started


def _work(url: str, keys: dict[str, bytes], share: range, gate: Barrier) -> None:
    """Be a worker: the tills of a share are its own, as a shared subscription deals them out."""
    database = Database(url, pool=1)
    config = Config(acquirers={"simulated": AcquirerConfig(url="http://x")})
    receiver = Receiver(database, Context(config, system_now, lambda: "token"))
    private = {name: PrivateKey.from_pem(pem) for name, pem in keys.items()}
    incoming = [ingest.sealed(number, private) for number in share]
    gate.wait(120)
    stored = 0
    for first in range(0, len(incoming), BATCH):
        for reply in receiver.receive(incoming[first : first + BATCH]):
            stored += isinstance(reply.message, AppAckMessage) and reply.message.status is AckStatus.STORED
    assert stored == len(share), f"{stored} of {len(share)} stored"
    database.close()
