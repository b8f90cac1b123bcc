"""The demo's command line and what it prints first."""

from pathlib import Path

import pytest

from hil.__main__ import main, make_parser
from hil.demo import banner
from hil.scenarios import SCENARIOS

INFO = {
    "operator": {"no": "01", "pin": "2580"},
    "supervisor": {"no": "02", "pin": "7413"},
    "backoffice": {"url": "http://127.0.0.1:4711", "user": "finance", "password": "secret"},
}


def test_banner_names_address_people_and_next_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    text = banner("http://127.0.0.1:8765/", 8765, INFO, Path("/tmp/state"))
    for wanted in ("http://127.0.0.1:8765/", "01 确认", "2580 确认", "finance / secret", "Ctrl-C"):
        assert wanted in text
    assert "ssh -L" not in text


def test_banner_over_ssh_gives_the_forward_of_both_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.1 50000 203.0.113.7 22")
    monkeypatch.setenv("USER", "pi")
    text = banner("http://127.0.0.1:8765/", 8765, INFO, Path("/tmp/state"))
    assert "ssh -L 8765:127.0.0.1:8765 -L 4711:127.0.0.1:4711 pi@203.0.113.7" in text


def test_command_line_defaults_serve_the_page() -> None:
    options = make_parser().parse_args(["demo"])
    assert (options.headless, options.script, options.port, options.fast) == (False, None, None, False)
    assert options.state_dir.name == ".demo"


def test_script_list_names_every_script_with_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--script", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert all(len(line.split()) > 3 for line in lines)


def test_script_unknown_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--script", "nothing"]) == 2
    assert "full_refund" in capsys.readouterr().err
