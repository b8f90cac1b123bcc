"""The commands of the runbooks, as they stand on the pages, in order, on a back office with data."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from backoffice.clock import system_now
from tests.unit.backoffice.world import World

_ROOT = Path(__file__).resolve().parents[3]
RUNBOOKS = _ROOT / "docs" / "runbooks"
PAGES = ("backup-drill.md", "lost-keys.md")
_CONFIG = """\
lookup_key_file = "lookup.key"
[database]
url = "sqlite:///backoffice.db"
[signing]
kid = "backoffice"
key_file = "backoffice.key"
[acquirers.simulated]
adapter = "none"
"""
_SALES = "sale_id,merchant_id,order_no,channel,acquirer_id,paid_at,paid_minor\n"


def blocks(page: str) -> list[str]:
    """Return the blocks that a reader may paste, in order; those inside a list are indented."""
    found = re.findall(r"^( *)```sh\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def test_every_runbook_has_commands_and_every_block_says_what_it_is() -> None:
    for name in PAGES:
        page = (RUNBOOKS / name).read_text("utf-8")
        assert len(blocks(page)) >= 5, name
        assert set(re.findall(r"^ *```(\w+)$", page, re.MULTILINE)) == {"sh", "text"}, name


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Return a folder with a configured back office: a till, a person, an approved request, its key."""
    return _make_desk(tmp_path, f"sqlite:///{tmp_path / 'backoffice.db'}", _CONFIG)


def _make_desk(tmp_path: Path, url: str, config: str) -> Path:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "pos-backoffice"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={_ROOT} exec {sys.executable} -m backoffice "$@"\n')
    command.chmod(0o755)
    (tmp_path / "backoffice.toml").write_text(config)
    (tmp_path / "lookup.key").write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=\n")
    (tmp_path / "sales.csv").write_text(_SALES)
    run(tmp_path, "pos-backoffice init\npos-backoffice keys")
    world = World(url)
    try:
        world.now = system_now()
        world.approved()
    finally:
        world.close()
    return tmp_path


def run(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a shell would, in a folder; the back office's command is on the path."""
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **variables}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [pytest.param(page, marks=pytest.mark.exhaustive if page == "lost-keys.md" else ()) for page in PAGES]
)
def test_runbook_commands_work(desk: Path, name: str) -> None:
    script = "\n".join(blocks((RUNBOOKS / name).read_text("utf-8")))
    done = run(desk, script)
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    if name == "backup-drill.md":
        assert "NOT WHOLE" not in done.stdout + done.stderr
        assert "is done (person:drill)" in done.stdout
    else:
        assert "refused, as it should be" in done.stdout
        assert "heads in" in done.stdout


def _postgresql_blocks() -> tuple[str, str]:
    """Return the drill and the commands by hand, as they stand on the page."""
    page = (RUNBOOKS / "backup-drill.md").read_text("utf-8")
    found = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    [drill] = [body for body in found if "createdb" in body]
    [by_hand] = [body for body in found if "pg_dump" in body]
    return drill, by_hand


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.exhaustive
def test_postgresql_drill_works_and_by_hand_too(tmp_path: Path, postgresql: str) -> None:
    url = make_url(postgresql)
    where = {"PGHOST": str(url.query["host"]), "PGUSER": "pos", "DATABASE": str(url.database)}
    desk = _make_desk(tmp_path, postgresql, _CONFIG.replace("sqlite:///backoffice.db", postgresql))
    drill, by_hand = _postgresql_blocks()
    copying = (
        "pos-backoffice audit anchor\nmkdir -p safe\npos-backoffice backup safe/today.db\ncp anchors.jsonl safe/\n"
    )
    done = run(desk, copying + drill, **where)
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "whole: 1 requests" in done.stdout
    assert "is done (person:drill)" in done.stdout
    done = run(desk, f"{by_hand}pos-backoffice audit verify\npos-backoffice resume", **where)
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "whole: 1 requests" in done.stdout
    assert ": restoring since" in done.stdout
    refused = run(desk, "pos-backoffice backup safe/today.db", **where)
    assert (refused.returncode, "exists" in refused.stderr) == (1, True)
