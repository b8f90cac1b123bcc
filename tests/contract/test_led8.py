"""The LED pole: bytes as the manual says, and nothing on it that is not true (field.md 21)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drivers.display.led8 import Lamp, Led8Dialect, compose
from pos_agent.domain.screen import Screen, make_screen
from tests.contract.conformance import rule
from tests.contract.display_rigs import Led8DisplayRig
from tests.fakes.waiting import until


class _Sheet:
    """Where the outcome of this file's rules is written."""

    sheet = "display-led8"


@pytest.fixture(autouse=True)
def on_sheet() -> _Sheet:
    return _Sheet()


def _screen(view: str, *lines: str) -> Screen:
    return make_screen(list(lines), columns=20, rows=2, view=view)


@pytest.mark.parametrize(
    ("screen", "shown"),
    [
        (_screen("customer.sale", "退款核对", "￥128.00"), ("128.00", Lamp.TOTAL)),
        (_screen("customer.confirm", "Refund CNY0.05", "paid after review"), ("0.05", Lamp.TOTAL)),
        (_screen("customer.saved", "退款申请已保存", "￥128.00"), ("128.00", Lamp.TOTAL)),
        (_screen("customer.succeeded", "退款成功", "￥128.00"), ("128.00", Lamp.CHANGE)),
        (_screen("customer.idle", "欢迎光临", ""), ("", Lamp.NONE)),
        (_screen("customer.bill", "请打开账单里的条码", "不要出示付款码"), ("", Lamp.NONE)),
        (_screen("customer.sale", "退款核对", "￥999999.99"), ("999999.99", Lamp.TOTAL)),
        (_screen("customer.sale", "退款核对", "￥9999999.99"), ("--------", Lamp.TOTAL)),  # never a part of an amount
    ],
)
@rule("field.md 21", "Lamps say only what is certain; an amount that does not fit is not shown in part")
def test_led8_says_by_its_lamps_only_what_is_certain(screen: Screen, shown: tuple[str, str]) -> None:
    """总计 while money is asked for; 找零, money for the customer, only once it has been paid back."""
    assert compose(screen) == shown


@pytest.mark.parametrize(
    ("has_lamp_command", "opening", "painted"),
    [
        (True, b"\x1b@\x0c\x02L0000", b"\x1bQA128.00\r\x02L0001"),
        (False, b"\x1b@\x0c\x1bs0", b"\x1bQA128.00\r\x1bs4"),
    ],
)
@rule("field.md 21", "ESC Q A digits CR; lamps by STX L or ESC s")
async def test_led8_bytes_are_those_of_the_manual(
    has_lamp_command: bool, opening: bytes, painted: bytes, tmp_path: Path
) -> None:
    """Source: LED8N manual as read in field.md 21: ESC Q A digits CR; STX L d1d2d3d4; some makes ESC s n."""
    rig = Led8DisplayRig(tmp_path, has_lamp_command=has_lamp_command)
    received = bytearray()
    feed = rig.sim._feed

    def keep(data: bytes) -> None:
        received.extend(data)
        feed(data)

    rig.sim._feed = keep  # type: ignore[method-assign]
    rig.plug()
    await rig.device.open()
    rig.device.show(_screen("customer.succeeded", "退款成功", "￥128.00"))
    await until(lambda: rig.lines() == ["128.00", "找零"])
    await rig.device.close()
    rig.unplug()

    assert bytes(received) == opening + painted
    assert Led8Dialect(has_lamp_command=has_lamp_command).closing() == b""


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Led8DisplayRig]:
    rig = Led8DisplayRig(tmp_path)
    rig.plug()
    await rig.device.open()
    yield rig
    await rig.device.close()
    rig.unplug()


@rule("design.md I9", "The customer sees the amount, and the change lamp only once the money is paid back")
async def test_led8_customer_sees_a_refund_from_sale_to_money(rig: Led8DisplayRig) -> None:
    assert rig.device.size == (20, 2)  # the workflow writes words; the pole takes the figures out of them
    rig.device.show(_screen("customer.sale", "退款核对", "￥128.00"))
    await until(lambda: rig.lines() == ["128.00", "总计"])
    rig.device.show(_screen("customer.succeeded", "退款成功", "￥128.00"))
    await until(lambda: rig.lines() == ["128.00", "找零"])
    rig.device.show(_screen("customer.idle", "欢迎光临", ""))
    await until(lambda: rig.lines() == ["", ""])
    assert rig.sim.unknown == []


@rule("field.md 12", "Later screens merge into the newest")
async def test_led8_shows_the_newest_of_many_amounts(rig: Led8DisplayRig) -> None:
    for yuan in range(200):
        rig.device.show(_screen("customer.sale", "退款核对", f"￥{yuan}.00"))
    await until(lambda: rig.lines() == ["199.00", "总计"])


@rule("field.md 13", "Plugged in again, it shows the amount again")
async def test_led8_plugged_in_again_shows_the_amount_again(rig: Led8DisplayRig) -> None:
    rig.device.show(_screen("customer.sale", "退款核对", "￥3.00"))
    await until(lambda: rig.lines() == ["3.00", "总计"])
    rig.unplug()
    await rig.device.wait_lost()
    await rig.device.close()
    rig.plug()
    assert rig.lines() == ["", ""]
    await rig.device.open()
    await until(lambda: rig.lines() == ["3.00", "总计"])
