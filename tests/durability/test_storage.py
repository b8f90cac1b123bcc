"""Storage that fails for real: full, read-only, slow. Each by a mount or by the kernel, never by chmod."""

import asyncio
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.durability_trace import STRACE
from tests.fakes.samples import TERMINAL_ID

ROOT = Path(__file__).resolve().parents[2]


@cache
def namespace() -> tuple[str, ...]:
    """Return the words that give a child its own mounts; empty where this machine allows none."""
    own = ("unshare", "--mount", "--propagation", "private")
    for words in (own, ("unshare", "--map-root-user", *own[1:])):
        tried = subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return words
    return ()


def run_scenario(name: str, folder: Path) -> dict[str, Any]:
    if not namespace():
        pytest.skip("needs a mount namespace: run as root, or allow user namespaces")
    folder.mkdir()
    command = [*namespace(), sys.executable, "-m", "tests.durability.storage_child", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_full_disk_is_refused_at_menu_and_keeps_what_was_begun(tmp_path: Path) -> None:
    said = run_scenario("full", tmp_path / "disk")
    assert (said["before"], said["reserve"]) == ("", True)
    assert said["full"] == "E-DISK1"
    assert (said["begun"], said["kept"], said["reserve_given"]) == (20, 20, True)
    assert said["still"] == "E-DISK1"
    assert (said["after"], said["reserve_again"], said["lines"]) == ("", True, 20)


def test_read_only_disk_has_its_own_code_and_loses_nothing(tmp_path: Path) -> None:
    said = run_scenario("read_only", tmp_path / "disk")
    assert said == {"at_start": "E-DISK2", "after": "", "kept": 1}


async def make_journal(folder: Path) -> None:
    await (await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="a", clock=ManualClock())).close()


@pytest.mark.slow
@pytest.mark.skipif(STRACE is None, reason="needs Debian's strace")
def test_flush_of_500_ms_never_stops_the_loop_and_waiting_commits_share_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    (tmp_path / "journal").mkdir(mode=0o700)
    asyncio.run(make_journal(tmp_path / "journal"))  # its tables are made at the disk's own speed
    inject = ["-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=500000"]
    command = [sys.executable, "-m", "tests.durability.slow_flush", str(tmp_path / "journal"), "2"]
    done = subprocess.run(
        [str(STRACE), "-f", "-qq", "-o", "/dev/null", *inject, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert min(said["commit_s"]) >= 0.5, "the flush was not slowed: nothing was tried"
    assert said["worst_gap_s"] < 0.4, "a key press waited for the disk"
    assert said["twenty_together_s"] < 20 * 0.5 / 2
