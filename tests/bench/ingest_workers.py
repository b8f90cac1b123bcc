"""Row 9 on PostgreSQL: two worker processes against one, on a private cluster of Debian's package.

What a second process brings on this machine right now is measured with processes that only compute: on two free cores
it is 2, beside other work it is less. Lock waits are counted, so that the row tells which of both it is.
"""

import asyncio
import multiprocessing as mp
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import msgspec
import psycopg

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
from tests.bench.measure import Measured, median, table

_ROUNDS = 3
#: Of what a second process brings, so much must arrive: 1.6 on two free cores.
_SHARE = 0.8
_SPINS = 400_000
_SAMPLE_S = 0.02


class Round(msgspec.Struct, frozen=True):
    """Requests a second, and the workers' own CPU for each."""

    rate: float
    cpu_ms: float


def rows(folder: Path, requests: int) -> list[Measured]:
    """Row 9 with two workers; nothing where PostgreSQL is not installed."""
    if find_postgres() is None:
        return []
    found = asyncio.run(_measure(folder / "postgres", requests))
    ratio = median([two.rate / one.rate for one, two in zip(found.one, found.two, strict=True)])
    spin = median(found.spin)
    cpu = [median([each.cpu_ms for each in rounds]) for rounds in (found.one, found.two)]
    return [
        Measured(
            number=9,
            what="the same, two workers on PostgreSQL",
            figure=f"{median([each.rate for each in found.two]):.0f}/s, {cpu[1]:.2f} ms CPU each, "
            f"{found.lock_waits} lock waits, n={requests} x {_ROUNDS}",
            floor=f"one worker {median([each.rate for each in found.one]):.0f}/s, {cpu[0]:.2f} ms CPU each; "
            f"two processes that only compute: {spin:.2f}x",
            ratio=ratio,
            budget=f">= {_SHARE} of what two processes bring: {_SHARE * spin:.2f}x",
            is_within=ratio >= _SHARE * spin,
        )
    ]


class Found(msgspec.Struct):
    """What all rounds gave."""

    one: list[Round] = []
    two: list[Round] = []
    spin: list[float] = []
    lock_waits: int = 0


async def _measure(folder: Path, requests: int) -> Found:
    server = Postgres(folder)
    await server.start()
    try:
        return await asyncio.to_thread(_rates, server.url, requests)
    finally:
        await server.stop()


def _rates(url: str, requests: int) -> Found:
    """Measure one and two workers by turns."""
    upgrade(url)
    database = Database(url, pool=1)
    keys = ingest.enrol(database, requests * _ROUNDS * 2)
    database.close()
    raw = {name: key.to_pem() for name, key in keys.items()}
    found = Found()
    for start in range(_ROUNDS):
        first = start * 2 * requests
        found.one.append(_round(url, raw, [range(first, first + requests)]))
        middle, end = first + requests, first + 2 * requests
        with _counting_lock_waits(url) as waits:
            found.two.append(_round(url, raw, [range(middle, end, 2), range(middle + 1, end, 2)]))
        found.lock_waits += len(waits)
        found.spin.append(2 * _together([_spin], [()])[0] / _together([_spin] * 2, [()] * 2)[0])
    return found


def _round(url: str, keys: dict[str, bytes], shares: Sequence[range]) -> Round:
    count = sum(map(len, shares))
    wall_s, cpu_s = _together([_work] * len(shares), [(url, keys, share) for share in shares])
    return Round(count / wall_s, cpu_s / count * 1e3)


def _together(targets: Sequence[Callable[..., None]], arguments: Sequence[tuple[Any, ...]]) -> tuple[float, float]:
    """Return the seconds that processes need together, once all of them are ready, and the CPU of all."""
    context = mp.get_context("spawn")
    gate, cpu = context.Barrier(len(targets) + 1), context.Value("d", 0.0)
    processes = [
        context.Process(target=_timed, args=(target, gate, cpu, *given))
        for target, given in zip(targets, arguments, strict=True)
    ]
    for process in processes:
        process.start()
    gate.wait(120)
    started = time.perf_counter()
    for process in processes:
        process.join()
        assert process.exitcode == 0, "a worker failed"
    return time.perf_counter() - started, cpu.value


def _timed(target: Callable[..., None], gate: Barrier, cpu: Any, *given: Any) -> None:
    started = []

    def ready() -> None:
        gate.wait(120)
        started.append(time.process_time())

    target(ready, *given)
    with cpu.get_lock():
        cpu.value += time.process_time() - started[0]


def _spin(ready: Callable[[], None]) -> None:
    """Compute, and ask nobody for anything."""
    ready()
    digest = b""
    for _ in range(_SPINS):
        digest = sha256(digest).digest()


@contextmanager
def _counting_lock_waits(url: str) -> Iterator[list[str]]:
    """Look often at what the database's backends wait for; each sight of a lock is one entry."""
    waits: list[str] = []
    over = threading.Event()

    def watch() -> None:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            while not over.wait(_SAMPLE_S):
                seen = connection.execute("SELECT wait_event FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                waits.extend(str(row[0]) for row in seen)

    watcher = threading.Thread(target=watch, name="lock waits")
    watcher.start()
    try:
        yield waits
    finally:
        over.set()
        watcher.join()


def _work(ready: Callable[[], None], url: str, keys: dict[str, bytes], share: range) -> None:
    """Be a worker: the tills of a share are its own, as a shared subscription deals them out."""
    database = Database(url, pool=1)
    config = Config(acquirers={"simulated": AcquirerConfig(url="http://x")})
    receiver = Receiver(database, Context(config, system_now, lambda: "token"))
    private = {name: PrivateKey.from_pem(pem) for name, pem in keys.items()}
    incoming = [ingest.sealed(number, private) for number in share]
    ready()
    stored = 0
    for first in range(0, len(incoming), BATCH):
        for reply in receiver.receive(incoming[first : first + BATCH]):
            stored += isinstance(reply.message, AppAckMessage) and reply.message.status is AckStatus.STORED
    assert stored == len(share), f"{stored} of {len(share)} stored"
    database.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pa-bench", dir="/tmp") as name:
        print(table(rows(Path(name), int(sys.argv[1]))))
