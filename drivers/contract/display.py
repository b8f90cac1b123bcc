"""What every display promises."""

from drivers.contract.conformance import rule
from drivers.contract.rig import DisplayRig, until
from pos_agent.domain.screen import make_screen


@rule("field.md 12", "Of many screens the newest is shown")
async def test_display_shows_the_newest_screen(display_rig: DisplayRig) -> None:
    display_rig.plug()
    await display_rig.device.open()
    for amount in range(50):
        display_rig.device.show(make_screen(["确认退款", f"￥{amount}.00"], columns=20, rows=4))

    await until(lambda: display_rig.lines() == ["确认退款", "￥49.00", "", ""][: display_rig.rows])


@rule("field.md 13", "A screen shown while it is away is drawn when it comes")
async def test_display_screen_shown_while_closed_is_drawn_on_opening(display_rig: DisplayRig) -> None:
    display_rig.device.show(make_screen(["操作员登录", "", "", "OK"], columns=20, rows=4))
    display_rig.plug()
    await display_rig.device.open()

    await until(lambda: display_rig.lines() == ["操作员登录", "", "", "OK"][: display_rig.rows])


@rule("field.md 13", "Plugged in again, it shows the newest screen")
async def test_display_plugged_in_again_shows_the_screen_again(display_rig: DisplayRig) -> None:
    display_rig.plug()
    await display_rig.device.open()
    display_rig.device.show(make_screen(["已保存"], columns=20, rows=4))
    display_rig.unplug()
    await display_rig.device.wait_lost()
    await display_rig.device.close()
    display_rig.device.show(make_screen(["已提交"], columns=20, rows=4))
    display_rig.plug()
    await display_rig.device.open()

    await until(lambda: display_rig.lines()[0] == "已提交")


@rule("design.md D21", "A screen of another size is clipped, never a Han character in half")
async def test_display_screen_of_another_size_is_clipped(display_rig: DisplayRig) -> None:
    display_rig.plug()
    await display_rig.device.open()
    display_rig.device.show(make_screen(["123456789012345678退款"] + ["x"] * 5, columns=40, rows=12))

    await until(lambda: display_rig.lines() == ["123456789012345678退", "x", "x", "x"][: display_rig.rows])
    assert display_rig.device.size == (20, display_rig.rows)


@rule("screens.md 3", "A beep changes no cell")
async def test_display_beep_never_changes_the_screen(display_rig: DisplayRig) -> None:
    display_rig.device.beep()
    display_rig.plug()
    await display_rig.device.open()
    display_rig.device.show(make_screen(["a"], columns=20, rows=4))
    display_rig.device.beep()

    await until(lambda: display_rig.lines() == ["a", "", "", ""][: display_rig.rows])
