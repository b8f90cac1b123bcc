"""A certificate that is not renewed is said at the menu; refunds go on."""

import pytest

from pos_agent.domain.events import CertificateChanged
from tests.unit.workflow.rig import Till, running


@pytest.mark.parametrize("size", [(20, 4), (40, 12)], ids=["20x4", "40x12"])
@pytest.mark.parametrize("code", ["E-RENEW", "E-RENEW1", "E-RENEW2", "E-RENEW4"])
async def test_failed_renewal_is_said_at_the_menu_and_refunds_go_on(size: tuple[int, int], code: str) -> None:
    till = Till(size=size)
    async with running(till):
        await till.sign_in()
        await till.put(CertificateChanged(code))
        assert code in till.text
        await till.press("1")
        assert till.state == "SCAN"
        await till.press("CANCEL")
        await till.put(CertificateChanged(""))
        assert code not in till.text
