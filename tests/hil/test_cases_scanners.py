"""One full scan through each scanner that the bench can put on the till, a camera among them."""

from io import BytesIO

import pytest

from hil.bench.client import BenchClient, BenchError
from hil.simulators.camera import draw

pytestmark = [pytest.mark.bench, pytest.mark.broker]


def wechat(bench: BenchClient) -> str:
    code: str = next(sale["code"] for sale in bench.sales() if sale["kind"] == "wechat")
    return code


@pytest.mark.parametrize(
    "kind", ["ssi", *(pytest.param(kind, marks=pytest.mark.exhaustive) for kind in ("ack_nak", "grow", "camera"))]
)
def test_scanner_of_any_kind_on_the_bench_finds_the_sale(bench: BenchClient, kind: str) -> None:
    bench.choose_scanner(kind)
    assert bench.state()["scanner"] == kind
    bench.sign_in()
    bench.scan(wechat(bench))
    bench.wait_state("SALE")
    bench.unplug("scanner")
    bench.wait_device("scanner", is_online=False)
    bench.plug("scanner")
    bench.wait_device("scanner", is_online=True)


def test_camera_reads_a_picture_that_is_put_before_it_and_refuses_what_is_none(bench: BenchClient) -> None:
    with pytest.raises(BenchError, match="no_camera"):
        bench.show(b"")
    bench.choose_scanner("camera")
    bench.sign_in()
    with pytest.raises(BenchError, match="no_picture"):
        bench.show(b"no picture")
    photo = BytesIO()
    draw("qr", wechat(bench).encode()).save(photo, "JPEG")
    bench.show(photo.getvalue())
    bench.wait_state("SALE")
    bench.reset()
    assert bench.state()["scanner"] == "plain"
