"""The opener: blocking calls in a thread of its own, under a deadline, with quarantine."""

import asyncio
import threading
from typing import Any

import pytest

from drivers.links.opener import Opener, PortStuckError
from tests.fakes.waiting import until


async def test_opener_gives_the_result_and_leaves_no_thread() -> None:
    opener = Opener()

    name = await opener.run(lambda: threading.current_thread().name, port="a", timeout_s=5)

    assert name == "opener"
    assert "opener" not in [thread.name for thread in threading.enumerate()]


async def test_opener_call_raises_in_the_caller() -> None:
    def fail() -> int:
        raise FileNotFoundError(2, "gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        await Opener().run(fail, port="a", timeout_s=5)


async def test_opener_runs_one_call_after_the_other() -> None:
    opener = Opener()
    running: list[int] = []
    most: list[int] = []
    gate = threading.Event()

    def call() -> int:
        running.append(1)
        most.append(len(running))
        gate.wait(0.01)
        running.pop()
        return threading.get_ident()

    await asyncio.gather(*(opener.run(call, port=str(port), timeout_s=5) for port in range(5)))

    assert most == [1] * 5


async def test_opener_late_call_is_abandoned_and_its_port_quarantined() -> None:
    opener = Opener()
    gate = threading.Event()
    discarded: list[int] = []

    def hang() -> int:
        gate.wait(10)
        return 42

    with pytest.raises(PortStuckError):
        await opener.run(hang, port="bad", timeout_s=0.3, discard=discarded.append)
    assert opener.stuck_ports == {"bad"}
    with pytest.raises(PortStuckError, match="earlier attempt"):
        await opener.run(lambda: 1, port="bad", timeout_s=5)
    assert await opener.run(lambda: 2, port="good", timeout_s=5) == 2

    gate.set()
    await until(lambda: discarded == [42] and not opener.stuck_ports)
    assert await opener.run(lambda: 3, port="bad", timeout_s=5) == 3
    await until(lambda: threading.active_count() == 1)


async def test_opener_waiting_call_gives_up_without_running_unless_it_must() -> None:
    opener = Opener()
    gate = threading.Event()
    ran: list[str] = []
    blocking = asyncio.create_task(opener.run(lambda: gate.wait(10), port="slow", timeout_s=10))
    await asyncio.sleep(0)

    with pytest.raises(PortStuckError):
        await opener.run(lambda: ran.append("open"), port="a", timeout_s=0.02)
    with pytest.raises(PortStuckError):
        await opener.run(lambda: ran.append("close"), port="a", timeout_s=0.02, must_run=True)
    gate.set()
    await blocking

    await until(lambda: ran == ["close"])
    await until(lambda: threading.active_count() == 1)


async def test_opener_caller_cancelled_the_result_is_discarded() -> None:
    opener = Opener()
    gate = threading.Event()
    discarded: list[int] = []

    started = threading.Event()

    def call() -> int:
        started.set()
        gate.wait(10)
        return 7

    task = asyncio.create_task(opener.run(call, port="a", timeout_s=10, discard=discarded.append))
    await until(started.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()

    await until(lambda: discarded == [7])
    await until(lambda: threading.active_count() == 1)


async def test_opener_cancelled_in_the_turn_of_the_result_discards_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opener = Opener()
    discarded: list[int] = []
    task = asyncio.create_task(opener.run(lambda: 7, port="a", timeout_s=10, discard=discarded.append))
    job_done = asyncio.Event()
    settle = opener._settle

    def settle_then_cancel(*arguments: Any) -> None:
        settle(*arguments)
        task.cancel()
        job_done.set()

    monkeypatch.setattr(opener, "_settle", settle_then_cancel)
    await job_done.wait()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until(lambda: discarded == [7])
    await until(lambda: threading.active_count() == 1)
    assert not opener.stuck_ports


async def test_opener_many_ports_at_once_leave_nothing_behind() -> None:
    opener = Opener()

    results = await asyncio.gather(*(opener.run(lambda n=n: n, port=str(n), timeout_s=5) for n in range(200)))  # type: ignore[misc]

    assert results == list(range(200))
    await until(lambda: threading.active_count() == 1)
