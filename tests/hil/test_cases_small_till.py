"""A till with an operator display of 20×4 and a printer as slow as a real one, over the bench API."""

from collections.abc import Iterator

import pytest

from tests.hil.conftest import RunningBench, open_till, run_bench
from tests.hil.till import BenchUse, Till

pytestmark = [pytest.mark.bench, pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def small_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBench]:
    """A bench of its own."""
    with run_bench(tmp_path_factory.mktemp("small"), "--display", "20x4", is_fast=False) as bench:
        yield bench


@pytest.fixture(scope="module")
def small_use() -> BenchUse:
    """What was used up of the small bench."""
    return BenchUse()


@pytest.fixture
def small_till(small_bench: RunningBench, small_use: BenchUse) -> Iterator[Till]:
    """A cashier at MENU of the small till."""
    with open_till(small_bench, small_use) as till:
        yield till


def test_full_refund_on_20x4_shows_where_what_and_whether_money_moved(small_till: Till) -> None:
    till, client = small_till, small_till.client
    assert client.state()["screens"]["operator"]["size"] == [20, 4]
    assert client.screen().splitlines()[0] == "扫账单条码=开始退款"
    sale = till.spare()
    yuan = f"{sale['paid_minor'] // 100}.00"
    till.scan(sale)
    client.wait_screen(f"可退￥{yuan}")
    client.wait_screen("确认=全退 2部分")
    till.choose_all()
    client.wait_screen("1不想要了 2质量问题")
    client.keys("1")
    client.wait_screen(f"确认退款￥{yuan}")
    client.wait_screen("确认=提交 清除=返回")
    request_id = till.submit()
    client.wait_screen("已提交 等待审核")
    client.wait_screen(f"￥{yuan} 钱还没退")
    assert request_id[-6:] in client.screen()
    assert [till.codes_on(slip) for slip in till.wait_slips(2)] == [[request_id]] * 2
    assert till.wait_stored(request_id, "reviewing")["amount_minor"] == sale["paid_minor"]


def refund_until_inside_its_first_slip(till: Till, bench: RunningBench) -> str:
    """From MENU to RESULT while 20 mm of the first slip are out; returns the request's number.

    The near-end sensor tells when: the daemon logs it, and goes on printing.
    """
    log = bench.log_dir / "daemon.log"
    before = log.read_text("utf-8").count("EPTR_REC_NEAR_END")
    fault_id = till.client.fault("near_end", after_mm=20)
    request_id = till.refund(till.spare())
    till.client.wait(lambda _state: log.read_text("utf-8").count("EPTR_REC_NEAR_END") > before, "a slip under way")
    till.client.clear_fault(fault_id)
    return request_id


def test_printer_unplugged_inside_a_slip_never_prints_two_unmarked(small_till: Till, small_bench: RunningBench) -> None:
    till, client = small_till, small_till.client
    request_id = refund_until_inside_its_first_slip(till, small_bench)
    client.unplug("printer")
    client.wait_screen("打印机未连接,已保存")
    client.plug("printer")
    client.wait_device("printer", is_online=True)
    slips = till.wait_slips(3)
    till.wait_printed()
    merchants = [slip["is_copy"] for slip in slips if "商户存根" in slip["text"]]
    customers = [slip["is_copy"] for slip in slips if "顾客存根" in slip["text"]]
    # The printer kept its power and printed what it had; nobody can know that, so the next one is marked (D13).
    assert merchants == [False, True]
    assert customers == [False]
    assert all(till.codes_on(slip) == [request_id] for slip in slips)


def test_power_cut_inside_a_slip_prints_a_marked_copy_after_the_start(
    small_till: Till, small_bench: RunningBench
) -> None:
    till, client = small_till, small_till.client
    request_id = refund_until_inside_its_first_slip(till, small_bench)
    client.power("cut")
    till.power_on()
    till.wait_stored(request_id, "reviewing")
    slips = till.wait_slips(3)
    till.wait_printed()
    assert [slip["is_copy"] for slip in slips if "商户存根" in slip["text"]] == [False, True]
    assert [slip["is_copy"] for slip in slips if "顾客存根" in slip["text"]] == [False]
