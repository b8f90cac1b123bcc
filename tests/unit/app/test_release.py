import json
from pathlib import Path

import pytest

from pos_agent.app.release import release
from pos_agent.cli import build_parser
from pos_agent.domain.config import BrokerConfig, Config, TerminalConfig, TrustConfig
from pos_agent.journal import set_aside

NAME = "journal.corrupt-20261120T100000.db"


def config(folder: Path) -> Config:
    return Config(
        terminal=TerminalConfig(terminal_id="t-1", merchant_id="m", merchant_name="M", data_dir=str(folder)),
        broker=BrokerConfig(url="mqtt://127.0.0.1:1"),
        trust=TrustConfig(device_key_file="k", device_key_id="k1", back_office_keys={}),
    )


def run(folder: Path, *arguments: str) -> int:
    return release(build_parser().parse_args(["outbox", "release", *arguments]), config(folder))


def test_release_with_nothing_set_aside_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"released": []}


@pytest.mark.parametrize("missing", [("--by", " ", "--why", "x"), ("--by", "x")])
def test_release_without_who_or_why_is_a_usage_error(tmp_path: Path, missing: tuple[str, ...]) -> None:
    (tmp_path / NAME).write_bytes(b"junk" * 2000)
    assert run(tmp_path, "--yes", *missing) == 2
    assert len(set_aside.waiting(tmp_path)) == 1


def test_release_that_nobody_confirms_releases_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_bytes(b"junk" * 2000)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert run(tmp_path, "--by", "Chen", "--why", "4711") == 1
    said = capsys.readouterr().out
    assert "not readable" in said
    assert "nothing was released" in said
    assert len(set_aside.waiting(tmp_path)) == 1


def test_release_keeps_the_file_and_who_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NAME).write_bytes(b"junk" * 2000)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "RELEASE")
    assert run(tmp_path, "--by", "Chen", "--why", "4711") == 0
    assert (tmp_path / NAME).read_bytes() == b"junk" * 2000
    assert (tmp_path / f"{NAME}.released").read_text() == "Chen: 4711"
    assert set_aside.waiting(tmp_path) == []
    assert "released" in capsys.readouterr().out
