"""The commands of the pages for fleet operators, as they stand there; and what an update relies on."""

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pos_agent.control.server import read_status
from tests.bench.till import BenchTill
from tests.integration.backoffice.test_runbooks import blocks, desk, run

__all__ = ["desk"]
ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def till() -> Iterator[BenchTill]:
    """A till with a journal; sockets need a short folder."""
    with TemporaryDirectory(prefix="pa", dir="/tmp") as folder:
        made = BenchTill(Path(folder))
        made.add_operator()
        yield made
        made.close()


@pytest.mark.exhaustive
def test_fleet_page_commands_work(desk: Path) -> None:
    for name in ("a", "b"):
        (desk / f"passphrase-{name}").write_text(f"a long passphrase of {name}\n")
    page = (ROOT / "docs" / "fleet.md").read_text("utf-8")
    assert set(re.findall(r"^ *```(\w+)$", page, re.MULTILINE)) == {"sh", "text"}
    done = run(desk, "\n".join(blocks(page)))
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "NOT ENOUGH: a second person must sign" in done.stdout
    assert "signed by fleet-2026a, fleet-2026b" in done.stdout
    assert "limits-1: released to 1 more tills" in done.stdout
    assert "limits-1: undone at 1 tills" in done.stdout
    assert "given version 2 (limits-1): waiting" in done.stdout
    assert "a long passphrase" not in done.stdout + done.stderr


@pytest.mark.exhaustive
def test_update_page_commands_work(desk: Path, till: BenchTill) -> None:
    till.start()
    till.stop()
    command = desk / "bin" / "pos-agent"
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} POS_AGENT_ALLOW_VOLATILE=1 exec {sys.executable} -m pos_agent "$@"\n'
    )
    command.chmod(0o755)
    (desk / "terminal.toml").write_text((till.folder / "terminal.toml").read_text())
    page = (ROOT / "docs" / "runbooks" / "update.md").read_text("utf-8")
    assert set(re.findall(r"^ *```(\w+)$", page, re.MULTILINE)) == {"sh", "text"}
    assert len(blocks(page)) >= 5
    done = run(desk, "\n".join(blocks(page)))
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert "is done (person:update-drill)" in done.stdout
    assert "NOT WHOLE" not in done.stdout + done.stderr


def test_older_build_on_a_newer_journal_touches_nothing_and_the_newer_one_goes_on(till: BenchTill) -> None:
    """Going back over a migration: SAFE, not black; and the way forward is open."""
    till.start()
    till.stop()
    journal = till.folder / "data" / "journal.db"
    with closing(sqlite3.connect(journal)) as connection:
        (known,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {known + 1}")
    before = _content(journal)
    till.start()
    status = read_status(till.folder / "run")
    assert (status.workflow_state, status.safe_code) == ("SAFE", "E-VERSION")
    till.stop()
    assert _content(journal) == before
    assert f"journal has version {known + 1}, this build knows {known}" in (till.folder / "daemon.log").read_text()
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"PRAGMA user_version = {known}")
    till.start()
    assert read_status(till.folder / "run").safe_code == ""


def _content(journal: Path) -> list[str]:
    with closing(sqlite3.connect(journal)) as connection:
        return list(connection.iterdump())
