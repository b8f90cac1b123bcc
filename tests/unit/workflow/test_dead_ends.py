"""No failure behind a screen leaves the cashier in front of it: each ends in words and a way on."""

import pytest

from pos_agent.errors import JournalError, JournalFullError
from tests.unit.workflow.rig import Till, at_menu, running, to_confirm


async def test_defect_while_a_request_is_kept_says_that_nothing_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    async def defective(*_: object) -> object:
        raise ValueError("a slip that cannot be made")

    async with at_menu() as till:
        await to_confirm(till)
        monkeypatch.setattr(till.journal, "commit_refund", defective)
        await till.press("ENTER")
        await till.wait_for(lambda: till.state != "SAVING")
        assert till.state == "NOT_SAVED"
        monkeypatch.undo()
        await till.press("ENTER", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == 1


async def test_journal_that_cannot_be_read_after_the_commit_still_shows_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def unreadable(*_: object) -> object:
        raise JournalFullError("input/output error")

    async with at_menu() as till:
        await to_confirm(till)
        monkeypatch.setattr(till.journal, "outbox_counts", unreadable)
        await till.press("ENTER")
        await till.wait_for(lambda: till.state != "SAVING")
        assert till.state == "RESULT"
        monkeypatch.undo()
        await till.press("ENTER")
        assert till.state == "MENU"


async def test_draft_that_cannot_be_read_keeps_nobody_from_signing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable() -> object:
        raise JournalError("draft")

    till = Till()
    monkeypatch.setattr(till.journal, "load_draft", unreadable)
    async with running(till):
        await till.sign_in()
        assert till.state == "MENU"


async def test_defect_behind_the_screen_is_logged_and_what_follows_is_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def defective(*_: object) -> object:
        raise ValueError("defect")

    async with at_menu() as till:
        monkeypatch.setattr(till.journal, "save_draft", defective)
        await to_confirm(till)
        await till.press("ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
    assert "journal work failed" in caplog.text
    assert len(till.journal.commits) == 1
