"""Acceptance cases of the refund menu (payments.md section 9d): network, power, paper and disk fail."""

import pytest

from pos_agent.domain.events import (
    DeviceName,
    DeviceStatusChanged,
    PrintJobPaused,
)
from pos_agent.domain.slip import PrintOutcome
from pos_agent.errors import JournalFullError
from tests.unit.workflow.rig import Till, at_menu, running, submit, to_confirm


async def test_case_16_network_down_before_submit_is_saved_and_not_paid(till: Till) -> None:
    await to_confirm(till)
    await till.online(False)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert "网络断开,已保存" in till.text
    assert "钱还没退" in till.text
    assert "已提交" not in till.text


async def test_case_17_back_office_silent_is_unknown_and_nobody_waits(till: Till) -> None:
    number = await submit(till)
    till.journal.change(number, was_send_attempted=True)
    await till.put(PrintJobPaused(1, number, ""))
    await till.settle()
    assert "已保存,等待后台确认" in till.text
    assert "结果待确认" in till.text
    await till.press("ENTER")
    assert till.state == "MENU"
    assert len(till.journal.commits) == 1


async def test_case_18_request_past_confirm_is_not_offered_again_after_a_power_cut() -> None:
    async with at_menu() as till:
        await submit(till)
    assert till.journal.draft is None
    till.restart()
    async with running(till):
        assert till.state == "LOGIN"
        await till.sign_in()
        assert till.state == "MENU"
    assert len(till.journal.commits) == 1


@pytest.mark.parametrize(("key", "state"), [("ENTER", "CONFIRM"), ("CANCEL", "MENU")])
async def test_case_19_power_cut_before_confirm_offers_resume_to_the_same_operator(key: str, state: str) -> None:
    async with at_menu() as till:
        await to_confirm(till)
    assert till.journal.draft is not None
    till.restart()
    async with running(till):
        assert till.state == "LOGIN"
        await till.sign_in()
        assert till.state == "RESUME"
        assert "128.00" in till.text
        await till.press(key)
        assert till.state == state
        if state == "CONFIRM":
            await till.press("ENTER")
            await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == (state == "CONFIRM")


@pytest.mark.parametrize(
    ("keys", "later_s"),
    [(("0", "2", "ENTER", "1", "3", "5", "7", "ENTER"), 0), (("0", "1", "ENTER", "2", "4", "6", "8", "ENTER"), 601)],
    ids=["another operator", "too old"],
)
async def test_case_19_draft_that_may_not_be_offered_is_discarded(keys: tuple[str, ...], later_s: float) -> None:
    async with at_menu() as till:
        await to_confirm(till)
    till.restart()
    till.clock.boottime += later_s
    async with running(till):
        await till.press(*keys)
        assert till.state == "MENU"
        await till.settle()
    assert till.journal.dropped == ["stale"]
    assert till.journal.draft is None


async def test_case_20_confirm_pressed_twice_makes_one_request_and_the_outcome_stays(till: Till) -> None:
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    await till.press("ENTER", after_s=0.05)
    await till.press("ENTER", after_s=0.75)
    assert till.state == "RESULT"
    assert len(till.journal.commits) == 1
    await till.press("ENTER", after_s=0.3)
    assert till.state == "MENU"


async def test_case_20_confirm_is_dead_for_600_ms_after_it_is_shown(till: Till) -> None:
    await to_confirm(till)
    await till.press("ENTER", after_s=0.55)
    assert till.state == "CONFIRM"
    await till.press("ENTER", after_s=0.1)
    await till.wait_for(lambda: till.state == "RESULT")


async def test_case_21_paper_out_says_that_the_request_is_saved(till: Till) -> None:
    await till.online(False)
    number = await _offline_submit(till)
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, False, "EPTR_REC_EMPTY"))
    await till.put(PrintJobPaused(1, number, "EPTR_REC_EMPTY"))
    assert "缺纸,申请已保存" in till.text
    assert "自动打印" in till.text
    await till.put(DeviceStatusChanged(DeviceName.PRINTER, True))
    assert "缺纸" not in till.text


async def test_case_21_reprint_is_a_marked_copy_with_a_number_of_its_own(till: Till) -> None:
    await submit(till)
    till.journal.end_jobs(PrintOutcome.SENT_CLEAN)
    await till.press("3", "3")
    await till.settle()
    copies = [job for job in till.journal.jobs if job.copy_no]
    assert [(job.kind, job.copy_no) for job in copies] == [("request_customer", 1), ("request_customer", 2)]


async def _offline_submit(till: Till) -> str:
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    return till.journal.commits[0].refund_request_id


async def test_disk_full_at_confirm_says_that_nothing_was_kept_and_can_be_retried(till: Till) -> None:
    till.journal.failure = JournalFullError("disk full")
    await to_confirm(till)
    await till.press("ENTER")
    await till.wait_for(lambda: till.state == "NOT_SAVED")
    assert "没有保存" in till.text
    assert "E-DISK" in till.text
    assert "钱没动" in till.text
    await till.press("ENTER", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == 1
