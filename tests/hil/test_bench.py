"""The bench itself: start, stop, broker, faults that every scenario relies on."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from hil.bench.client import BenchClient
from hil.rig.broker import Broker
from hil.rig.pki import make_pki
from hil.rig.ports import free_port
from tests.hil.conftest import RunningBench

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def process_state(pid: int) -> str:
    """Return the state letter of a process, empty when there is none. Source: proc(5), /proc/pid/stat."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def becomes(pid: int, letter: str) -> bool:
    """Wait until a process is in a state: the kernel takes its time to stop one."""
    for _ in range(2000):
        if process_state(pid) == letter:
            return True
        await asyncio.sleep(0.001)
    return False


async def test_broker_starts_stalls_wipes_and_ends(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki", terminal_id="t-demo-01", worker_names=("bo-1",))
    broker = Broker(tmp_path / "broker", port=free_port(), pki=pki, log_path=tmp_path / "broker.log")
    await broker.up()
    try:
        pid = broker.pid
        broker.stall()
        assert await becomes(pid, "T")
        await broker.up()
        assert process_state(pid) != "T"
        assert broker.pid == pid
        await broker.wipe()
        assert broker.pid != pid
    finally:
        await broker.down()
    assert broker.mode == "down"


def test_headless_line_holds_what_a_program_needs(running_bench: RunningBench) -> None:
    info = running_bench.info
    assert info["ready"] is True
    assert info["api"].startswith(info["page"])
    assert set(info["backoffice"]) == {"url", "user", "password"}
    assert {"no", "pin"} <= set(info["operator"])
    assert {"no", "pin"} <= set(info["supervisor"])
    assert (info["terminal_id"], info["paper_dots"]) == ("t-demo-01", 576)


def test_reset_leaves_no_trace_of_what_was_before(signed_in: BenchClient) -> None:
    signed_in.fault("paper_end")
    signed_in.unplug("scanner")
    signed_in.broker("down")
    signed_in.reset()
    state = signed_in.wait_state("LOGIN")
    assert (state["faults"], state["unplugged"], state["broker"]) == ([], [], "up")
    assert state["daemon"]["is_back_office_present"]
    assert signed_in.slips() == []


@pytest.mark.slow
def test_bench_killed_outright_takes_its_children_along(tmp_path: Path) -> None:
    bench = RunningBench(tmp_path / "state")
    children = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
    assert len(children) == 4
    os.kill(bench.pid, signal.SIGKILL)
    bench.stop()
    deadline = time.monotonic() + 10
    while alive := [pid for pid in children if process_state(int(pid)) not in ("", "Z")]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.02)
    again = RunningBench(tmp_path / "state")
    assert again.stop() == 0


def test_mosquitto_is_found_outside_of_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from hil.rig.broker import find_mosquitto

    monkeypatch.setenv("PATH", "/nonexistent")
    assert shutil.which("mosquitto") is None
    assert Path(find_mosquitto()).name == "mosquitto"
