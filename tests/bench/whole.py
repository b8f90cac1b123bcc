"""The idle till among all that it talks to: broker over TLS, back office, scanner, printer, keypad, displays."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from hil.bench.client import BenchClient

ROOT = Path(__file__).resolve().parents[2]


class Usage(msgspec.Struct, frozen=True):
    """What the kernel counted for a process and its threads."""

    cpu_s: float
    wakeups: int
    rss_bytes: int


class Idle(msgspec.Struct, frozen=True):
    """A signed-in till that nobody touches."""

    cpu_percent: float
    wakeups_per_s: float
    rss_bytes: int
    elapsed_s: float


def idle(folder: Path, idle_s: float) -> Idle:
    """Start a bench, print one refund's slips, come back to MENU, and count for `idle_s`."""
    command = [sys.executable, "-m", "hil", "demo", "--headless", "--port", "0", "--state-dir", str(folder / "whole")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as bench:
        try:
            assert bench.stdout is not None
            info = json.loads(bench.stdout.readline())
            with BenchClient(info["api"]) as client:
                _refund_once(client)
            return _count(_till_of(bench.pid), idle_s)
        finally:
            bench.terminate()


def _refund_once(client: BenchClient) -> None:
    """What a till has done before it idles: its modules are loaded and its connections stand."""
    client.sign_in()
    sale = next(sale for sale in client.sales() if sale["kind"] == "wechat")
    client.scan(sale["code"])
    client.wait_state("SALE")
    client.enter()
    client.wait_state("REASON")
    client.keys("1")
    client.wait_state("CONFIRM")
    client.enter()
    client.wait_state("RESULT")
    client.wait_slips(2)
    client.wait_sent()
    client.enter()
    client.wait_state("MENU")
    time.sleep(10)  # beyond the printer's cut, ENTER's dead time and the trickle of acks


def _till_of(bench_pid: int) -> int:
    children = Path(f"/proc/{bench_pid}/task/{bench_pid}/children").read_text().split()
    found = [int(pid) for pid in children if b"\0pos_agent\0run\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(found) == 1, found
    return found[0]


def _count(pid: int, idle_s: float) -> Idle:
    before, started = usage(pid), time.monotonic()
    time.sleep(idle_s)
    after, elapsed_s = usage(pid), time.monotonic() - started
    return Idle(
        cpu_percent=(after.cpu_s - before.cpu_s) / elapsed_s * 100,
        wakeups_per_s=(after.wakeups - before.wakeups) / elapsed_s,
        rss_bytes=after.rss_bytes,
        elapsed_s=elapsed_s,
    )


def usage(pid: int) -> Usage:
    """Read what the kernel counted so far."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    wakeups = 0
    for status in folder.glob("task/*/status"):
        line = next(line for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt"))
        wakeups += int(line.split()[1])
    pages = int((folder / "statm").read_text().split()[1])
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), wakeups, pages * os.sysconf("SC_PAGE_SIZE"))
