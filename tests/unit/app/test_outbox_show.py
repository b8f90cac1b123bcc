"""`pos-agent outbox show` names the tier that proved each slip (D13)."""

import asyncio
import json
from pathlib import Path

import pytest

from pos_agent import cli
from pos_agent.domain.slip import PrintOutcome
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.slip_samples import AT, maker, request

CONFIG = """
[terminal]
terminal_id = "t-demo-01"
merchant_id = "102100058120001"
merchant_name = "好味道面馆"
data_dir = "{folder}/data"
runtime_dir = "{folder}/run"

[broker]
url = "mqtt://127.0.0.1:1883"

[trust]
device_key_file = "{folder}/device.pem"
device_key_id = "k"
back_office_keys = {{}}
lookup_key_file = "{folder}/lookup.key"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    monkeypatch.setenv("POS_AGENT_BOOT_ID", "b")
    (tmp_path / "data").mkdir()
    path = tmp_path / "terminal.toml"
    path.write_text(CONFIG.format(folder=tmp_path), "utf-8")
    path.chmod(0o600)
    return path


async def commit(folder: Path) -> str:
    """Commit one refund: its first slip was confirmed, its second still waits."""
    journal = await Journal.open(folder, terminal_id="t-demo-01", boot_id="b", clock=ManualClock(AT))
    made = request(seq=0)
    await journal.commit_refund(made, maker().request_slips(made))
    first, _ = await journal.slips(made.refund_request_id)
    await journal.record_job_ended(first.job_id, PrintOutcome.CONFIRMED)
    await journal.close()
    return made.refund_request_id


def test_outbox_show_names_the_proof_of_each_slip(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = asyncio.run(commit(config.parent / "data"))
    assert cli.main(["outbox", "show", number[-6:], "--config", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("slip")] == [
        ["slip", "request_merchant", "copy", "0", "confirmed"],
        ["slip", "request_customer", "copy", "0", "waiting"],
    ]
    assert cli.main(["outbox", "show", number[-6:], "--config", str(config), "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert [slip["outcome"] for slip in shown["slips"]] == ["confirmed", "waiting"]
