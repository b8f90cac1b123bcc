"""FN 9 and the printer: pause and go on, take another one for the till's own; what the screens say meanwhile."""

import pytest

from pos_agent.domain.events import DeviceName, DeviceStatusChanged
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.fakes.workflow_ports import FakeSpooler
from tests.unit.workflow.rig import Till, running

SIZES = [(20, 4), (40, 12)]


def spooler(till: Till) -> FakeSpooler:
    return till.spooler


async def page_until(till: Till, words: str) -> None:
    """Page through FN 9 until the words are there."""
    for _ in range(10):
        if words in till.text:
            return
        await till.press("NEXT")
    raise AssertionError(f"{words} is on no page")


@pytest.mark.parametrize("size", SIZES)
async def test_fn_9_2_pauses_and_goes_on_and_both_are_said(size: tuple[int, int]) -> None:
    async with running(Till(size=size)) as till:
        await till.sign_in()
        await till.press("FN", "9")
        await page_until(till, "按2=暂停打印")
        await till.press("2")
        assert spooler(till).is_paused
        assert "已暂停打印" in till.text
        await till.press("CLEAR")
        assert till.state == "MENU"
        assert "已暂停打印 功能9-2" in till.text, "whoever comes next must know, and know what to do"
        await till.press("F4")
        assert "Paused: FN 9, 2" in till.text
        await till.press("F4", "FN", "9")
        await page_until(till, "已暂停 按2=继续打印")
        await till.press("2", "CLEAR")
        assert not spooler(till).is_paused
        assert "暂停" not in till.text


@pytest.mark.parametrize(("size", "words"), [((20, 4), "返回后按功能9-2继续"), ((40, 12), "已暂停打印,好了自动打印")])
async def test_slip_of_a_paused_till_is_said_to_wait_not_to_be_without_a_printer(
    size: tuple[int, int], words: str
) -> None:
    async with running(Till(size=size)) as till:
        till.lookup.sales[WECHAT_ORDER] = make_sale()
        await till.sign_in()
        await till.press("FN", "9", "2", "CLEAR")
        await till.scan(WECHAT_ORDER)
        await till.press("2", "3", "ENTER", "1", "ENTER")
        assert till.state == "RESULT"
        assert "暂停打印,已保存" in till.text
        assert words in till.text
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, ""))
        assert "暂停打印,已保存" in till.text, "the printer's own news end no pause"
        await till.press("ENTER", "FN", "9", "2", "CLEAR", "FN", "2")
        assert till.state == "LAST"
        assert "暂停" not in till.text


@pytest.mark.parametrize("size", SIZES)
async def test_another_printer_is_told_and_fn_9_3_takes_it(size: tuple[int, int]) -> None:
    async with running(Till(size=size)) as till:
        await till.sign_in()
        await till.press("FN", "9", "3", "CLEAR")
        assert spooler(till).accepted == 0, "there is nothing to confirm"
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, "printer_swapped"))
        assert "打印机换过 功能9-3" in till.text
        await till.press("FN", "9")
        await page_until(till, "按3=确认新打印机")
        await till.press("3")
        assert spooler(till).accepted == 1
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, ""))
        await till.press("CLEAR")
        assert "打印机换过" not in till.text


async def test_low_paper_by_count_is_a_notice_and_no_fault() -> None:
    async with running(Till(size=(40, 12))) as till:
        await till.sign_in()
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, "paper_low"))
        assert "纸快用完,请备纸卷" in till.text
        await till.put(DeviceStatusChanged(DeviceName.PRINTER, True, ""))
        assert "纸快用完" not in till.text


async def test_refusal_sounds_on_display_and_printer() -> None:
    async with running(Till()) as till:
        await till.press("ENTER")
        assert till.display.beeps == spooler(till).sounds == 1
