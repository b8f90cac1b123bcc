"""Chaos: half a minute of it in every run of the suite, and the planted bugs in the exhaustive one."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.chaos.__main__ import main
from hil.chaos.history import HISTORY, read_lines
from hil.chaos.planted import environment
from hil.chaos.planted.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.bench]
SECONDS = 30
#: Found by the write trace, not by chaos: a SIGKILL survives it (trust.md 20).
TRACED = "synchronous_off"
#: Bug → seconds, and the faults that bring it out; without any the load alone does.
SETTINGS = {
    "ack_before_commit": (20, ""),
    "clear_on_puback": (60, "proxy_half_open"),
    "down_ack_before_commit": (50, "kill_till"),
    "draft_with_pin": (25, "kill_till"),
    "key_with_rev": (30, "attack"),
    "new_refund_no": (25, ""),
    "no_sale_lock": (45, ""),
    "query_skipped": (25, ""),
    "seq_ignored": (30, "attack"),
    "spooler_resends": (40, "kill_till"),
    "stale_decision": (20, ""),
}
#: What comes together when is not fixed by a seed: a bug has this many runs to show itself.
SEEDS = ("3", "4", "5")


def play(folder: Path, *arguments: str, planted: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hil.chaos", "--keep", str(folder), *arguments]
    command += ["--plant", planted] if planted else []
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=420, check=False)


@pytest.mark.timeout(420)
def test_chaos_half_a_minute_loses_doubles_and_lies_about_nothing(tmp_path: Path) -> None:
    played = play(tmp_path / "run", "--seconds", str(SECONDS), "--seed", "7")
    assert played.returncode == 0, played.stdout + played.stderr
    counts = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", played.stdout)}
    assert counts["kills"] >= 5
    assert counts["refunds"] >= 3
    assert counts["moved"] >= 1
    assert (counts["lost"], counts["doubled"], counts["untrue"], counts["leaked"]) == (0, 0, 0, 0)
    assert main(["check", str(tmp_path / "run")]) == 0


def test_planted_bugs_are_all_tried() -> None:
    assert set(SETTINGS) | {TRACED} == set(BUGS)
    assert len(BUGS) == 12


def tried(folder: Path, bug: str, seed: str, *, is_planted: bool) -> tuple[str, float]:
    """Make the run that brings a bug out, with or without it; returns what was said, and how long it took."""
    seconds, faults = SETTINGS[bug]
    options = ["--faults", faults] if faults else ["--calm"]
    options += ["--seconds", str(seconds), "--seed", seed, "--quiet-s", "30" if is_planted else "120"]
    began_s = time.monotonic()
    played = play(folder, *options, planted=bug if is_planted else "")
    assert played.returncode in (0, 1), played.stdout + played.stderr
    is_bad = bool(re.search(r"^  (lost|doubled|untrue|leaked) ", played.stdout, re.MULTILINE))
    assert is_bad == (played.returncode == 1), played.stdout
    return played.stdout if is_bad else "", time.monotonic() - began_s


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", sorted(SETTINGS))
def test_chaos_planted_bug_is_caught(tmp_path: Path, bug: str) -> None:
    for seed in SEEDS:
        said, took_s = tried(tmp_path / seed, bug, seed, is_planted=True)
        print(f"planted={bug} seed={seed} is_caught={bool(said)} took_s={took_s:.0f}")
        if said:
            return
    pytest.fail(f"{bug} was not noticed")


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bug", sorted(SETTINGS))
def test_chaos_same_run_without_the_bug_is_clean(tmp_path: Path, bug: str) -> None:
    said, took_s = tried(tmp_path / "sane", bug, SEEDS[0], is_planted=False)
    print(f"sane run of {bug} took_s={took_s:.0f}")
    assert said == ""


#: Fault → what the history must hold of it.
ALONE = {
    "restore_office": "restore",
    "old_card": "old_card",
    "clone_card": "clone",
    "clock_jumps": "clock",
    "swap_certificate": "fault",
    "wipe_broker": "fault",
}


@pytest.mark.exhaustive
@pytest.mark.timeout(420)
@pytest.mark.parametrize("fault", sorted(ALONE))
def test_chaos_one_fault_alone_over_and_over_keeps_every_promise(tmp_path: Path, fault: str) -> None:
    played = play(tmp_path / "run", "--seconds", "40", "--seed", "11", "--faults", fault)
    print(f"fault={fault} {played.stdout.strip()}")
    assert played.returncode == 0, played.stdout + played.stderr
    kinds = [event["kind"] for event in read_lines(tmp_path / "run" / HISTORY)]
    assert kinds.count(ALONE[fault]) >= 1


_COMMIT = """
import sys
import time
from pathlib import Path
from pos_agent.journal._schema import connect
connection = connect(Path(sys.argv[1]))
connection.execute("CREATE TABLE t (x)")
print("ready", file=sys.stderr, flush=True)
for number in range(5):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t VALUES (?)", (number,))
    connection.execute("COMMIT")
connection.close()
"""


def count_flushes(folder: Path, planted: str = "") -> int:
    """Return how often five commits of the journal's own connection waited for the disk."""
    folder.mkdir()
    trace = folder / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync,write", "-o", str(trace)]
    command += [sys.executable, "-c", _COMMIT, str(folder / "journal.db")]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment(planted) if planted else {})}
    subprocess.run(command, env=variables, check=True, capture_output=True, timeout=60)
    _, _, after = trace.read_text("utf-8", "replace").partition("ready")
    return len(re.findall(r"\bf(?:data)?sync\(\d+\)", after))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs Debian's strace")
def test_journal_synchronous_off_is_seen_in_the_write_trace(tmp_path: Path) -> None:
    assert count_flushes(tmp_path / "sane") >= 5
    assert count_flushes(tmp_path / "planted", TRACED) < 5
