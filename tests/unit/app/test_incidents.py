"""The folder of incident files and `pos-agent replay`."""

from pathlib import Path

import pytest

from pos_agent.app.incidents import MAX_FILES, IncidentFolder
from pos_agent.cli import main
from tests.unit.workflow.rig import Till, running


def test_incident_folder_keeps_the_newest_few_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "incidents"
    incidents = IncidentFolder(folder)
    names = [incidents.save(b"x") for _ in range(MAX_FILES + 3)]
    assert sorted(path.name for path in folder.iterdir()) == names[3:]
    assert names[-1] == f"incident-{MAX_FILES + 3:06d}.jsonl"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / names[-1]).stat().st_mode & 0o777 == 0o600


def test_incident_folder_that_cannot_be_made_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        IncidentFolder(tmp_path / "file" / "incidents").save(b"x")


async def _incident() -> bytes:
    till = Till()
    async with running(till):
        await till.sign_in()
        await till.press("1", "CLEAR", "FN", "9", "1")
    return till.incidents.files[0]


async def test_replay_command_prints_steps_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "incident.jsonl"
    path.write_bytes(await _incident())
    assert main(["replay", str(path)]) == 0
    out = capsys.readouterr().out
    assert "MENU --digit 1--> SCAN" in out
    assert "LOGIN --digit *--> LOGIN" in out
    assert out.rstrip().endswith("0 differ")


async def test_replay_command_ends_with_1_where_it_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "incident.jsonl"
    path.write_bytes((await _incident()).replace(b'"after":"SCAN"', b'"after":"FIND"', 1))
    assert main(["replay", "--quiet", str(path)]) == 1
    assert "DIFFERS: now SCAN, recorded FIND" in capsys.readouterr().out


def test_replay_command_of_no_incident_file_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello")
    assert main(["replay", str(path)]) == 1
    assert "pos-agent:" in capsys.readouterr().err
