"""Start of a back office whose tables are already of its version: the rule, nearly always."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from backoffice.store.database import MIGRATIONS, TABLES_VERSION, upgrade


def test_tables_version_is_that_of_the_newest_migration() -> None:
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(settings).get_current_head() == TABLES_VERSION


def test_upgrade_of_tables_of_this_version_runs_no_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'tables.db'}"
    upgrade(url)
    monkeypatch.setattr("alembic.command.upgrade", lambda *_: pytest.fail("migrated again"))
    upgrade(url)
