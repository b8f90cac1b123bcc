"""An incident recorded by the real daemon, done again to another bench (issue 4, part 12)."""

import subprocess
import sys
from pathlib import Path

import pytest

from hil.bench.client import BenchClient
from tests.hil.conftest import ROOT, RunningBench

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def record(bench: BenchClient) -> None:
    """A payment code by mistake, the printer's cable, a refund, and the key that saves it all."""
    bench.sign_in()
    bench.scan("134567890123456789")
    bench.wait_state("PAY_CODE")
    bench.unplug("printer")
    bench.wait_device("printer", is_online=False)
    bench.plug("printer")
    bench.wait_device("printer", is_online=True)
    bench.scan(next(sale["code"] for sale in bench.sales() if sale["kind"] == "wechat"))
    bench.wait_state("SALE")
    bench.enter()
    bench.wait_state("REASON")
    bench.keys("1")
    bench.wait_state("CONFIRM")
    bench.enter()
    bench.wait_state("RESULT")
    bench.wait_slips(2)
    bench.enter()
    bench.wait_state("MENU")
    bench.keys("FN")
    bench.wait_state("FUNCTION")
    bench.keys("9")
    bench.wait_state("SERVICE")
    bench.keys("1")
    bench.wait_screen("现场记录已存")


def test_incident_of_the_real_daemon_is_done_again_and_where_it_differs_is_said(
    bench: BenchClient, running_bench: RunningBench, tmp_path: Path
) -> None:
    record(bench)
    (saved,) = (running_bench.state_dir / "data" / "incidents").iterdir()
    data = saved.read_bytes()
    assert b"134567890123456789" not in data
    incident = tmp_path / "incident.jsonl"
    planted = data.replace(b'"before":"MENU","after":"PAY_CODE"', b'"before":"MENU","after":"GOODS"')
    planted = planted.replace(b'"before":"PAY_CODE","after":"PAY_CODE"', b'"before":"GOODS","after":"GOODS"')
    incident.write_bytes(planted)
    command = [sys.executable, "-m", "hil", "replay", str(incident), "--speed", "20", "--port", "0"]
    command += ["--state-dir", str(tmp_path / "replay")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    (differing,) = [line for line in lines if "DIFFERS" in line]
    assert differing.endswith("MENU scan pay_code --> GOODS  DIFFERS: the bench is in PAY_CODE")
    assert lines[-1].endswith("inputs played on the bench, 1 differ")
    assert any(line.endswith("CONFIRM enter ENTER --> RESULT") for line in lines), "the refund was made again"
