"""A till with a panel on HDMI: the cashier's screens are read from the dots that the real daemon drew (field.md 1)."""

from collections.abc import Iterator

import pytest

from tests.hil.conftest import open_till, run_bench
from tests.hil.till import BenchUse, Till

pytestmark = [pytest.mark.bench, pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def panel_till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """A cashier at MENU of a till with a framebuffer."""
    with (
        run_bench(tmp_path_factory.mktemp("panel"), "--display", "framebuffer") as bench,
        open_till(bench, BenchUse()) as till,
    ):
        yield till


def test_full_refund_is_read_from_the_dots_of_the_panel(panel_till: Till) -> None:
    till, client = panel_till, panel_till.client
    assert client.screen().splitlines()[0].startswith("退款终端 01号操作员")
    sale = till.spare()
    yuan = f"{sale['paid_minor'] // 100}.00"
    till.scan(sale)
    client.wait_screen(f"￥{yuan}")
    till.choose_all()
    client.wait_screen("1 顾客不想要")
    client.keys("1")
    client.wait_screen("请先告诉顾客: 审核后原路退回")
    till.submit()
    client.wait_screen("已提交")
    client.wait_screen("钱还没退")
    client.keys("ENTER")
    client.wait_screen("请扫顾客账单条码")


def test_panel_unplugged_shows_the_same_screen_when_it_is_back(panel_till: Till) -> None:
    """field.md 1: fb0 late or absent is a device state; no restart."""
    client = panel_till.client
    client.keys("FN")
    client.wait_screen("功能")
    before = [line[:30] for line in client.screen().splitlines()]
    client.unplug("operator_display")
    client.wait_device("operator_display", is_online=False)
    client.plug("operator_display")
    client.wait_device("operator_display", is_online=True)
    client.wait_screen(lambda lines: [line[:30] for line in lines] == before)
    client.keys("CLEAR")
