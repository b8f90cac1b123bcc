"""A key map in trial asks for its changed keys, one at a time, at MENU (D17, trust.md 16)."""

import pytest

from pos_agent.domain.events import KeysWanted
from tests.unit.workflow.rig import Till, running


@pytest.mark.parametrize("size", [(20, 4), (40, 12)], ids=["20x4", "40x12"])
async def test_trust_16_changed_keys_are_asked_for_at_menu_one_after_the_other(size: tuple[int, int]) -> None:
    till = Till(size=size)
    async with running(till):
        await till.sign_in()
        await till.put(KeysWanted(("CANCEL", "CLEAR")))
        assert "新键盘:按一次 取消" in till.text
        await till.put(KeysWanted(("CLEAR",)))
        assert "新键盘:按一次 清除" in till.text
        await till.put(KeysWanted(()))
        assert "新键盘" not in till.text
