"""The units of the back office say what systemd and its own command line understand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from backoffice.arguments import make_parser
from tests.unit.systemd.test_units import FOLDER, needs_systemd

UNITS = ("pos-backoffice.service", "pos-backoffice-crl.service", "pos-backoffice-crl.timer")


def _value(name: str, key: str) -> str:
    found = re.findall(rf"(?m)^{key}=(.*)$", (FOLDER / name).read_text())
    assert len(found) == 1, (name, key)
    return str(found[0])


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Return copies that can be verified on a machine on which no back office is installed."""
    for name in UNITS:
        text = re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", (FOLDER / name).read_text())
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in UNITS]


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    assert program is not None
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_units_have_no_key_that_systemd_does_not_know(units: list[str]) -> None:
    assert [line for line in _analyze("verify", *units).stderr.splitlines() if "pos-backoffice" in line] == []


@needs_systemd
def test_service_is_exposed_no_more_than_the_agent_may_be(units: list[str]) -> None:
    found = _analyze("security", "--offline=true", "--no-pager", units[0]).stdout
    score = re.search(r"exposure level for pos-backoffice.service: ([\d.]+)", found)
    assert score is not None, found
    assert float(score[1]) <= 1.5


@pytest.mark.parametrize(("name", "command"), [(UNITS[0], ["serve"]), (UNITS[1], ["ca", "crl"])])
def test_units_start_the_command_line_that_there_is(name: str, command: list[str]) -> None:
    program, *arguments = _value(name, "ExecStart").split()
    assert program.endswith("/bin/pos-backoffice")
    assert arguments[: len(command)] == command
    parsed = make_parser().parse_args(arguments)
    assert parsed.config.parent == Path("/var/lib") / _value(UNITS[0], "StateDirectory")


def test_services_run_as_the_user_that_sysusers_makes() -> None:
    made = (FOLDER / "pos-backoffice.sysusers").read_text().split()[1]
    for name in UNITS[:2]:
        assert (_value(name, "User"), _value(name, "Group")) == (made, made)
    assert _value(UNITS[0], "RestartPreventExitStatus") == "2", "wrong configuration: see the epilog of --help"
