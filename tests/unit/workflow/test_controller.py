"""The controller on fake ports."""

from tests.unit.workflow.rig import WECHAT_ORDER, Till, running, sale


async def test_full_refund_by_scan_takes_four_presses_and_commits_once() -> None:
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = sale()
    async with running(till):
        await till.online()
        await till.sign_in()
        assert till.state == "MENU"
        till.presses = 0
        await till.scan(WECHAT_ORDER)
        assert till.state == "SALE"
        await till.press("ENTER", "1", "ENTER")
        await till.wait_for(lambda: till.state == "RESULT")
        await till.press("ENTER")
        assert till.state == "MENU"
    assert till.presses == 4
    assert [request.amount_minor for request in till.journal.commits] == [12800]
