"""A disk that would not keep a request: refused before the cashier begins, told in words, over by itself."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pos_agent.domain.events import StorageChanged
from tests.fakes.samples import WECHAT_ORDER
from tests.unit.workflow.rig import Till, at_menu


@pytest_asyncio.fixture(params=[(20, 4), (40, 12)], ids=["20x4", "40x12"])
async def till(request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    async with at_menu(Till(size=request.param)) as till:
        yield till


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("E-DISK1", "存储已满,不能退款"),
        ("E-DISK2", "存储只读,不能退款"),
        ("E-DISK", "存储故障,不能退款"),
        ("E-JOURNAL", "账本损坏,不能退款"),
    ],
)
async def test_bad_disk_is_said_at_menu_and_no_refund_begins(till: Till, code: str, words: str) -> None:
    await till.put(StorageChanged(code))
    assert code in till.text
    beeps = till.display.beeps
    await till.scan(WECHAT_ORDER)
    assert till.state == "MENU"
    assert words in till.text
    assert till.display.beeps == beeps + 1
    assert till.lookup.asked == []
    await till.press("1")
    assert till.state == "MENU"


async def test_refund_begins_again_when_the_disk_is_well(till: Till) -> None:
    await till.put(StorageChanged("E-DISK1"))
    await till.put(StorageChanged(""))
    assert "E-DISK1" not in till.text
    await till.press("1")
    assert till.state == "SCAN"


async def test_refund_under_way_goes_on_with_the_reserve(till: Till) -> None:
    await till.scan(WECHAT_ORDER)
    await till.wait_for(lambda: till.state == "SALE")
    await till.put(StorageChanged("E-DISK1"))
    await till.press("ENTER", "1", "ENTER")
    await till.wait_for(lambda: till.state == "RESULT")
    assert len(till.journal.commits) == 1
