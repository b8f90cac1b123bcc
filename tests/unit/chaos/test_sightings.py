"""Screens and slips are read as a cashier reads them."""

from hil.chaos.cashier import view_of
from hil.chaos.sightings import Claim, read_screen, read_slip
from tests.unit.chaos.history import ID, result_screen, slip


def test_read_screen_offline_result_is_saved_not_stored() -> None:
    seen = read_screen(result_screen("网络断开,已保存", "钱还没退"))
    assert seen is not None
    assert (seen.request_id, seen.amount_minor, seen.claim) == (ID, 13278, Claim.NOT_YET)
    assert seen.is_saved
    assert not seen.is_stored


def test_read_screen_submitted_is_stored() -> None:
    seen = read_screen(result_screen("已提交 等待审核", "钱还没退"))
    assert seen is not None
    assert seen.is_stored


def test_read_screen_each_word_about_money_is_its_own_claim() -> None:
    words = {"钱还没退": Claim.NOT_YET, "没有退钱": Claim.NEVER, "钱已退": Claim.MOVED, "结果待确认": Claim.UNKNOWN}
    for text, claim in words.items():
        seen = read_screen(result_screen("申请", text))
        assert seen is not None
        assert seen.claim is claim


def test_read_screen_without_number_says_nothing() -> None:
    assert read_screen(["退款  4 提交", "  退款  ￥132.78  全额"]) is None


def test_read_slip_request_copies_are_told_apart() -> None:
    sheet = [*slip("REFUND REQUEST", copy_of="MERCHANT"), *slip("REFUND REQUEST", copy_of="CUSTOMER")]
    assert [one.document for one in read_slip({"lines": sheet})] == ["merchant", "customer"]


def test_read_slip_cut_short_is_not_whole() -> None:
    (seen,) = read_slip({"lines": slip("REFUNDED")[:-1]})
    assert (seen.is_whole, seen.claim, seen.document) == (False, Claim.MOVED, "result")


def test_read_slip_copy_mark_above_the_title_counts() -> None:
    (seen,) = read_slip({"lines": slip("REFUND REJECTED", mark="重打印凭证 DUPLICATED COPY 2")})
    assert seen.is_copy
    assert seen.claim is Claim.NEVER


def test_view_of_knows_the_steps_of_a_refund() -> None:
    assert view_of(["退款终端  操作员登录"]) == "login"
    assert view_of(["退款  3 原因     ￥128.00 全额"]) == "reason"
    assert view_of(result_screen("已提交  等待审核", "钱还没退")) == "result"
    assert view_of(["", ""]) == "dark"
