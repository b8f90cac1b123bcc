"""The code on the shop's copy."""

from pathlib import Path

import pytest

from drivers.escpos.encoder import encode
from drivers.escpos.profile import Profile, TextMode
from pos_agent.domain.slip import Cut, QrCode, SlipDocument
from pos_agent.journal.store import Journal
from pos_agent.printing.rescue import RescueCodes
from pos_agent.protocol import rescue
from pos_agent.protocol.ed25519 import PrivateKey
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, make_request
from tests.fakes.slip_samples import maker, request

KEY = PrivateKey.generate()
CODES = RescueCodes(kid="d1", key=KEY)


def _codes_of(slip: SlipDocument) -> list[QrCode]:
    return [block for block in slip.blocks if isinstance(block, QrCode)]


def test_rescue_code_is_on_the_shops_copy_alone_before_the_cut() -> None:
    merchant, customer = CODES(request(), maker().request_slips(request()))
    [code] = _codes_of(merchant)
    assert isinstance(merchant.blocks[-1], Cut)
    assert _codes_of(customer) == []
    assert rescue.read(code.text, keys={"d1": KEY.public_key()}).request == request()


def test_rescue_code_of_training_is_not_printed() -> None:
    slips = maker().request_slips(request(is_training=True))
    assert CODES(request(is_training=True), slips) == slips


@pytest.mark.parametrize(("note", "dots"), [(None, 4), ("x" * 200, 3)])
def test_rescue_code_fits_a_58_mm_slip(note: str | None, dots: int) -> None:
    [merchant, _] = CODES(request(note=note), maker().request_slips(request()))
    [code] = _codes_of(merchant)
    assert code.module_dots == dots


@pytest.mark.parametrize(
    "profile",
    [Profile(profile_id="a", name="a", has_qr=False), Profile(profile_id="b", name="b", text_mode=TextMode.RASTER)],
)
def test_rescue_code_is_left_out_by_printers_that_do_not_draw_it_themselves(profile: Profile) -> None:
    slip = SlipDocument(
        kind=maker().request_slips(request())[0].kind, blocks=(QrCode("PR1.x", is_optional=True), Cut())
    )
    without = SlipDocument(kind=slip.kind, blocks=(Cut(),))
    assert encode(slip, profile) == encode(without, profile)


async def test_rescue_code_holds_the_request_as_the_journal_committed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    journal = await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    journal.finish_slips = CODES
    try:
        await journal.commit_refund(make_request(1), [])
        second = make_request(2)
        committed = await journal.commit_refund(second, maker().request_slips(second))
        [merchant, customer] = await journal.slips(second.refund_request_id)
    finally:
        await journal.close()
    [code] = _codes_of(merchant.document)
    assert committed.seq == 2
    assert rescue.read(code.text, keys={"d1": KEY.public_key()}).request == committed
    assert _codes_of(customer.document) == []
