"""A till that most tests of the menu begin with."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, running


@pytest_asyncio.fixture(params=[(20, 4), (40, 12)], ids=["20x4", "40x12"])
async def till(request: pytest.FixtureRequest) -> AsyncIterator[Till]:
    """A till at MENU, online, with one known sale."""
    till = Till(size=request.param)
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    async with running(till):
        await till.online()
        await till.sign_in()
        assert till.state == "MENU"
        yield till
